/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Carries a worker's questions to the broker and the inbox and their answers back, through the
 * journal: what an earlier attempt was answered is answered again. */
#include "dispatch/question.h"
#include "dispatch/reach.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

static struct question *question_new(struct plugin *plugin, const struct run *run, uint64_t request,
                                     size_t bytes) {
    size_t max_bytes = (size_t)plugin->config->memory_mib << 20; /* it could hold no more itself */
    if (plugin->n_questions >= QUESTIONS_MAX || bytes > max_bytes - plugin->question_bytes) {
        runner_kill(plugin->runner, "was ended: it asked too many things at once");
        return NULL;
    }
    struct question *question = calloc(1, sizeof *question);
    if (!question) {
        runner_kill(plugin->runner, "was ended: the host is out of memory");
        return NULL;
    }
    question->plugin = plugin;
    question->incarnation = plugin->incarnation;
    question->run = run->handle;
    question->request = request;
    question->bytes = bytes;
    plugin->n_questions++;
    plugin->question_bytes += bytes;
    question->next = plugin->questions;
    question->at = &plugin->questions;
    if (question->next) {
        question->next->at = &question->next;
    }
    plugin->questions = question;
    return question;
}

void question_free(struct question *question) {
    if (question->plugin->incarnation == question->incarnation) {
        question->plugin->n_questions--;
        question->plugin->question_bytes -= question->bytes;
        *question->at = question->next;
        if (question->next) {
            question->next->at = question->at;
        }
    }
    for (unsigned i = 0; i < question->n_owned; i++) {
        free(question->owned[i]);
    }
    free(question->records);
    free(question->comments_url);
    free(question->look_url);
    broker_request_finish(&question->look);
    broker_request_finish(&question->broker);
    buffer_finish(&question->item.value);
    if (question->held) {
        question->entry->busy = false;
        run_release(question->held);
    }
    free(question);
}

const char *question_own(struct question *question, const char *data, size_t bytes) {
    char *copy = malloc(bytes + 1);
    if (!copy) {
        question->failed = true;
        return "";
    }
    memcpy(copy, data, bytes); /* a body may hold any byte */
    copy[bytes] = '\0';
    question->owned[question->n_owned++] = copy;
    return copy;
}

bool question_wanted(const struct question *question) {
    return question->plugin->runner && question->plugin->incarnation == question->incarnation;
}

static struct run *run_of(const struct question *question) {
    return question_wanted(question) ? run_find(question->plugin, question->run) : NULL;
}

static void out_of_memory(struct question *question) {
    runner_kill(question->plugin->runner, "was ended: the host is out of memory");
    question_free(question);
}

/* ---- the journal ---- */

void question_hold(struct question *question, struct run *run) {
    question->held = run;
    run->holds++;
    run->plugin->dispatch->holds++;
}

bool question_write(struct question *question, struct inbox_writer *writer) {
    const struct run *run = question->held;
    free(question->records);
    *writer = (struct inbox_writer){
        .run = run->data.id, .attempt = run->data.attempt, .lease = run->data.lease};
    question->records =
        journal_unwritten(&question->held->journal, question->entry, &writer->n_records);
    writer->records = question->records;
    return question->records != NULL;
}

void question_not_written(struct question *question) {
    size_t n = question->intend.writer.n_records + question->item.writer.n_records;
    for (size_t i = 0; i < n; i++) {
        CONTAINER_OF(question->records[i], struct journal_entry, record)->in_inbox = false;
    }
}

void question_reply(struct question *question, int32_t outcome, int32_t status,
                    const char *sentence, const struct buffer *headers, const struct buffer *body) {
    if (question_wanted(question)) {
        runner_send_http_reply(question->plugin->runner, question->run, question->request, outcome,
                               status, sentence, headers, body);
    }
    question_free(question);
}

void question_fail(struct question *question, int32_t outcome, const char *sentence) {
    static const struct buffer nothing = BUFFER_INIT(0);
    question_reply(question, outcome, 0, sentence, &nothing, &nothing);
}

/* ---- GitHub ---- */

int64_t question_waited_ms(const struct plugin *plugin, const struct run *run, int64_t now_ms,
                           bool *waits) {
    int64_t most_ms = 0;
    *waits = false;
    for (const struct question *question = plugin->questions; question; question = question->next) {
        const struct broker_request *const requests[] = {&question->broker, &question->look};
        for (size_t i = 0; i < 2 && question->run == run->handle; i++) {
            int64_t since_ms = atomic_load(&requests[i]->waited.since_ms);
            int64_t waited_ms =
                atomic_load(&requests[i]->waited.total_ms) + (since_ms > 0 ? now_ms - since_ms : 0);
            *waits = *waits || since_ms > 0;
            most_ms = waited_ms > most_ms ? waited_ms : most_ms;
        }
    }
    return most_ms;
}

void question_note(struct run *run, const struct broker_request *request) {
    run->gone = run->gone || request->installation_gone;
    run->not_granted = run->not_granted || request->outcome == SNEK_E_NOT_GRANTED;
    if (run->deadline_ms != INT64_MAX) {
        run->deadline_ms += atomic_load(&request->waited.total_ms);
    }
    if (request->outcome == SNEK_E_REQUEUE && request->not_before_ms >= run->not_before_ms) {
        run->put_off = true;
        run->not_before_ms = request->not_before_ms;
        run->put_off_why = request->error;
    }
}

/* Once put off, a run gets nothing more done: its turn is over. */
static bool answer_put_off(struct plugin *plugin, const struct run *run, uint64_t request) {
    const struct buffer none = BUFFER_INIT(0);
    if (run->put_off) {
        runner_send_http_reply(plugin->runner, run->handle, request, SNEK_E_REQUEUE, 0,
                               run->put_off_why.text, &none, &none);
    }
    return run->put_off;
}

static void read_done(struct broker_request *request) {
    struct question *question = CONTAINER_OF(request, struct question, broker);
    struct run *run = run_of(question);
    if (run) {
        question_note(run, request);
    }
    /* A failure too, for the handler goes on from it; unless the run is over with it. */
    bool over = request->outcome == SNEK_E_REQUEUE || request->outcome == SNEK_E_CANCELLED;
    if (run && question->entry && !over) {
        struct journal_answer answer = {.outcome = request->outcome,
                                        .now_ms = clock_wall_ms(),
                                        .status = request->status,
                                        .sentence = request->error.text,
                                        .headers = &request->headers,
                                        .body = &request->answer};
        journal_answer(&run->journal, question->entry, &answer);
    }
    question_reply(question, request->outcome, request->status, request->error.text,
                   &request->headers, &request->answer);
}

static void fill_broker(struct question *question, const struct run *run,
                        void (*done)(struct broker_request *)) {
    const struct plugin *plugin = question->plugin;
    question->broker = (struct broker_request){
        .reply_to = &plugin->dispatch->mailbox,
        .done = done,
        .plugin = plugin_name(plugin),
        .delivery = question_own(question, run->data.guid, strlen(run->data.guid)),
        .attempt = run->data.attempt,
        .installation =
            question_own(question, run->data.installation, strlen(run->data.installation)),
        .permissions = plugin->description->permissions_json,
        .holder = {.run = run->data.id,
                   .attempt = run->data.attempt,
                   .lease = run->data.lease,
                   .lease_ms = plugin->dispatch->options.config->dispatch.lease_ms},
    };
}

/* What an earlier attempt was answered, and what only such an answer can say. */
static bool is_settled(const struct inbox_record *record, bool dry_run) {
    return record->state == INBOX_ANSWERED && (!record->dry || dry_run) &&
           (record->kind == INBOX_READ || journal_stands(record));
}

static void replay(struct question *question, const struct run *run) {
    const struct inbox_record *record = &question->entry->record;
    log_event(
        LOG_INFO, "replayed", LOG_TEXT("method", record->method), LOG_TEXT("url", record->url),
        LOG_NUMBER("status", record->status), LOG_TEXT("plugin", plugin_name(question->plugin)),
        LOG_TEXT("delivery", run->data.guid), LOG_TEXT("installation", run->data.installation),
        LOG_NUMBER("attempt", run->data.attempt));
    question_reply(question, (int32_t)record->outcome, record->status, record->sentence,
                   &record->headers, &record->answer);
}

static void read_begin(struct question *question, struct run *run,
                       const uint8_t key[INBOX_KEY_BYTES], const struct runner_request *request) {
    if (!question->entry) {
        question->entry =
            journal_add(&run->journal, INBOX_READ, key,
                        (struct journal_part){request->method.data, request->method.bytes},
                        (struct journal_part){request->url.data, request->url.bytes});
    }
    broker_submit(question->plugin->dispatch->options.broker, &question->broker);
}

void question_http(struct plugin *plugin, struct run *run, const struct runner_request *request) {
    if (answer_put_off(plugin, run, request->request)) {
        return;
    }
    struct question *question = question_new(plugin, run, request->request, request->body.bytes);
    if (!question) {
        return;
    }
    fill_broker(question, run, read_done);
    question->broker.kind = BROKER_REQUEST;
    question->broker.app_requests = plugin->config->app_requests;
    question->broker.repeatable = request->repeatable;
    question->broker.announced = request->announced;
    question->broker.method = question_own(question, request->method.data, request->method.bytes);
    question->broker.url = question_own(question, request->url.data, request->url.bytes);
    question->broker.accept = question_own(question, request->accept.data, request->accept.bytes);
    question->broker.content_type =
        question_own(question, request->content_type.data, request->content_type.bytes);
    question->broker.more_headers =
        question_own(question, request->headers.data, request->headers.bytes);
    question->broker.repository =
        question_own(question, request->repository.data, request->repository.bytes);
    question->broker.body = question_own(question, request->body.data, request->body.bytes);
    question->broker.body_bytes = request->body.bytes;
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    if (!reach_covers(plugin->config->repositories,
                      plugin->dispatch->options.config->github.api_url, question->broker.url)) {
        question_fail(question, SNEK_E_FORBIDDEN,
                      "the request is in a repository that plugin.repositories does not list");
        return;
    }
    const struct journal_part parts[] = {{"http", 4},
                                         {request->method.data, request->method.bytes},
                                         {request->url.data, request->url.bytes},
                                         {request->accept.data, request->accept.bytes},
                                         {request->body.data, request->body.bytes}};
    uint8_t key[INBOX_KEY_BYTES];
    journal_key(parts, sizeof parts / sizeof *parts, key);
    question->entry = journal_meet(&run->journal, key);
    if (question->entry && is_settled(&question->entry->record, plugin->config->dry_run)) {
        replay(question, run);
    } else if (effect_is(request)) {
        effect_begin(question, run, key, request);
    } else {
        read_begin(question, run, key, request);
    }
}

/* ---- is the sender this bot? ---- */

static void slug_done(struct broker_request *request) {
    struct question *question = CONTAINER_OF(request, struct question, broker);
    struct run *run = run_of(question);
    if (run && request->outcome == SNEK_E_REQUEUE) {
        run->due_ms = request->not_before_ms > run->due_ms ? request->not_before_ms : run->due_ms;
        run_requeue(run, run->data.suspect, request->error.text);
    } else if (run && request->outcome < 0) {
        (void)error_wrap(&request->error, "cannot tell whether this bot wrote it itself");
        run_failed(run, request->error.text, run->data.suspect, run->data.crashes);
    } else if (run) {
        const char *sender = run->data.sender ? run->data.sender : "";
        size_t bytes = request->answer.bytes;
        bool self = strncmp(sender, request->answer.data ? request->answer.data : "", bytes) == 0 &&
                    strcmp(sender + bytes, "[bot]") == 0;
        run_send(run, self);
    }
    question_free(question);
}

void question_slug(struct plugin *plugin, struct run *run) {
    struct question *question = question_new(plugin, run, 0, 0);
    if (!question) {
        return;
    }
    fill_broker(question, run, slug_done);
    question->broker.kind = BROKER_SLUG;
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    broker_submit(plugin->dispatch->options.broker, &question->broker);
}

/* ---- the store ---- */

static void send_item(struct question *question, int64_t outcome, const char *value, size_t bytes) {
    if (question_wanted(question)) {
        runner_send_store_reply(question->plugin->runner, question->run, question->request, outcome,
                                value, bytes);
    }
    question_free(question);
}

static void fail_item(struct question *question, int64_t outcome, const char *why) {
    send_item(question, outcome, why, strnlen(why, FRAME_REASON_MAX));
}

static void item_done(struct inbox_operation *operation) {
    struct inbox_item *item = CONTAINER_OF(operation, struct inbox_item, operation);
    struct question *question = CONTAINER_OF(item, struct question, item);
    struct run *run = run_of(question);
    if (operation->result < 0) {
        question_not_written(question);
        if (question->held) {
            question->entry->record.state = INBOX_UNSENT;
        }
        fail_item(question, SNEK_E_STORE, operation->error.text);
        return;
    }
    if (operation->result == INBOX_ITEM_STALE) {
        fail_item(question, SNEK_E_STALE, RUN_STALE);
        return;
    }
    int64_t outcome = question->inverted ? !operation->result : operation->result;
    static const struct buffer nothing = BUFFER_INIT(0);
    struct journal_answer answer = {.outcome = outcome,
                                    .now_ms = clock_wall_ms(),
                                    .sentence = "",
                                    .headers = &nothing,
                                    .body = &item->value};
    if (question->entry && question->held) {
        question->entry->record.state = INBOX_ANSWERED; /* as the inbox wrote it */
        question->entry->record.outcome = outcome;
    } else if (question->entry && run) {
        journal_answer(&run->journal, question->entry, &answer);
    }
    send_item(question, outcome, item->value.data, item->value.bytes);
}

struct store_kind {
    enum inbox_kind kind, dry; /* what a dry run asks instead … */
    bool change, inverted;     /* … and whether it is answered the other way round */
    const char *name;
};

static const struct store_kind store_kinds[] = {
    [FRAME_SET_HAS] = {INBOX_SET_HAS, INBOX_SET_HAS, false, false, "set_has"},
    [FRAME_SET_ADD] = {INBOX_SET_ADD, INBOX_SET_HAS, true, true, "set_add"},
    [FRAME_SET_REMOVE] = {INBOX_SET_REMOVE, INBOX_SET_HAS, true, false, "set_remove"},
    [FRAME_KEY_GET] = {INBOX_KEY_GET, INBOX_KEY_GET, false, false, "get"},
    [FRAME_KEY_PUT] = {INBOX_KEY_PUT, INBOX_KEY_PUT, true, false, "put"},
    [FRAME_KEY_DELETE] = {INBOX_KEY_DELETE, INBOX_KEY_GET, true, false, "remove"}};

static void fill_item(struct question *question, const struct run *run,
                      const struct runner_store *request, enum inbox_kind kind) {
    const char *scope = request->per_installation ? run->data.installation : "";
    question->item = (struct inbox_item){
        .operation = {.kind = kind,
                      .reply_to = &question->plugin->dispatch->mailbox,
                      .done = item_done},
        .plugin = plugin_name(question->plugin),
        .scope = question_own(question, scope, strlen(scope)),
        .set = question_own(question, request->set.data, request->set.bytes),
        .name = question_own(question, request->name.data, request->name.bytes),
        .value_in = question_own(question, request->value.data, request->value.bytes),
        .value_in_bytes = request->value.bytes,
        .value = BUFFER_INIT(FRAME_STORE_VALUE_MAX),
    };
}

/* Puts the question down in the journal. False after it was answered. */
static bool enter_item(struct question *question, struct run *run, const struct store_kind *kind,
                       const struct runner_store *request) {
    uint8_t key[INBOX_KEY_BYTES];
    const struct inbox_item *item = &question->item;
    const struct journal_part parts[] = {{kind->name, strlen(kind->name)},
                                         {item->scope, strlen(item->scope)},
                                         {request->set.data, request->set.bytes},
                                         {request->name.data, request->name.bytes},
                                         {request->value.data, request->value.bytes}};
    journal_key(parts, sizeof parts / sizeof *parts, key);
    question->entry = journal_meet(&run->journal, key);
    if (question->entry && question->entry->record.state == INBOX_ANSWERED) {
        const struct inbox_record *record = &question->entry->record;
        send_item(question, record->outcome, record->answer.data, record->answer.bytes);
        return false;
    }
    bool change = kind->change && !run->plugin->config->dry_run;
    if (!question->entry) {
        question->entry =
            journal_add(&run->journal, change ? INBOX_CHANGE : INBOX_READ, key,
                        (struct journal_part){kind->name, strlen(kind->name)},
                        (struct journal_part){request->name.data, request->name.bytes});
    }
    if (change && !question->entry) {
        fail_item(question, SNEK_E_TOO_LARGE, "the run changed more than a journal holds");
        return false;
    }
    if (change) {
        question_hold(question, run);
        question->entry->busy = true;
        question->entry->record.at_ms = clock_wall_ms();
        question->entry->record.state = INBOX_ANSWERED; /* once it is committed */
        if (!question_write(question, &question->item.writer)) {
            out_of_memory(question);
            return false;
        }
    }
    return true;
}

void question_store(struct plugin *plugin, struct run *run, const struct runner_store *request) {
    const struct store_kind *kind = &store_kinds[request->operation];
    struct question *question = question_new(plugin, run, request->request, request->value.bytes);
    if (!question) {
        return;
    }
    bool dry = plugin->config->dry_run && kind->change;
    question->inverted = dry && kind->inverted;
    fill_item(question, run, request, dry ? kind->dry : kind->kind);
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    if (!enter_item(question, run, kind, request)) {
        return;
    }
    if (dry && request->operation == FRAME_KEY_PUT) {
        send_item(question, 0, NULL, 0); /* as if it had been written */
        return;
    }
    inbox_submit(plugin->dispatch->options.inbox, &question->item.operation);
}
