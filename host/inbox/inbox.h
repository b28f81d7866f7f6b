/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inbox: the store of deliveries, of their runs, and of the plugins' sets and keys. This header
 * is the contract that every store keeps (an SQLite file of one host, or a PostgreSQL database that
 * many hosts share), and one suite of tests (tests/contract) holds them to it.
 *
 *   ingest --PUT--> |                       | --CLAIM--> dispatch --FINISH--> |
 *                   | one writer, in groups |                                 | the same writer
 *   worker --SET--> |  BEGIN .. COMMIT      | --answers--> the asker's mailbox
 *
 * Threads: anyone submits an operation; one writer thread of the inbox takes all that wait, does
 * them in one transaction, commits (to the disk: when an operation is answered, it lasts), and
 * posts each to its own asker's mailbox. What one asker submits is done in that order.
 *
 * Ownership: an operation is part of the asker's own struct and belongs to the inbox from
 * inbox_submit() until it is opened in the mailbox; the texts that it points to stay valid so long.
 * What an operation returns is the asker's, freed as each says. */
#ifndef SNEK_INBOX_INBOX_H
#define SNEK_INBOX_INBOX_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "base/payload.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INBOX_GUID_MAX 128 /* bytes; GitHub's are UUIDs of 36 */
#define INBOX_NAME_MAX 100 /* event, action, plugin, installation */

struct inbox;

enum inbox_kind {
    INBOX_PUT,
    INBOX_CLAIM,
    INBOX_FINISH,
    INBOX_INTEND,
    INBOX_COMPLETE,
    INBOX_SET_HAS,
    INBOX_SET_ADD,
    INBOX_SET_REMOVE,
    INBOX_KEY_GET,
    INBOX_KEY_PUT,
    INBOX_KEY_DELETE,
    INBOX_RATE_LIMIT_PUT,
    INBOX_RATE_LIMIT_GET,
    INBOX_STATS,
    INBOX_RENEW,
    INBOX_LEASE_CHECK,
    INBOX_ELECT,
    /* What people ask; inbox.h's second half. */
    INBOX_LIST,
    INBOX_BODY,
    INBOX_JOURNAL,
    INBOX_RERUN,
    INBOX_DISCARD,
    /* Maintenance. */
    INBOX_PRUNE,
    INBOX_FIND_MISSING,
    INBOX_COUNT_REDELIVERY,
};

struct inbox_operation {
    enum inbox_kind kind;
    struct mailbox *reply_to;                        /* borrowed */
    void (*done)(struct inbox_operation *operation); /* called on the mailbox's thread */

    /* The answer: 0, or one of the kind's outcomes (>0), or -1: nothing of this operation was
     * done, `error` says why, and trying again later may help. */
    int result;
    struct error error;

    struct mail mail; /* the inbox's */
};

/* Stores a delivery and a run for each plugin that wants it, due at `due_ms`. A run that this host
 * goes on with from memory is inserted as if it had been claimed already: whoever looks for due
 * runs passes it by, and when the host dies it is due again as any claimed one. */
struct inbox_put_run {
    const char *plugin; /* its name */
    bool leased;        /* running, at attempt 1, under the put's lease */
    int64_t id;         /* out: the run; 0 when it was not queued (INBOX_DUPLICATE, an error), or
                           not leased though it was to be: its installation waits, or the delivery
                           came before and may have a journal, which a claim brings */
};

enum inbox_put_outcome {
    INBOX_STORED = 0,
    INBOX_DUPLICATE = 1,   /* its runs are unfinished: nothing new; those that waited for a retry or
                              are   parked are made due at `due_ms` */
    INBOX_REDELIVERED = 2, /* they were finished: all of `runs` run again, from attempt 1, on the
                              body that came now */
};

struct inbox_put {
    struct inbox_operation operation;
    const char *guid, *event;
    const char *action;       /* "" when the payload has none */
    const char *installation; /* "" when it has none: such a delivery has no runs */
    const char *repository;   /* "owner/name", "" none */
    const char *sender;       /* login, "" none */
    const char *body;         /* JSON, as bytes: may hold anything */
    size_t body_bytes;
    int64_t received_ms, due_ms; /* wall */
    struct inbox_put_run *runs;  /* borrowed */
    size_t n_runs;
    int64_t lease, lease_ms; /* of those that are leased; see inbox_claim */
    int64_t routed_ms;       /* dispatch's own note: when it leased them; monotonic */
    int64_t unparked; /* out: an "installation" that was created, unsuspended or that accepted new
                         permissions makes its parked runs due, so many; its running ones see
                         INBOX_GRANTED */

    char *packed; /* the inbox's, see codec.h: the body as it is stored; NULL as it came */
    size_t packed_bytes;
};

/* The journal of a run: what it asked of GitHub and of its store, and what came back, so that a
 * retry can be given the same again and no effect happens twice (design.md, "Effects").
 *
 *   reads ... | effect: INTEND --> intended --(sent; answered)--> ANSWER --> answered
 *             '-- with it, in one commit
 *
 * A change of the plugin's own store is written together with what it changes. The journal goes
 * with its run; of a finished run only what it changed at GitHub is kept, to be shown. */
#define INBOX_KEY_BYTES 32  /* a digest of what was asked */
#define INBOX_MARKER_MAX 32 /* hex digits */

enum inbox_record_kind {
    INBOX_READ,   /* of GitHub or the store: changed nothing */
    INBOX_EFFECT, /* a request that changes something at GitHub */
    INBOX_CHANGE, /* of a set or key of the plugin's */
};
enum inbox_record_state {
    INBOX_INTENDED, /* without an answer it is in doubt */
    INBOX_COMPLETED,
    INBOX_UNSENT, /* nothing of it reached GitHub: to be made as if it never had been */
};

struct inbox_record {
    int64_t number; /* its place in the journal, from 1 */
    enum inbox_record_kind kind;
    enum inbox_record_state state;
    uint8_t key[INBOX_KEY_BYTES];
    char marker[INBOX_MARKER_MAX + 1]; /* hidden in a comment, to find it by; "" none */
    bool dry;                          /* not sent, since the plugin runs dry */
    int64_t at_ms;                     /* wall: when it was intended, or answered */
    char *method, *url;                /* with the record */

    /* The answer: enum snek_error or 0 (of a change: its outcome), and what came with it. */
    int64_t outcome;
    int32_t status;
    char *sentence; /* with the record; NULL none */
    struct buffer headers, answer;
};

void inbox_record_finish(struct inbox_record *record); /* frees what it owns */

/* Who writes into a journal: a run that is still held under this attempt and lease, or nobody. */
struct inbox_writer {
    int64_t run, attempt, lease;
    const struct inbox_record *const *records; /* borrowed; written over those of their numbers */
    size_t n_records;
};

/* Writes records, an intent last. 0, or INBOX_STALE: the run is not ours any more, nothing was
 * written, and the effect must not be sent. */
struct inbox_intend {
    struct inbox_operation operation;
    struct inbox_writer writer;
};

/* Writes what came of an intent, whatever has become of the run's lease since; 0. An intent that
 * somebody else has taken up meanwhile is left to them. */
struct inbox_complete {
    struct inbox_operation operation;
    int64_t run, lease;
    const struct inbox_record *record; /* borrowed */
};

/* Takes due runs for this host: marks each as running under its lease, attempt counted up. A lease
 * lasts `lease_ms` by the store's clock, unless it is renewed; after that the run is due again, for
 * whichever host claims next. */
struct inbox_claim_share {
    const char *plugin;
    uint32_t runs;          /* at most this many; 0 for none */
    uint64_t payload_bytes; /* stop before more than this, but one run always fits if any may */
    bool alone;             /* nothing of this plugin is running: if a suspect run is due, that one
                               alone is taken, else ordinary ones. When false only ordinary ones */
    bool suspects_due;      /* out: suspect runs are due that were not taken */
};

struct inbox_run {
    int64_t id;
    int64_t attempt; /* from 1 */
    int64_t lease;
    int64_t received_ms, due_ms;
    int64_t crashes; /* times that it brought a worker down alone */
    bool suspect;    /* it was in a worker that died, together with others */
    size_t share;    /* index of its plugin in the claim */
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    char *sender;            /* with the run */
    char *repository;        /* with the run */
    struct payload *payload; /* a reference, with the run; see inbox_run_unpack() */
    size_t payload_bytes;    /* unpacked */
    int64_t payload_codec;
    struct inbox_record *journal; /* with the run; of its earlier attempts, in order */
    size_t n_journal;
};

struct inbox_claim {
    struct inbox_operation operation;
    int64_t now_ms; /* wall */
    int64_t lease;  /* this host's, positive */
    int64_t lease_ms;
    struct inbox_claim_share *shares; /* borrowed */
    size_t n_shares;

    struct inbox_run *runs; /* out: free with inbox_runs_free() */
    size_t n_runs;
    int64_t next_due_ms; /* out: when the next unclaimed run of these plugins is due (past when
                            more are due already); INT64_MAX when none waits */
};

void inbox_runs_free(struct inbox_run *runs, size_t n_runs); /* takes NULL */
/* A claimed payload is as it was stored: whoever uses it unpacks it, on a thread that has the time.
 * 0; INBOX_DAMAGED, which no second try fixes, or -1 when memory is short, with `err`. */
enum inbox_unpack_outcome { INBOX_DAMAGED = 1 };
int inbox_run_unpack(struct inbox_run *run, struct error *err);
void inbox_run_finish(struct inbox_run *run); /* what one run owns; for runs that were moved */

/* Says how a claimed run ended. */
enum inbox_finish_how {
    INBOX_DONE,    /* finished; `label` says how: done, skipped, rejected ... */
    INBOX_RETRY,   /* failed; due again at `due_ms`, the attempt counts */
    INBOX_REQUEUE, /* nothing of its doing; due again at `due_ms`, the attempt does not count */
    INBOX_DEAD,    /* failed for the last time */
    INBOX_PARK,    /* waits, without an attempt lost, until its installation gives what it lacks (a
                      delivery of "installation" says so) or somebody retries it */
};
enum inbox_finish_outcome {
    INBOX_STALE = 1,   /* not ours any more: nothing was written */
    INBOX_GRANTED = 2, /* of PARK: its installation gave something since this attempt began, so it
                          is due at `due_ms`, as after REQUEUE */
};

struct inbox_finish {
    struct inbox_operation operation;
    int64_t run, attempt, lease;
    enum inbox_finish_how how;
    const char *label;  /* static text */
    const char *reason; /* "" none */
    int64_t now_ms, due_ms;
    bool suspect;
    int64_t crashes;
    bool has_journal; /* when false, there is none to cut back */
};

/* Renews the lease of runs that this host holds. To be asked for well before it lapses. */
struct inbox_held {
    int64_t run, attempt;
    bool ours; /* out: false when the lease had lapsed and somebody took the run */
};

struct inbox_renew {
    struct inbox_operation operation;
    int64_t lease, lease_ms;
    struct inbox_held *held; /* borrowed */
    size_t n_held;
};

/* Is this attempt of a run still ours? 0 it is, and its lease is renewed; or INBOX_STALE. Asked
 * when so much time has passed since the last renewal that another host may have taken the run. */
struct inbox_lease_check {
    struct inbox_operation operation;
    int64_t run, attempt, lease, lease_ms;
};

/* Does this host do what one of all hosts does (prune, recover, schedules)? 1 it does, for lease_ms
 * from now, and by asking again before that it goes on; 0 another host does. */
struct inbox_elect {
    struct inbox_operation operation;
    int64_t lease, lease_ms;
};

/* Sets and keys of a plugin; `scope` is "" or an installation.
 * SET_HAS: 1 yes, 0 no. SET_ADD, SET_REMOVE, KEY_DELETE: 1 changed, 0 was so already.
 * KEY_GET: 1 and `value` (which buffer_finish() frees), 0 none. KEY_PUT: 0.
 * With a `writer`, whose last record is this change's own, both are written together, the outcome
 * as the record's; INBOX_ITEM_STALE when the run is not ours any more: nothing was written.
 *
 * The table of the original bot, persistent_set_sent_invitation, appears to every plugin as the set
 * "sent_invitation" of the empty scope: SET_HAS looks there too, where the store has it. */
enum inbox_item_outcome { INBOX_ITEM_STALE = 2 };

struct inbox_item {
    struct inbox_operation operation;
    struct inbox_writer writer; /* n_records 0: none */
    const char *plugin, *scope;
    const char *set;      /* of the set operations */
    const char *name;     /* the entry or the key */
    const char *value_in; /* of KEY_PUT */
    size_t value_in_bytes;
    struct buffer value;
};

/* Until when GitHub wants to hear nothing of an installation, for every host of this store and
 * after a restart. INBOX_RATE_LIMIT_ALL is all of it: its queued runs are due then at the earliest,
 * those that are put later too, so that none is claimed. The others are kept for the broker alone.
 */
enum inbox_rate_limit_resource {
    INBOX_RATE_LIMIT_ALL,
    INBOX_RATE_LIMIT_SEARCH,
    INBOX_RATE_LIMIT_GRAPHQL,
    INBOX_RATE_LIMIT_RESOURCES,
};

struct inbox_rate_limit {
    struct inbox_operation operation;
    const char *installation;
    /* Wall; 0 none. PUT: in, a later one that is kept already stays. GET: out. Result 0. */
    int64_t until_ms[INBOX_RATE_LIMIT_RESOURCES];
};

/* How much there is. */
struct inbox_stats {
    struct inbox_operation operation;
    int64_t queued, running, dead, parked; /* runs */
    int64_t in_doubt;      /* intents without an answer, of runs that do not run now */
    int64_t oldest_due_ms; /* wall: of all that are queued; INT64_MAX: none is */
};

/* ---- what people ask: the command line and the console ---- */

enum inbox_admin_outcome {
    INBOX_UNKNOWN = 1,   /* no delivery has that GUID */
    INBOX_UNCHANGED = 2, /* none of its runs is in a state that the operation changes */
    INBOX_PRUNED = 3,    /* its body is not kept any more */
};

/* A run with its delivery; or a delivery that has no run, whose `plugin` and `state` are "". */
struct inbox_entry {
    int64_t delivery;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    char *repository, *sender; /* with the entry, as `label` and `reason` */
    int64_t received_ms;
    int64_t body_bytes; /* -1: pruned */

    char plugin[INBOX_NAME_MAX + 1];
    char state[8]; /* queued, running, parked, done, dead */
    int64_t run, attempt, crashes;
    bool suspect;
    int64_t due_ms, lease_until_ms; /* of a queued and of a running one */
    int64_t finished_ms;            /* 0: it is not */
    char *label, *reason;           /* how it ended, or how its last attempt did */
};

/* Lists entries, the newest delivery first, a delivery's runs together. One operation looks at a
 * bounded part, so that ingest never waits long for it: go on with `before` = `next` until that is
 * 0, even after an operation that found nothing. LIST: 0; INBOX_UNKNOWN when `guid` is. */
struct inbox_list {
    struct inbox_operation operation;
    const char *guid;                   /* this delivery alone; NULL: all */
    const char *state, *plugin, *event; /* only such; NULL: any */
    int64_t since_ms;                   /* received then or later */
    int64_t before;                     /* INT64_MAX at first */
    size_t most; /* stop at so many; the last delivery's runs are all there */

    struct inbox_entry *entries; /* out: free with inbox_entries_free() */
    size_t n_entries;
    int64_t next; /* out */
};

void inbox_entries_free(struct inbox_entry *entries, size_t n_entries); /* takes NULL */

/* A delivery's body as it was stored. BODY: 0 and `body`, a reference; INBOX_UNKNOWN,
 * INBOX_PRUNED. */
struct inbox_body {
    struct inbox_operation operation;
    const char *guid;
    struct payload *body; /* out */
};

/* The journal of a run as far as it is kept, in order. JOURNAL: 0, for an unknown run too. */
struct inbox_journal {
    struct inbox_operation operation;
    int64_t run;
    struct inbox_record *records; /* out: free with inbox_records_free() */
    size_t n_records;
};

void inbox_records_free(struct inbox_record *records, size_t n_records); /* takes NULL */

/* REVIVE makes runs that are dead, or wait, due at `now_ms`, from attempt 1: 0, INBOX_UNKNOWN,
 * INBOX_UNCHANGED, INBOX_PRUNED (there is nothing to run them on).
 * DISCARD ends runs that are queued, running or parked: dead, `label` "discarded"; what a worker
 * says of such a run later is stale. 0, INBOX_UNKNOWN, INBOX_UNCHANGED. */
struct inbox_change {
    struct inbox_operation operation;
    const char *guid;
    const char *plugin; /* NULL: all of the delivery's runs */
    int64_t now_ms;
    uint64_t runs; /* out: how many were changed */
};

/* ---- maintenance ---- */

/* One small step of forgetting: bodies of deliveries whose runs all ended before `done_before_ms`
 * (dead ones: before `dead_before_ms`), then whole deliveries without a body that came before
 * `forget_before_ms`. Looks at no more than `most` deliveries and frees about `most_bytes`, so that
 * the group that it is in does not wait; `more` tells to go on, with what `next` says. */
struct inbox_prune_place {
    int64_t received_ms, delivery; /* zeros at first */
};

struct inbox_prune {
    struct inbox_operation operation;
    int64_t done_before_ms, dead_before_ms, forget_before_ms;
    uint32_t most;
    uint64_t most_bytes; /* one body always fits */
    struct inbox_prune_place after;

    uint32_t bodies, forgotten; /* out */
    struct inbox_prune_place next;
    bool more;
};

/* Which of these GUIDs the inbox does not have (a delivery whose body was pruned is had), and how
 * often GitHub was asked for each. */
struct inbox_find_missing {
    struct inbox_operation operation;
    const char *const *guids;
    size_t n_guids;
    bool *lacks; /* out, as `asked`: the asker's, one for each GUID */
    uint32_t *asked;
};

/* Counts that GitHub is about to be asked for a GUID. */
enum inbox_redelivery_outcome {
    INBOX_REDELIVERY_COUNTED = 0,
    INBOX_REDELIVERY_PRESENT = 1,   /* it has come meanwhile: not counted */
    INBOX_REDELIVERY_EXHAUSTED = 2, /* it was asked for `most` times: not counted */
};

struct inbox_count_redelivery {
    struct inbox_operation operation;
    const char *guid;
    uint32_t most;
    int64_t now_ms;
};

/* Opens or creates the store at `url`: sqlite:PATH, or postgres://... as libpq takes it (TLS is
 * demanded of a server that is not on this machine, unless the URL has an sslmode). Applies the
 * migrations, compares the schema with what this build expects, rejects unsafe settings. In an
 * SQLite file, which is one host's, runs that a dead host left running are due again at once, their
 * attempt counted; in PostgreSQL when their lease lapses. One that was left twice in a row is a
 * suspect from then on, and each further time counts as a crash: it may be what kills the host.
 * Starts the writer. 0 and `*inbox`; or -1
 * with what is wrong and where, without a word of a password. */
int inbox_open(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err);

/* How a store's URL is shown to people, without its password; the caller's to free. NULL and `err`
 * when it is not such a URL. */
char *inbox_show_url(const char *url, struct error *err);

/* Opens a store that may be in a running host's hands, as a tool does: it must exist with exactly
 * this build's schema; nothing is migrated, locked against others or recovered. Without `write` it
 * only answers questions. 0 and `*inbox`, or -1. */
int inbox_open_tool(const char *url, bool write, struct inbox **inbox, struct error *err);

/* Would inbox_open() take the store at `url`? Told without changing it, and while a host has it:
 * one that is not there yet, or has to be migrated first, is fine. 0, or -1 with what is wrong. */
int inbox_check(const char *url, struct error *err);

/* From now on, until inbox_free(), `on_queued` is called when another host has queued runs: on a
 * thread of the inbox's, and perhaps not each time. Once. */
void inbox_listen(struct inbox *inbox, void (*on_queued)(void *context), void *context);

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation); /* any thread */

/* Whether the last transaction committed; for /readyz. Any thread. */
bool inbox_healthy(const struct inbox *inbox);

/* Finishes what was submitted, stops the writer, closes the store; takes NULL. Nobody submits any
 * more; answers may still lie in the mailboxes. */
void inbox_free(struct inbox *inbox);

#endif
