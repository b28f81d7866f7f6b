/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Carries a worker's calls to the broker and the inbox and their answers back, through the
 * journal: what an earlier attempt was answered is answered again. */
#include "dispatch/call.h"
#include "dispatch/reach.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

static struct call *call_new(struct plugin *plugin, const struct run *run, uint64_t request,
                             size_t bytes) {
    size_t max_bytes = (size_t)plugin->config->memory_mib << 20; /* it could hold no more itself */
    if (plugin->n_calls >= CALLS_MAX || bytes > max_bytes - plugin->call_bytes) {
        worker_process_kill(plugin->worker_process, "was ended: it asked too many things at once");
        return NULL;
    }
    struct call *call = calloc(1, sizeof *call);
    if (!call) {
        worker_process_kill(plugin->worker_process, "was ended: the host is out of memory");
        return NULL;
    }
    call->plugin = plugin;
    call->incarnation = plugin->incarnation;
    call->run = run->handle;
    call->request = request;
    call->bytes = bytes;
    plugin->n_calls++;
    plugin->call_bytes += bytes;
    call->next = plugin->calls;
    call->at = &plugin->calls;
    if (call->next) {
        call->next->at = &call->next;
    }
    plugin->calls = call;
    return call;
}

void call_free(struct call *call) {
    if (call->plugin->incarnation == call->incarnation) {
        call->plugin->n_calls--;
        call->plugin->call_bytes -= call->bytes;
        *call->at = call->next;
        if (call->next) {
            call->next->at = call->at;
        }
    }
    for (unsigned i = 0; i < call->n_owned; i++) {
        free(call->owned[i]);
    }
    free(call->records);
    free(call->comments_url);
    free(call->look_url);
    broker_request_finish(&call->look);
    broker_request_finish(&call->broker);
    buffer_finish(&call->item.value);
    if (call->held) {
        call->entry->busy = false;
        run_release(call->held);
    }
    free(call);
}

const char *call_own(struct call *call, const char *data, size_t bytes) {
    char *copy = malloc(bytes + 1);
    if (!copy) {
        call->failed = true;
        return "";
    }
    memcpy(copy, data, bytes); /* a body may hold any byte */
    copy[bytes] = '\0';
    call->owned[call->n_owned++] = copy;
    return copy;
}

bool call_wanted(const struct call *call) {
    return call->plugin->worker_process && call->plugin->incarnation == call->incarnation;
}

static struct run *run_of(const struct call *call) {
    return call_wanted(call) ? run_find(call->plugin, call->run) : NULL;
}

static void out_of_memory(struct call *call) {
    worker_process_kill(call->plugin->worker_process, "was ended: the host is out of memory");
    call_free(call);
}

/* ---- the journal ---- */

void call_hold(struct call *call, struct run *run) {
    call->held = run;
    run->holds++;
    run->plugin->dispatch->holds++;
}

bool call_write(struct call *call, struct inbox_journal_writer *writer) {
    const struct run *run = call->held;
    free(call->records);
    *writer = (struct inbox_journal_writer){
        .run = run->data.id, .attempt = run->data.attempt, .lease = run->data.lease};
    call->records = journal_unwritten(&call->held->journal, call->entry, &writer->n_records);
    writer->records = call->records;
    return call->records != NULL;
}

void call_not_written(struct call *call) {
    size_t n = call->intend.writer.n_records + call->item.writer.n_records;
    for (size_t i = 0; i < n; i++) {
        CONTAINER_OF(call->records[i], struct journal_entry, record)->in_inbox = false;
    }
}

void call_reply(struct call *call, int32_t outcome, int32_t status, const char *sentence,
                const struct buffer *headers, const struct buffer *body) {
    if (call_wanted(call)) {
        worker_process_send_http_response(call->plugin->worker_process, call->run, call->request,
                                          outcome, status, sentence, headers, body);
    }
    call_free(call);
}

void call_fail(struct call *call, int32_t outcome, const char *sentence) {
    static const struct buffer nothing = BUFFER_INIT(0);
    call_reply(call, outcome, 0, sentence, &nothing, &nothing);
}

/* ---- GitHub ---- */

int64_t call_waited_ms(const struct plugin *plugin, const struct run *run, int64_t now_ms,
                       bool *waits) {
    int64_t most_ms = 0;
    *waits = false;
    for (const struct call *call = plugin->calls; call; call = call->next) {
        const struct broker_request *const requests[] = {&call->broker, &call->look};
        for (size_t i = 0; i < 2 && call->run == run->handle; i++) {
            int64_t since_ms = atomic_load(&requests[i]->waited.since_ms);
            int64_t waited_ms =
                atomic_load(&requests[i]->waited.total_ms) + (since_ms > 0 ? now_ms - since_ms : 0);
            *waits = *waits || since_ms > 0;
            most_ms = waited_ms > most_ms ? waited_ms : most_ms;
        }
    }
    return most_ms;
}

void call_note(struct run *run, const struct broker_request *request) {
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
        worker_process_send_http_response(plugin->worker_process, run->handle, request,
                                          SNEK_E_REQUEUE, 0, run->put_off_why.text, &none, &none);
    }
    return run->put_off;
}

static void read_done(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, broker);
    struct run *run = run_of(call);
    if (run) {
        call_note(run, request);
    }
    /* A failure too, for the handler goes on from it; unless the run is over with it. */
    bool over = request->outcome == SNEK_E_REQUEUE || request->outcome == SNEK_E_CANCELLED;
    if (run && call->entry && !over) {
        struct journal_answer answer = {.outcome = request->outcome,
                                        .now_ms = clock_wall_ms(),
                                        .status = request->status,
                                        .sentence = request->error.text,
                                        .headers = &request->headers,
                                        .body = &request->response};
        journal_answer(&run->journal, call->entry, &answer);
    }
    call_reply(call, request->outcome, request->status, request->error.text, &request->headers,
               &request->response);
}

static void fill_broker(struct call *call, const struct run *run,
                        void (*done)(struct broker_request *)) {
    const struct plugin *plugin = call->plugin;
    call->broker = (struct broker_request){
        .reply_to = &plugin->dispatch->mailbox,
        .on_done = done,
        .plugin = plugin_name(plugin),
        .delivery = call_own(call, run->data.guid, strlen(run->data.guid)),
        .attempt = run->data.attempt,
        .installation = call_own(call, run->data.installation, strlen(run->data.installation)),
        .permissions = plugin->description->permissions_json,
        .holder = {.run = run->data.id,
                   .attempt = run->data.attempt,
                   .lease = run->data.lease,
                   .lease_ms = plugin->dispatch->options.config->dispatch.lease_ms},
    };
}

/* What an earlier attempt was answered, and what only such an answer can say. */
static bool is_settled(const struct inbox_record *record, bool dry_run) {
    return record->state == INBOX_COMPLETED && (!record->dry || dry_run) &&
           (record->kind == INBOX_READ || journal_stands(record));
}

static void replay(struct call *call, const struct run *run) {
    const struct inbox_record *record = &call->entry->record;
    log_event(SNEK_LEVEL_INFO, "replayed", LOG_TEXT("method", record->method),
              LOG_TEXT("url", record->url), LOG_NUMBER("status", record->status),
              LOG_TEXT("plugin", plugin_name(call->plugin)), LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt));
    call_reply(call, (int32_t)record->outcome, record->status, record->message, &record->headers,
               &record->body);
}

static void read_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                       const struct http_call *request) {
    if (!call->entry) {
        call->entry =
            journal_add(&run->journal, INBOX_READ, key,
                        (struct journal_part){request->method.data, request->method.bytes},
                        (struct journal_part){request->url.data, request->url.bytes});
    }
    broker_submit(call->plugin->dispatch->options.broker, &call->broker);
}

void call_http(struct plugin *plugin, struct run *run, const struct http_call *request) {
    if (answer_put_off(plugin, run, request->request)) {
        return;
    }
    struct call *call = call_new(plugin, run, request->request, request->body.bytes);
    if (!call) {
        return;
    }
    fill_broker(call, run, read_done);
    call->broker.kind = BROKER_REQUEST;
    call->broker.app_requests = plugin->config->app_requests;
    call->broker.repeatable = request->repeatable;
    call->broker.announced = request->announced;
    call->broker.method = call_own(call, request->method.data, request->method.bytes);
    call->broker.url = call_own(call, request->url.data, request->url.bytes);
    call->broker.accept = call_own(call, request->accept.data, request->accept.bytes);
    call->broker.content_type =
        call_own(call, request->content_type.data, request->content_type.bytes);
    call->broker.more_headers = call_own(call, request->headers.data, request->headers.bytes);
    call->broker.repository = call_own(call, request->repository.data, request->repository.bytes);
    call->broker.body = call_own(call, request->body.data, request->body.bytes);
    call->broker.body_bytes = request->body.bytes;
    if (call->failed) {
        out_of_memory(call);
        return;
    }
    if (!reach_covers(plugin->config->repositories,
                      plugin->dispatch->options.config->github.api_url, call->broker.url)) {
        call_fail(call, SNEK_E_FORBIDDEN,
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
    call->entry = journal_meet(&run->journal, key);
    if (call->entry && is_settled(&call->entry->record, plugin->config->dry_run)) {
        replay(call, run);
    } else if (effect_is(request)) {
        effect_begin(call, run, key, request);
    } else {
        read_begin(call, run, key, request);
    }
}

/* ---- is the sender this bot? ---- */

static void slug_done(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, broker);
    struct run *run = run_of(call);
    if (run && request->outcome == SNEK_E_REQUEUE) {
        run->due_ms = request->not_before_ms > run->due_ms ? request->not_before_ms : run->due_ms;
        run_requeue(run, run->data.suspect, request->error.text);
    } else if (run && request->outcome < 0) {
        (void)error_wrap(&request->error, "cannot tell whether this bot wrote it itself");
        run_failed(run, request->error.text, run->data.suspect, run->data.crashes);
    } else if (run) {
        const char *sender = run->data.sender ? run->data.sender : "";
        size_t bytes = request->response.bytes;
        bool self =
            strncmp(sender, request->response.data ? request->response.data : "", bytes) == 0 &&
            strcmp(sender + bytes, "[bot]") == 0;
        run_send(run, self);
    }
    call_free(call);
}

void call_slug(struct plugin *plugin, struct run *run) {
    struct call *call = call_new(plugin, run, 0, 0);
    if (!call) {
        return;
    }
    fill_broker(call, run, slug_done);
    call->broker.kind = BROKER_SLUG;
    if (call->failed) {
        out_of_memory(call);
        return;
    }
    broker_submit(plugin->dispatch->options.broker, &call->broker);
}

/* ---- the store ---- */

static void send_item(struct call *call, int64_t outcome, const char *value, size_t bytes) {
    if (call_wanted(call)) {
        worker_process_send_store_result(call->plugin->worker_process, call->run, call->request,
                                         outcome, value, bytes);
    }
    call_free(call);
}

static void fail_item(struct call *call, int64_t outcome, const char *why) {
    send_item(call, outcome, why, strnlen(why, FRAME_REASON_MAX));
}

static void item_done(struct inbox_operation *operation) {
    struct inbox_plugin_state *item = CONTAINER_OF(operation, struct inbox_plugin_state, operation);
    struct call *call = CONTAINER_OF(item, struct call, item);
    struct run *run = run_of(call);
    if (operation->result < 0) {
        call_not_written(call);
        if (call->held) {
            call->entry->record.state = INBOX_UNSENT;
        }
        fail_item(call, SNEK_E_STORE, operation->error.text);
        return;
    }
    if (operation->result == INBOX_PLUGIN_STATE_STALE) {
        fail_item(call, SNEK_E_STALE, RUN_STALE);
        return;
    }
    int64_t outcome = call->inverted ? !operation->result : operation->result;
    static const struct buffer nothing = BUFFER_INIT(0);
    struct journal_answer answer = {.outcome = outcome,
                                    .now_ms = clock_wall_ms(),
                                    .sentence = "",
                                    .headers = &nothing,
                                    .body = &item->value};
    if (call->entry && call->held) {
        call->entry->record.state = INBOX_COMPLETED; /* as the inbox wrote it */
        call->entry->record.outcome = outcome;
    } else if (call->entry && run) {
        journal_answer(&run->journal, call->entry, &answer);
    }
    send_item(call, outcome, item->value.data, item->value.bytes);
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

static void fill_item(struct call *call, const struct run *run, const struct store_call *request,
                      enum inbox_kind kind) {
    const char *scope = request->per_installation ? run->data.installation : "";
    call->item = (struct inbox_plugin_state){
        .operation = {.kind = kind,
                      .reply_to = &call->plugin->dispatch->mailbox,
                      .on_result = item_done},
        .plugin = plugin_name(call->plugin),
        .scope = call_own(call, scope, strlen(scope)),
        .set = call_own(call, request->set.data, request->set.bytes),
        .name = call_own(call, request->name.data, request->name.bytes),
        .value_in = call_own(call, request->value.data, request->value.bytes),
        .value_in_bytes = request->value.bytes,
        .value = BUFFER_INIT(FRAME_STORE_VALUE_MAX),
    };
}

/* Puts the call down in the journal. False after it was answered. */
static bool enter_item(struct call *call, struct run *run, const struct store_kind *kind,
                       const struct store_call *request) {
    uint8_t key[INBOX_KEY_BYTES];
    const struct inbox_plugin_state *item = &call->item;
    const struct journal_part parts[] = {{kind->name, strlen(kind->name)},
                                         {item->scope, strlen(item->scope)},
                                         {request->set.data, request->set.bytes},
                                         {request->name.data, request->name.bytes},
                                         {request->value.data, request->value.bytes}};
    journal_key(parts, sizeof parts / sizeof *parts, key);
    call->entry = journal_meet(&run->journal, key);
    if (call->entry && call->entry->record.state == INBOX_COMPLETED) {
        const struct inbox_record *record = &call->entry->record;
        send_item(call, record->outcome, record->body.data, record->body.bytes);
        return false;
    }
    bool change = kind->change && !run->plugin->config->dry_run;
    if (!call->entry) {
        call->entry = journal_add(&run->journal, change ? INBOX_CHANGE : INBOX_READ, key,
                                  (struct journal_part){kind->name, strlen(kind->name)},
                                  (struct journal_part){request->name.data, request->name.bytes});
    }
    if (change && !call->entry) {
        fail_item(call, SNEK_E_TOO_LARGE, "the run changed more than a journal holds");
        return false;
    }
    if (change) {
        call_hold(call, run);
        call->entry->busy = true;
        call->entry->record.at_ms = clock_wall_ms();
        call->entry->record.state = INBOX_COMPLETED; /* once it is committed */
        if (!call_write(call, &call->item.writer)) {
            out_of_memory(call);
            return false;
        }
    }
    return true;
}

void call_store(struct plugin *plugin, struct run *run, const struct store_call *request) {
    const struct store_kind *kind = &store_kinds[request->operation];
    struct call *call = call_new(plugin, run, request->request, request->value.bytes);
    if (!call) {
        return;
    }
    bool dry = plugin->config->dry_run && kind->change;
    call->inverted = dry && kind->inverted;
    fill_item(call, run, request, dry ? kind->dry : kind->kind);
    if (call->failed) {
        out_of_memory(call);
        return;
    }
    if (!enter_item(call, run, kind, request)) {
        return;
    }
    if (dry && request->operation == FRAME_KEY_PUT) {
        send_item(call, 0, NULL, 0); /* as if it had been written */
        return;
    }
    inbox_submit(plugin->dispatch->options.inbox, &call->item.operation);
}
