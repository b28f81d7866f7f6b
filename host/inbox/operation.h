/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An operation: one request of a client to the inbox, and its result. Each client's header
 * (deliveries.h, timers.h, journal.h, leases.h, plugin_state.h, rate_limits.h, bot_user.h, holds.h,
 * hosts.h, pull.h, stats.h, admin.h, previews.h, installations.h, console.h, maintenance.h) has the
 * structs of its operations; each struct begins with this one.
 *
 *   ingest --PUT--> |                       | --CLAIM--> dispatch --FINISH--> |
 *                   | one writer, in groups |                                 | the same writer
 *   worker --SET--> |  BEGIN .. COMMIT      | --results--> the client's mailbox
 *
 * Threads: any thread submits. One writer thread of the inbox takes all operations that wait, does
 * them in one transaction, commits it to the disk, and posts each result to its client's mailbox.
 * The inbox does the operations of one thread in the order in which they were submitted.
 *
 * Ownership: an operation is part of the client's own struct. It belongs to the inbox from
 * inbox_submit() until on_result() is called; the texts that it points to must stay valid for that
 * time. The client owns what the operation returns, and frees it as its header says. */
#ifndef SNEK_INBOX_OPERATION_H
#define SNEK_INBOX_OPERATION_H

#include "base/error.h"
#include "base/mailbox.h"

struct inbox;

enum inbox_kind {
    /* deliveries.h */
    INBOX_PUT,
    INBOX_CLAIM,
    INBOX_FINISH,
    /* timers.h */
    INBOX_FINISH_TIMERS,
    INBOX_TIMERS_DUE,
    INBOX_FIRE,
    /* leases.h */
    INBOX_RENEW,
    INBOX_LEASE_CHECK,
    /* journal.h */
    INBOX_INTEND,
    INBOX_COMPLETE,
    /* audit.h */
    INBOX_AUDIT_READ,
    /* plugin_state.h */
    INBOX_SET_HAS,
    INBOX_SET_ADD,
    INBOX_SET_REMOVE,
    INBOX_KEY_GET,
    INBOX_KEY_PUT,
    INBOX_KEY_DELETE,
    INBOX_RESERVE,
    /* rate_limits.h */
    INBOX_RATE_LIMIT_PUT,
    INBOX_RATE_LIMIT_GET,
    /* bot_user.h */
    INBOX_BOT_USER_GET,
    INBOX_BOT_USER_PUT,
    /* hosts.h */
    INBOX_HOST_SEEN,
    INBOX_HOSTS,
    /* holds.h */
    INBOX_HOLD_PUT,
    INBOX_HOLD_END,
    INBOX_HOLDS,
    /* pull.h */
    INBOX_PULL_BEGIN,
    INBOX_PULL_NOTE,
    INBOX_PULL_DUE,
    INBOX_PULL_FAIL,
    INBOX_PULL_FORGET,
    /* stats.h */
    INBOX_STATS,
    /* admin.h */
    INBOX_LIST,
    INBOX_BODY,
    INBOX_JOURNAL_READ,
    INBOX_RERUN,
    INBOX_DISCARD,
    /* previews.h */
    INBOX_PREVIEW,
    INBOX_PREVIEW_APPLY,
    /* installations.h */
    INBOX_INSTALLATIONS,
    INBOX_INSTALLATION_RELEASE,
    /* console.h */
    INBOX_SEARCH,
    INBOX_SHOW,
    INBOX_TIMELINE,
    INBOX_FAILURES,
    INBOX_SERIES,
    INBOX_DIGEST,
    INBOX_PLUGINS,
    INBOX_RECOVERY,
    INBOX_ACTION_PUT,
    INBOX_ACTIONS,
    /* maintenance.h */
    INBOX_ELECT,
    INBOX_PRUNE,
    INBOX_FIND_MISSING,
    INBOX_COUNT_REDELIVERY,
    INBOX_UNCOUNT_REDELIVERY,
    INBOX_CLOCK_SET_BACK,
    /* Their number. */
    INBOX_KINDS,
};

struct inbox_operation {
    enum inbox_kind kind;
    /* Borrowed. */
    struct mailbox *reply_to;
    /* Called on the mailbox's thread. */
    void (*on_result)(struct inbox_operation *operation);

    /* 0; one of the kind's outcomes (> 0); or -1 when the inbox carried out no part of the
     * operation. Then `error` has the reason, and a retry may succeed. */
    int result;
    struct error error;

    /* Only the inbox uses it. */
    struct mail mail;
};

/* Any thread. */
void inbox_submit(struct inbox *inbox, struct inbox_operation *operation);

#endif
