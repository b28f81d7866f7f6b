/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pull mode: the elected host reads GitHub's list of deliveries, and fetches the payloads that the
 * inbox lacks.
 *
 *   reader:  GET /app/hook/deliveries --> INBOX_PULL_NOTE --> next page ...
 *   fetcher: INBOX_PULL_DUE --> GET .../ID, several at once --> INBOX_PUT
 *
 * Both work at the same time: the fetcher begins with the first page that is noted.
 *
 * Every reading goes back at least 15 minutes behind the place that the store keeps, and once a day
 * as far as GitHub keeps the list. Entries that were noted wait in the store until their delivery
 * is stored, so no host that dies or loses the election skips one. The host never asks GitHub for a
 * redelivery: GitHub could not reach it. All ages are by GitHub's clock, because ours may be wrong.
 *
 * In webhook mode it only makes the store forget the place.
 *
 * Threads: the loop's thread, except pull_status(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_PULL_H
#define SNEK_MAINTENANCE_PULL_H

#include "maintenance/hook_watch.h"
#include "maintenance/pull_fetcher.h"
#include "maintenance/pull_reader.h"
#include "maintenance/pull_state.h"

struct pull {
    struct pull_state state;
    struct pull_reader reader;
    struct pull_fetcher fetcher;
    struct hook_watch hook;
    /* In webhook mode: the store has forgotten the place, or does so now. */
    bool forgotten, forgets;
    int64_t forget_ms;
    struct inbox_operation forget;
};

/* `pull` is zeroed. In webhook mode its fetcher, of 250 KiB, is never touched, so that the pages of
 * a zeroed allocation need no memory. */
void pull_init(struct pull *pull, const struct pull_options *options);

/* Does what is due. Returns when to call again; monotonic; INT64_MAX: a result comes first. A host
 * that is not `elected` starts nothing. */
int64_t pull_tick(struct pull *pull, bool elected, int64_t now_ms);

/* Appends `"pull":{...}`, in webhook mode with the state "off". 0, or -1 if it did not fit. */
int pull_status(struct pull *pull, struct buffer *json);

/* Inbox and broker are gone: results that still arrive change nothing. */
void pull_close(struct pull *pull);
/* After the last result has arrived. */
void pull_finish(struct pull *pull);

#endif
