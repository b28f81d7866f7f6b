/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The place of pull mode: which entries of GitHub's list of deliveries the hosts of the store have
 * listed and handled. Only the elected host uses it.
 *
 *   GitHub's list --> PULL_NOTE: waiting --> PULL_DUE --> fetch --> PUT (inbox_put.pulled): handled
 *                                   '------- PULL_FAIL: later, or handled (lost)
 *
 * A host first notes the entries of a page, and then fetches the payloads of those that wait. So an
 * entry that was listed once is never skipped, whenever a host dies: the transaction that stores
 * the delivery also marks its entry as handled. The key is GitHub's id of the entry, because a
 * redelivery has the GUID of the first delivery. All times are GitHub's. */
#ifndef SNEK_INBOX_PULL_H
#define SNEK_INBOX_PULL_H

#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PULL_BEGIN returns the place, and makes it at the first start. */
struct inbox_pull_place {
    /* When the first host of the store began to pull. */
    int64_t started_ms;
    /* Older entries are not taken: `started_ms`, or 0 if the store had deliveries at that time. */
    int64_t oldest_ms;
    /* The newest entry of the last complete reading; 0: there was none. */
    int64_t place_ms;
    /* When the list was read as far as GitHub keeps it. */
    int64_t full_ms;
};

struct inbox_pull_begin {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Out. */
    struct inbox_pull_place place;
};

/* PULL_NOTE stores the entries of a page that the store does not have yet. */
struct inbox_pull_entry {
    int64_t id;
    /* Borrowed. */
    const char *guid, *event;
    bool redelivery;
    int64_t delivered_ms;
    /* False: no host will fetch it, so it counts as handled. */
    bool wanted;
    /* It counts as handled if the inbox has its GUID. */
    bool once;
};

struct inbox_pull_note {
    struct inbox_operation operation;
    const struct inbox_pull_entry *entries;
    size_t n_entries;
    /* Not 0: this page ends a complete reading, whose newest entry has this time. The place moves
     * back only with `full_ms`. */
    int64_t place_ms;
    /* Not 0: that reading went as far as GitHub keeps the list, and began then. Both times replace
     * the store's, which a wrong clock may have set. */
    int64_t full_ms;
};

/* PULL_DUE returns entries that wait and are due, the oldest first. */
struct inbox_pull_waiting {
    int64_t id;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    bool redelivery;
    int64_t delivered_ms;
    /* Failed ones. */
    int64_t attempts;
};

struct inbox_pull_due {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Room for `most`; the client's. */
    struct inbox_pull_waiting *waiting;
    size_t most;
    /* Out, as all below. */
    size_t n_waiting;
    /* All entries that wait count, due or not. oldest_ms INT64_MAX: none waits. next_due_ms: the
     * first one that is due after `now_ms` is due then; INT64_MAX: there is none. */
    int64_t n_total, next_due_ms, oldest_ms;
};

/* PULL_FAIL counts a failed attempt. */
struct inbox_pull_fail {
    struct inbox_operation operation;
    int64_t id;
    /* When the entry is due again; 0: it is given up. */
    int64_t due_ms;
};

/* PULL_FORGET forgets the place, because the hosts receive webhooks now. The next PULL_BEGIN is the
 * first one again. */

#endif
