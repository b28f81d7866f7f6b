/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "item", revision 1: what a plugin keeps up to date on an issue or pull request: one
 * comment, and its labels.
 *
 *   comment(run, 0, "size", "+10 -3", NULL)   the first time: POST .../issues/22/comments
 *   comment(run, 0, "size", "+12 -3", NULL)   later: PATCH .../issues/comments/ID
 *                                             somebody deleted it: POST again
 *   edit_comment(run, 0, "size", "small")     only if there is one: PATCH
 *
 *   labels(run, 0, {{"docs", 1}, {"code", 0}}, 2)   GET the labels, then add "docs" if it is
 *                                                   missing, and remove "code" if it is there
 *
 * `number` is that of an issue or pull request in the event's repository; 0 for that of the event.
 *
 * Two runs at the same time make one comment: the second waits until the first has ended, without
 * losing an attempt (SNEK_E_BUSY). The plugin needs the permission that comments need: {"issues",
 * "write"} or {"pull_requests", "write"}. */
#ifndef SNEKOMATIC_ITEM_H
#define SNEKOMATIC_ITEM_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_ITEM_SERVICE "item"
#define SNEK_ITEM_REVISION 1

/* The most labels of one call, which is the most that GitHub lets an issue have. */
#define SNEK_LABELS_MAX 100

/* A label that the plugin decides on. */
struct snek_label {
    const char *name;
    /* Not 0: the item should have it. */
    int32_t wanted;
    /* 0. */
    uint32_t reserved;
};

struct snek_item_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] Makes the plugin's comment of this key show `markdown`: edits it, or posts it when
     * there is none. `key`, a line of at most 100 bytes, tells several such comments of an item
     * apart. The comment's id is in the plugin's store, for the installation. Blocks until GitHub
     * responds. 0 and `*id` (which may be NULL), the id of the comment, 0 when GitHub's response
     * has none (plugin.dry_run); or a negative enum snek_error with a reason: SNEK_E_NO_TARGET when
     * the event has no issue or pull request, SNEK_E_TOO_LARGE when the text has more than 65,536
     * characters, SNEK_E_BUSY when another run makes the same comment. */
    int32_t (*comment)(struct snek_run *run, int64_t number, const char *key, const char *markdown,
                       int64_t *id);

    /* [handler] Deletes the comment of this key. Blocks until GitHub responds. 0, also when there
     * is none; or a negative enum snek_error with a reason. */
    int32_t (*remove_comment)(struct snek_run *run, int64_t number, const char *key);

    /* [handler] Reads the item's labels, removes those of `labels` that are not wanted, and adds
     * the wanted ones that are missing. Other labels stay. Upper and lower case are the same, and a
     * label is wanted if one of its entries says so. Blocks until GitHub responds. 1 when it
     * changed something, 0 when the labels are right already; or a negative enum snek_error with a
     * reason: SNEK_E_INVALID when a name is NULL or empty, or when there are more than
     * SNEK_LABELS_MAX. */
    int32_t (*labels)(struct snek_run *run, int64_t number, const struct snek_label *labels,
                      uint32_t labels_count);

    /* [handler] Makes the plugin's comment of this key show `markdown` if there is one, and posts
     * none. Blocks until GitHub responds. 0, also when there is none and when somebody deleted it;
     * or a negative enum snek_error with a reason, as from comment(). */
    int32_t (*edit_comment)(struct snek_run *run, int64_t number, const char *key,
                            const char *markdown);
};

#ifdef __cplusplus
}
#endif

#endif
