/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state machine of a pass: it continues from one result to the next, and never blocks. */
#include "maintenance/redelivery_pass.h"

#include "base/clock.h"
#include "maintenance/delivery_log.h"

#include <snekomatic/types.h>

#include <assert.h>
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
/* A GET costs one point. */
#define FETCH_INTERVAL_MS 100
#define DAY_MS INT64_C(86400000)
/* After so many failures in a row GitHub itself seems to fail, and the pass ends. */
#define FAILURES_MAX 10

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

/* ---- one delivery ---- */

static void next_delivery(struct redelivery_pass *pass);

static void settle(struct redelivery_pass *pass, enum redelivery_state state) {
    struct missing_delivery *missing = pass->current;
    missing->state = state;
    pass->counts[state]++;
    pass->current = TAILQ_NEXT(missing, link);
    if (pass->on_settled && state != REDELIVERY_MISSING && state != REDELIVERY_RECENT) {
        pass->on_settled(pass, missing);
    }
}

static void settle_and_continue(struct redelivery_pass *pass, enum redelivery_state state,
                                int64_t pause_ms) {
    pass->n_failures = 0;
    settle(pass, state);
    pass->continue_at_ms = clock_monotonic_ms() + pause_ms;
}

/* GitHub answers for one delivery with an error: the others may still succeed. If it fails for many
 * in a row, or asks for a pause, the pass ends, and the next one starts with the next delivery. */
static void on_failure(struct redelivery_pass *pass, int32_t outcome, const struct error *error) {
    bool pause = outcome == SNEK_E_RATE_LIMITED || outcome == SNEK_E_REQUEUE;
    /* GitHub decided about this delivery alone. */
    bool decided = outcome == SNEK_E_NOT_FOUND || outcome == SNEK_E_VALIDATION;
    struct error copy = *error;
    pass->complete = false;
    pass->current->reason = strdup(copy.text);
    settle(pass, REDELIVERY_FAILED);
    pass->n_failures = decided ? 0 : pass->n_failures + 1;
    if (pause || pass->n_failures >= FAILURES_MAX) {
        if (pass->current) {
            memcpy(pass->stopped_guid, pass->current->guid, sizeof pass->stopped_guid);
        }
        fail(pass, &copy);
        return;
    }
    pass->continue_at_ms = clock_monotonic_ms() + REQUEST_INTERVAL_MS;
}

static void send(struct redelivery_pass *pass, const char *method,
                 void (*on_response)(struct broker_request *)) {
    pass->n_requests += pass->current != NULL;
    pass->request = (struct broker_request){.kind = BROKER_APP,
                                            .reply_to = pass->mailbox,
                                            .on_done = on_response,
                                            .method = method,
                                            .url = pass->url};
    broker_submit(pass->broker, &pass->request);
}

static bool set_url(struct redelivery_pass *pass, char *url) {
    free(pass->url);
    pass->url = url;
    return url != NULL;
}

/* False after the pass has failed. */
static bool set_delivery_url(struct redelivery_pass *pass, const char *suffix) {
    char *url = NULL;
    if (asprintf(&url, "/app/hook/deliveries/%" PRId64 "%s", pass->current->id, suffix) < 0 ||
        !set_url(pass, url)) {
        fail_with(pass, "out of memory");
        return false;
    }
    return true;
}

/* ---- a redelivery ---- */

/* When the next request may be made, by GitHub's clock. The remaining requests are spread evenly
 * over the time for which GitHub can still redeliver. */
static int64_t next_request_ms(const struct redelivery_pass *pass,
                               const struct missing_delivery *missing) {
    if (missing->requests == 0) {
        return 0;
    }
    assert(missing->requests < INBOX_REDELIVERY_REQUESTS_MAX);
    int64_t end_ms = missing->delivered_ms + pass->retention_ms;
    int64_t left_ms = end_ms > missing->requested_ms ? end_ms - missing->requested_ms : 0;
    return missing->requested_ms +
           left_ms / (INBOX_REDELIVERY_REQUESTS_MAX - missing->requests + 1);
}

static int64_t github_now_ms(const struct redelivery_pass *pass) {
    return clock_wall_ms() + pass->clock_offset_ms;
}

static void on_uncounted(struct inbox_operation *operation) {
    struct inbox_uncount_redelivery *uncount =
        CONTAINER_OF(operation, struct inbox_uncount_redelivery, operation);
    struct redelivery_pass *pass = CONTAINER_OF(uncount, struct redelivery_pass, uncount);
    struct error error = pass->request.error;
    int32_t outcome = pass->request.outcome;
    broker_request_finish(&pass->request);
    if (stopped(pass)) {
        return;
    }
    if (operation->result < 0) {
        fail(pass, &operation->error);
        return;
    }
    on_failure(pass, outcome, &error);
}

static void uncount(struct redelivery_pass *pass) {
    struct missing_delivery *missing = pass->current;
    assert(missing->requests > 0);
    missing->requests--;
    pass->uncount = (struct inbox_uncount_redelivery){
        .operation = {.kind = INBOX_UNCOUNT_REDELIVERY,
                      .reply_to = pass->mailbox,
                      .on_result = on_uncounted},
        .guid = missing->guid,
        .requested_ms = missing->requested_ms,
    };
    inbox_submit(pass->inbox, &pass->uncount.operation);
}

static void on_redelivery_response(struct broker_request *request) {
    struct redelivery_pass *pass = CONTAINER_OF(request, struct redelivery_pass, request);
    if (request->outcome < 0 && (request->status != 0 || !request->sent)) {
        if (pass->closed) {
            /* The inbox is gone: it stays counted, which is harmless. */
            broker_request_finish(request);
        }
        if (!stopped(pass)) {
            /* GitHub rejected it, or never saw it. */
            uncount(pass);
        }
        return;
    }
    int32_t outcome = request->outcome;
    struct error error = request->error;
    broker_request_finish(request);
    if (stopped(pass)) {
        return;
    }
    if (outcome < 0) {
        /* GitHub may have accepted it: it stays counted. */
        on_failure(pass, outcome, &error);
        return;
    }
    settle_and_continue(pass, REDELIVERY_REQUESTED, REQUEST_INTERVAL_MS);
}

static void on_counted(struct inbox_operation *operation) {
    struct inbox_count_redelivery *count =
        CONTAINER_OF(operation, struct inbox_count_redelivery, operation);
    struct redelivery_pass *pass = CONTAINER_OF(count, struct redelivery_pass, count);
    if (stopped(pass)) {
        return;
    }
    if (operation->result < 0) {
        fail(pass, &operation->error);
    } else if (operation->result == INBOX_REDELIVERY_COUNTED) {
        pass->current->requests++;
        if (set_delivery_url(pass, "/attempts")) {
            send(pass, "POST", on_redelivery_response);
        }
    } else {
        settle(pass, operation->result == INBOX_REDELIVERY_PRESENT ? REDELIVERY_ARRIVED
                                                                   : REDELIVERY_GIVEN_UP);
        next_delivery(pass);
    }
}

/* The state of a delivery that cannot be requested now; MISSING if it can. */
static enum redelivery_state request_state(struct redelivery_pass *pass,
                                           const struct missing_delivery *missing) {
    if (missing->requests >= INBOX_REDELIVERY_REQUESTS_MAX) {
        return REDELIVERY_GIVEN_UP;
    }
    int64_t at_ms = next_request_ms(pass, missing);
    if (at_ms <= github_now_ms(pass)) {
        return REDELIVERY_MISSING;
    }
    if (pass->next_request_ms == 0 || at_ms < pass->next_request_ms) {
        pass->next_request_ms = at_ms;
    }
    return REDELIVERY_WAITING;
}

static void request_redelivery(struct redelivery_pass *pass) {
    struct missing_delivery *missing = pass->current;
    enum redelivery_state state = request_state(pass, missing);
    if (state != REDELIVERY_MISSING) {
        settle(pass, state);
        next_delivery(pass);
        return;
    }
    pass->count = (struct inbox_count_redelivery){
        .operation = {.kind = INBOX_COUNT_REDELIVERY,
                      .reply_to = pass->mailbox,
                      .on_result = on_counted},
        .guid = missing->guid,
        .most = INBOX_REDELIVERY_REQUESTS_MAX,
        .now_ms = github_now_ms(pass),
    };
    inbox_submit(pass->inbox, &pass->count.operation);
}

/* ---- a payload ---- */

static void on_stored(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct fetched_delivery *fetched = CONTAINER_OF(put, struct fetched_delivery, put);
    struct redelivery_pass *pass = CONTAINER_OF(fetched, struct redelivery_pass, fetched);
    fetched_delivery_finish(fetched, !pass->closed);
    if (stopped(pass)) {
        return;
    }
    if (operation->result < 0) {
        fail(pass, &operation->error);
        return;
    }
    settle_and_continue(pass,
                        operation->result == INBOX_STORED ? REDELIVERY_FETCHED : REDELIVERY_ARRIVED,
                        FETCH_INTERVAL_MS);
}

/* GitHub keeps the log entry longer than the payload, and a payload may be too large for one
 * response. A redelivery may still succeed then. */
static bool has_no_payload(int32_t outcome) {
    return outcome == SNEK_E_NOT_FOUND || outcome == SNEK_E_VALIDATION ||
           outcome == SNEK_E_TOO_LARGE;
}

static void on_payload(struct broker_request *request) {
    struct redelivery_pass *pass = CONTAINER_OF(request, struct redelivery_pass, request);
    struct error error = request->error;
    int32_t outcome = request->outcome;
    int submitted = 0;
    if (outcome == 0 && !pass->closed) {
        pass->fetched.router = &pass->router;
        struct fetched_source source = {
            .guid = pass->current->guid, .event = pass->current->event, .name = "recovery"};
        submitted = fetched_delivery_submit(&pass->fetched, &request->response, &source,
                                            pass->inbox, pass->mailbox, on_stored, &error);
    }
    broker_request_finish(request);
    if (submitted > 0 || stopped(pass)) {
        return;
    }
    if (submitted < 0) {
        on_failure(pass, SNEK_E_SERVER, &error);
    } else if (outcome == 0 || has_no_payload(outcome)) {
        request_redelivery(pass);
    } else {
        on_failure(pass, outcome, &error);
    }
}

/* The next pass continues here. */
static void postpone(struct redelivery_pass *pass) {
    memcpy(pass->stopped_guid, pass->current->guid, sizeof pass->stopped_guid);
    pass->complete = false;
    end(pass);
}

/* Settles the deliveries that need nothing, up to one that does. */
static void next_delivery(struct redelivery_pass *pass) {
    while (pass->current) {
        struct missing_delivery *missing = pass->current;
        if (missing->state == REDELIVERY_RECENT) {
            settle(pass, REDELIVERY_RECENT);
        } else if (pass->dry_run) {
            settle(pass, request_state(pass, missing));
        } else if (pass->requests_max != 0 && pass->n_requests >= pass->requests_max) {
            postpone(pass);
            return;
        } else if (pass->router.route) {
            if (set_delivery_url(pass, "")) {
                send(pass, "GET", on_payload);
            }
            return;
        } else {
            request_redelivery(pass);
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
    next_delivery(pass);
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
                uint32_t requests, int64_t requested_ms) {
    struct missing_delivery *missing = calloc(1, sizeof *missing);
    if (!missing) {
        return -1;
    }
    missing->id = entry->id;
    missing->delivered_ms = entry->delivered_ms;
    missing->status = entry->status;
    missing->requests = requests;
    missing->requested_ms = requested_ms;
    snprintf(missing->guid, sizeof missing->guid, "%s", entry->guid);
    snprintf(missing->event, sizeof missing->event, "%s", entry->event);
    snprintf(missing->full_event, sizeof missing->full_event, "%s%s%s", entry->event,
             *entry->action ? "." : "", entry->action);
    int64_t recent_until_ms = entry->delivered_ms + REDELIVERY_RECENT_MS;
    bool recent = pass->page->now_ms < recent_until_ms;
    missing->state = recent ? REDELIVERY_RECENT : REDELIVERY_MISSING;
    if (recent && pass->recent_until_ms < recent_until_ms) {
        pass->recent_until_ms = recent_until_ms;
    }
    /* The log lists the newest first. */
    TAILQ_INSERT_HEAD(&pass->missing, missing, link);
    pass->n_missing++;
    return tsearch(missing, &pass->tree, compare) ? 0 : -1;
}

static void on_page(struct broker_request *request);

/* Moves the deliveries before `guid` to the end, if the list has it. */
static void start_at(struct redelivery_pass *pass, const char *guid) {
    struct missing_delivery key, *missing;
    snprintf(key.guid, sizeof key.guid, "%s", guid);
    if (!*guid || !tfind(&key, &pass->tree, compare)) {
        return;
    }
    while ((missing = TAILQ_FIRST(&pass->missing)) && strcmp(missing->guid, guid) != 0) {
        TAILQ_REMOVE(&pass->missing, missing, link);
        TAILQ_INSERT_TAIL(&pass->missing, missing, link);
    }
}

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
        start_at(pass, pass->start_guid);
        pass->current = TAILQ_FIRST(&pass->missing);
        next_delivery(pass);
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
            keep(pass, &page->entries[i], page->requests[i], page->requested_ms[i]) < 0) {
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
        pass->no_log = request->outcome == SNEK_E_NOT_FOUND;
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
        pass->clock_offset_ms = page->now_ms - clock_wall_ms();
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
        .requested_ms = page->requested_ms,
    };
    inbox_submit(pass->inbox, &pass->find.operation);
}

/* ---- life ---- */

int64_t redelivery_retention_ms(const char *api_url) {
    static const char enterprise_root[] = "/api/v3";
    size_t bytes = strlen(api_url), root_bytes = sizeof enterprise_root - 1;
    bool enterprise =
        bytes > root_bytes && strcmp(api_url + bytes - root_bytes, enterprise_root) == 0;
    return (enterprise ? 7 : 3) * DAY_MS;
}

void redelivery_pass_begin(struct redelivery_pass *pass) {
    assert(!pass->under_way && pass->retention_ms > 0);
    TAILQ_INIT(&pass->missing);
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
    struct missing_delivery *missing, *following;
    TAILQ_FOREACH_SAFE(missing, &pass->missing, link, following) {
        TAILQ_REMOVE(&pass->missing, missing, link);
        free(missing->reason);
        free(missing);
    }
    delivery_log_free(pass->page);
    free(pass->url);
    pass->page = NULL;
    pass->tree = NULL;
    pass->url = NULL;
}
