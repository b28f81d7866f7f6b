/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One delivery, and the timeline of one item, for the console. */
#include "inbox/common/console_parts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "inbox/common/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WHAT "reading a delivery"

/* ---- one delivery ---- */

static int on_run(void *context, const struct console_row *row) {
    struct inbox_show *show = context;
    struct inbox_entry *entry = ARRAY_ADD(show->runs, show->n_runs);
    return entry ? console_entry(row, entry) : -1;
}

static size_t run_index(const struct inbox_show *show, int64_t run) {
    size_t i = 0;
    while (i + 1 < show->n_runs && show->runs[i].run != run) {
        i++;
    }
    return i;
}

static int on_request(void *context, const struct console_row *row) {
    struct inbox_show *show = context;
    if (show->n_requests == INBOX_SHOWN_MAX) {
        show->cut = true;
        return 1;
    }
    struct inbox_shown_request *request = ARRAY_ADD(show->requests, show->n_requests);
    if (!request) {
        return -1;
    }
    *request = (struct inbox_shown_request){.run = run_index(show, console_number(row, 0)),
                                            .kind = store_record_kind(console_text(row, 1)),
                                            .state = store_record_state(console_text(row, 2)),
                                            .dry = console_boolean(row, 3),
                                            .at_ms = console_number(row, 4),
                                            .method = console_duplicate(row, 5),
                                            .url = console_duplicate(row, 6),
                                            .status = (int32_t)console_number(row, 7),
                                            .message = console_duplicate(row, 8),
                                            .body_bytes = console_number(row, 9)};
    return request->method && request->url && request->message ? 0 : -1;
}

static int on_attempt(void *context, const struct console_row *row) {
    struct inbox_show *show = context;
    struct inbox_shown_attempt *attempt = ARRAY_ADD(show->attempts, show->n_attempts);
    if (!attempt) {
        return -1;
    }
    attempt->run = run_index(show, console_number(row, 0));
    attempt->attempt = console_number(row, 1);
    attempt->ended_ms = console_number(row, 2);
    console_copy(row, 3, attempt->how, sizeof attempt->how);
    attempt->label = console_duplicate(row, 4);
    attempt->reason = console_duplicate(row, 5);
    return attempt->label && attempt->reason ? 0 : -1;
}

static int on_audit(void *context, const struct console_row *row) {
    struct inbox_show *show = context;
    if (show->n_audit == INBOX_SHOWN_MAX) {
        show->cut = true;
        return 1;
    }
    struct inbox_audit_entry *entry = ARRAY_ADD(show->audit, show->n_audit);
    return entry ? console_audit_entry(row, entry) : -1;
}

int console_show(struct console_store *store, struct inbox_show *show, struct error *err) {
    const struct console_value guid = console_value_text(show->guid);
    static const struct {
        enum console_sql sql;
        int (*on_row)(void *context, const struct console_row *row);
    } parts[] = {{CONSOLE_SHOW_RUNS, on_run},
                 {CONSOLE_SHOW_REQUESTS, on_request},
                 {CONSOLE_SHOW_ATTEMPTS, on_attempt},
                 {CONSOLE_SHOW_AUDIT, on_audit}};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (store->methods->ask(store, parts[i].sql, &guid, 1, parts[i].on_row, show, err, WHAT) <
            0) {
            return -1;
        }
    }
    return show->n_runs > 0 ? 0 : INBOX_UNKNOWN;
}

void inbox_show_finish(struct inbox_show *show) {
    inbox_entries_free(show->runs, show->n_runs);
    for (size_t i = 0; i < show->n_requests; i++) {
        free(show->requests[i].method);
        free(show->requests[i].url);
        free(show->requests[i].message);
    }
    free(show->requests);
    for (size_t i = 0; i < show->n_attempts; i++) {
        free(show->attempts[i].label);
        free(show->attempts[i].reason);
    }
    free(show->attempts);
    inbox_audit_free(show->audit, show->n_audit);
    show->runs = NULL;
    show->requests = NULL;
    show->attempts = NULL;
    show->audit = NULL;
    show->n_runs = show->n_requests = show->n_attempts = show->n_audit = 0;
}

/* ---- the timeline ---- */

static int on_effect(void *context, const struct console_row *row) {
    struct inbox_timeline *timeline = context;
    struct inbox_timeline_effect *effect = ARRAY_ADD(timeline->effects, timeline->n_effects);
    if (!effect) {
        return -1;
    }
    console_copy(row, 10, effect->delivery, sizeof effect->delivery);
    return console_audit_entry(row, &effect->audit);
}

static int read_effects(struct console_store *store, struct inbox_timeline *timeline,
                        struct error *err) {
    AUTO_FREE char *item = NULL;
    if (asprintf(&item, "%s#%" PRId64, timeline->repository, timeline->number) < 0) {
        item = NULL;
        return store->methods->no_memory(store, err, WHAT);
    }
    text_to_lower(item);
    const struct console_value value = console_value_text(item);
    return store->methods->ask(store, CONSOLE_TIMELINE_EFFECTS, &value, 1, on_effect, timeline, err,
                               WHAT);
}

int console_timeline(struct console_store *store, struct inbox_timeline *timeline,
                     struct error *err) {
    struct inbox_search search = {
        .filter = {.repository = timeline->repository, .number = timeline->number},
        .before = timeline->before,
        .most = timeline->most};
    int found = console_search(store, &search, err);
    timeline->entries = search.entries;
    timeline->n_entries = search.n_entries;
    timeline->next = search.next;
    timeline->reached_ms = search.reached_ms;
    if (found < 0) {
        return -1;
    }
    return timeline->before.first == 0 ? read_effects(store, timeline, err) : 0;
}

void inbox_timeline_finish(struct inbox_timeline *timeline) {
    inbox_entries_free(timeline->entries, timeline->n_entries);
    for (size_t i = 0; i < timeline->n_effects; i++) {
        inbox_audit_entry_finish(&timeline->effects[i].audit);
    }
    free(timeline->effects);
    timeline->entries = NULL;
    timeline->effects = NULL;
    timeline->n_entries = timeline->n_effects = 0;
}
