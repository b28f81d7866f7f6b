/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slots of the fetcher, each a state machine that continues from one result to the next. */
#include "maintenance/pull_fetcher.h"

#include "base/clock.h"
#include "base/log.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* After so many failures in a row GitHub itself seems to fail. */
#define FAILURES_MAX 5
/* The first pause after a store that failed. */
#define STORE_WAIT_MS 1000
#define MS_PER_S 1000

static bool is_fetching(const struct pull_slot *slot) {
    return slot->step == PULL_SLOT_FETCHES || slot->step == PULL_SLOT_IS_LARGE;
}

static void look_at(struct pull_fetcher *fetcher, int64_t at_ms) {
    if (at_ms < fetcher->state->next_due_ms) {
        fetcher->state->next_due_ms = at_ms;
    }
}

/* The entry still waits in the store, unless its delivery was stored. */
static void free_slot(struct pull_slot *slot) {
    struct pull_fetcher *fetcher = slot->fetcher;
    assert(slot->step != PULL_SLOT_FREE);
    slot->step = PULL_SLOT_FREE;
    slot->large = false;
    if (fetcher->looks) {
        assert(fetcher->n_finished < PULL_SLOTS);
        fetcher->finished[fetcher->n_finished++] = slot->entry.id;
    }
}

/* ---- pauses ---- */

/* Fetches nothing for a while, and then looks into the store again. */
static void pause_fetching(struct pull_fetcher *fetcher, int64_t first_ms, int32_t outcome,
                           const struct error *error) {
    int64_t now_ms = clock_monotonic_ms(), interval_ms = fetcher->state->options.interval_ms;
    fetcher->n_queue = 0;
    look_at(fetcher, now_ms);
    if (fetcher->paused_until_ms > now_ms) {
        /* Another request that was in progress failed too. */
        return;
    }
    fetcher->paused_until_ms = now_ms + pull_pause_ms(first_ms, fetcher->n_pauses++, interval_ms);
    fetcher->careful = true;
    pull_failed(fetcher->state, PULL_FETCHING, outcome, error);
}

static void pause_for_store(struct pull_fetcher *fetcher, const struct inbox_operation *operation) {
    pause_fetching(fetcher, STORE_WAIT_MS, SNEK_E_FAILED, &operation->error);
}

static void on_works(struct pull_fetcher *fetcher) {
    fetcher->n_failures = fetcher->n_pauses = 0;
    fetcher->careful = false;
    fetcher->paused_until_ms = 0;
    pull_works(fetcher->state, PULL_FETCHING);
}

/* ---- an entry that fails ---- */

static void on_failure_stored(struct inbox_operation *operation) {
    struct inbox_pull_fail *failed = CONTAINER_OF(operation, struct inbox_pull_fail, operation);
    struct pull_slot *slot = CONTAINER_OF(failed, struct pull_slot, fail);
    struct pull_state *state = slot->fetcher->state;
    free_slot(slot);
    if (state->closed) {
        return;
    }
    if (operation->result < 0) {
        pause_for_store(slot->fetcher, operation);
    } else if (failed->due_ms == 0) {
        pull_report_lost(state);
    } else {
        /* It may be due before the next reading. */
        look_at(slot->fetcher, failed->due_ms - state->github_offset_ms);
    }
}

static void log_failed(const struct inbox_pull_waiting *entry, int64_t wait_ms,
                       const char *reason) {
    bool lost = wait_ms == 0;
    log_event(lost ? SNEK_LEVEL_ERROR : SNEK_LEVEL_WARNING, lost ? "delivery_lost" : "not_fetched",
              LOG_TEXT("delivery", entry->guid), LOG_TEXT("event", entry->event),
              LOG_NUMBER("id", entry->id), LOG_NUMBER("attempt", entry->attempts + 1),
              LOG_TEXT("reason", reason), LOG_NUMBER("again_s", wait_ms / MS_PER_S),
              LOG_TEXT("hint", lost ? "the host asks no more; Redeliver in the App's settings "
                                      "(Advanced) may help"
                                    : NULL));
}

static void fail_entry(struct pull_slot *slot, enum pull_failure failure, const char *reason) {
    struct pull_state *state = slot->fetcher->state;
    const struct inbox_pull_waiting *entry = &slot->entry;
    int64_t now_ms = pull_github_now_ms(state);
    int64_t wait_ms = pull_retry_ms(failure, entry->attempts, now_ms - entry->delivered_ms,
                                    state->options.retention_ms);
    log_failed(entry, wait_ms, reason);
    slot->step = PULL_SLOT_STORES;
    slot->fail =
        (struct inbox_pull_fail){.id = entry->id, .due_ms = wait_ms == 0 ? 0 : now_ms + wait_ms};
    pull_submit(state, &slot->fail.operation, INBOX_PULL_FAIL, on_failure_stored);
}

/* ---- a payload ---- */

/* The put has marked all waiting entries of the GUID as handled. */
static void skip_handled(struct pull_fetcher *fetcher, const char *guid) {
    size_t kept = 0;
    for (size_t i = 0; i < fetcher->n_queue; i++) {
        if (strcmp(fetcher->queue[i].guid, guid) != 0) {
            fetcher->queue[kept++] = fetcher->queue[i];
        }
    }
    fetcher->n_queue = kept;
}

static void on_stored(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct fetched_delivery *fetched = CONTAINER_OF(put, struct fetched_delivery, put);
    struct pull_slot *slot = CONTAINER_OF(fetched, struct pull_slot, fetched);
    struct pull_fetcher *fetcher = slot->fetcher;
    int result = operation->result;
    bool goes_on = !fetcher->state->closed;
    fetched_delivery_finish(fetched, goes_on);
    free_slot(slot);
    if (!goes_on) {
        return;
    }
    if (result < 0) {
        pause_for_store(fetcher, operation);
        return;
    }
    on_works(fetcher);
    pull_report_fetched(fetcher->state);
    skip_handled(fetcher, slot->entry.guid);
}

static void store(struct pull_slot *slot) {
    struct pull_state *state = slot->fetcher->state;
    const struct inbox_pull_waiting *entry = &slot->entry;
    struct error err;
    int64_t age_ms = pull_github_now_ms(state) - entry->delivered_ms;
    struct fetched_source source = {.guid = entry->guid,
                                    .event = entry->event,
                                    .name = "pull",
                                    .pulled = entry->id,
                                    .redelivery = entry->redelivery,
                                    .due_ms = clock_wall_ms() - age_ms + state->options.delay_ms};
    slot->fetched.router = &state->options.router;
    slot->step = PULL_SLOT_STORES;
    int submitted =
        fetched_delivery_submit(&slot->fetched, &slot->request.response, &source,
                                state->options.inbox, state->options.mailbox, on_stored, &err);
    broker_request_finish(&slot->request);
    if (submitted < 0) {
        fail_entry(slot, PULL_UNUSABLE, err.text);
    } else if (submitted == 0) {
        fail_entry(slot, PULL_NO_PAYLOAD, "GitHub has no payload for it");
    }
}

/* An earlier entry is still on its way. */
static bool must_wait(const struct pull_fetcher *fetcher, const struct pull_slot *first,
                      int64_t now_ms) {
    bool waits = false;
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        const struct pull_slot *slot = &fetcher->slots[i];
        if (slot->step == PULL_SLOT_HOLDS && now_ms - slot->holds_ms >= PULL_ORDER_MS) {
            return false;
        }
        waits = waits || (is_fetching(slot) && slot->turn < first->turn);
    }
    return waits;
}

/* Stores the responses in their order. Returns when the patience of one ends. */
static int64_t store_held(struct pull_fetcher *fetcher, int64_t now_ms) {
    for (;;) {
        struct pull_slot *first = NULL;
        int64_t until_ms = INT64_MAX;
        for (size_t i = 0; i < PULL_SLOTS; i++) {
            struct pull_slot *slot = &fetcher->slots[i];
            if (slot->step == PULL_SLOT_HOLDS) {
                int64_t end_ms = slot->holds_ms + PULL_ORDER_MS;
                first = !first || slot->turn < first->turn ? slot : first;
                until_ms = end_ms < until_ms ? end_ms : until_ms;
            }
        }
        if (!first || must_wait(fetcher, first, now_ms)) {
            return until_ms;
        }
        store(first);
    }
}

/* GitHub or the way to it fails. */
static void on_error(struct pull_slot *slot, const struct broker_request *request) {
    struct pull_fetcher *fetcher = slot->fetcher;
    bool probes = fetcher->careful && fetcher->paused_until_ms <= clock_monotonic_ms();
    if (++fetcher->n_failures >= FAILURES_MAX || fetcher->careful) {
        /* GitHub fails, and not this entry. */
        pause_fetching(fetcher, fetcher->state->options.interval_ms, request->outcome,
                       &request->error);
        if (!probes) {
            free_slot(slot);
            return;
        }
        /* If this entry alone fails, the next probe is another one. */
    }
    fail_entry(slot, PULL_ERROR, request->error.text);
}

static void on_failed(struct pull_slot *slot, const struct broker_request *request) {
    struct pull_fetcher *fetcher = slot->fetcher;
    if (pull_is_limited(request->outcome)) {
        pull_wait_for_limit(fetcher->state, request);
        fetcher->n_queue = 0;
        look_at(fetcher, clock_monotonic_ms());
        free_slot(slot);
    } else if (request->outcome == SNEK_E_NOT_FOUND || request->outcome == SNEK_E_VALIDATION) {
        fail_entry(slot, PULL_NO_PAYLOAD, request->error.text);
    } else if (request->outcome == SNEK_E_TOO_LARGE && slot->large) {
        fail_entry(slot, PULL_UNUSABLE, request->error.text);
    } else if (request->outcome == SNEK_E_TOO_LARGE) {
        slot->step = PULL_SLOT_IS_LARGE;
    } else {
        on_error(slot, request);
    }
}

static void on_payload(struct broker_request *request) {
    struct pull_slot *slot = CONTAINER_OF(request, struct pull_slot, request);
    struct pull_state *state = slot->fetcher->state;
    assert(slot->step == PULL_SLOT_FETCHES);
    if (state->closed) {
        free_slot(slot);
    } else {
        pull_learn_quota(state, &request->headers);
        if (request->outcome == 0) {
            slot->step = PULL_SLOT_HOLDS;
            slot->holds_ms = clock_monotonic_ms();
            return;
        }
        on_failed(slot, request);
    }
    broker_request_finish(request);
}

static void fetch(struct pull_slot *slot) {
    slot->step = PULL_SLOT_FETCHES;
    snprintf(slot->url, sizeof slot->url, "/app/hook/deliveries/%" PRId64, slot->entry.id);
    pull_send(slot->fetcher->state, &slot->request, slot->url,
              slot->large ? PULL_LARGE_MAX : PULL_SMALL_MAX, on_payload);
}

/* ---- the queue ---- */

/* Two entries of one GUID go one after the other: the first one's put may handle both. */
static bool is_in_slot(const struct pull_fetcher *fetcher, const char *guid) {
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        const struct pull_slot *slot = &fetcher->slots[i];
        if (slot->step != PULL_SLOT_FREE && strcmp(slot->entry.guid, guid) == 0) {
            return true;
        }
    }
    return false;
}

/* The slot for the next entry; NULL: none is free. */
static struct pull_slot *find_slot(struct pull_fetcher *fetcher) {
    struct pull_slot *free_one = NULL;
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        if (fetcher->slots[i].step == PULL_SLOT_FREE) {
            free_one = &fetcher->slots[i];
        } else if (fetcher->careful) {
            return NULL;
        }
    }
    return free_one;
}

static bool start_next(struct pull_fetcher *fetcher) {
    struct pull_slot *slot = find_slot(fetcher);
    for (size_t i = 0; slot && i < fetcher->n_queue; i++) {
        if (!is_in_slot(fetcher, fetcher->queue[i].guid)) {
            slot->entry = fetcher->queue[i];
            slot->turn = ++fetcher->n_turns;
            fetcher->n_queue--;
            memmove(&fetcher->queue[i], &fetcher->queue[i + 1],
                    (fetcher->n_queue - i) * sizeof *fetcher->queue);
            fetch(slot);
            return true;
        }
    }
    return false;
}

/* The next large payload, if none is on its way. */
static bool start_large(struct pull_fetcher *fetcher) {
    struct pull_slot *first = NULL;
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        struct pull_slot *slot = &fetcher->slots[i];
        if (slot->large) {
            return false;
        }
        if (slot->step == PULL_SLOT_IS_LARGE) {
            first = !first || slot->turn < first->turn ? slot : first;
        }
    }
    if (first) {
        first->large = true;
        fetch(first);
    }
    return first != NULL;
}

/* ---- the entries that wait in the store ---- */

/* A slot has it, or had it when the store was asked. */
static bool is_taken(const struct pull_fetcher *fetcher, int64_t id) {
    for (size_t i = 0; i < fetcher->n_finished; i++) {
        if (fetcher->finished[i] == id) {
            return true;
        }
    }
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        const struct pull_slot *slot = &fetcher->slots[i];
        if (slot->step != PULL_SLOT_FREE && slot->entry.id == id) {
            return true;
        }
    }
    return false;
}

static void on_due(struct inbox_operation *operation) {
    struct inbox_pull_due *due = CONTAINER_OF(operation, struct inbox_pull_due, operation);
    struct pull_fetcher *fetcher = CONTAINER_OF(due, struct pull_fetcher, due);
    struct pull_state *state = fetcher->state;
    assert(fetcher->looks && fetcher->n_queue == 0);
    fetcher->looks = false;
    if (state->closed || !state->elected) {
        return;
    }
    if (operation->result < 0) {
        pause_for_store(fetcher, operation);
        return;
    }
    for (size_t i = 0; i < due->n_waiting; i++) {
        if (!is_taken(fetcher, due->waiting[i].id)) {
            fetcher->queue[fetcher->n_queue++] = due->waiting[i];
        }
    }
    pull_report_waiting(state, due);
    if (due->n_waiting == due->most) {
        look_at(fetcher, clock_monotonic_ms());
    } else if (due->next_due_ms != INT64_MAX) {
        look_at(fetcher, due->next_due_ms - state->github_offset_ms);
    }
    if (due->n_total == 0) {
        pull_works(state, PULL_FETCHING);
    }
}

static void look(struct pull_fetcher *fetcher) {
    fetcher->looks = true;
    fetcher->n_finished = 0;
    fetcher->state->next_due_ms = INT64_MAX;
    fetcher->due = (struct inbox_pull_due){
        .now_ms = pull_github_now_ms(fetcher->state),
        .waiting = fetcher->found,
        .most = PULL_BATCH + PULL_SLOTS,
    };
    pull_submit(fetcher->state, &fetcher->due.operation, INBOX_PULL_DUE, on_due);
}

/* ---- life ---- */

void pull_fetcher_init(struct pull_fetcher *fetcher, struct pull_state *state) {
    fetcher->state = state;
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        fetcher->slots[i].fetcher = fetcher;
    }
}

void pull_fetcher_finish(struct pull_fetcher *fetcher) {
    assert(fetcher->state->closed);
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        struct pull_slot *slot = &fetcher->slots[i];
        if (slot->step == PULL_SLOT_HOLDS) {
            broker_request_finish(&slot->request);
        }
    }
}

int64_t pull_fetcher_tick(struct pull_fetcher *fetcher, int64_t now_ms) {
    struct pull_state *state = fetcher->state;
    int64_t next_ms = store_held(fetcher, now_ms);
    if (!state->elected || state->github_offset_ms == 0) {
        return next_ms;
    }
    for (;;) {
        int64_t allowed_ms = pull_allowed_ms(state, now_ms);
        allowed_ms = allowed_ms > fetcher->paused_until_ms ? allowed_ms : fetcher->paused_until_ms;
        if (allowed_ms > now_ms) {
            return clock_earliest(next_ms, allowed_ms);
        }
        if (!start_large(fetcher) && !start_next(fetcher)) {
            break;
        }
    }
    if (fetcher->looks || fetcher->n_queue > 0) {
        return next_ms;
    }
    if (state->next_due_ms > now_ms) {
        return clock_earliest(next_ms, state->next_due_ms);
    }
    look(fetcher);
    return next_ms;
}

void pull_fetcher_stand_by(struct pull_fetcher *fetcher) {
    fetcher->n_queue = 0;
    for (size_t i = 0; i < PULL_SLOTS; i++) {
        if (fetcher->slots[i].step == PULL_SLOT_IS_LARGE) {
            free_slot(&fetcher->slots[i]);
        }
    }
}

void pull_fetcher_retry(struct pull_fetcher *fetcher) {
    fetcher->paused_until_ms = 0;
}
