/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "check", revision 1: a check run at a commit, made once and then updated.
 *
 *   set(run, {name "DCO", conclusion NULL})       POST  .../check-runs      in progress
 *   set(run, {name "DCO", conclusion "success"})  PATCH .../check-runs/ID   completed
 *
 * The check run is found by the app, the name and the external id at the commit, so a new commit
 * gets a new one. Two runs at the same time make one check run: the second waits until the first
 * has ended, without losing an attempt (SNEK_E_BUSY). The plugin needs {"checks", "write"}.
 *
 * Buttons are `actions`. The table `check_actions` of the descriptor (plugin.h) has the handlers of
 * their presses, and of re-runs. */
#ifndef SNEKOMATIC_CHECK_H
#define SNEKOMATIC_CHECK_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_CHECK_SERVICE "check"
#define SNEK_CHECK_REVISION 1

/* The text of a check run, for snek_check(run, "DCO", .conclusion = ...), which sets the first
 * three members. Borrowed with everything that it points to until the call returns. */
struct snek_check {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;
    /* The name that people see: "DCO". */
    const char *name;
    /* The commit. NULL for that of the event: the head of the pull request, of the check, of the
     * merge group, or of the push. */
    const char *head_sha;
    /* Tells several check runs of one name apart. NULL: the name. */
    const char *external_id;
    /* "success", "failure", "neutral", "cancelled", "skipped", "timed_out" or "action_required";
     * NULL while the check is in progress. */
    const char *conclusion;
    /* The output: a title, and Markdown. NULL title: none. */
    const char *title, *summary, *text;
    /* A JSON array of any number of annotations, as snek_annotate() makes it. NULL: none. GitHub
     * takes 50 at a time, so further ones are sent with further requests. */
    const char *annotations;
    /* A JSON array of at most 3 buttons: {"label", "description", "identifier"}, of at most 20, 40
     * and 20 characters. NULL: none. */
    const char *actions;
    /* Where people find more. NULL: nowhere. */
    const char *details_url;
    /* Where the id of the check run goes; NULL when it is not needed. */
    int64_t *id;
};

struct snek_check_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* The size of struct snek_check in the host. */
    uint32_t check_bytes;

    /* [handler] Makes the check run show `check`: updates it, or makes it when there is none.
     * GitHub only ever adds annotations, so a check run that has some is replaced by a new one of
     * its name when `check` has annotations. Blocks until GitHub responds. 0; or a negative enum
     * snek_error with a reason: SNEK_E_NO_TARGET when the event has no commit, SNEK_E_BUSY when
     * another run makes the same check run. */
    int32_t (*set)(struct snek_run *run, const struct snek_check *check);
};

#ifdef __cplusplus
}
#endif

#endif
