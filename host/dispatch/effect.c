/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes the requests that change something at GitHub, so that none happens twice. The host commits
 * an effect's intent before it sends the effect, and the response after it.
 *
 *   begin --> (in doubt: search it) --> intend --> send --> reply --> complete
 *                 |                       |
 *                 '-- found: complete     '-- stale, or the store fails: nothing is sent
 *
 * The worker gets the response before it is committed, because all that the handler can change then
 * passes through the inbox, behind the COMPLETE. If the host dies first, the effect is in doubt, as
 * if the response had never come: nothing that the handler did with it has left the worker. If the
 * COMPLETE fails, it is repeated, and the end of the run waits for it (docs/design.md).
 *
 * Everything here runs on the loop's thread, from one callback to the next. Meanwhile the call
 * holds its run, except while a COMPLETE is with the inbox: then it only keeps the run in memory.
 */
#include "dispatch/effect.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "dispatch/check_run.h"
#include "dispatch/comment.h"
#include "dispatch/scope.h"
#include "dispatch/unsettled.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Comments or check runs in a page of the search. */
#define PAGE_ITEMS 100
/* The search for a comment or check run in doubt ends after so many pages. */
#define PAGES_MAX 10
/* GitHub ends a request that takes it more than 10 s ("Troubleshooting the REST API"). So a request
 * whose response was lost may take effect for so long after the loss; with a margin. */
#define PROCESSING_MS 12000
/* A PATCH in doubt is repeated up to this age: later it could undo what people changed since. */
#define PATCH_AGE_MAX_MS (10 * 60000)
/* A response that the store could not record is recorded again after this. */
#define RECORD_RETRY_MS 1000
/* A run that waits for a limit of its plugin waits for at least this. */
#define LIMIT_WAIT_MS 60000
/* GitHub's clock may differ from ours by so much, and still accept our requests; with a margin. */
#define SKEW_MS (BROKER_SKEW_MAX_MS + 15 * 60000)

/* ---- kinds of requests ---- */

static bool text_is(const struct frame_text *text, const char *other) {
    return text->bytes == strlen(other) && memcmp(text->data, other, text->bytes) == 0;
}

bool effect_is(const struct http_call *request) {
    if (text_is(&request->method, "GET") || text_is(&request->method, "HEAD")) {
        return false;
    }
    /* False positives are harmless: GraphQL by another URL counts like any other POST. */
    return !text_is(&request->method, "POST") || !text_is(&request->url, "/graphql") ||
           !broker_graphql_reads(request->body.data, request->body.bytes);
}

static bool is_post(const struct call *call) {
    return strcmp(call->broker.method, "POST") == 0;
}

/* ---- the steps ---- */

static pid_t worker_of(const struct call *call) {
    return call_wanted(call) ? worker_process_pid(call->group->runs->worker_process) : 0;
}
#define FAULT_POINT(label) fault_point(label, worker_of(call))

static struct run_table *table_of(const struct call *call) {
    return call->group->runs->table;
}

/* The inbox did not take the intent, or what was found: nothing was sent, and an earlier intent is
 * still in doubt. A handler that tries again by itself must find the entry so. */
static void fail_intent(struct call *call, int32_t outcome, const char *sentence) {
    if (call->effect.in_doubt) {
        journal_set_in_doubt(&call->held->journal, call->entry);
    } else {
        journal_set_unsent(call->entry);
    }
    call_fail(call, outcome, sentence);
}

static void submit_intent(struct call *call, void (*on_result)(struct inbox_operation *)) {
    struct inbox_intend *intend = &call->effect.intend;
    *intend = (struct inbox_intend){.operation = {.kind = INBOX_INTEND,
                                                  .reply_to = table_of(call)->options.mailbox,
                                                  .on_result = on_result},
                                    .effect = &call->effect.audited};
    if (!call_write(call, &intend->writer)) {
        fail_intent(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    FAULT_POINT("before_intent");
    call->effect.intended_at_ms = clock_monotonic_ms();
    inbox_submit(table_of(call)->options.inbox, &intend->operation);
}

static struct call *call_of_intent(struct inbox_operation *operation) {
    struct inbox_intend *intend = CONTAINER_OF(operation, struct inbox_intend, operation);
    struct call_effect *effect = CONTAINER_OF(intend, struct call_effect, intend);
    return CONTAINER_OF(effect, struct call, effect);
}

static void end_effect(struct call *call) {
    journal_drop_response(&call->held->journal, call->entry);
    call_free(call);
}

/* The call holds its run meanwhile, so that no completion is written and no retry begins before. */
static void record_later(struct call *call) {
    call->effect.record_at_ms = clock_monotonic_ms() + RECORD_RETRY_MS;
    TAILQ_INSERT_TAIL(&call->group->unrecorded, call, effect.link_unrecorded);
}

static void on_response_stored(struct inbox_operation *operation) {
    struct inbox_complete *complete = CONTAINER_OF(operation, struct inbox_complete, operation);
    struct call_effect *effect = CONTAINER_OF(complete, struct call_effect, complete);
    struct call *call = CONTAINER_OF(effect, struct call, effect);
    FAULT_POINT("after_answer");
    journal_set_lent(call->entry, false);
    run_end_record(call->held, operation->result >= 0);
    if (operation->result < 0) {
        run_log(call->held, SNEK_LEVEL_ERROR, "response_not_recorded",
                LOG_TEXT("url", call->entry->record.url),
                LOG_TEXT("reason", operation->error.text));
    }
    if (operation->result < 0 && table_of(call)->phase < RUN_PHASE_CLOSING) {
        record_later(call);
    } else {
        end_effect(call);
    }
}

static void store_response(struct call *call) {
    const struct run_table *table = table_of(call);
    if (table->phase == RUN_PHASE_CLOSED) {
        /* The intent stays in doubt. */
        end_effect(call);
        return;
    }
    call->effect.complete =
        (struct inbox_complete){.operation = {.kind = INBOX_COMPLETE,
                                              .reply_to = table->options.mailbox,
                                              .on_result = on_response_stored},
                                .lost = &call->held->record_lost,
                                .run = call->held->data.id,
                                .token = call->held->data.token,
                                .record = &call->entry->record,
                                .audit = call->effect.intend.audit,
                                .request_id = call->effect.request_id};
    journal_set_lent(call->entry, true);
    inbox_submit(table->options.inbox, &call->effect.complete.operation);
    run_begin_record(call->held);
}

/* The worker gets the response, and the call lives on to record it. If the host dies before it is
 * recorded, the intent is in doubt, as if the response had never come. */
static void reply_and_store(struct call *call) {
    call_send_broker_reply(call);
    broker_request_finish(&call->broker);
    journal_set_busy(call->entry, false);
    FAULT_POINT("after_reply");
    store_response(call);
}

void effects_tick(struct call_group *group, int64_t now_ms) {
    struct call *call, *next;
    TAILQ_FOREACH_SAFE(call, &group->unrecorded, effect.link_unrecorded, next) {
        if (call->effect.record_at_ms <= now_ms) {
            TAILQ_REMOVE(&group->unrecorded, call, effect.link_unrecorded);
            store_response(call);
        }
    }
}

int64_t effects_next_ms(const struct call_group *group) {
    int64_t next_ms = INT64_MAX;
    const struct call *call;
    TAILQ_FOREACH(call, &group->unrecorded, effect.link_unrecorded) {
        next_ms = call->effect.record_at_ms < next_ms ? call->effect.record_at_ms : next_ms;
    }
    return next_ms;
}

void effects_settle(struct call_group *group) {
    effects_tick(group, INT64_MAX);
}

/* Makes the call's response as if GitHub had sent it; `body` may be NULL. -1 when memory is short:
 * then the response must not be recorded, or every retry would get the error again. */
static int set_response(struct call *call, int32_t status, const char *body) {
    struct broker_request *broker = &call->broker;
    broker_request_finish(broker);
    broker->response = (struct buffer)BUFFER_INIT(FRAME_REPLY_BODY_MAX);
    broker->status = status;
    broker->outcome = 0;
    error_set(&broker->error, "%s", "");
    return body ? buffer_append_text(&broker->response, body) : 0;
}

/* GitHub's id of the request, for the audit. */
static void note_request_id(struct call *call) {
    size_t bytes = 0;
    const char *id = broker_header(&call->broker.headers, "x-github-request-id", &bytes);
    char *out = call->effect.request_id;
    snprintf(out, sizeof call->effect.request_id, "%.*s", id ? (int)bytes : 0, id ? id : "");
    text_clean_in_place(out);
}

static void record_response(struct call *call) {
    const struct broker_request *broker = &call->broker;
    struct journal_response response = {.outcome = broker->outcome,
                                        .now_ms = clock_wall_ms(),
                                        .status = broker->status,
                                        .sentence = broker->error.text,
                                        .headers = &broker->headers,
                                        .body = &broker->response};
    journal_set_response(&call->held->journal, call->entry, &response);
}

/* Nothing was sent this time. An earlier intent stays in doubt. */
static void take_back(struct call *call) {
    if (call->effect.in_doubt) {
        call_reply_broker(call);
    } else {
        journal_set_unsent(call->entry);
        reply_and_store(call);
    }
}

/* True when GitHub accepted the effect but this host could not read the whole response: it was too
 * large, memory was short, or the connection broke. The effect is in doubt then, so that the next
 * attempt finds its result instead of getting the same error again. */
static bool is_cut_off(const struct broker_request *broker) {
    bool incomplete = broker->outcome == SNEK_E_TOO_LARGE || broker->outcome == SNEK_E_FAILED ||
                      broker->outcome == SNEK_E_NETWORK || broker->outcome == SNEK_E_TIMEOUT;
    return broker->status < 300 && incomplete;
}

/* True when the response says for certain what became of the effect. A 5xx may come after the
 * effect happened, and so may GraphQL's 200 that reports a failure at GitHub; a 1xx is only a
 * beginning. When GitHub rejects a repetition, the first attempt may still have succeeded. */
static bool is_final(const struct call *call) {
    const struct broker_request *broker = &call->broker;
    bool failed_there = broker->outcome == SNEK_E_SERVER && broker->status < 300;
    if (broker->status < 200 || broker->status >= 500 || failed_there || is_cut_off(broker)) {
        return false;
    }
    return !call->effect.in_doubt ||
           journal_accepted(broker->status, broker->outcome, broker->response.data,
                            broker->response.bytes);
}

/* True when a repeated DELETE found that an earlier one has deleted it. GitHub responds with 422
 * for a reference that does not exist. */
static bool is_deleted_already(const struct call *call) {
    const struct broker_request *broker = &call->broker;
    if (!call->effect.in_doubt || strcmp(broker->method, "DELETE") != 0) {
        return false;
    }
    /* Compares the outcome, not only the status, because a proxy may respond with 404 too. Only
     * GitHub's own JSON counts. */
    return broker->outcome == SNEK_E_NOT_FOUND ||
           (broker->outcome == SNEK_E_VALIDATION && broker->status == 422 &&
            strstr(broker->url, "/git/refs/"));
}

/* A 2xx that could not be read whole comes after the effect. */
static void note_lost_response(const struct call *call) {
    int32_t status = call->broker.status;
    if (status < 200 || status >= 300) {
        run_note_lost_response(call->held, clock_monotonic_ms() + PROCESSING_MS);
    }
}

static void on_effect_response(struct broker_request *broker) {
    struct call *call = CONTAINER_OF(broker, struct call, broker);
    FAULT_POINT("after_send");
    run_note_response(call->held, broker);
    /* run_note_response() has counted it. */
    atomic_store(&broker->waited.total_ms, 0);
    note_request_id(call);
    if (is_deleted_already(call)) {
        set_response(call, 204, NULL);
    }
    if (!broker->sent) {
        take_back(call);
    } else if (is_final(call)) {
        record_response(call);
        reply_and_store(call);
    } else {
        run_log(call->held, SNEK_LEVEL_WARNING, "in_doubt", LOG_TEXT("method", broker->method),
                LOG_TEXT("url", call->entry->record.url), LOG_NUMBER("status", broker->status));
        note_lost_response(call);
        call_reply_broker(call);
    }
}

/* The intent has left the lease with at least half of its length. Since then this host may have
 * been stopped for longer, so the broker compares the clock right before it sends. */
static void trust_intent(struct call *call) {
    struct run *run = call->held;
    run_trust(run, call->effect.intended_at_ms, table_of(call)->options.lease_ms / 2);
    call->broker.holder.trusted_until_ms = run->trusted_until_ms;
}

/* The plugin has sent as many effects in the last hour as it may. The run waits, without losing an
 * attempt, until the next one is allowed, and not for less than a minute. Many runs may wait for
 * the same moment, so each adds up to a minute. */
static void wait_for_hour(struct call *call) {
    struct run *run = call->held;
    const struct run_group *group = run->group;
    int64_t now_ms = clock_wall_ms(), until_ms = call->effect.intend.wait_until_ms;
    struct error err;
    error_set(&err,
              "plugin %s has sent %u effects in the last hour to installation %s, which is "
              "plugin.effects_per_hour",
              run_group_name(group), (unsigned)group->config->effects_per_hour,
              run->data.installation);
    until_ms = until_ms > now_ms + LIMIT_WAIT_MS ? until_ms : now_ms + LIMIT_WAIT_MS;
    metrics_limit_reached(group->metrics, METRICS_LIMIT_EFFECTS_PER_HOUR);
    run_defer(run, until_ms + arc4random_uniform(LIMIT_WAIT_MS), err.text);
    call_not_written(call);
    fail_intent(call, SNEK_E_REQUEUE, err.text);
}

/* Is the item that the loop breaker holds the one that the run's delivery is about? */
static bool holds_run(const struct call *call) {
    const struct inbox_run *data = &call->held->data;
    struct effect_target of_run = {
        .path = "", .repository = data->repository ? data->repository : "", .item = data->item};
    char item[EFFECT_ITEM_MAX + 1];
    effect_item(&of_run, item);
    return strcmp(item, call->effect.item) == 0;
}

/* The plugin has made too many effects on the item. The run waits without losing an attempt. If its
 * own delivery is about the item, it is requeued as due, and the next claim sets it aside as held,
 * so that it goes on when somebody ends the hold. */
static void wait_for_item(struct call *call) {
    struct run *run = call->held;
    const struct inbox_intend *intend = &call->effect.intend;
    struct error err;
    error_set(&err,
              "the loop breaker holds plugin %s on %s: it made %d effects there in 10 minutes",
              run_group_name(run->group), call->effect.item, INBOX_ITEM_EFFECTS_MAX);
    if (intend->new_hold) {
        metrics_limit_reached(run->group->metrics, METRICS_LIMIT_LOOP);
        run_log(run, SNEK_LEVEL_WARNING, "loop_broken", LOG_TEXT("item", call->effect.item),
                LOG_NUMBER("wait_ms", intend->wait_until_ms - clock_wall_ms()),
                LOG_TEXT("reason", err.text));
    }
    run_defer(run, holds_run(call) ? run->data.due_ms : intend->wait_until_ms, err.text);
    call_not_written(call);
    fail_intent(call, SNEK_E_REQUEUE, err.text);
}

static void on_intent_stored(struct inbox_operation *operation) {
    struct call *call = call_of_intent(operation);
    if (operation->result < 0) {
        call_not_written(call);
        fail_intent(call, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        call_fail(call, SNEK_E_STALE, RUN_STALE_TEXT);
    } else if (operation->result == INBOX_INTEND_HOUR_FULL) {
        wait_for_hour(call);
    } else if (operation->result == INBOX_INTEND_ITEM_HELD) {
        wait_for_item(call);
    } else if (!call_wanted(call) || call->held->ended ||
               table_of(call)->phase >= RUN_PHASE_CLOSING) {
        call->broker.outcome = SNEK_E_CANCELLED;
        error_set(&call->broker.error, "the run has ended");
        take_back(call);
    } else {
        FAULT_POINT("after_intent");
        run_note_effect(call->held);
        call_written(call);
        trust_intent(call);
        broker_submit(call->group->broker, &call->broker);
    }
}

static void send_effect(struct call *call) {
    journal_set_intended(call->entry, call->held->data.token, clock_wall_ms());
    submit_intent(call, on_intent_stored);
}

/* ---- a comment or check run in doubt ---- */

/* For sentences. */
static const char *thing_of(const struct call *call) {
    return call->effect.is_check_run ? "check run" : "comment";
}

/* The entry was committed with its response at once: it was found, or the run is dry. */
static void on_outcome_stored(struct inbox_operation *operation) {
    struct call *call = call_of_intent(operation);
    if (operation->result < 0) {
        call_not_written(call);
        fail_intent(call, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        call_fail(call, SNEK_E_STALE, RUN_STALE_TEXT);
    } else {
        call_written(call);
        call_reply_broker(call);
    }
}

/* `json` is what was found, as GitHub shows it. */
static void take_found(struct call *call, const char *json) {
    const char *message = call->effect.is_check_run ? "check_run_found" : "comment_found";
    run_log(call->held, SNEK_LEVEL_INFO, message, LOG_TEXT("url", call->entry->record.url));
    if (set_response(call, 201, json) < 0) {
        /* It stays in doubt. */
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    record_response(call);
    submit_intent(call, on_outcome_stored);
}

static void search(struct call *call);

/* Fails the call because the search cannot tell. The effect stays in doubt. */
static void fail_search(struct call *call, struct error *err) {
    error_wrap(err,
               "an earlier attempt may have written this %s already, and the search for it "
               "failed",
               thing_of(call));
    call_fail(call, SNEK_E_SERVER, err->text);
}

/* It is not there. If its response was lost a moment ago, GitHub may still be writing it: then the
 * run comes back, and looks for it once more. */
static void send_missing(struct call *call) {
    bool here;
    int64_t wait_ms = unsettled_ms(call, &here);
    if (wait_ms <= 0) {
        send_effect(call);
        return;
    }
    struct error why;
    error_set(&why, "the response to a %s was lost, and GitHub may still be processing the request",
              thing_of(call));
    unsettled_defer(call, wait_ms, &why);
}

/* COMMENT_OK and what was found, COMMENT_NONE, or -1 and `err`. */
static int find_in_page(const struct call *call, const struct buffer *page, char **found, size_t *n,
                        struct error *err) {
    const struct inbox_record *record = &call->entry->record;
    static_assert((int)COMMENT_OK == (int)CHECK_RUN_OK && (int)COMMENT_NONE == (int)CHECK_RUN_NONE,
                  "both searches have the same outcomes");
    if (!call->effect.is_check_run) {
        return comment_find(page, record->marker, found, n, err);
    }
    const struct check_run_sought sought = {.app = table_of(call)->options.app_id,
                                            .body = call->broker.body,
                                            .body_bytes = call->broker.body_bytes,
                                            .since_ms = record->at_ms - SKEW_MS};
    return check_run_find(page, &sought, found, n, err);
}

static void on_page_read(struct call *call, const struct buffer *page) {
    AUTO_FREE char *found = NULL;
    size_t n_items = 0;
    struct error err = {.text = ""};
    int result = find_in_page(call, page, &found, &n_items, &err);
    if (result < 0) {
        fail_search(call, &err);
    } else if (result == COMMENT_OK) {
        take_found(call, found);
    } else if (n_items < PAGE_ITEMS) {
        send_missing(call);
    } else if (call->effect.page < PAGES_MAX) {
        call->effect.page++;
        search(call);
    } else {
        error_set(&err,
                  "an earlier attempt may have written this %s already, and there are too many %ss "
                  "to search",
                  thing_of(call), thing_of(call));
        call_fail(call, SNEK_E_IN_DOUBT, err.text);
    }
}

static void on_comments_page(struct broker_request *request) {
    struct call_effect *effect = CONTAINER_OF(request, struct call_effect, search);
    struct call *call = CONTAINER_OF(effect, struct call, effect);
    run_note_response(call->held, request);
    /* run_note_response() has counted it. */
    atomic_store(&request->waited.total_ms, 0);
    if (table_of(call)->phase >= RUN_PHASE_CLOSING) {
        call_fail(call, SNEK_E_CANCELLED, "the host stops");
    } else if (request->outcome < 0) {
        error_wrap(&request->error, "searching for a %s that an earlier attempt may have written",
                   thing_of(call));
        call_reply(call, request->outcome, request->status, request->error.text, &request->headers,
                   &request->response);
    } else {
        on_page_read(call, &request->response);
    }
}

static int print_search_url(const struct call *call, struct buffer *url) {
    const struct call_effect *effect = &call->effect;
    int result = buffer_printf(url, "%s%cper_page=%d&page=%u", effect->list_url,
                               effect->is_check_run ? '&' : '?', PAGE_ITEMS, effect->page);
    /* Comments and check runs of a commit have no `since`. */
    if (!strstr(effect->list_url, "/commits/")) {
        char since[32];
        time_t from_s = (time_t)((call->entry->record.at_ms - SKEW_MS) / 1000);
        struct tm utc;
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from_s, &utc));
        result |= buffer_printf(url, "&since=%s", since);
    }
    return result;
}

static void search(struct call *call) {
    struct call_effect *effect = &call->effect;
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    int result = print_search_url(call, &url);
    broker_request_finish(&effect->search);
    free(effect->search_url);
    effect->search_url = result == 0 ? buffer_steal(&url) : NULL;
    effect->search = (struct broker_request){.kind = BROKER_REQUEST,
                                             .reply_to = call->broker.reply_to,
                                             .on_done = on_comments_page,
                                             .plugin = call->broker.plugin,
                                             .delivery = call->broker.delivery,
                                             .attempt = call->broker.attempt,
                                             .installation = call->broker.installation,
                                             .permissions = call->broker.permissions,
                                             .optional = call->broker.optional,
                                             .method = "GET",
                                             .url = effect->search_url};
    if (!effect->search_url) {
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    broker_submit(call->group->broker, &effect->search);
}

/* ---- dry runs ---- */

/* The body of a plausible response; NULL for none. */
static char *pretend_body(const struct broker_request *broker, bool graphql) {
    if (strcmp(broker->method, "DELETE") == 0) {
        return NULL;
    }
    return graphql ? strdup("{\"data\":{}}") : comment_pretend(broker->body, broker->body_bytes);
}

static int32_t pretend_status(const struct broker_request *broker, bool graphql) {
    if (strcmp(broker->method, "DELETE") == 0) {
        return 204;
    }
    return strcmp(broker->method, "POST") == 0 && !graphql ? 201 : 200;
}

static void pretend(struct call *call) {
    const struct broker_request *broker = &call->broker;
    run_log(call->held, SNEK_LEVEL_INFO, "dry_run", LOG_TEXT("method", broker->method),
            LOG_TEXT("url", broker->url), LOG_BYTES("body", broker->body, broker->body_bytes));
    bool graphql = strcmp(broker->url, "/graphql") == 0;
    int32_t status = pretend_status(broker, graphql);
    AUTO_FREE char *body = pretend_body(broker, graphql);
    if ((!body && status != 204) || set_response(call, status, body) < 0) {
        journal_set_unsent(call->entry);
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    journal_set_dry(call->entry, true);
    record_response(call);
    submit_intent(call, on_outcome_stored);
}

/* ---- the beginning ---- */

/* False: the run has made all the effects that it may make, and the call has failed. */
static bool has_effects_left(struct call *call, struct run *run) {
    uint32_t most = run->group->config->effects_per_run;
    if (run->journal.n_effects < most) {
        return true;
    }
    struct error err;
    error_set(&err,
              "the run made %u effects and wants more, which plugin.effects_per_run does not allow",
              (unsigned)most);
    run_reject(run, err.text);
    metrics_limit_reached(run->group->metrics, METRICS_LIMIT_EFFECTS_PER_RUN);
    call_fail(call, SNEK_E_TOO_LARGE, err.text);
    return false;
}

/* Finds or makes the effect's entry. False: the call has failed. */
static bool enter(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request) {
    struct journal *journal = &run->journal;
    struct journal_entry *entry = call->entry;
    if (!entry && request->once.bytes == 0) {
        /* The handler itself repeats a request whose effect is in doubt. */
        entry = journal_in_doubt(journal, key);
    }
    if (!entry && !has_effects_left(call, run)) {
        return false;
    }
    if (!entry && journal_diverges(journal)) {
        run_log(run, SNEK_LEVEL_WARNING, "diverged", LOG_TEXT("method", call->broker.method),
                LOG_TEXT("url", call->broker.url),
                LOG_TEXT("reason", "this attempt requests another effect than an earlier one, "
                                   "whose effects stand"));
    }
    if (!entry) {
        entry = journal_add(journal, INBOX_EFFECT, key,
                            (struct journal_part){request->method.data, request->method.bytes},
                            (struct journal_part){request->url.data, request->url.bytes});
    }
    if (!entry) {
        call_fail(call, SNEK_E_TOO_LARGE, "the run makes more effects than its journal holds");
        return false;
    }
    if (request->once.bytes > 0) {
        journal_set_named(entry);
    }
    call_set_entry(call, entry);
    call_hold(call, run);
    return true;
}

/* 0 and the URL of the list that would have the comment or check run, if the effect makes one. -1
 * when memory is short. */
static int find_list(struct call *call) {
    struct call_effect *effect = &call->effect;
    const struct broker_request *broker = &call->broker;
    if (!is_post(call)) {
        return 0;
    }
    int result = comment_list_url(broker->url, &effect->list_url);
    if (result == COMMENT_NONE) {
        result =
            check_run_list_url(broker->url, broker->body, broker->body_bytes, &effect->list_url);
        effect->is_check_run = result == CHECK_RUN_OK;
    }
    return result < 0 ? -1 : 0;
}

/* Hides the entry's marker in the body of a comment, or makes it the external id of a check run
 * that has none. -1 when memory is short: then the request must not be sent. */
static int mark(struct call *call) {
    struct call_effect *effect = &call->effect;
    struct broker_request *broker = &call->broker;
    char *marked = NULL, marker[INBOX_MARKER_MAX + 1];
    int result = find_list(call);
    if (result < 0 || !effect->list_url) {
        return result;
    }
    if (!call->entry->record.marker[0]) {
        comment_make_marker(marker);
        journal_set_marker(call->entry, marker);
    }
    if (effect->is_check_run) {
        result =
            check_run_mark(broker->body, broker->body_bytes, call->entry->record.marker, &marked);
    } else {
        result =
            comment_mark(broker->body, broker->body_bytes, call->entry->record.marker, &marked);
    }
    if (result == COMMENT_NONE && !effect->is_check_run) {
        /* It is a POST like any other. */
        free(STEAL(effect->list_url));
    }
    if (result != COMMENT_OK) {
        return result < 0 ? -1 : 0;
    }
    broker->body = call_own_text(call, marked);
    broker->body_bytes = strlen(marked);
    return 0;
}

/* A search now would miss the comment or check run that a dead host's request still makes. A plugin
 * that has looked by itself and not found its effect repeats a request that adds something. True
 * when the run comes back later, and looks then. */
static bool defer(struct call *call, bool searches) {
    bool here;
    int64_t wait_ms = unsettled_ms(call, &here);
    if (wait_ms <= 0 || (searches && here)) {
        return false;
    }
    struct error why;
    error_set(&why, "the response to a request was lost, and GitHub may still be processing it");
    if (searches) {
        error_set(&why,
                  "a host died while it wrote a %s, and GitHub may still be processing its request",
                  thing_of(call));
    }
    unsettled_defer(call, wait_ms, &why);
    return true;
}

/* A named effect in doubt was another request, so nothing that could be looked for or repeated here
 * is that effect. */
static void fail_other_request(struct call *call) {
    struct error err;
    error_set(
        &err,
        "an earlier attempt may have made this named effect with another request (%s %.300s): "
        "see whether it happened, then discard the run; or let the plugin say "
        "SNEK_REQUEST_REPEATABLE",
        call->entry->record.method, call->entry->record.url);
    call_fail(call, SNEK_E_IN_DOUBT, err.text);
}

static void begin_again(struct call *call, struct run *run, const struct http_call *request) {
    bool repeatable = request->repeatable;
    bool same = journal_is_request(
        call->entry, (struct journal_part){request->method.data, request->method.bytes},
        (struct journal_part){request->url.data, request->url.bytes});
    if (!same && !repeatable) {
        fail_other_request(call);
        return;
    }
    /* A plugin may look for a check run by itself, or need no look. */
    bool is_sought =
        call->effect.list_url && (!call->effect.is_check_run || (!request->adds && !repeatable));
    bool looked = request->adds && repeatable;
    if ((is_sought || looked) && defer(call, is_sought)) {
        return;
    }
    run_log(run, SNEK_LEVEL_WARNING, "in_doubt_again", LOG_TEXT("method", call->broker.method),
            LOG_TEXT("url", call->entry->record.url));
    if (is_sought) {
        call->effect.page = 1;
        search(call);
    } else if ((is_post(call) || request->adds) && !repeatable) {
        call_fail(call, SNEK_E_IN_DOUBT,
                  "an earlier attempt may have sent this request already, and repeating it "
                  "might do it twice: see whether it happened, then discard the run; or let "
                  "the plugin say SNEK_REQUEST_REPEATABLE");
    } else if (strcmp(call->broker.method, "PATCH") == 0 && !repeatable &&
               clock_wall_ms() - call->entry->record.at_ms > PATCH_AGE_MAX_MS) {
        call_fail(
            call, SNEK_E_IN_DOUBT,
            "an attempt more than 10 minutes ago may have sent this request already, and "
            "repeating it might undo what people changed since: see whether it happened, then "
            "discard the run; or let the plugin say SNEK_REQUEST_REPEATABLE");
    } else {
        send_effect(call);
    }
}

static void fill_audited(struct call *call, const struct run *run) {
    const struct broker_request *broker = &call->broker;
    struct effect_target target = {.path = scope_path(call->group->api_url, broker->url),
                                   .body = broker->body,
                                   .body_bytes = broker->body_bytes,
                                   .repository = run->data.repository ? run->data.repository : "",
                                   .item = run->data.item};
    effect_item(&target, call->effect.item);
    call->effect.audited = (struct inbox_effect){.plugin = run_group_name(run->group),
                                                 .installation = run->data.installation,
                                                 .delivery = run->data.guid,
                                                 .sender = run->data.sender ? run->data.sender : "",
                                                 .item = call->effect.item,
                                                 .per_hour = run->group->config->effects_per_hour};
}

void effect_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request) {
    call->broker.on_done = on_effect_response;
    if (!enter(call, run, key, request)) {
        return;
    }
    fill_audited(call, run);
    call->effect.in_doubt = call->entry->in_inbox && call->entry->record.state == INBOX_INTENDED;
    if (run->group->config->dry_run) {
        pretend(call);
        return;
    }
    journal_set_dry(call->entry, false);
    if (mark(call) < 0) {
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
    } else if (call->effect.in_doubt) {
        begin_again(call, run, request);
    } else {
        send_effect(call);
    }
}
