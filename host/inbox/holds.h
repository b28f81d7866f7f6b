/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Holds: runs of a plugin that must wait, for every host of the store. An operator pauses a plugin;
 * the host quarantines one, or breaks a loop of effects on one item. A hold covers the whole plugin
 * or one installation, repository or item of it, and ends by hand or at a time.
 *
 *   queued --claim under a hold--> held --claim after the hold--> queued
 *
 * A claim gives out no run that a hold covers. It sets such a run aside as `held`: the run keeps
 * its due time and its attempts, and the indexes that claims read do not have it. It also keeps its
 * place in its key's line (deliveries.h), unless the hold covers only a part of that line: then the
 * others pass it, and it joins the line again when the hold is gone. */
#ifndef SNEK_INBOX_HOLDS_H
#define SNEK_INBOX_HOLDS_H

#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INBOX_HOLD_VALUE_MAX 220
#define INBOX_HOLD_REASON_MAX 300
/* An operator may have paused so many installations, repositories and items at a time. Holds of
 * whole plugins, and those that the host makes, do not count. */
#define INBOX_HOLDS_MAX 1000

enum inbox_hold_scope {
    /* Its value is "". */
    INBOX_HOLD_PLUGIN,
    /* The installation's id. */
    INBOX_HOLD_INSTALLATION,
    /* "owner/name". Like at GitHub, upper and lower case are the same. */
    INBOX_HOLD_REPOSITORY,
    /* "owner/name#number" of an issue, pull request or discussion. */
    INBOX_HOLD_ITEM,
};

enum inbox_hold_cause {
    /* By an operator. */
    INBOX_HOLD_PAUSED,
    /* The plugin's worker keeps dying. */
    INBOX_HOLD_QUARANTINED,
    /* Too many effects on one item. */
    INBOX_HOLD_LOOP,
};

/* There is at most one for each plugin, scope, value and cause. */
struct inbox_hold {
    int64_t id;
    char plugin[INBOX_NAME_MAX + 1];
    enum inbox_hold_scope scope;
    char value[INBOX_HOLD_VALUE_MAX + 1];
    enum inbox_hold_cause cause;
    char reason[INBOX_HOLD_REASON_MAX + 1];
    /* Wall clock. 0 for `until_ms`: until it is ended by hand. */
    int64_t since_ms, until_ms;
};

/* "plugin", "installation", "repository", "item"; "paused", "quarantined", "loop". */
const char *inbox_hold_scope_name(enum inbox_hold_scope scope);
const char *inbox_hold_cause_name(enum inbox_hold_cause cause);

enum inbox_hold_outcome {
    /* PUT: there was such a hold; it has the new reason and end now. END: there was none. */
    INBOX_HOLD_UNCHANGED = 1,
    /* PUT: there are INBOX_HOLDS_MAX already, and nothing was stored. */
    INBOX_HOLD_TOO_MANY = 2,
};

/* HOLD_PUT stores a hold (the id is not used): 0, INBOX_HOLD_UNCHANGED or INBOX_HOLD_TOO_MANY.
 * HOLD_END ends the holds of `hold.plugin` and `hold.cause` that have its scope and value, or with
 * `all_scopes` all of them: 0 or INBOX_HOLD_UNCHANGED. The other hosts of the store notice both
 * within seconds. */
struct inbox_hold_change {
    struct inbox_operation operation;
    struct inbox_hold hold;
    bool all_scopes;
};

/* HOLDS lists the holds that have not ended at `now_ms`, by plugin, scope and value. Result: 0. */
struct inbox_holds {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Out: free(). */
    struct inbox_hold *holds;
    size_t n_holds;
};

#endif
