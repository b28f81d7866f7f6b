/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journal of a run: its requests to GitHub and to the plugin's store, and the results. A retry
 * gets the same results again, so that no effect happens twice.
 *
 *   reads ... | effect: INTEND --> intended --(sent; response)--> COMPLETE --> completed
 *             '-- with it, in one commit
 *
 * A change of the plugin's own store is written together with its record. The journal is deleted
 * with its run. Of a finished run the inbox keeps only the effects, without their bodies, to show
 * them. */
#ifndef SNEK_INBOX_JOURNAL_H
#define SNEK_INBOX_JOURNAL_H

#include "base/buffer.h"
#include "inbox/audit.h"
#include "inbox/leases.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A digest of the request. */
#define INBOX_KEY_BYTES 32
/* Hexadecimal digits. */
#define INBOX_MARKER_MAX 32

enum inbox_record_kind {
    /* A read of GitHub or of the plugin's store: it changed nothing. */
    INBOX_READ,
    /* A request that changes something at GitHub. */
    INBOX_EFFECT,
    /* A change of a set or key of the plugin. */
    INBOX_CHANGE,
};

enum inbox_record_state {
    /* Without a response it is in doubt. */
    INBOX_INTENDED,
    INBOX_COMPLETED,
    /* No byte of it reached GitHub: a retry sends it as if it were new. */
    INBOX_UNSENT,
};

struct inbox_record {
    /* Its place in the journal, from 1. */
    int64_t number;
    enum inbox_record_kind kind;
    enum inbox_record_state state;
    uint8_t key[INBOX_KEY_BYTES];
    /* A text that the host hides in a comment, to find the comment again; "" for none. */
    char marker[INBOX_MARKER_MAX + 1];
    /* A read sets it: the claim that wrote the record. A write takes the writer's token. */
    int64_t token;
    /* The request was not sent, because of plugin.dry_run. */
    bool dry;
    /* Wall clock: when the intent or the result was recorded. */
    int64_t at_ms;
    /* Freed with the record. */
    char *method, *url;

    /* The result: enum snek_error or 0 (of a change: its outcome), and the response. */
    int64_t outcome;
    int32_t status;
    /* Freed with the record; NULL for none. */
    char *message;
    struct buffer headers, body;
};

/* Frees what the record owns. */
void inbox_record_finish(struct inbox_record *record);
/* Takes NULL. */
void inbox_records_free(struct inbox_record *records, size_t n_records);

/* The claim under which records are written. The store writes them only while this claim holds the
 * run, and renews a lease that has less than half of `lease_ms` left. */
struct inbox_journal_writer {
    int64_t run, token, lease_ms;
    /* Borrowed. They replace the records of the same numbers. */
    const struct inbox_record *const *records;
    size_t n_records;
};

/* 0; or INBOX_STALE: this host does not hold the run any more; or one of these. Unless it is 0,
 * nothing was written, and the effect must not be sent. */
enum inbox_intend_outcome {
    /* The plugin has sent as many effects in the last hour as it may, in this installation. The
     * next one may be sent at `wait_until_ms`. Hosts that intend at the same instant may send a few
     * more. */
    INBOX_INTEND_HOUR_FULL = 2,
    /* The loop breaker holds the effect's item until `wait_until_ms`. */
    INBOX_INTEND_ITEM_HELD = 3,
};

/* Writes records, an intent last, and the effect's row in the audit. */
struct inbox_intend {
    struct inbox_operation operation;
    struct inbox_journal_writer writer;
    /* Describes the last record's effect for the audit and the limits. NULL: neither. Borrowed. */
    const struct inbox_effect *effect;
    /* Out: the row in the audit, 0 without one. */
    int64_t audit;
    /* Out: wall clock. */
    int64_t wait_until_ms;
    /* Out, with INBOX_INTEND_ITEM_HELD: this effect was one too many, so the hold is new. It was
     * stored though the intent was not. */
    bool new_hold;
};

/* Writes the result of an intent, even if the run's lease has ended since, and into its row in the
 * audit. 0. An intent that another claim took over in the meantime stays as that claim wrote it. */
struct inbox_complete {
    struct inbox_operation operation;
    /* The inbox's thread sets it when the operation fails: see inbox_finish. Borrowed; NULL: no
     * FINISH follows. */
    bool *lost;
    int64_t run, token;
    /* Borrowed. */
    const struct inbox_record *record;
    /* The row that INTEND returned; 0: none. */
    int64_t audit;
    /* GitHub's id of the request; "" none. Borrowed; NULL without a row. */
    const char *request_id;
};

#endif
