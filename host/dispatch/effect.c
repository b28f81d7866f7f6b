/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* No effect happens twice: design.md, "Effects".
 *
 *   begin --> (in doubt: look for the comment) --> intend --> send --> answer --> reply
 *                 |                                   |
 *                 '-- found: answer                   '-- stale, or the store cannot: nothing sent
 *
 * Everything here runs on the loop's thread, from one callback to the next; the question holds its
 * run meanwhile. */
#include "dispatch/comment.h"
#include "dispatch/question.h"

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

bool effect_is(const struct runner_request *request) {
    if (text_is(&request->method, "GET") || text_is(&request->method, "HEAD")) {
        return false;
    }
    /* Too often is no harm: the same place by another URL is taken for any other POST. */
    return !text_is(&request->method, "POST") || !text_is(&request->url, "/graphql") ||
           !broker_graphql_reads(request->body.data, request->body.bytes);
}

/* ---- the steps ---- */

static pid_t worker_of(const struct question *question) {
    return question_wanted(question) ? runner_pid(question->plugin->runner) : 0;
}
#define FAULT_POINT(label) fault_point(label, worker_of(question))

static void intend(struct question *question, void (*done)(struct inbox_operation *)) {
    struct dispatch *dispatch = question->plugin->dispatch;
    question->intend = (struct inbox_intend){
        .operation = {.kind = INBOX_INTEND, .reply_to = &dispatch->mailbox, .done = done}};
    if (!question_write(question, &question->intend.writer)) {
        question_fail(question, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    FAULT_POINT("before_intent");
    inbox_submit(dispatch->options.inbox, &question->intend.operation);
}

/* The answer is recorded, or there is none to record: on to the plugin. */
static void reply(struct question *question) {
    const struct broker_request *broker = &question->broker;
    question_reply(question, broker->outcome, broker->status, broker->error.text, &broker->headers,
                   &broker->answer);
}

static void recorded(struct inbox_operation *operation) {
    struct inbox_answer *answer = CONTAINER_OF(operation, struct inbox_answer, operation);
    struct question *question = CONTAINER_OF(answer, struct question, answer);
    if (operation->result < 0) {
        /* It has happened, so it is told; should the host die now, the intent is in doubt. */
        log_event(LOG_ERROR, "answer_not_recorded",
                  LOG_TEXT("plugin", plugin_name(question->plugin)),
                  LOG_TEXT("delivery", question->held->data.guid),
                  LOG_TEXT("installation", question->held->data.installation),
                  LOG_NUMBER("attempt", question->held->data.attempt),
                  LOG_TEXT("reason", operation->error.text));
    }
    FAULT_POINT("after_answer");
    reply(question);
}

static void record_answer(struct question *question) {
    struct dispatch *dispatch = question->plugin->dispatch;
    if (dispatch->closed) {
        reply(question); /* the intent stays in doubt */
        return;
    }
    question->answer = (struct inbox_answer){
        .operation = {.kind = INBOX_ANSWER, .reply_to = &dispatch->mailbox, .done = recorded},
        .run = question->held->data.id,
        .lease = question->held->data.lease,
        .record = &question->entry->record};
    inbox_submit(dispatch->options.inbox, &question->answer.operation);
}

/* As if GitHub had answered so; `body` may be NULL. */
static void set_answer(struct question *question, int32_t status, const char *body) {
    struct broker_request *broker = &question->broker;
    broker_request_finish(broker);
    broker->answer = (struct buffer)BUFFER_INIT(FRAME_REPLY_BODY_MAX);
    bool whole = !body || buffer_append_text(&broker->answer, body) == 0;
    broker->outcome = whole ? 0 : SNEK_E_TOO_LARGE;
    broker->status = status;
    (void)error_set(&broker->error, "%s",
                    whole ? "" : "the answer is larger than the host carries");
}

/* Nothing of it was sent this time. What was in doubt before stays so. */
static void take_back(struct question *question) {
    if (question->in_doubt) {
        reply(question);
    } else {
        question->entry->record.state = INBOX_UNSENT;
        record_answer(question);
    }
}

static void enter_answer(struct question *question) {
    const struct broker_request *broker = &question->broker;
    struct journal_answer answer = {.outcome = broker->outcome,
                                    .now_ms = clock_wall_ms(),
                                    .status = broker->status,
                                    .sentence = broker->error.text,
                                    .headers = &broker->headers,
                                    .body = &broker->answer};
    journal_answer(&question->held->journal, question->entry, &answer);
}

static bool is_taken(const struct broker_request *broker) {
    return broker->status >= 200 && broker->status < 300 &&
           (broker->outcome == 0 ||
            broker_graphql_did(broker->answer.data ? broker->answer.data : "",
                               broker->answer.bytes));
}

/* Whether GitHub's word may be trusted that this is what came of it: a 5xx may come after the
 * effect, and so may GraphQL's, which is a 200 that tells of one; a 1xx is only a beginning. And
 * that a repetition was refused says nothing of what may have been done before it. */
static bool is_answer(const struct question *question) {
    const struct broker_request *broker = &question->broker;
    bool failed_there = broker->outcome == SNEK_E_SERVER && broker->status < 300;
    return broker->status >= 200 && broker->status < 500 && !failed_there &&
           (!question->in_doubt || is_taken(broker));
}

static void sent(struct broker_request *broker) {
    struct question *question = CONTAINER_OF(broker, struct question, broker);
    struct run *run = question->held;
    FAULT_POINT("after_send");
    question_note(run, broker);
    if (question->in_doubt && broker->status == 404 && strcmp(broker->method, "DELETE") == 0) {
        set_answer(question, 204, NULL); /* the attempt before has done it */
    }
    if (!broker->sent) {
        take_back(question);
    } else if (is_answer(question)) {
        enter_answer(question);
        record_answer(question);
    } else {
        log_event(
            LOG_WARNING, "in_doubt", LOG_TEXT("method", broker->method),
            LOG_TEXT("url", question->entry->record.url), LOG_NUMBER("status", broker->status),
            LOG_TEXT("plugin", plugin_name(question->plugin)), LOG_TEXT("delivery", run->data.guid),
            LOG_TEXT("installation", run->data.installation),
            LOG_NUMBER("attempt", run->data.attempt));
        reply(question);
    }
}

static void intended(struct inbox_operation *operation) {
    struct inbox_intend *intent = CONTAINER_OF(operation, struct inbox_intend, operation);
    struct question *question = CONTAINER_OF(intent, struct question, intend);
    const struct dispatch *dispatch = question->plugin->dispatch;
    if (operation->result < 0) {
        question_not_written(question);
        question->entry->record.state = question->in_doubt ? INBOX_INTENDED : INBOX_UNSENT;
        question_fail(question, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        question_fail(question, SNEK_E_STALE, RUN_STALE);
    } else if (!question_wanted(question) || question->held->ended || dispatch->closing) {
        question->broker.outcome = SNEK_E_CANCELLED;
        (void)error_set(&question->broker.error, "the run has ended");
        take_back(question);
    } else {
        FAULT_POINT("after_intent");
        broker_submit(dispatch->options.broker, &question->broker);
    }
}

/* ---- a comment in doubt ---- */

static void look(struct question *question);

/* Is recorded already as answered: found, or dry. */
static void settled(struct inbox_operation *operation) {
    struct inbox_intend *intent = CONTAINER_OF(operation, struct inbox_intend, operation);
    struct question *question = CONTAINER_OF(intent, struct question, intend);
    if (operation->result < 0) {
        question_not_written(question);
        question_fail(question, SNEK_E_STORE, operation->error.text);
    } else if (operation->result == INBOX_STALE) {
        question_fail(question, SNEK_E_STALE, RUN_STALE);
    } else {
        reply(question);
    }
}

static void take_found(struct question *question, const char *comment) {
    log_event(LOG_INFO, "comment_found", LOG_TEXT("url", question->entry->record.url),
              LOG_TEXT("plugin", plugin_name(question->plugin)),
              LOG_TEXT("delivery", question->held->data.guid),
              LOG_TEXT("installation", question->held->data.installation),
              LOG_NUMBER("attempt", question->held->data.attempt));
    set_answer(question, 201, comment);
    enter_answer(question);
    intend(question, settled);
}

static void send_effect(struct question *question) {
    question->entry->record.state = INBOX_INTENDED;
    question->entry->record.at_ms = clock_wall_ms();
    intend(question, intended);
}

static void looked(struct broker_request *request) {
    struct question *question = CONTAINER_OF(request, struct question, look);
    question_note(question->held, request);
    atomic_store(&request->waited.total_ms, 0); /* it is counted now */
    if (question->plugin->dispatch->closing) {
        question_fail(question, SNEK_E_CANCELLED, "the host stops");
        return;
    }
    if (request->outcome < 0) {
        (void)error_wrap(&request->error, "looking for a comment that may be there already");
        question_reply(question, request->outcome, request->status, request->error.text,
                       &request->headers, &request->answer);
        return;
    }
    size_t n_comments;
    AUTO_FREE char *comment =
        comment_find(&request->answer, question->entry->record.marker, &n_comments);
    if (comment) {
        take_found(question, comment);
    } else if (n_comments < PAGE_ITEMS) {
        send_effect(question);
    } else if (question->page < PAGES_MAX) {
        question->page++;
        look(question);
    } else {
        question_fail(question, SNEK_E_DOUBTFUL,
                      "an earlier attempt may have written this comment already, and there are too "
                      "many to look through");
    }
}

static void look(struct question *question) {
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    int result = buffer_printf(&url, "%s?per_page=%d&page=%u", question->comments_url, PAGE_ITEMS,
                               question->page);
    if (!strstr(question->comments_url, "/commits/")) { /* these have no `since` */
        char since[32];
        time_t from_s = (time_t)((question->entry->record.at_ms - SKEW_MS) / 1000);
        struct tm utc;
        (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from_s, &utc));
        result |= buffer_printf(&url, "&since=%s", since);
    }
    broker_request_finish(&question->look);
    free(question->look_url);
    question->look_url = result == 0 ? buffer_steal(&url) : NULL;
    question->look = (struct broker_request){.kind = BROKER_REQUEST,
                                             .reply_to = question->broker.reply_to,
                                             .done = looked,
                                             .plugin = question->broker.plugin,
                                             .delivery = question->broker.delivery,
                                             .attempt = question->broker.attempt,
                                             .installation = question->broker.installation,
                                             .permissions = question->broker.permissions,
                                             .method = "GET",
                                             .url = question->look_url};
    if (!question->look_url) {
        question_fail(question, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    broker_submit(question->plugin->dispatch->options.broker, &question->look);
}

/* ---- dry runs ---- */

static void pretend(struct question *question) {
    const struct broker_request *broker = &question->broker;
    bool deletes = strcmp(broker->method, "DELETE") == 0;
    log_event(LOG_INFO, "dry_run", LOG_TEXT("method", broker->method), LOG_TEXT("url", broker->url),
              LOG_BYTES("body", broker->body, broker->body_bytes),
              LOG_TEXT("plugin", plugin_name(question->plugin)),
              LOG_TEXT("delivery", question->held->data.guid),
              LOG_TEXT("installation", broker->installation),
              LOG_NUMBER("attempt", question->held->data.attempt));
    bool graphql = strcmp(broker->url, "/graphql") == 0;
    AUTO_FREE char *body = deletes   ? NULL
                           : graphql ? strdup("{\"data\":{}}")
                                     : comment_pretend(broker->body, broker->body_bytes);
    bool creates = strcmp(broker->method, "POST") == 0 && !graphql;
    set_answer(question, deletes ? 204 : creates ? 201 : 200, body);
    question->entry->record.dry = true;
    enter_answer(question);
    intend(question, settled);
}

/* ---- the beginning ---- */

/* The entry of this effect, new or of an earlier try. False after the question was answered. */
static bool enter(struct question *question, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct runner_request *request) {
    struct journal *journal = &run->journal;
    if (!question->entry) { /* a handler that tries again by itself */
        question->entry = journal_in_doubt(journal, key);
    }
    if (!question->entry && journal_strays(journal)) {
        log_event(
            LOG_WARNING, "strayed", LOG_TEXT("method", question->broker.method),
            LOG_TEXT("url", question->broker.url), LOG_TEXT("plugin", plugin_name(run->plugin)),
            LOG_TEXT("delivery", run->data.guid), LOG_TEXT("installation", run->data.installation),
            LOG_NUMBER("attempt", run->data.attempt),
            LOG_TEXT("reason", "this attempt asks for another effect than an earlier one, "
                               "whose effects stand"));
    }
    if (!question->entry) {
        question->entry =
            journal_add(journal, INBOX_EFFECT, key,
                        (struct journal_part){request->method.data, request->method.bytes},
                        (struct journal_part){request->url.data, request->url.bytes});
    }
    if (!question->entry) {
        question_fail(question, SNEK_E_TOO_LARGE,
                      "the run makes more effects than a journal holds");
        return false;
    }
    question->entry->busy = true;
    question_hold(question, run);
    return true;
}

static bool is_post(const struct question *question) {
    return strcmp(question->broker.method, "POST") == 0;
}

/* Hides the record's marker in the body of a comment. -1 when memory is short. */
static int mark_comment(struct question *question) {
    struct inbox_record *record = &question->entry->record;
    struct broker_request *broker = &question->broker;
    char *marked = NULL;
    question->comments_url = is_post(question) ? comment_list_url(broker->url) : NULL;
    if (!question->comments_url) {
        return 0;
    }
    if (!record->marker[0]) {
        comment_make_marker(record->marker);
    }
    int result = comment_mark(broker->body, broker->body_bytes, record->marker, &marked);
    if (result != 0) {
        free(STEAL(question->comments_url)); /* a POST like others */
        return result < 0 ? -1 : 0;
    }
    question->owned[question->n_owned++] = marked;
    broker->body = marked;
    broker->body_bytes = strlen(marked);
    return 0;
}

void effect_begin(struct question *question, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct runner_request *request) {
    question->broker.done = sent;
    if (!enter(question, run, key, request)) {
        return;
    }
    question->in_doubt =
        question->entry->in_inbox && question->entry->record.state == INBOX_INTENDED;
    if (run->plugin->config->dry_run) {
        pretend(question);
        return;
    }
    question->entry->record.dry = false;
    if (mark_comment(question) < 0) {
        question_fail(question, SNEK_E_FAILED, "the host is out of memory");
        return;
    }
    if (!question->in_doubt) {
        send_effect(question);
        return;
    }
    log_event(LOG_WARNING, "in_doubt_again", LOG_TEXT("method", question->broker.method),
              LOG_TEXT("url", question->entry->record.url),
              LOG_TEXT("plugin", plugin_name(run->plugin)), LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt));
    if (question->comments_url) {
        question->page = 1;
        look(question);
    } else if (is_post(question) && !request->repeatable) {
        question_fail(question, SNEK_E_DOUBTFUL,
                      "an earlier attempt may have sent this request already, and repeating it "
                      "might do it twice: see whether it happened, then discard the run; or let "
                      "the plugin say SNEK_REQUEST_REPEATABLE");
    } else {
        send_effect(question);
    }
}
