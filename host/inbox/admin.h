/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operations of the command line and the console. */
#ifndef SNEK_INBOX_ADMIN_H
#define SNEK_INBOX_ADMIN_H

#include "base/payload.h"
#include "inbox/journal.h"
#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum inbox_admin_outcome {
    /* No delivery has that GUID. */
    INBOX_UNKNOWN = 1,
    /* None of its runs is in a state that the operation changes. */
    INBOX_UNCHANGED = 2,
    /* Its body was pruned. */
    INBOX_PRUNED = 3,
};

/* A run with its delivery. For a delivery without a run, `plugin` and `state` are "". */
struct inbox_entry {
    int64_t delivery;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    /* "" when the delivery is about no issue, pull request or discussion. */
    char item[INBOX_ITEM_MAX + 1];
    /* Freed with the entry, like `label` and `reason`. */
    char *repository, *sender;
    int64_t received_ms;
    /* -1 after the body was pruned. */
    int64_t body_bytes;

    char plugin[INBOX_NAME_MAX + 1];
    /* queued, blocked, held, running, parked, done, dead; or waiting: a queued or blocked run whose
     * handler asked to wait. */
    char state[8];
    /* "" when the run has no order; see enum inbox_order. */
    char order_key[INBOX_ORDER_KEY_MAX + 1];
    /* Later runs of its key pass it until it is due. */
    bool outside;
    /* The delivery whose run holds the key of this blocked one; "" none. */
    char behind[INBOX_GUID_MAX + 1];
    int64_t run, attempt, crashes;
    bool suspect;
    /* When a queued or blocked run is due, and when the lease of a running one ends. */
    int64_t due_ms, lease_until_ms;
    /* 0 while the run is not finished. */
    int64_t finished_ms;
    /* How the run ended, or how its last attempt ended. */
    char *label, *reason;
};

/* A delivery's place in a list. */
struct inbox_list_position {
    int64_t received_ms;
    /* 0: none. */
    int64_t delivery;
};

/* Lists entries, the delivery that was received last first, with all runs of a delivery together.
 * One operation looks at a bounded part, so that ingest never waits long for it. Continue with
 * `before` = `next` until that is none, even after an operation that found nothing. Result: 0,
 * or INBOX_UNKNOWN when no delivery has `guid`. */
struct inbox_list {
    struct inbox_operation operation;
    /* Lists only this delivery; NULL: all. */
    const char *guid;
    /* Lists only runs with these values; NULL: any value. */
    const char *state, *plugin, *event;
    /* Lists deliveries that were received at this time or later. */
    int64_t since_ms;
    /* None in the first operation. */
    struct inbox_list_position before;
    /* Stops after this many entries, but lists all runs of the last delivery. */
    size_t most;

    /* Out: inbox_entries_free(). */
    struct inbox_entry *entries;
    size_t n_entries;
    /* Out. */
    struct inbox_list_position next;
};

/* Takes NULL. */
void inbox_entries_free(struct inbox_entry *entries, size_t n_entries);

/* A delivery's body as it was stored. 0 and `body`, a reference; INBOX_UNKNOWN; INBOX_PRUNED. */
struct inbox_body {
    struct inbox_operation operation;
    const char *guid;
    /* Out. */
    struct payload *body;
};

/* The journal of a run as far as it is stored, in order. Result: 0, also for an unknown run. */
struct inbox_journal_read {
    struct inbox_operation operation;
    int64_t run;
    /* Out: inbox_records_free(). */
    struct inbox_record *records;
    size_t n_records;
};

/* RERUN makes runs that are dead, parked, blocked, held or queued due at `now_ms`, from attempt 1,
 * because the person may have removed the cause. With `plugin`, also a run that is done with the
 * label "skipped" and has no effect: its plugin had nothing to do. A run that crashed its worker
 * stays suspect: it is tried alone. 0, INBOX_UNKNOWN, INBOX_UNCHANGED, INBOX_PRUNED (there is no
 * body to run them on). DISCARD ends runs that are queued, blocked, held, running or parked: dead,
 * `label` "discarded"; the result that a worker sends for such a run later is stale. 0,
 * INBOX_UNKNOWN, INBOX_UNCHANGED.
 */
struct inbox_change {
    struct inbox_operation operation;
    const char *guid;
    /* NULL: all of the delivery's runs. */
    const char *plugin;
    int64_t now_ms;
    /* Out: how many were changed. */
    uint64_t runs;
};

#endif
