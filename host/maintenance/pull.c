/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state machine of pull mode: it continues from one result to the next, and never blocks. */
#include "maintenance/pull.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRST_PAGE "/app/hook/deliveries?per_page=100"
/* Pages of 100 entries: more than GitHub keeps of any app in 3 days. */
#define PAGES_MAX 20000
/* A payload has up to 25 MiB, and the response also contains the bot's response and headers. */
#define RESPONSE_MAX ((size_t)32 << 20)
/* The longest wait after failures in a row, and after a limit of GitHub's. */
#define FAILED_WAIT_MAX_MS 60000
#define LIMIT_WAIT_MAX_MS 3600000
/* The pause after a store that failed. */
#define STORE_WAIT_MS 1000
/* After so many failures in a row GitHub itself seems to fail. */
#define FAILURES_MAX 5
#define MS_PER_S 1000

static int64_t github_now_ms(const struct pull *pull) {
    return clock_monotonic_ms() + pull->github_offset_ms;
}

/* A result has arrived. False: inbox and broker are gone. */
static bool resume(struct pull *pull) {
    assert(pull->under_way);
    pull->under_way = false;
    return !pull->closed;
}

/* ---- what /readyz and /metrics show ---- */

static void publish(struct pull *pull) {
    struct pull_report *report = &pull->report;
    int64_t handled_ms = report->waiting > 0 ? report->oldest_ms : report->read_ms;
    metrics_pull(report->elsewhere ? 0 : handled_ms, report->waiting);
}

static void set_elsewhere(struct pull *pull, bool elsewhere) {
    SCOPED_LOCK(&pull->lock);
    if (pull->report.elsewhere != elsewhere) {
        pull->report.elsewhere = elsewhere;
        pull->report.read_ms = 0;
        pull->report.waiting = 0;
        publish(pull);
    }
}

static void report_waiting(struct pull *pull) {
    SCOPED_LOCK(&pull->lock);
    pull->report.waiting = pull->due.n_total;
    pull->report.oldest_ms =
        pull->due.n_total > 0 ? pull->due.oldest_ms - pull->github_offset_ms : 0;
    publish(pull);
}

static void report_handled(struct pull *pull, bool fetched, bool lost) {
    SCOPED_LOCK(&pull->lock);
    pull->report.waiting -= pull->report.waiting > 0;
    pull->report.fetched += fetched;
    pull->report.lost += lost;
    if (lost) {
        metrics_delivery_lost();
    }
    publish(pull);
}

/* ---- failures ---- */

static void pause_for(struct pull *pull, int64_t wait_ms) {
    pull->paused_until_ms = clock_monotonic_ms() + wait_ms;
}

static const char *hint_of(int32_t outcome) {
    if (outcome == SNEK_E_NOT_FOUND) {
        return "GitHub has no list of deliveries at github.api_url, so the host gets none: check "
               "github.api_url and the app";
    }
    return "deliveries wait in GitHub's list, which keeps them for 3 days; the host tries again";
}

/* The list cannot be read, or fetching fails for many entries in a row. */
static void fail(struct pull *pull, int32_t outcome, const struct error *error) {
    int64_t wait_ms = pull->options.interval_ms << (pull->n_failures < 6 ? pull->n_failures : 6);
    bool first;
    pull->n_failures++;
    pull->n_waiting = pull->next = 0;
    delivery_log_free(pull->page);
    pull->page = NULL;
    {
        SCOPED_LOCK(&pull->lock);
        first = pull->report.error.text[0] == '\0';
        pull->report.error = *error;
    }
    if (first) {
        log_event(SNEK_LEVEL_WARNING, "pull_failed", LOG_TEXT("reason", error->text),
                  LOG_TEXT("hint", hint_of(outcome)));
    }
    int64_t most_ms = pull->options.interval_ms > FAILED_WAIT_MAX_MS ? pull->options.interval_ms
                                                                     : FAILED_WAIT_MAX_MS;
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    pull->next_reading_ms = clock_monotonic_ms() + wait_ms;
    pause_for(pull, wait_ms);
}

/* The deliveries of earlier pages do not wait until the whole list can be read. */
static void fail_to_read(struct pull *pull, int32_t outcome, const struct error *error) {
    fail(pull, outcome, error);
    if (pull->github_offset_ms != 0) {
        pull->fetches_first = true;
        pull->next_due_ms = 0;
    }
}

static void fail_of_store(struct pull *pull, const struct inbox_operation *operation) {
    fail(pull, SNEK_E_FAILED, &operation->error);
    pull->next_reading_ms = clock_monotonic_ms() + STORE_WAIT_MS;
    pause_for(pull, STORE_WAIT_MS);
}

static void fail_with(struct pull *pull, const char *reason) {
    struct error err;
    error_set(&err, "%s", reason);
    fail(pull, SNEK_E_FAILED, &err);
}

static void succeed(struct pull *pull) {
    bool failed;
    pull->n_failures = 0;
    {
        SCOPED_LOCK(&pull->lock);
        failed = pull->report.error.text[0] != '\0';
        pull->report.error.text[0] = '\0';
        pull->report.read_ms = clock_monotonic_ms();
        publish(pull);
    }
    if (failed) {
        log_event(SNEK_LEVEL_INFO, "pull_works_again");
    }
}

/* The app is at a limit of GitHub's, primary or secondary. */
static bool is_limited(int32_t outcome) {
    return outcome == SNEK_E_RATE_LIMITED || outcome == SNEK_E_REQUEUE;
}

static void wait_for_limit(struct pull *pull, const struct broker_request *request) {
    int64_t wait_ms = request->not_before_ms - clock_wall_ms();
    if (request->not_before_ms == 0) {
        wait_ms = FAILED_WAIT_MAX_MS;
    } else if (wait_ms < MS_PER_S) {
        /* Asked a moment too early. */
        wait_ms = MS_PER_S;
    }
    wait_ms = wait_ms < LIMIT_WAIT_MAX_MS ? wait_ms : LIMIT_WAIT_MAX_MS;
    log_event(SNEK_LEVEL_WARNING, "pull_waits", LOG_NUMBER("for_s", wait_ms / MS_PER_S),
              LOG_TEXT("reason", request->error.text));
    pull->n_waiting = pull->next = 0;
    pause_for(pull, wait_ms);
}

/* ---- requests ---- */

static bool read_header(const struct buffer *headers, const char *name, int64_t *number) {
    size_t bytes;
    const char *text = broker_header(headers, name, &bytes);
    char copy[24];
    if (!text || bytes == 0 || bytes >= sizeof copy) {
        return false;
    }
    snprintf(copy, sizeof copy, "%.*s", (int)bytes, text);
    char *end;
    *number = strtoll(copy, &end, 10);
    return *end == '\0' && *number >= 0;
}

/* A reset that is further away than any limit of GitHub's is wrong, and must not stop the host. */
static int64_t reset_ms_of(const struct pull *pull, int64_t reset_s) {
    int64_t now_ms = pull->github_offset_ms != 0 ? github_now_ms(pull) : clock_wall_ms();
    int64_t most_s = (now_ms + LIMIT_WAIT_MAX_MS) / MS_PER_S;
    return (reset_s < most_s ? reset_s : most_s) * MS_PER_S;
}

static void learn_quota(struct pull *pull, const struct buffer *headers) {
    struct pull_quota quota;
    int64_t reset_s;
    if (read_header(headers, "x-ratelimit-limit", &quota.limit) &&
        read_header(headers, "x-ratelimit-remaining", &quota.remaining) &&
        read_header(headers, "x-ratelimit-reset", &reset_s)) {
        quota.reset_ms = reset_ms_of(pull, reset_s);
        pull->quota = quota;
    }
}

static void send(struct pull *pull, char *url, void (*on_response)(struct broker_request *)) {
    free(pull->url);
    pull->url = url;
    if (!url) {
        fail_with(pull, "out of memory");
        return;
    }
    pull->request = (struct broker_request){.kind = BROKER_APP,
                                            .reply_to = pull->options.mailbox,
                                            .on_done = on_response,
                                            .method = "GET",
                                            .url = pull->url,
                                            .response_max = RESPONSE_MAX};
    pull->under_way = true;
    broker_submit(pull->options.broker, &pull->request);
}

static void submit(struct pull *pull, struct inbox_operation *operation) {
    pull->under_way = true;
    inbox_submit(pull->options.inbox, operation);
}

/* ---- the payload of one entry ---- */

static void on_failure_stored(struct inbox_operation *operation) {
    struct inbox_pull_fail *failed = CONTAINER_OF(operation, struct inbox_pull_fail, operation);
    struct pull *pull = CONTAINER_OF(failed, struct pull, fail);
    if (!resume(pull)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(pull, operation);
        return;
    }
    if (failed->due_ms == 0) {
        report_handled(pull, false, true);
    }
    pull->next++;
    /* It may be due before the next reading. */
    int64_t due_ms = failed->due_ms == 0 ? INT64_MAX : failed->due_ms - pull->github_offset_ms;
    pull->next_due_ms = due_ms < pull->next_due_ms ? due_ms : pull->next_due_ms;
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

static void fail_entry(struct pull *pull, enum pull_failure failure, const char *reason) {
    const struct inbox_pull_waiting *entry = &pull->waiting[pull->next];
    int64_t now_ms = github_now_ms(pull);
    int64_t wait_ms = pull_retry_ms(failure, entry->attempts, now_ms - entry->delivered_ms,
                                    pull->options.retention_ms);
    log_failed(entry, wait_ms, reason);
    pull->fail = (struct inbox_pull_fail){
        .operation = {.kind = INBOX_PULL_FAIL,
                      .reply_to = pull->options.mailbox,
                      .on_result = on_failure_stored},
        .id = entry->id,
        .due_ms = wait_ms == 0 ? 0 : now_ms + wait_ms,
    };
    submit(pull, &pull->fail.operation);
}

/* The put has marked all waiting entries of its GUID as handled. */
static void skip_handled(struct pull *pull) {
    const char *guid = pull->waiting[pull->next].guid;
    size_t kept = pull->next + 1;
    for (size_t i = kept; i < pull->n_waiting; i++) {
        if (strcmp(pull->waiting[i].guid, guid) != 0) {
            pull->waiting[kept++] = pull->waiting[i];
        }
    }
    pull->n_waiting = kept;
    pull->next++;
}

static void on_stored(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct fetched_delivery *fetched = CONTAINER_OF(put, struct fetched_delivery, put);
    struct pull *pull = CONTAINER_OF(fetched, struct pull, fetched);
    int result = operation->result;
    bool goes_on = resume(pull);
    fetched_delivery_finish(fetched, goes_on);
    if (!goes_on) {
        return;
    }
    if (result < 0) {
        fail_of_store(pull, operation);
        return;
    }
    pull->n_failures = 0;
    report_handled(pull, true, false);
    skip_handled(pull);
}

static void store(struct pull *pull, struct buffer *response) {
    const struct inbox_pull_waiting *entry = &pull->waiting[pull->next];
    struct error err;
    int64_t age_ms = github_now_ms(pull) - entry->delivered_ms;
    struct fetched_source source = {.guid = entry->guid,
                                    .event = entry->event,
                                    .name = "pull",
                                    .pulled = entry->id,
                                    .redelivery = entry->redelivery,
                                    .due_ms = clock_wall_ms() - age_ms + pull->options.delay_ms};
    pull->fetched.router = &pull->options.router;
    pull->under_way = true;
    int submitted = fetched_delivery_submit(&pull->fetched, response, &source, pull->options.inbox,
                                            pull->options.mailbox, on_stored, &err);
    if (submitted > 0) {
        return;
    }
    pull->under_way = false;
    if (submitted < 0) {
        fail_entry(pull, PULL_UNUSABLE, err.text);
    } else {
        fail_entry(pull, PULL_NO_PAYLOAD, "GitHub has no payload for it");
    }
}

static void on_payload_failed(struct pull *pull, const struct broker_request *request) {
    if (is_limited(request->outcome)) {
        wait_for_limit(pull, request);
    } else if (request->outcome == SNEK_E_NOT_FOUND || request->outcome == SNEK_E_VALIDATION) {
        fail_entry(pull, PULL_NO_PAYLOAD, request->error.text);
    } else if (request->outcome == SNEK_E_TOO_LARGE) {
        fail_entry(pull, PULL_UNUSABLE, request->error.text);
    } else if (++pull->n_failures >= FAILURES_MAX) {
        /* GitHub fails, and not this entry. */
        fail(pull, request->outcome, &request->error);
    } else {
        fail_entry(pull, PULL_ERROR, request->error.text);
    }
}

static void on_payload(struct broker_request *request) {
    struct pull *pull = CONTAINER_OF(request, struct pull, request);
    if (resume(pull)) {
        learn_quota(pull, &request->headers);
        if (request->outcome < 0) {
            on_payload_failed(pull, request);
        } else {
            store(pull, &request->response);
        }
    }
    broker_request_finish(request);
}

static void fetch(struct pull *pull) {
    char *url = NULL;
    if (asprintf(&url, "/app/hook/deliveries/%" PRId64, pull->waiting[pull->next].id) < 0) {
        url = NULL;
    }
    send(pull, url, on_payload);
}

/* ---- the entries that wait in the store ---- */

static void on_due(struct inbox_operation *operation) {
    struct inbox_pull_due *due = CONTAINER_OF(operation, struct inbox_pull_due, operation);
    struct pull *pull = CONTAINER_OF(due, struct pull, due);
    if (!resume(pull)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(pull, operation);
        return;
    }
    pull->n_waiting = due->n_waiting;
    pull->next = 0;
    report_waiting(pull);
    pull->next_due_ms = INT64_MAX;
    if (due->n_waiting == 0 && due->n_total > 0) {
        pull->next_due_ms = due->next_due_ms - pull->github_offset_ms;
    }
}

static void look_for_due(struct pull *pull) {
    pull->due = (struct inbox_pull_due){
        .operation = {.kind = INBOX_PULL_DUE,
                      .reply_to = pull->options.mailbox,
                      .on_result = on_due},
        .now_ms = github_now_ms(pull),
        .waiting = pull->waiting,
        .most = PULL_BATCH,
    };
    submit(pull, &pull->due.operation);
}

/* ---- the list ---- */

static void on_page(struct broker_request *request);

static void log_begin(const struct pull *pull) {
    const struct inbox_pull_place *place = &pull->place;
    int64_t now_ms = github_now_ms(pull);
    log_event(SNEK_LEVEL_INFO, "pulling",
              LOG_NUMBER("interval_s", pull->options.interval_ms / MS_PER_S),
              LOG_NUMBER("back_s", (now_ms - pull->since_ms) / MS_PER_S),
              LOG_TEXT("reason", place->place_ms == 0 && place->oldest_ms == place->started_ms
                                     ? "the store has no deliveries yet, so the host takes none "
                                       "from before its first start"
                                     : NULL));
}

static void end_reading(struct pull *pull) {
    int64_t now_ms = clock_monotonic_ms();
    if (pull->newest_ms > pull->place.place_ms) {
        pull->place.place_ms = pull->newest_ms;
    }
    if (pull->full) {
        pull->place.full_ms = pull->began_ms;
    }
    pull->list_is_empty = pull->n_listed == 0;
    succeed(pull);
    int64_t wait_ms =
        pull_wait_ms(pull->options.interval_ms, pull->n_pages, &pull->quota, github_now_ms(pull));
    bool slowed = wait_ms > 2 * pull->options.interval_ms;
    if (slowed && pull->report.slowed_ms == 0) {
        log_event(SNEK_LEVEL_WARNING, "pull_slowed", LOG_NUMBER("interval_s", wait_ms / MS_PER_S),
                  LOG_NUMBER("pages", (int64_t)pull->n_pages),
                  LOG_NUMBER("remaining", pull->quota.remaining),
                  LOG_TEXT("reason", "the app's rate limit allows no shorter interval; a bot with "
                                     "so many deliveries needs webhooks"));
    }
    {
        SCOPED_LOCK(&pull->lock);
        pull->report.slowed_ms = slowed ? wait_ms : 0;
    }
    pull->next_reading_ms = now_ms + wait_ms;
    pull->next_due_ms = now_ms;
}

static void on_noted(struct inbox_operation *operation) {
    struct inbox_pull_note *note = CONTAINER_OF(operation, struct inbox_pull_note, operation);
    struct pull *pull = CONTAINER_OF(note, struct pull, note);
    if (!resume(pull)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(pull, operation);
        return;
    }
    char *next_url = NULL;
    bool more = pull_reads_on(pull->page, pull->since_ms);
    if (more) {
        next_url = pull->page->next_url;
        pull->page->next_url = NULL;
    }
    delivery_log_free(pull->page);
    pull->page = NULL;
    if (!more) {
        end_reading(pull);
    } else if (pull->n_pages >= PAGES_MAX) {
        free(next_url);
        fail_with(pull, "GET /app/hook/deliveries does not end");
    } else {
        send(pull, next_url, on_page);
    }
}

static bool plugin_wants(const struct pull *pull, const struct delivery_log_entry *entry) {
    const struct delivery_router *router = &pull->options.router;
    char installation[24];
    snprintf(installation, sizeof installation, "%" PRId64, entry->installation);
    return entry->installation != 0 &&
           router->wants(router->context, entry->event, entry->action, installation);
}

static void note(struct pull *pull) {
    struct delivery_log_page *page = pull->page;
    free(pull->entries);
    pull->entries = calloc(page->n_entries + 1, sizeof *pull->entries);
    if (!pull->entries) {
        fail_with(pull, "out of memory");
        return;
    }
    for (size_t i = 0; i < page->n_entries; i++) {
        pull->entries[i] =
            pull_entry(&pull->place, &page->entries[i], plugin_wants(pull, &page->entries[i]));
    }
    pull->n_listed += page->n_entries;
    pull->newest_ms = pull_newest_ms(page, pull->newest_ms);
    bool last = !pull_reads_on(page, pull->since_ms);
    pull->note = (struct inbox_pull_note){
        .operation = {.kind = INBOX_PULL_NOTE,
                      .reply_to = pull->options.mailbox,
                      .on_result = on_noted},
        .entries = pull->entries,
        .n_entries = page->n_entries,
        .place_ms = last ? pull->newest_ms : 0,
        .full_ms = last && pull->full ? pull->began_ms : 0,
    };
    submit(pull, &pull->note.operation);
}

static void plan_reading(struct pull *pull) {
    pull->full =
        pull->options.reads_all && pull->began_ms - pull->place.full_ms >= PULL_FULL_INTERVAL_MS;
    pull->since_ms = pull->full ? pull->place.oldest_ms : pull_since_ms(&pull->place);
}

static void on_begun(struct inbox_operation *operation) {
    struct inbox_pull_begin *begin = CONTAINER_OF(operation, struct inbox_pull_begin, operation);
    struct pull *pull = CONTAINER_OF(begin, struct pull, begin);
    if (!resume(pull)) {
        return;
    }
    if (operation->result < 0) {
        fail_of_store(pull, operation);
        return;
    }
    pull->place = begin->place;
    pull->begun = true;
    plan_reading(pull);
    log_begin(pull);
    note(pull);
}

static void begin(struct pull *pull) {
    pull->begin = (struct inbox_pull_begin){
        .operation = {.kind = INBOX_PULL_BEGIN,
                      .reply_to = pull->options.mailbox,
                      .on_result = on_begun},
        .now_ms = pull->began_ms,
    };
    submit(pull, &pull->begin.operation);
}

static void on_listed(struct pull *pull) {
    pull->github_offset_ms = pull->page->now_ms - clock_monotonic_ms();
    if (++pull->n_pages > 1) {
        note(pull);
        return;
    }
    pull->began_ms = pull->page->now_ms;
    if (pull->begun) {
        plan_reading(pull);
        note(pull);
    } else {
        begin(pull);
    }
}

static void on_page(struct broker_request *request) {
    struct pull *pull = CONTAINER_OF(request, struct pull, request);
    struct error err;
    if (resume(pull)) {
        learn_quota(pull, &request->headers);
        assert(!pull->page);
        if (is_limited(request->outcome)) {
            wait_for_limit(pull, request);
        } else if (request->outcome < 0) {
            fail_to_read(pull, request->outcome, &request->error);
        } else if (!(pull->page = delivery_log_read(&request->headers, &request->response, &err))) {
            fail_to_read(pull, SNEK_E_SERVER, &err);
        } else {
            on_listed(pull);
        }
    }
    broker_request_finish(request);
}

static void read_list(struct pull *pull) {
    pull->fetches_first = false;
    pull->n_pages = pull->n_listed = 0;
    pull->newest_ms = 0;
    send(pull, strdup(FIRST_PAGE), on_page);
}

/* ---- webhook mode ---- */

static void on_forgotten(struct inbox_operation *operation) {
    struct pull *pull = CONTAINER_OF(operation, struct pull, forget);
    if (resume(pull)) {
        pull->forgotten = operation->result >= 0;
        pull->paused_until_ms = clock_monotonic_ms() + FAILED_WAIT_MAX_MS;
    }
}

/* Redeliveries arrive as webhooks now. If the hosts pull again, they must not run these again. */
static int64_t forget_place(struct pull *pull, bool elected, int64_t now_ms) {
    if (!elected) {
        pull->forgotten = false;
    }
    if (!elected || pull->forgotten) {
        return INT64_MAX;
    }
    if (pull->paused_until_ms > now_ms) {
        return pull->paused_until_ms;
    }
    pull->forget = (struct inbox_operation){
        .kind = INBOX_PULL_FORGET, .reply_to = pull->options.mailbox, .on_result = on_forgotten};
    submit(pull, &pull->forget);
    return INT64_MAX;
}

/* ---- life ---- */

void pull_init(struct pull *pull, const struct pull_options *options) {
    assert(options->interval_ms >= 0 && options->retention_ms > 0);
    *pull = (struct pull){.options = *options, .next_due_ms = INT64_MAX};
    pull->report.elsewhere = true;
    hook_watch_init(&pull->hook, options->broker, options->mailbox, options->retention_ms);
    pthread_mutex_init(&pull->lock, NULL);
}

/* The next elected host reads the place from the store. */
static void stand_by(struct pull *pull, int64_t now_ms) {
    pull->begun = false;
    pull->n_waiting = pull->next = 0;
    pull->next_reading_ms = now_ms;
    pull->next_due_ms = INT64_MAX;
}

static int64_t earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* How long to wait for the app's quota, monotonic; 0: it is left. */
static int64_t quota_until_ms(const struct pull *pull) {
    return pull_quota_is_left(&pull->quota, github_now_ms(pull))
               ? 0
               : pull->quota.reset_ms - pull->github_offset_ms;
}

/* The next step of reading and fetching. */
static int64_t work(struct pull *pull, int64_t now_ms) {
    int64_t until_ms = quota_until_ms(pull);
    until_ms = until_ms > pull->paused_until_ms ? until_ms : pull->paused_until_ms;
    if (until_ms > now_ms) {
        return until_ms;
    }
    bool has_due = pull->n_waiting > 0 || pull->next_due_ms <= now_ms;
    if (pull->next_reading_ms <= now_ms && !(pull->fetches_first && has_due)) {
        read_list(pull);
    } else if (pull->next < pull->n_waiting) {
        fetch(pull);
    } else if (has_due) {
        look_for_due(pull);
    } else {
        return earliest(pull->next_reading_ms, pull->next_due_ms);
    }
    /* Without memory nothing is under way. */
    return pull->under_way ? INT64_MAX : pull->paused_until_ms;
}

/* After the first reading. */
static int64_t watch_hook(struct pull *pull, int64_t now_ms) {
    return pull->begun && pull->report.read_ms != 0
               ? hook_watch_tick(&pull->hook, pull->list_is_empty, github_now_ms(pull), now_ms)
               : INT64_MAX;
}

int64_t pull_tick(struct pull *pull, bool elected, int64_t now_ms) {
    if (pull->closed) {
        return INT64_MAX;
    }
    if (pull->options.interval_ms == 0) {
        return pull->under_way ? INT64_MAX : forget_place(pull, elected, now_ms);
    }
    set_elsewhere(pull, !elected);
    if (!elected) {
        if (!pull->under_way) {
            stand_by(pull, now_ms);
        }
        return INT64_MAX;
    }
    int64_t next_ms = pull->under_way ? INT64_MAX : work(pull, now_ms);
    return earliest(next_ms, watch_hook(pull, now_ms));
}

static const char *state_of(const struct pull *pull) {
    if (pull->options.interval_ms == 0) {
        return "off";
    }
    if (pull->report.elsewhere) {
        return "elsewhere";
    }
    if (pull->report.error.text[0]) {
        return "failing";
    }
    if (pull->report.slowed_ms > 0) {
        return "slowed";
    }
    return pull->report.read_ms == 0 ? "waiting" : "ok";
}

/* The time for which deliveries may wait in GitHub's list. */
static int64_t lag_ms(const struct pull_report *report) {
    int64_t handled_ms = report->waiting > 0 ? report->oldest_ms : report->read_ms;
    int64_t lag_ms = handled_ms == 0 ? 0 : clock_monotonic_ms() - handled_ms;
    return lag_ms > 0 ? lag_ms : 0;
}

int pull_status(struct pull *pull, struct buffer *json) {
    SCOPED_LOCK(&pull->lock);
    const struct pull_report *report = &pull->report;
    int result = buffer_printf(json, "\"pull\":{\"state\":\"%s\"", state_of(pull));
    if (pull->options.interval_ms > 0) {
        result |= buffer_printf(
            json,
            ",\"interval_s\":%" PRId64 ",\"lag_s\":%" PRId64 ",\"waiting\":%" PRId64
            ",\"fetched\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"webhook\":\"%s\"",
            (report->slowed_ms > 0 ? report->slowed_ms : pull->options.interval_ms) / MS_PER_S,
            lag_ms(report) / MS_PER_S, report->waiting, report->fetched, report->lost,
            hook_watch_name(&pull->hook));
    }
    if (report->error.text[0]) {
        result |= buffer_append_text(json, ",\"error\":");
        result |= buffer_append_json_string(json, report->error.text, strlen(report->error.text));
    }
    return result | buffer_append_text(json, "}");
}

void pull_close(struct pull *pull) {
    hook_watch_close(&pull->hook);
    pull->closed = true;
}

void pull_finish(struct pull *pull) {
    assert(pull->closed);
    delivery_log_free(pull->page);
    free(pull->entries);
    free(pull->url);
    pthread_mutex_destroy(&pull->lock);
}
