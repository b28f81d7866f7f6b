/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state machine of a pass: it continues from one result to the next, and never blocks. */
#include "maintenance/redelivery_pass.h"

#include "base/clock.h"
#include "maintenance/delivery_log.h"

#include <snekomatic/types.h>

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#define FIRST_PAGE "/app/hook/deliveries?per_page=100"
/* Pages of 100 entries: more than GitHub keeps of any app in 3 days. */
#define PAGES_MAX 20000
/* The most that one pass requests; the next pass continues. */
#define MISSING_MAX 10000
/* GitHub's secondary limit is 900 points a minute, and a POST costs 5 of them ("Rate limits for the
 * REST API"). This leaves some for other requests. */
#define REQUEST_INTERVAL_MS 400

static void end(struct redelivery_pass *pass) {
    pass->under_way = false;
    pass->continue_at_ms = 0;
    pass->on_done(pass);
}

static void fail(struct redelivery_pass *pass, const struct error *error) {
    pass->complete = false;
    pass->error = *error;
    end(pass);
}

static void fail_with(struct redelivery_pass *pass, const char *reason) {
    struct error err;
    error_set(&err, "%s", reason);
    fail(pass, &err);
}

/* True if the pass has ended, because inbox and broker are gone. */
static bool stopped(struct redelivery_pass *pass) {
    if (pass->closed) {
        fail_with(pass, "the host stops");
    }
    return pass->closed;
}

/* ---- requests ---- */

static void request_next(struct redelivery_pass *pass);

static void settle(struct redelivery_pass *pass, enum redelivery_state state) {
    struct missing_delivery *missing = pass->current;
    missing->state = state;
    pass->counts[state]++;
    pass->current = missing->next;
    if (pass->on_settled && state != REDELIVERY_MISSING && state != REDELIVERY_RECENT) {
        pass->on_settled(pass, missing);
    }
}

static void on_redelivery_response(struct broker_request *request) {
    struct redelivery_pass *pass = CONTAINER_OF(request, struct redelivery_pass, request);
    int32_t outcome = request->outcome;
    struct error error = request->error;
    broker_request_finish(request);
    if (stopped(pass)) {
        return;
    }
    if (outcome == SNEK_E_NOT_FOUND || outcome == SNEK_E_VALIDATION) {
        pass->current->reason = strdup(error.text);
        pass->complete = false;
        settle(pass, REDELIVERY_REJECTED);
    } else if (outcome < 0) {
        fail(pass, &error);
        return;
    } else {
        settle(pass, REDELIVERY_REQUESTED);
    }
    pass->continue_at_ms = clock_monotonic_ms() + REQUEST_INTERVAL_MS;
}

static void send(struct redelivery_pass *pass, const char *method,
                 void (*done)(struct broker_request *)) {
    pass->request = (struct broker_request){.kind = BROKER_APP,
                                            .reply_to = pass->mailbox,
                                            .on_done = done,
                                            .method = method,
                                            .url = pass->url};
    broker_submit(pass->broker, &pass->request);
}

static bool set_url(struct redelivery_pass *pass, char *url) {
    free(pass->url);
    pass->url = url;
    return url != NULL;
}

static void on_counted(struct inbox_operation *operation) {
    struct inbox_count_redelivery *count =
        CONTAINER_OF(operation, struct inbox_count_redelivery, operation);
    struct redelivery_pass *pass = CONTAINER_OF(count, struct redelivery_pass, count);
    char *url = NULL;
    if (stopped(pass)) {
        return;
    }
    if (operation->result < 0) {
        fail(pass, &operation->error);
    } else if (operation->result == INBOX_REDELIVERY_COUNTED) {
        pass->current->requests++;
        if (asprintf(&url, "/app/hook/deliveries/%" PRId64 "/attempts", pass->current->id) < 0 ||
            !set_url(pass, url)) {
            fail_with(pass, "out of memory");
            return;
        }
        send(pass, "POST", on_redelivery_response);
    } else {
        settle(pass, operation->result == INBOX_REDELIVERY_PRESENT ? REDELIVERY_ARRIVED
                                                                   : REDELIVERY_GIVEN_UP);
        request_next(pass);
    }
}

/* Settles the deliveries that need no request, up to one that does. */
static void request_next(struct redelivery_pass *pass) {
    for (struct missing_delivery *missing; (missing = pass->current);) {
        if (missing->state == REDELIVERY_RECENT) {
            settle(pass, REDELIVERY_RECENT);
        } else if (missing->requests >= REDELIVERY_REQUESTS_MAX) {
            settle(pass, REDELIVERY_GIVEN_UP);
        } else if (pass->dry_run) {
            settle(pass, REDELIVERY_MISSING);
        } else {
            pass->count = (struct inbox_count_redelivery){
                .operation = {.kind = INBOX_COUNT_REDELIVERY,
                              .reply_to = pass->mailbox,
                              .on_result = on_counted},
                .guid = missing->guid,
                .most = REDELIVERY_REQUESTS_MAX,
                .now_ms = clock_wall_ms(),
            };
            inbox_submit(pass->inbox, &pass->count.operation);
            return;
        }
    }
    end(pass);
}

int64_t redelivery_pass_tick(struct redelivery_pass *pass, int64_t now_ms) {
    if (pass->continue_at_ms == 0) {
        return INT64_MAX;
    }
    if (pass->continue_at_ms > now_ms) {
        return pass->continue_at_ms;
    }
    pass->continue_at_ms = 0;
    request_next(pass);
    return pass->continue_at_ms ? pass->continue_at_ms : INT64_MAX;
}

/* ---- the delivery log ---- */

static int compare(const void *a, const void *b) {
    return strcmp(((const struct missing_delivery *)a)->guid,
                  ((const struct missing_delivery *)b)->guid);
}

/* GitHub lists every attempt at a delivery, the newest first. The newest attempt counts. */
static bool is_known(struct redelivery_pass *pass, const char *guid) {
    struct missing_delivery key;
    snprintf(key.guid, sizeof key.guid, "%s", guid);
    return tfind(&key, &pass->tree, compare) != NULL;
}

static int keep(struct redelivery_pass *pass, const struct delivery_log_entry *entry,
                uint32_t asked) {
    struct missing_delivery *missing = calloc(1, sizeof *missing);
    if (!missing) {
        return -1;
    }
    missing->id = entry->id;
    missing->delivered_ms = entry->delivered_ms;
    missing->status = entry->status;
    missing->requests = asked;
    snprintf(missing->guid, sizeof missing->guid, "%s", entry->guid);
    snprintf(missing->event, sizeof missing->event, "%s", entry->event);
    bool recent = pass->page->now_ms - entry->delivered_ms < REDELIVERY_RECENT_MS;
    missing->state = recent ? REDELIVERY_RECENT : REDELIVERY_MISSING;
    missing->next = pass->missing;
    pass->missing = missing;
    pass->n_missing++;
    return tsearch(missing, &pass->tree, compare) ? 0 : -1;
}

static void on_page(struct broker_request *request);

static void read_on(struct redelivery_pass *pass) {
    const struct delivery_log_page *page = pass->page;
    bool reached_since =
        page->n_entries > 0 && page->entries[page->n_entries - 1].delivered_ms < pass->since_ms;
    char *url = page->next_url && !reached_since ? strdup(page->next_url) : NULL;
    bool more = page->next_url && !reached_since;
    delivery_log_free(pass->page);
    pass->page = NULL;
    if (more && pass->n_missing >= MISSING_MAX) {
        /* The next pass reads the whole log again. */
        pass->complete = false;
        free(url);
        more = false;
    }
    if (!more) {
        pass->current = pass->missing;
        request_next(pass);
        return;
    }
    if (!url || ++pass->n_pages > PAGES_MAX) {
        free(url);
        fail_with(pass, url ? "GET /app/hook/deliveries does not end" : "out of memory");
        return;
    }
    set_url(pass, url);
    send(pass, "GET", on_page);
}

static void on_compared(struct inbox_operation *operation) {
    struct inbox_find_missing *missing =
        CONTAINER_OF(operation, struct inbox_find_missing, operation);
    struct redelivery_pass *pass = CONTAINER_OF(missing, struct redelivery_pass, find);
    const struct delivery_log_page *page = pass->page;
    if (stopped(pass)) {
        return;
    }
    if (operation->result < 0) {
        fail(pass, &operation->error);
        return;
    }
    for (size_t i = 0; i < page->n_entries; i++) {
        if (page->missing[i] && !is_known(pass, page->entries[i].guid) &&
            keep(pass, &page->entries[i], page->requests[i]) < 0) {
            fail_with(pass, "out of memory");
            return;
        }
    }
    read_on(pass);
}

static void on_page(struct broker_request *request) {
    struct redelivery_pass *pass = CONTAINER_OF(request, struct redelivery_pass, request);
    struct error err;
    if (request->outcome < 0) {
        err = request->error;
    } else {
        pass->page = delivery_log_read(&request->headers, &request->response, &err);
    }
    broker_request_finish(request);
    if (stopped(pass)) {
        return;
    }
    if (!pass->page) {
        fail(pass, &err);
        return;
    }
    struct delivery_log_page *page = pass->page;
    if (pass->began_ms == 0) {
        pass->began_ms = page->now_ms;
    }
    pass->listed += page->n_entries;
    pass->find = (struct inbox_find_missing){
        .operation = {.kind = INBOX_FIND_MISSING,
                      .reply_to = pass->mailbox,
                      .on_result = on_compared},
        .guids = page->guids,
        .n_guids = page->n_entries,
        .missing = page->missing,
        .requests = page->requests,
    };
    inbox_submit(pass->inbox, &pass->find.operation);
}

/* ---- life ---- */

void redelivery_pass_begin(struct redelivery_pass *pass) {
    pass->complete = true;
    pass->under_way = true;
    if (!set_url(pass, strdup(FIRST_PAGE))) {
        fail_with(pass, "out of memory");
        return;
    }
    send(pass, "GET", on_page);
}

static void leave(void *item) {
    /* the list frees them */
    (void)item;
}

void redelivery_pass_finish(struct redelivery_pass *pass) {
    tdestroy(pass->tree, leave);
    while (pass->missing) {
        struct missing_delivery *missing = pass->missing;
        pass->missing = missing->next;
        free(missing->reason);
        free(missing);
    }
    delivery_log_free(pass->page);
    free(pass->url);
    pass->page = NULL;
    pass->tree = NULL;
    pass->url = NULL;
}
