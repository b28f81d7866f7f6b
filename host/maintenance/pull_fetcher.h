/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fetches the payloads of the entries that wait in the store, several at once, and stores them.
 *
 *   PULL_DUE --> queue --> slot: GET .../ID --> waits for earlier ones --> INBOX_PUT --> free
 *                            '-- no payload, or GitHub fails: INBOX_PULL_FAIL, and later again
 *
 * The oldest entry comes first. Payloads are stored in the order of the list, because runs of one
 * item may have to keep it, but a slow response holds up the others for PULL_ORDER_MS at most.
 *
 * Memory: a slot holds up to PULL_SMALL_MAX bytes. A larger payload is fetched again, alone, with
 * PULL_LARGE_MAX. Loop's thread. */
#ifndef SNEK_MAINTENANCE_PULL_FETCHER_H
#define SNEK_MAINTENANCE_PULL_FETCHER_H

#include "maintenance/pull_state.h"

/* Requests at once. GitHub allows 100 of an app, for all its purposes. */
#define PULL_SLOTS 16
/* Entries that are read from the store at once. */
#define PULL_BATCH 240
#define PULL_ORDER_MS 1000
#define PULL_SMALL_MAX ((size_t)1 << 20)
/* A payload has up to 25 MiB, and the response also contains the bot's response and headers. */
#define PULL_LARGE_MAX ((size_t)32 << 20)

enum pull_slot_step {
    PULL_SLOT_FREE,
    PULL_SLOT_FETCHES,
    /* The payload is large: it waits until no other large one is fetched. */
    PULL_SLOT_IS_LARGE,
    /* The slot holds the response until those before it have theirs. */
    PULL_SLOT_HOLDS,
    PULL_SLOT_STORES,
};

struct pull_fetcher;

struct pull_slot {
    struct pull_fetcher *fetcher;
    enum pull_slot_step step;
    struct inbox_pull_waiting entry;
    /* Its place among all that were fetched. */
    uint64_t turn;
    /* PULL_LARGE_MAX applies. */
    bool large;
    /* Monotonic: PULL_SLOT_HOLDS began then. */
    int64_t holds_ms;
    char url[64];
    struct broker_request request;
    struct fetched_delivery fetched;
    struct inbox_pull_fail fail;
};

struct pull_fetcher {
    /* Borrowed. */
    struct pull_state *state;
    struct pull_slot slots[PULL_SLOTS];
    uint64_t n_turns;

    /* The entries to fetch; the first one is next. */
    struct inbox_pull_waiting queue[PULL_BATCH + PULL_SLOTS];
    size_t n_queue;

    /* The look into the store. */
    struct inbox_pull_due due;
    struct inbox_pull_waiting found[PULL_BATCH + PULL_SLOTS];
    bool looks;
    /* Entries that slots have finished since it began: it may still show them. */
    int64_t finished[PULL_SLOTS];
    size_t n_finished;

    /* Failures of GitHub's in a row, and pauses after them. */
    unsigned n_failures, n_pauses;
    /* After a pause, one entry at a time shows whether fetching works again. */
    bool careful;
    /* Monotonic. */
    int64_t paused_until_ms;
};

/* `fetcher` is zeroed. */
void pull_fetcher_init(struct pull_fetcher *fetcher, struct pull_state *state);
/* After the last result has arrived. */
void pull_fetcher_finish(struct pull_fetcher *fetcher);

/* Starts what is due. Returns when to call again; monotonic; INT64_MAX: a result comes first. */
int64_t pull_fetcher_tick(struct pull_fetcher *fetcher, int64_t now_ms);

/* Another host is elected: this one starts nothing more. */
void pull_fetcher_stand_by(struct pull_fetcher *fetcher);

/* GitHub works again: ends the pause. */
void pull_fetcher_retry(struct pull_fetcher *fetcher);

#endif
