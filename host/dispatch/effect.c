/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* No effect happens twice: design.md, "Effects".
 *
 *   begin --> (in doubt: look for the comment) --> intend --> send --> answer --> reply
 *                 |                                   |
 *                 '-- found: answer                   '-- stale, or the store cannot: nothing sent
 *
 * Everything here runs on the loop's thread, from one callback to the next; the call holds its
 * run meanwhile. */
#include "dispatch/call.h"
#include "dispatch/comment.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_ITEMS 100
#define PAGES_MAX 10         /* of comments that are looked through for one in doubt */
#define SKEW_MS (15 * 60000) /* that GitHub's clock may differ from ours */

/* ---- what a request is ---- */

static bool text_is(const struct frame_text *text, const char *other) {
    return text->bytes == strlen(other) && memcmp(text->data, other, text->bytes) == 0;
}

bool effect_is(const struct http_call *request) {
    if (text_is(&request->method, "GET") || text_is(&request->method, "HEAD")) {
        return false;
    }
    /* Too often is no harm: the same place by another URL is taken for any other POST. */
    return !text_is(&request->method, "POST") || !text_is(&request->url, "/graphql") ||
           !broker_graphql_reads(request->body.data, request->body.bytes);
}

/* ---- the steps ---- */

static pid_t worker_of(const struct call *call) {
    return call_wanted(call) ? worker_process_pid(call->plugin->worker_process) : 0;
}
#define FAULT_POINT(label) fault_point(label, worker_of(call))

static void intend(struct call *call, void (*done)(struct inbox_operation *)) {
    struct dispatch *dispatch = call->plugin->dispatch;
    call->intend = (struct inbox_intend){
        .operation = {.kind = INBOX_INTEND, .reply_to = &dispatch->mailbox, .on_result = done}};
    if (!call_write(call, &call->intend.writer)) {
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    FAULT_POINT("before_intent");
    inbox_submit(dispatch->options.inbox, &call->intend.operation);
}

/* The answer is recorded, or there is none to record: on to the plugin. */
static void reply(struct call *call) {
    const struct broker_request *broker = &call->broker;
    call_reply(call, broker->outcome, broker->status, broker->error.text, &broker->headers,
               &broker->response);
}

static void recorded(struct inbox_operation *operation) {
    struct inbox_complete *answer = CONTAINER_OF(operation, struct inbox_complete, operation);
    struct call *call = CONTAINER_OF(answer, struct call, answer);
    if (operation->result < 0) {
        /* It has happened, so it is told; should the host die now, the intent is in doubt. */
        log_event(SNEK_LEVEL_ERROR, "answer_not_recorded",
                  LOG_TEXT("plugin", plugin_name(call->plugin)),
                  LOG_TEXT("delivery", call->held->data.guid),
                  LOG_TEXT("installation", call->held->data.installation),
                  LOG_NUMBER("attempt", call->held->data.attempt),
                  LOG_TEXT("reason", operation->error.text));
    }
    FAULT_POINT("after_answer");
    reply(call);
}

static void record_answer(struct call *call) {
    struct dispatch *dispatch = call->plugin->dispatch;
    if (dispatch->closed) {
        reply(call); /* the intent stays in doubt */
        return;
    }
    call->answer = (struct inbox_complete){.operation = {.kind = INBOX_COMPLETE,
                                                         .reply_to = &dispatch->mailbox,
                                                         .on_result = recorded},
                                           .run = call->held->data.id,
                                           .lease = call->held->data.lease,
                                           .record = &call->entry->record};
    inbox_submit(dispatch->options.inbox, &call->answer.operation);
}

/* As if GitHub had answered so; `body` may be NULL. */
static void set_answer(struct call *call, int32_t status, const char *body) {
    struct broker_request *broker = &call->broker;
    broker_request_finish(broker);
    broker->response = (struct buffer)BUFFER_INIT(FRAME_REPLY_BODY_MAX);
    bool whole = !body || buffer_append_text(&broker->response, body) == 0;
    broker->outcome = whole ? 0 : SNEK_E_TOO_LARGE;
    broker->status = status;
    (void)error_set(&broker->error, "%s",
                    whole ? "" : "the answer is larger than the host carries");
}

/* Nothing of it was sent this time. What was in doubt before stays so. */
static void take_back(struct call *call) {
    if (call->in_doubt) {
        reply(call);
    } else {
        call->entry->record.state = INBOX_UNSENT;
        record_answer(call);
    }
}

static void enter_answer(struct call *call) {
    const struct broker_request *broker = &call->broker;
    struct journal_answer answer = {.outcome = broker->outcome,
                                    .now_ms = clock_wall_ms(),
                                    .status = broker->status,
                                    .sentence = broker->error.text,
                                    .headers = &broker->headers,
                                    .body = &broker->response};
    journal_answer(&call->held->journal, call->entry, &answer);
}

static bool is_taken(const struct broker_request *broker) {
    return broker->status >= 200 && broker->status < 300 &&
           (broker->outcome == 0 ||
            broker_graphql_did(broker->response.data ? broker->response.data : "",
                               broker->response.bytes));
}

/* Whether GitHub's word may be trusted that this is what came of it: a 5xx may come after the
 * effect, and so may GraphQL's, which is a 200 that tells of one; a 1xx is only a beginning. And
 * that a repetition was rejected says nothing of what may have been done before it. */
static bool is_answer(const struct call *call) {
    const struct broker_request *broker = &call->broker;
    bool failed_there = broker->outcome == SNEK_E_SERVER && broker->status < 300;
    return broker->status >= 200 && broker->status < 500 && !failed_there &&
           (!call->in_doubt || is_taken(broker));
}

static void sent(struct broker_request *broker) {
    struct call *call = CONTAINER_OF(broker, struct call, broker);
    struct run *run = call->held;
    FAULT_POINT("after_send");
    call_note(run, broker);
    if (call->in_doubt && broker->status == 404 && strcmp(broker->method, "DELETE") == 0) {
        set_answer(call, 204, NULL); /* the attempt before has done it */
    }
    if (!broker->sent) {
        take_back(call);
    } else if (is_answer(call)) {
        enter_answer(call);
        record_answer(call);
    } else {
        log_event(SNEK_LEVEL_WARNING, "in_doubt", LOG_TEXT("method", broker->method),
                  LOG_TEXT("url", call->entry->record.url), LOG_NUMBER("status", broker->status),
                  LOG_TEXT("plugin", plugin_name(call->plugin)),
                  LOG_TEXT("delivery", run->data.guid),
                  LOG_TEXT("installation", run->data.installation),
                  LOG_NUMBER("attempt", run->data.attempt));
        reply(call);
    }
}

static void intended(struct inbox_operation *operation) {
    struct inbox_intend *intent = CONTAINER_OF(operation, struct inbox_intend, operation);
    struct call *call = CONTAINER_OF(intent, struct call, intend);
    const struct dispatch *dispatch = call->plugin->dispatch;
    if (operation->result < 0) {
        call_not_written(call);
        call->entry->record.state = call->in_doubt ? INBOX_INTENDED : INBOX_UNSENT;
        call_fail(call, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        call_fail(call, SNEK_E_STALE, RUN_STALE);
    } else if (!call_wanted(call) || call->held->ended || dispatch->closing) {
        call->broker.outcome = SNEK_E_CANCELLED;
        (void)error_set(&call->broker.error, "the run has ended");
        take_back(call);
    } else {
        FAULT_POINT("after_intent");
        broker_submit(dispatch->options.broker, &call->broker);
    }
}

/* ---- a comment in doubt ---- */

static void look(struct call *call);

/* Is recorded already as answered: found, or dry. */
static void settled(struct inbox_operation *operation) {
    struct inbox_intend *intent = CONTAINER_OF(operation, struct inbox_intend, operation);
    struct call *call = CONTAINER_OF(intent, struct call, intend);
    if (operation->result < 0) {
        call_not_written(call);
        call_fail(call, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        call_fail(call, SNEK_E_STALE, RUN_STALE);
    } else {
        reply(call);
    }
}

static void take_found(struct call *call, const char *comment) {
    log_event(SNEK_LEVEL_INFO, "comment_found", LOG_TEXT("url", call->entry->record.url),
              LOG_TEXT("plugin", plugin_name(call->plugin)),
              LOG_TEXT("delivery", call->held->data.guid),
              LOG_TEXT("installation", call->held->data.installation),
              LOG_NUMBER("attempt", call->held->data.attempt));
    set_answer(call, 201, comment);
    enter_answer(call);
    intend(call, settled);
}

static void send_effect(struct call *call) {
    call->entry->record.state = INBOX_INTENDED;
    call->entry->record.at_ms = clock_wall_ms();
    intend(call, intended);
}

static void looked(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, look);
    call_note(call->held, request);
    atomic_store(&request->waited.total_ms, 0); /* it is counted now */
    if (call->plugin->dispatch->closing) {
        call_fail(call, SNEK_E_CANCELLED, "the host stops");
        return;
    }
    if (request->outcome < 0) {
        (void)error_wrap(&request->error, "looking for a comment that may be there already");
        call_reply(call, request->outcome, request->status, request->error.text, &request->headers,
                   &request->response);
        return;
    }
    size_t n_comments;
    AUTO_FREE char *comment =
        comment_find(&request->response, call->entry->record.marker, &n_comments);
    if (comment) {
        take_found(call, comment);
    } else if (n_comments < PAGE_ITEMS) {
        send_effect(call);
    } else if (call->page < PAGES_MAX) {
        call->page++;
        look(call);
    } else {
        call_fail(call, SNEK_E_IN_DOUBT,
                  "an earlier attempt may have written this comment already, and there are too "
                  "many to look through");
    }
}

static void look(struct call *call) {
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    int result =
        buffer_printf(&url, "%s?per_page=%d&page=%u", call->comments_url, PAGE_ITEMS, call->page);
    if (!strstr(call->comments_url, "/commits/")) { /* these have no `since` */
        char since[32];
        time_t from_s = (time_t)((call->entry->record.at_ms - SKEW_MS) / 1000);
        struct tm utc;
        (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from_s, &utc));
        result |= buffer_printf(&url, "&since=%s", since);
    }
    broker_request_finish(&call->look);
    free(call->look_url);
    call->look_url = result == 0 ? buffer_steal(&url) : NULL;
    call->look = (struct broker_request){.kind = BROKER_REQUEST,
                                         .reply_to = call->broker.reply_to,
                                         .on_done = looked,
                                         .plugin = call->broker.plugin,
                                         .delivery = call->broker.delivery,
                                         .attempt = call->broker.attempt,
                                         .installation = call->broker.installation,
                                         .permissions = call->broker.permissions,
                                         .method = "GET",
                                         .url = call->look_url};
    if (!call->look_url) {
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    broker_submit(call->plugin->dispatch->options.broker, &call->look);
}

/* ---- dry runs ---- */

static void pretend(struct call *call) {
    const struct broker_request *broker = &call->broker;
    bool deletes = strcmp(broker->method, "DELETE") == 0;
    log_event(SNEK_LEVEL_INFO, "dry_run", LOG_TEXT("method", broker->method),
              LOG_TEXT("url", broker->url), LOG_BYTES("body", broker->body, broker->body_bytes),
              LOG_TEXT("plugin", plugin_name(call->plugin)),
              LOG_TEXT("delivery", call->held->data.guid),
              LOG_TEXT("installation", broker->installation),
              LOG_NUMBER("attempt", call->held->data.attempt));
    bool graphql = strcmp(broker->url, "/graphql") == 0;
    AUTO_FREE char *body = deletes   ? NULL
                           : graphql ? strdup("{\"data\":{}}")
                                     : comment_pretend(broker->body, broker->body_bytes);
    bool creates = strcmp(broker->method, "POST") == 0 && !graphql;
    set_answer(call, deletes ? 204 : creates ? 201 : 200, body);
    call->entry->record.dry = true;
    enter_answer(call);
    intend(call, settled);
}

/* ---- the beginning ---- */

/* The entry of this effect, new or of an earlier try. False after the call was answered. */
static bool enter(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request) {
    struct journal *journal = &run->journal;
    if (!call->entry) { /* a handler that tries again by itself */
        call->entry = journal_in_doubt(journal, key);
    }
    if (!call->entry && journal_strays(journal)) {
        log_event(SNEK_LEVEL_WARNING, "strayed", LOG_TEXT("method", call->broker.method),
                  LOG_TEXT("url", call->broker.url), LOG_TEXT("plugin", plugin_name(run->plugin)),
                  LOG_TEXT("delivery", run->data.guid),
                  LOG_TEXT("installation", run->data.installation),
                  LOG_NUMBER("attempt", run->data.attempt),
                  LOG_TEXT("reason", "this attempt asks for another effect than an earlier one, "
                                     "whose effects stand"));
    }
    if (!call->entry) {
        call->entry =
            journal_add(journal, INBOX_EFFECT, key,
                        (struct journal_part){request->method.data, request->method.bytes},
                        (struct journal_part){request->url.data, request->url.bytes});
    }
    if (!call->entry) {
        call_fail(call, SNEK_E_TOO_LARGE, "the run makes more effects than a journal holds");
        return false;
    }
    call->entry->busy = true;
    call_hold(call, run);
    return true;
}

static bool is_post(const struct call *call) {
    return strcmp(call->broker.method, "POST") == 0;
}

/* Hides the record's marker in the body of a comment. -1 when memory is short. */
static int mark_comment(struct call *call) {
    struct inbox_record *record = &call->entry->record;
    struct broker_request *broker = &call->broker;
    char *marked = NULL;
    call->comments_url = is_post(call) ? comment_list_url(broker->url) : NULL;
    if (!call->comments_url) {
        return 0;
    }
    if (!record->marker[0]) {
        comment_make_marker(record->marker);
    }
    int result = comment_mark(broker->body, broker->body_bytes, record->marker, &marked);
    if (result != 0) {
        free(STEAL(call->comments_url)); /* a POST like others */
        return result < 0 ? -1 : 0;
    }
    call->owned[call->n_owned++] = marked;
    broker->body = marked;
    broker->body_bytes = strlen(marked);
    return 0;
}

void effect_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request) {
    call->broker.on_done = sent;
    if (!enter(call, run, key, request)) {
        return;
    }
    call->in_doubt = call->entry->in_inbox && call->entry->record.state == INBOX_INTENDED;
    if (run->plugin->config->dry_run) {
        pretend(call);
        return;
    }
    call->entry->record.dry = false;
    if (mark_comment(call) < 0) {
        call_fail(call, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    if (!call->in_doubt) {
        send_effect(call);
        return;
    }
    log_event(SNEK_LEVEL_WARNING, "in_doubt_again", LOG_TEXT("method", call->broker.method),
              LOG_TEXT("url", call->entry->record.url),
              LOG_TEXT("plugin", plugin_name(run->plugin)), LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt));
    if (call->comments_url) {
        call->page = 1;
        look(call);
    } else if (is_post(call) && !request->repeatable) {
        call_fail(call, SNEK_E_IN_DOUBT,
                  "an earlier attempt may have sent this request already, and repeating it "
                  "might do it twice: see whether it happened, then discard the run; or let "
                  "the plugin say SNEK_REQUEST_REPEATABLE");
    } else {
        send_effect(call);
    }
}
