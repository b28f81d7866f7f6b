/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state machine of a reading: it continues from one result to the next, and never blocks. */
#include "maintenance/pull_reader.h"

#include "base/clock.h"
#include "base/log.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRST_PAGE "/app/hook/deliveries?per_page=100"
/* A page of 100 entries has some 50 kB. The host builds a tree of it, which takes more memory. */
#define PAGE_BYTES_MAX ((size_t)1 << 20)
/* Pages of 100 entries: more than GitHub keeps of any app in 3 days. */
#define PAGES_MAX 20000
/* The pause after a store that failed. */
#define STORE_WAIT_MS 1000
#define MS_PER_S 1000

/* A result has arrived. False: inbox and broker are gone. */
static bool resume(struct pull_reader *reader) {
    assert(reader->under_way);
    reader->under_way = false;
    return !reader->state->closed;
}

static void drop_page(struct pull_reader *reader) {
    delivery_log_free(reader->page);
    reader->page = NULL;
}

/* ---- failures ---- */

static void fail_for(struct pull_reader *reader, int32_t outcome, const struct error *error,
                     int64_t wait_ms) {
    drop_page(reader);
    pull_failed(reader->state, PULL_READING, outcome, error);
    reader->next_ms = clock_monotonic_ms() + wait_ms;
}

static void fail(struct pull_reader *reader, int32_t outcome, const struct error *error) {
    int64_t interval_ms = reader->state->options.interval_ms;
    fail_for(reader, outcome, error, pull_pause_ms(interval_ms, reader->n_failures++, interval_ms));
}

static void fail_of_store(struct pull_reader *reader, const struct inbox_operation *operation) {
    fail_for(reader, SNEK_E_FAILED, &operation->error, STORE_WAIT_MS);
}

static void fail_with(struct pull_reader *reader, const char *reason) {
    struct error err;
    error_set(&err, "%s", reason);
    fail(reader, SNEK_E_FAILED, &err);
}

/* ---- the list ---- */

static void on_page(struct broker_request *request);

/* Takes the URL; NULL: memory is short. */
static void read_page(struct pull_reader *reader, char *url) {
    free(reader->url);
    reader->url = url;
    if (!url) {
        fail_with(reader, "out of memory");
        return;
    }
    reader->under_way = true;
    pull_send(reader->state, &reader->request, url, PAGE_BYTES_MAX, on_page);
}

static void log_begin(const struct pull_reader *reader) {
    const struct inbox_pull_place *place = &reader->place;
    log_event(SNEK_LEVEL_INFO, "pulling",
              LOG_NUMBER("interval_s", reader->state->options.interval_ms / MS_PER_S),
              LOG_NUMBER("back_s", (reader->began_ms - reader->since_ms) / MS_PER_S),
              LOG_TEXT("reason", place->place_ms == 0 && place->oldest_ms == place->started_ms
                                     ? "the store has no deliveries yet, so the host takes none "
                                       "from before its first start"
                                     : NULL));
}

/* How long until the next reading, so that the app's quota lasts. */
static int64_t plan_next(struct pull_reader *reader) {
    struct pull_state *state = reader->state;
    int64_t interval_ms = state->options.interval_ms;
    int64_t wait_ms =
        pull_wait_ms(interval_ms, reader->n_pages, &state->quota, pull_github_now_ms(state));
    bool slowed = wait_ms > 2 * interval_ms;
    if (slowed && !reader->slowed) {
        log_event(SNEK_LEVEL_WARNING, "pull_slowed", LOG_NUMBER("interval_s", wait_ms / MS_PER_S),
                  LOG_NUMBER("pages", (int64_t)reader->n_pages),
                  LOG_NUMBER("remaining", state->quota.remaining),
                  LOG_TEXT("reason", "the app's rate limit allows no shorter interval; a bot with "
                                     "so many deliveries needs webhooks"));
    }
    reader->slowed = slowed;
    return wait_ms;
}

static void end_reading(struct pull_reader *reader) {
    struct inbox_pull_place *place = &reader->place;
    if (reader->full) {
        place->place_ms = reader->newest_ms;
        place->full_ms = reader->began_ms;
    } else if (reader->newest_ms > place->place_ms) {
        place->place_ms = reader->newest_ms;
    }
    reader->list_is_empty = reader->n_listed == 0;
    reader->n_failures = 0;
    reader->recovered = pull_works(reader->state, PULL_READING) || reader->recovered;
    int64_t wait_ms = plan_next(reader);
    pull_report_reading(reader->state, reader->slowed ? wait_ms : 0);
    /* From start to start: a long list makes no delivery wait for longer. */
    reader->next_ms = reader->started_ms + wait_ms;
}

static void on_noted(struct inbox_operation *operation) {
    struct inbox_pull_note *note = CONTAINER_OF(operation, struct inbox_pull_note, operation);
    struct pull_reader *reader = CONTAINER_OF(note, struct pull_reader, note);
    if (!resume(reader)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(reader, operation);
        return;
    }
    char *next_url = NULL;
    bool more = pull_reads_on(reader->page, reader->since_ms);
    if (more) {
        next_url = reader->page->next_url;
        reader->page->next_url = NULL;
    }
    drop_page(reader);
    reader->state->next_due_ms = clock_monotonic_ms();
    if (!more) {
        end_reading(reader);
    } else if (!reader->state->elected) {
        free(next_url);
    } else if (reader->n_pages >= PAGES_MAX) {
        free(next_url);
        fail_with(reader, "GET /app/hook/deliveries does not end");
    } else {
        read_page(reader, next_url);
    }
}

static bool plugin_wants(const struct pull_reader *reader, const struct delivery_log_entry *entry) {
    const struct delivery_router *router = &reader->state->options.router;
    char installation[24];
    snprintf(installation, sizeof installation, "%" PRId64, entry->installation);
    return entry->installation != 0 &&
           router->wants(router->context, entry->event, entry->action, installation);
}

static void note(struct pull_reader *reader) {
    struct delivery_log_page *page = reader->page;
    free(reader->entries);
    reader->entries = calloc(page->n_entries + 1, sizeof *reader->entries);
    if (!reader->entries) {
        fail_with(reader, "out of memory");
        return;
    }
    for (size_t i = 0; i < page->n_entries; i++) {
        reader->entries[i] =
            pull_entry(&reader->place, &page->entries[i], plugin_wants(reader, &page->entries[i]));
    }
    reader->n_listed += page->n_entries;
    reader->newest_ms = pull_newest_ms(page, reader->newest_ms);
    bool last = !pull_reads_on(page, reader->since_ms);
    reader->note = (struct inbox_pull_note){
        .entries = reader->entries,
        .n_entries = page->n_entries,
        .place_ms = last ? reader->newest_ms : 0,
        .full_ms = last && reader->full ? reader->began_ms : 0,
    };
    reader->under_way = true;
    pull_submit(reader->state, &reader->note.operation, INBOX_PULL_NOTE, on_noted);
}

static void plan_reading(struct pull_reader *reader) {
    reader->full =
        pull_reads_all(&reader->place, reader->state->options.reads_all, reader->began_ms);
    reader->since_ms =
        reader->full ? reader->place.oldest_ms : pull_since_ms(&reader->place, reader->began_ms);
}

static void on_begun(struct inbox_operation *operation) {
    struct inbox_pull_begin *begin = CONTAINER_OF(operation, struct inbox_pull_begin, operation);
    struct pull_reader *reader = CONTAINER_OF(begin, struct pull_reader, begin);
    if (!resume(reader)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(reader, operation);
        return;
    }
    reader->place = begin->place;
    reader->begun = true;
    plan_reading(reader);
    log_begin(reader);
    note(reader);
}

static void on_listed(struct pull_reader *reader) {
    struct delivery_log_page *page = reader->page;
    page->now_ms = pull_clock_ms(page->now_ms, clock_wall_ms());
    reader->state->github_offset_ms = page->now_ms - clock_monotonic_ms();
    if (++reader->n_pages > 1) {
        note(reader);
        return;
    }
    reader->began_ms = page->now_ms;
    if (reader->begun) {
        plan_reading(reader);
        note(reader);
        return;
    }
    reader->begin = (struct inbox_pull_begin){.now_ms = reader->began_ms};
    reader->under_way = true;
    pull_submit(reader->state, &reader->begin.operation, INBOX_PULL_BEGIN, on_begun);
}

static void on_page(struct broker_request *request) {
    struct pull_reader *reader = CONTAINER_OF(request, struct pull_reader, request);
    struct error err;
    if (resume(reader)) {
        pull_learn_quota(reader->state, &request->headers);
        assert(!reader->page);
        if (pull_is_limited(request->outcome)) {
            pull_wait_for_limit(reader->state, request);
        } else if (request->outcome < 0) {
            fail(reader, request->outcome, &request->error);
        } else if (!(reader->page =
                         delivery_log_read(&request->headers, &request->response, &err))) {
            fail(reader, SNEK_E_SERVER, &err);
        } else {
            on_listed(reader);
        }
    }
    broker_request_finish(request);
}

/* ---- life ---- */

void pull_reader_init(struct pull_reader *reader, struct pull_state *state) {
    *reader = (struct pull_reader){.state = state};
}

void pull_reader_finish(struct pull_reader *reader) {
    assert(reader->state->closed);
    delivery_log_free(reader->page);
    free(reader->entries);
    free(reader->url);
}

int64_t pull_reader_tick(struct pull_reader *reader, int64_t now_ms) {
    int64_t allowed_ms = pull_allowed_ms(reader->state, now_ms);
    int64_t at_ms = reader->next_ms > allowed_ms ? reader->next_ms : allowed_ms;
    if (reader->under_way) {
        return INT64_MAX;
    }
    if (at_ms > now_ms) {
        return at_ms;
    }
    reader->n_pages = reader->n_listed = 0;
    reader->newest_ms = 0;
    reader->started_ms = now_ms;
    read_page(reader, strdup(FIRST_PAGE));
    /* Without memory nothing is under way. */
    return reader->under_way ? INT64_MAX : reader->next_ms;
}

void pull_reader_stand_by(struct pull_reader *reader, int64_t now_ms) {
    reader->begun = false;
    reader->next_ms = now_ms;
}

bool pull_reader_has_recovered(struct pull_reader *reader) {
    bool recovered = reader->recovered;
    reader->recovered = false;
    return recovered;
}
