/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "maintenance/redelivery_pass.h"

#include "base/clock.h"
#include "maintenance/delivery_log.h"

#include <snekomatic/types.h>

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#define FIRST_PAGE "/app/hook/deliveries?per_page=100"
#define PAGES_MAX 20000   /* of 100: more than GitHub keeps of anybody in 3 days */
#define MISSING_MAX 10000 /* asked for in one pass; the rest in the next */
/* GitHub's secondary limit is 900 points a minute and a POST is 5 of them ("Rate limits for the
 * REST API"); a bit is left for others. */
#define ASK_INTERVAL_MS 400

static void end(struct recover *recover) {
    recover->under_way = false;
    recover->ask_at_ms = 0;
    recover->done(recover);
}

static void fail(struct recover *recover, const struct error *error) {
    recover->complete = false;
    recover->error = *error;
    end(recover);
}

static void fail_with(struct recover *recover, const char *why) {
    struct error err;
    (void)error_set(&err, "%s", why);
    fail(recover, &err);
}

/* True when the pass has ended since there is nobody left to ask. */
static bool stopped(struct recover *recover) {
    if (recover->closed) {
        fail_with(recover, "the host stops");
    }
    return recover->closed;
}

/* ---- asking ---- */

static void ask_next(struct recover *recover);

static void settle(struct recover *recover, enum recover_fate fate) {
    struct recover_missing *missing = recover->next;
    missing->fate = fate;
    recover->fates[fate]++;
    recover->next = missing->next;
    if (recover->told && fate != RECOVER_MISSING && fate != RECOVER_YOUNG) {
        recover->told(recover, missing);
    }
}

static void attempt_answered(struct broker_request *request) {
    struct recover *recover = CONTAINER_OF(request, struct recover, request);
    int32_t outcome = request->outcome;
    struct error error = request->error;
    broker_request_finish(request);
    if (stopped(recover)) {
        return;
    }
    if (outcome == SNEK_E_NOT_FOUND || outcome == SNEK_E_VALIDATION) {
        recover->next->why = strdup(error.text);
        recover->complete = false;
        settle(recover, RECOVER_REJECTED);
    } else if (outcome < 0) {
        fail(recover, &error);
        return;
    } else {
        settle(recover, RECOVER_ASKED);
    }
    recover->ask_at_ms = clock_monotonic_ms() + ASK_INTERVAL_MS;
}

static void send(struct recover *recover, const char *method,
                 void (*done)(struct broker_request *)) {
    recover->request = (struct broker_request){.kind = BROKER_APP,
                                               .reply_to = recover->mailbox,
                                               .done = done,
                                               .method = method,
                                               .url = recover->url};
    broker_submit(recover->broker, &recover->request);
}

static bool set_url(struct recover *recover, char *url) {
    free(recover->url);
    recover->url = url;
    return url != NULL;
}

static void ask_counted(struct inbox_operation *operation) {
    struct inbox_count_redelivery *ask =
        CONTAINER_OF(operation, struct inbox_count_redelivery, operation);
    struct recover *recover = CONTAINER_OF(ask, struct recover, ask);
    char *url = NULL;
    if (stopped(recover)) {
        return;
    }
    if (operation->result < 0) {
        fail(recover, &operation->error);
    } else if (operation->result == INBOX_REDELIVERY_COUNTED) {
        recover->next->asked++;
        if (asprintf(&url, "/app/hook/deliveries/%" PRId64 "/attempts", recover->next->id) < 0 ||
            !set_url(recover, url)) {
            fail_with(recover, "out of memory");
            return;
        }
        send(recover, "POST", attempt_answered);
    } else {
        settle(recover,
               operation->result == INBOX_REDELIVERY_PRESENT ? RECOVER_CAME : RECOVER_GIVEN_UP);
        ask_next(recover);
    }
}

/* Settles those that need no asking, up to one that does. */
static void ask_next(struct recover *recover) {
    for (struct recover_missing *missing; (missing = recover->next);) {
        if (missing->fate == RECOVER_YOUNG) {
            settle(recover, RECOVER_YOUNG);
        } else if (missing->asked >= RECOVER_ASK_MAX) {
            settle(recover, RECOVER_GIVEN_UP);
        } else if (recover->dry_run) {
            settle(recover, RECOVER_MISSING);
        } else {
            recover->ask = (struct inbox_count_redelivery){
                .operation = {.kind = INBOX_COUNT_REDELIVERY,
                              .reply_to = recover->mailbox,
                              .on_result = ask_counted},
                .guid = missing->guid,
                .most = RECOVER_ASK_MAX,
                .now_ms = clock_wall_ms(),
            };
            inbox_submit(recover->inbox, &recover->ask.operation);
            return;
        }
    }
    end(recover);
}

int64_t recover_tick(struct recover *recover, int64_t now_ms) {
    if (recover->ask_at_ms == 0) {
        return INT64_MAX;
    }
    if (recover->ask_at_ms > now_ms) {
        return recover->ask_at_ms;
    }
    recover->ask_at_ms = 0;
    ask_next(recover);
    return recover->ask_at_ms ? recover->ask_at_ms : INT64_MAX;
}

/* ---- listing ---- */

static int compare(const void *a, const void *b) {
    return strcmp(((const struct recover_missing *)a)->guid,
                  ((const struct recover_missing *)b)->guid);
}

/* GitHub lists every attempt at a delivery, the newest first: that one counts. */
static bool is_known(struct recover *recover, const char *guid) {
    struct recover_missing key;
    (void)snprintf(key.guid, sizeof key.guid, "%s", guid);
    return tfind(&key, &recover->tree, compare) != NULL;
}

static int keep(struct recover *recover, const struct page_entry *entry, uint32_t asked) {
    struct recover_missing *missing = calloc(1, sizeof *missing);
    if (!missing) {
        return -1;
    }
    missing->id = entry->id;
    missing->delivered_ms = entry->delivered_ms;
    missing->status = entry->status;
    missing->asked = asked;
    (void)snprintf(missing->guid, sizeof missing->guid, "%s", entry->guid);
    (void)snprintf(missing->event, sizeof missing->event, "%s", entry->event);
    bool young = recover->page->now_ms - entry->delivered_ms < RECOVER_YOUNG_MS;
    missing->fate = young ? RECOVER_YOUNG : RECOVER_MISSING;
    missing->next = recover->missing;
    recover->missing = missing;
    recover->n_missing++;
    return tsearch(missing, &recover->tree, compare) ? 0 : -1;
}

static void page_answered(struct broker_request *request);

static void read_on(struct recover *recover) {
    const struct recover_page *page = recover->page;
    bool far =
        page->n_entries > 0 && page->entries[page->n_entries - 1].delivered_ms < recover->since_ms;
    char *url = page->next_url && !far ? strdup(page->next_url) : NULL;
    bool more = page->next_url && !far;
    page_free(recover->page);
    recover->page = NULL;
    if (more && recover->n_missing >= MISSING_MAX) {
        recover->complete = false; /* the next pass looks at all again */
        free(url);
        more = false;
    }
    if (!more) {
        recover->next = recover->missing;
        ask_next(recover);
        return;
    }
    if (!url || ++recover->pages > PAGES_MAX) {
        free(url);
        fail_with(recover, url ? "GET /app/hook/deliveries does not end" : "out of memory");
        return;
    }
    (void)set_url(recover, url);
    send(recover, "GET", page_answered);
}

static void compared(struct inbox_operation *operation) {
    struct inbox_find_missing *find_missing =
        CONTAINER_OF(operation, struct inbox_find_missing, operation);
    struct recover *recover = CONTAINER_OF(find_missing, struct recover, find_missing);
    const struct recover_page *page = recover->page;
    if (stopped(recover)) {
        return;
    }
    if (operation->result < 0) {
        fail(recover, &operation->error);
        return;
    }
    for (size_t i = 0; i < page->n_entries; i++) {
        if (page->missing[i] && !is_known(recover, page->entries[i].guid) &&
            keep(recover, &page->entries[i], page->requests[i]) < 0) {
            fail_with(recover, "out of memory");
            return;
        }
    }
    read_on(recover);
}

static void page_answered(struct broker_request *request) {
    struct recover *recover = CONTAINER_OF(request, struct recover, request);
    struct error err;
    if (request->outcome < 0) {
        err = request->error;
    } else {
        recover->page = page_read(&request->headers, &request->answer, &err);
    }
    broker_request_finish(request);
    if (stopped(recover)) {
        return;
    }
    if (!recover->page) {
        fail(recover, &err);
        return;
    }
    struct recover_page *page = recover->page;
    if (recover->begun_ms == 0) {
        recover->begun_ms = page->now_ms;
    }
    recover->listed += page->n_entries;
    recover->find_missing = (struct inbox_find_missing){
        .operation = {.kind = INBOX_FIND_MISSING,
                      .reply_to = recover->mailbox,
                      .on_result = compared},
        .guids = page->guids,
        .n_guids = page->n_entries,
        .missing = page->missing,
        .requests = page->requests,
    };
    inbox_submit(recover->inbox, &recover->find_missing.operation);
}

/* ---- life ---- */

void recover_begin(struct recover *recover) {
    recover->complete = true;
    recover->under_way = true;
    if (!set_url(recover, strdup(FIRST_PAGE))) {
        fail_with(recover, "out of memory");
        return;
    }
    send(recover, "GET", page_answered);
}

static void leave(void *item) {
    (void)item; /* the list frees them */
}

void recover_finish(struct recover *recover) {
    tdestroy(recover->tree, leave);
    while (recover->missing) {
        struct recover_missing *missing = recover->missing;
        recover->missing = missing->next;
        free(missing->why);
        free(missing);
    }
    page_free(recover->page);
    free(recover->url);
    recover->page = NULL;
    recover->tree = NULL;
    recover->url = NULL;
}
