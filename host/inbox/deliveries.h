/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries and their runs: ingest puts a delivery, dispatch claims its runs and finishes them. */
#ifndef SNEK_INBOX_DELIVERIES_H
#define SNEK_INBOX_DELIVERIES_H

#include "base/error.h"
#include "base/payload.h"
#include "inbox/holds.h"
#include "inbox/journal.h"
#include "inbox/leases.h"
#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which runs of a plugin go one at a time, in the order in which their deliveries were committed:
 * the runs of one item, one repository or one installation. These runs have the same key. The
 * oldest one *holds* the key until it ends. The others are blocked, and no claim takes them. When
 * the holder ends, the oldest of the others holds the key and is queued.
 *
 *   put: the key is free --> queued or running <--> its attempts --> ended: the next run holds it
 *   put: another run holds it --> blocked ---^
 *
 * A run gives its key up without an end when it is parked, when its completion says so
 * (inbox_finish.keeps_place), or when a hold covers it and only a part of its line: later runs pass
 * it. When it is due again it is the next in line. A retry by hand takes the place of a holder that
 * is not running. */
enum inbox_order {
    INBOX_ORDER_NONE,
    /* A delivery without an item is not ordered, and one without a repository is not either. */
    INBOX_ORDER_ITEM,
    INBOX_ORDER_REPOSITORY,
    INBOX_ORDER_INSTALLATION,
};

/* PUT stores a delivery and a run for each plugin that wants it, due at `due_ms`. A run that this
 * host continues from memory is inserted as if it had been claimed already. Hosts that look for due
 * runs skip it. When the host dies, it is due again like any other claimed run. */
struct inbox_firing;
struct inbox_timer_change;

struct inbox_put_run {
    /* The plugin's name. */
    const char *plugin;
    enum inbox_order order;
    /* The key of the subscriptions that it is for; 0: they do not coalesce. A run that `replaces`
     * ends the waiting runs of its key and coalesce_key that were put before it and are
     * `replaceable`, unless an operator retried them or they have an effect in their record. */
    int64_t coalesce_key;
    bool replaces, replaceable;
    /* Insert it running, at attempt 1, under the put's lease. */
    bool leased;
    /* Out: the run. 0 when the run was not queued (INBOX_DUPLICATE, or an error). Also 0 when it
     * was not leased as requested: its installation waits for a rate limit, another run holds its
     * key, or the inbox knew the delivery. Such a run may have a journal, and only a claim reads
     * journals. */
    int64_t id;
    /* Out: the token of its claim, when it was leased. */
    int64_t token;
};

/* A run that was replaced: it is finished, with the label "superseded". */
struct inbox_superseded {
    char guid[INBOX_GUID_MAX + 1];
    int64_t attempt;
    /* Index of the put's run that replaced it. */
    size_t run;
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
    /* The host fetched the delivery from GitHub's deliveries API. It is a duplicate if the inbox
     * has its GUID. A redelivery that the host requested before is a duplicate after it. */
    bool fetched;
    /* GitHub's id of the entry in its list from which the host pulled the delivery; 0: it did not.
     * The entry is handled when the delivery is stored (pull.h), and so are other waiting entries
     * with its GUID. If it was handled before and the inbox has the GUID, the put is a duplicate.
     */
    int64_t pulled;
    const char *guid, *event;
    /* "" when the payload has none. */
    const char *action;
    /* "" when the payload has none: such a delivery has no runs. */
    const char *installation;
    /* "owner/name"; "" none. */
    const char *repository;
    /* Login; "" none. */
    const char *sender;
    /* The repository's id, and the key of the issue, pull request or discussion, as ingest read
     * them; "" none. */
    const char *repository_id, *item;
    /* The body's bytes as GitHub sent them. The inbox does not parse them. */
    const char *body;
    size_t body_bytes;
    /* Wall clock. */
    int64_t received_ms, due_ms;
    /* Borrowed. */
    struct inbox_put_run *runs;
    size_t n_runs;
    /* The names of the configured plugins, each between newlines ("\na\nb\n"). Runs of other
     * plugins do not count as unfinished. NULL: not known, all count. Borrowed. */
    const char *configured;
    /* For the leased runs; see inbox_claim. */
    int64_t host, lease_ms;
    /* Only dispatch uses this: when it leased the runs (monotonic clock). */
    int64_t routed_ms;
    /* Only for FIRE (timers.h). Borrowed. */
    const struct inbox_firing *firing;
    /* Only dispatch uses this: the delivery is for this plugin; NULL: for all. */
    const char *only_plugin;
    /* Out: how many parked runs are due now, because this delivery says that the installation was
     * created, unsuspended or accepted new permissions. Its running runs get INBOX_GRANTED. */
    int64_t unparked;
    /* Out: inbox_put_finish(). */
    struct inbox_superseded *superseded;
    size_t n_superseded;

    /* Only the inbox uses these. `packed` is the compressed body (common/codec.h); NULL: the store
     * keeps the body uncompressed. The runs get the tokens `first_token`, `first_token` + 1, and so
     * on. */
    char *packed;
    size_t packed_bytes;
    int64_t first_token;
    /* This put marked the entry `pulled` as handled. */
    bool took_entry;
};

/* Frees what a PUT returned. */
void inbox_put_finish(struct inbox_put *put);

/* CLAIM takes due runs for this host: each gets the state running, a lease of `lease_ms`, a token
 * of its own, and the next attempt number.
 *
 * First it makes runs due whose lease has expired. It leaves out those that this host holds in
 * memory (`live`): after a pause or an outage of the store this host continues them. A run that
 * another host left that way is marked: its host died. A run of this host that no run in memory
 * holds, such as one whose handoff failed, is not marked. */
struct inbox_claim_share {
    const char *plugin;
    /* At most this many; 0 for none. */
    uint32_t runs;
    /* The payloads and journals of the claimed runs have at most this many bytes. If `alone` is
     * true, the first run may be larger. A run that does not fit hides no run behind it. */
    uint64_t most_bytes;
    /* True when no run of this plugin is running. If a suspect run is then due, the claim takes
     * only that run; otherwise it takes ordinary runs. When false, it takes only ordinary runs. */
    bool alone;
    /* The run to take first, if it is due and fits; 0: none. An earlier claim passed it over. */
    int64_t first;
    /* Out: suspect runs are due that the claim did not take; the claim took the run `first`. */
    bool suspects_due, first_taken;
    /* Out: a due run that is larger than `most_bytes`, and its due time. Among several it
     * is the one that has been due the longest. The claim looks at the first due run of each
     * installation that has a turn. 0: none. */
    int64_t passed_over, passed_over_due_ms;
};

struct inbox_run {
    int64_t id;
    /* From 1. */
    int64_t attempt;
    int64_t token;
    int64_t received_ms, due_ms;
    /* Crashes that count against this run: a worker died with only this run in it, or the host died
     * while it ran as a suspect. */
    int64_t crashes;
    /* It was one of several runs in a worker that died, or the host died twice in a row while it
     * ran. */
    bool suspect;
    /* Index of its plugin in the claim. */
    size_t share;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    char item[INBOX_ITEM_MAX + 1];
    /* "" when the run has no order. */
    char order_key[INBOX_ORDER_KEY_MAX + 1];
    /* 0 when no other run can replace it. */
    int64_t coalesce_key;
    /* How long its handler has asked to wait, in all. */
    int64_t waited_ms;
    /* Freed with the run. */
    char *sender, *repository;
    /* A reference, released with the run; see inbox_run_unpack(). */
    struct payload *payload;
    /* The size after unpacking. */
    size_t payload_bytes;
    int64_t payload_codec;
    /* The records of the run's earlier attempts, in order. Freed with the run. */
    struct inbox_record *journal;
    size_t n_journal;
};

struct inbox_claim {
    struct inbox_operation operation;
    /* Wall clock. */
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
    /* Out: when the next unclaimed run of these plugins is due. The time is in the past when more
     * runs are due already, and INT64_MAX when none is queued. */
    int64_t next_due_ms;
    /* Out: so many runs were set aside because a hold covers them. The next claim may find others
     * that are due. */
    size_t set_aside;

    /* Only the inbox uses these: the holds at `now_ms`, and the token of the first run. The others
     * get the numbers after it. */
    struct inbox_hold *holds;
    size_t n_holds;
    int64_t first_token;
};

/* Does a hold of the run's plugin cover the run? */
bool inbox_hold_covers_run(const struct inbox_hold *hold, const struct inbox_run *run);

/* Takes NULL. */
void inbox_runs_free(struct inbox_run *runs, size_t n_runs);
/* Frees what one run owns; for runs that were moved. */
void inbox_run_finish(struct inbox_run *run);

enum inbox_unpack_outcome {
    /* The stored payload is damaged; no retry can fix it. */
    INBOX_DAMAGED = 1,
};
/* Unpacks a claimed payload. A claim returns it as it was stored, so that the writer's thread need
 * not unpack it. 0; INBOX_DAMAGED and `err`; or -1 and `err` when memory is short. */
int inbox_run_unpack(struct inbox_run *run, struct error *err);

/* FINISH records how a claimed run ended. */
enum inbox_finish_how {
    /* Finished; `label` says how: done, skipped, rejected ... */
    INBOX_DONE,
    /* Failed; due again at `due_ms`; the attempt counts. */
    INBOX_RETRY,
    /* Interrupted without fault of the run; due again at `due_ms`; the attempt does not count. */
    INBOX_REQUEUE,
    /* Its handler waits for something; due again at `due_ms`; the attempt does not count. */
    INBOX_WAIT,
    /* Failed for the last time. */
    INBOX_DEAD,
    /* Waits, without losing an attempt, until its installation grants a missing permission (a
     * delivery of the event "installation" reports this) or an operator retries the run. */
    INBOX_PARK,
};

/* 0, INBOX_STALE, or: */
enum inbox_finish_outcome {
    /* Only for PARK: the installation granted something after this attempt began. So the run is due
     * at `due_ms`, as after REQUEUE. */
    INBOX_GRANTED = 2,
    /* Only for RETRY, REQUEUE and WAIT: a newer run replaces this one, which is finished now. */
    INBOX_SUPERSEDED = 3,
};

struct inbox_finish {
    struct inbox_operation operation;
    int64_t run, token;
    /* The client has not got the results of COMPLETEs that it submitted before this operation. If
     * one of them failed, it has set this, and FINISH fails too. So the end of a run is never
     * stored without the responses of its effects. Borrowed; NULL: there are none. */
    const bool *lost;
    /* The plugin's name, and the run's order_key. */
    const char *plugin, *order_key;
    int64_t coalesce_key;
    enum inbox_finish_how how;
    /* Static text. */
    const char *label;
    /* "" none. */
    const char *reason;
    int64_t now_ms, due_ms;
    /* See inbox_run; with the wait that begins now. */
    int64_t waited_ms;
    bool suspect;
    int64_t crashes;
    /* False when the run has no journal that the store would have to reduce to its effects. */
    bool has_journal;
    /* For RETRY, REQUEUE and WAIT: the run goes on holding its key. Otherwise later runs pass it.
     */
    bool keeps_place;
    /* Only for FINISH_TIMERS (timers.h). Borrowed. */
    const char *installation;
    const struct inbox_timer_change *timers;
    size_t n_timers;
    /* Out: when the next run of the key is due, if this completion made it the holder. Otherwise
     * INT64_MAX. */
    int64_t next_due_ms;
};

/* True for RETRY, REQUEUE and WAIT: the run is queued again, or blocked outside of its line. */
static inline bool inbox_finish_is_queued(const struct inbox_finish *finish) {
    return finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE || finish->how == INBOX_WAIT;
}

/* The key of a run of this put; "" when it is not ordered. */
void inbox_order_key(const struct inbox_put *put, enum inbox_order order,
                     char key[INBOX_ORDER_KEY_MAX + 1]);

#endif
