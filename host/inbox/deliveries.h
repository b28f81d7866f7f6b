/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries and their runs: ingest puts a delivery, dispatch claims its runs and finishes them. */
#ifndef SNEK_INBOX_DELIVERIES_H
#define SNEK_INBOX_DELIVERIES_H

#include "base/error.h"
#include "base/payload.h"
#include "inbox/journal.h"
#include "inbox/leases.h"
#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PUT stores a delivery and a run for each plugin that wants it, due at `due_ms`. A run that this
 * host continues from memory is inserted as if it had been claimed already. Hosts that look for due
 * runs skip it. When the host dies, it is due again like any other claimed run. */
struct inbox_put_run {
    /* The plugin's name. */
    const char *plugin;
    /* Insert it running, at attempt 1, under the put's lease. */
    bool leased;
    /* Out: the run. 0 when it was not queued (INBOX_DUPLICATE, an error), or when it was not leased
     * as requested: its installation waits, or the delivery came before and may have a journal,
     * which only a claim brings. */
    int64_t id;
    /* Out: the token of its claim, when it was leased. */
    int64_t token;
};

enum inbox_put_outcome {
    INBOX_STORED = 0,
    /* Its runs are unfinished: nothing new was stored. Runs that waited for a retry or were parked
     * are due at `due_ms`. */
    INBOX_DUPLICATE = 1,
    /* Its runs were finished: all of `runs` run again, from attempt 1, on the new body. */
    INBOX_REDELIVERED = 2,
};

struct inbox_put {
    struct inbox_operation operation;
    /* The host fetched it itself. It is a duplicate if the inbox has its GUID, and a redelivery
     * that the host requested before is then a duplicate too. */
    bool fetched;
    const char *guid, *event;
    /* "" when the payload has none. */
    const char *action;
    /* "" when the payload has none: such a delivery has no runs. */
    const char *installation;
    /* "owner/name"; "" none. */
    const char *repository;
    /* Login; "" none. */
    const char *sender;
    /* JSON, as bytes: it may hold anything. */
    const char *body;
    size_t body_bytes;
    /* Wall. */
    int64_t received_ms, due_ms;
    /* Borrowed. */
    struct inbox_put_run *runs;
    size_t n_runs;
    /* Of the runs that are leased; see inbox_claim. */
    int64_t host, lease_ms;
    /* Dispatch's own note: when it leased them; monotonic. */
    int64_t routed_ms;
    /* Out: how many parked runs are due now, because this delivery says that the installation was
     * created, unsuspended or accepted new permissions. Its running runs get INBOX_GRANTED. */
    int64_t unparked;

    /* The inbox's: the body as it is stored (codec.h), NULL: as it came; and what the tokens of
     * its runs are counted from. */
    char *packed;
    size_t packed_bytes;
    int64_t first_token;
};

/* CLAIM takes due runs for this host: each is running under a lease of `lease_ms`, with a token of
 * its own, and its attempt is counted up.
 *
 * First it makes runs due whose lease has expired. It leaves out those that this host holds in
 * memory (`live`): after a pause or an outage of the store this host continues them. A run that
 * another host left that way is marked: its host died. A run of this host that no run in memory
 * holds, such as one whose handoff failed, is not marked. */
struct inbox_claim_share {
    const char *plugin;
    /* At most this many; 0 for none. */
    uint32_t runs;
    /* Stop before more than this. A run alone always fits. */
    uint64_t payload_bytes;
    /* No run of this plugin is running. If a suspect run is due, the claim takes that one alone,
     * otherwise ordinary ones. When false it takes only ordinary ones. */
    bool alone;
    /* Out: suspect runs are due that were not taken. */
    bool suspects_due;
};

struct inbox_run {
    int64_t id;
    /* From 1. */
    int64_t attempt;
    int64_t token;
    int64_t received_ms, due_ms;
    /* How often it brought a worker down alone. */
    int64_t crashes;
    /* It was in a worker that died, together with others. */
    bool suspect;
    /* Index of its plugin in the claim. */
    size_t share;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    /* With the run. */
    char *sender, *repository;
    /* A reference, with the run; see inbox_run_unpack(). */
    struct payload *payload;
    /* Unpacked. */
    size_t payload_bytes;
    int64_t payload_codec;
    /* With the run: of its earlier attempts, in order. */
    struct inbox_record *journal;
    size_t n_journal;
};

struct inbox_claim {
    struct inbox_operation operation;
    /* Wall. */
    int64_t now_ms;
    /* This host's number, positive and random. */
    int64_t host;
    int64_t lease_ms;
    /* Borrowed: the tokens of the runs that this host holds in memory. */
    const int64_t *live;
    size_t n_live;
    /* Borrowed. */
    struct inbox_claim_share *shares;
    size_t n_shares;

    /* Out: inbox_runs_free(). */
    struct inbox_run *runs;
    size_t n_runs;
    /* Out: when the next unclaimed run of these plugins is due, in the past when more are due
     * already; INT64_MAX when none waits. */
    int64_t next_due_ms;

    /* The inbox's: what the tokens of its runs are counted from. */
    int64_t first_token;
};

/* Takes NULL. */
void inbox_runs_free(struct inbox_run *runs, size_t n_runs);
/* Frees what one run owns; for runs that were moved. */
void inbox_run_finish(struct inbox_run *run);

enum inbox_unpack_outcome {
    /* No retry fixes it. */
    INBOX_DAMAGED = 1,
};
/* Unpacks a claimed payload, which is as it was stored. Call it on a thread that has the time.
 * 0; INBOX_DAMAGED; or -1 when memory is short; with `err`. */
int inbox_run_unpack(struct inbox_run *run, struct error *err);

/* FINISH records how a claimed run ended. */
enum inbox_finish_how {
    /* Finished; `label` says how: done, skipped, rejected ... */
    INBOX_DONE,
    /* Failed; due again at `due_ms`; the attempt counts. */
    INBOX_RETRY,
    /* Interrupted without fault of the run; due again at `due_ms`; the attempt does not count. */
    INBOX_REQUEUE,
    /* Failed for the last time. */
    INBOX_DEAD,
    /* Waits, without losing an attempt, until its installation grants what it lacks (a delivery of
     * "installation" says so) or somebody retries it. */
    INBOX_PARK,
};

/* 0, INBOX_STALE, or: */
enum inbox_finish_outcome {
    /* Of PARK: its installation granted something since this attempt began, so the run is due at
     * `due_ms`, as after REQUEUE. */
    INBOX_GRANTED = 2,
};

struct inbox_finish {
    struct inbox_operation operation;
    int64_t run, token;
    enum inbox_finish_how how;
    /* Static text. */
    const char *label;
    /* "" none. */
    const char *reason;
    int64_t now_ms, due_ms;
    bool suspect;
    int64_t crashes;
    /* When false, there is no journal to cut back. */
    bool has_journal;
};

#endif
