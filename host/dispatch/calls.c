/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Carries a worker's requests to the broker and the responses back, through the journal: a request
 * that an earlier attempt made already gets its recorded response again. */
#include "dispatch/calls.h"

#include "base/array.h"
#include "base/clock.h"
#include "dispatch/effect.h"
#include "dispatch/scope.h"

#include <snekomatic/types.h>

#include <string.h>

/* The host does nothing more for a deferred or rejected run in this attempt. */
static bool reply_stopped(const struct call_group *group, const struct run *run, uint64_t request) {
    static const struct buffer nothing = BUFFER_INIT(0);
    if (run->rejected) {
        worker_process_send_http_response(group->runs->worker_process, run->handle, request,
                                          SNEK_E_TOO_LARGE, 0, run->stopped_reason.text, &nothing,
                                          &nothing);
    } else if (run->deferred) {
        worker_process_send_http_response(group->runs->worker_process, run->handle, request,
                                          SNEK_E_REQUEUE, 0, run->stopped_reason.text, &nothing,
                                          &nothing);
    }
    return run->rejected || run->deferred;
}

/* ---- reads ---- */

static void on_read_response(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, broker);
    struct run *run = call_run(call);
    if (run) {
        run_note_response(run, request);
    }
    /* The journal keeps a failure too, because the handler continues after it. It keeps none that
     * ends the attempt. */
    bool over = request->outcome == SNEK_E_REQUEUE || request->outcome == SNEK_E_CANCELLED;
    if (run && call->entry && !over) {
        struct journal_response response = {.outcome = request->outcome,
                                            .now_ms = clock_wall_ms(),
                                            .status = request->status,
                                            .sentence = request->error.text,
                                            .headers = &request->headers,
                                            .body = &request->response};
        journal_set_response(&run->journal, call->entry, &response);
    }
    call_reply_broker(call);
}

/* Replay has ended, so the handler may take another path from here on. */
static void note_anew(struct run *run, struct journal_part method, struct journal_part url) {
    if (journal_reads_anew(&run->journal)) {
        run_log(run, SNEK_LEVEL_INFO, "reads_anew", LOG_BYTES("method", method.data, method.bytes),
                LOG_BYTES("url", url.data, url.bytes),
                LOG_TEXT("reason", "the run's record has no response for this read: it came after "
                                   "the last effect that stands, or was too large to record"));
    }
}

static void read_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                       struct journal_part method, struct journal_part url) {
    note_anew(run, method, url);
    if (!call->entry) {
        call_set_entry(call, journal_add(&run->journal, INBOX_READ, key, method, url));
    }
    broker_submit(call->group->broker, &call->broker);
}

/* ---- all requests ---- */

static void replay(struct call *call, struct run *run, const struct frame_text *once) {
    const struct inbox_record *record = &call->entry->record;
    run_log(run, SNEK_LEVEL_INFO, "replayed", LOG_TEXT("method", record->method),
            LOG_TEXT("url", record->url), LOG_NUMBER("status", record->status),
            LOG_BYTES("once", once->bytes > 0 ? once->data : NULL, once->bytes));
    struct journal_entry *entry = call->entry;
    call_reply(call, (int32_t)record->outcome, record->status, record->message, &record->headers,
               &record->body);
    journal_drop_response(&run->journal, entry);
}

static const char *own_text(struct call *call, const struct frame_text *text) {
    return call_own(call, text->data, text->bytes);
}

static void fill_request(struct call *call, const struct run *run,
                         const struct http_call *request) {
    call_fill_broker(call, run, on_read_response);
    call->broker.kind = BROKER_REQUEST;
    call->broker.app_requests = run->group->config->app_requests;
    call->broker.repeatable = request->repeatable && !request->adds;
    call->broker.announced = request->announced;
    call->broker.no_follow = request->no_follow;
    call->broker.method = own_text(call, &request->method);
    call->broker.url = own_text(call, &request->url);
    call->broker.accept = own_text(call, &request->accept);
    call->broker.content_type = own_text(call, &request->content_type);
    call->broker.more_headers = own_text(call, &request->headers);
    call->broker.repository = own_text(call, &request->repository);
    call->broker.body = own_text(call, &request->body);
    call->broker.body_bytes = request->body.bytes;
}

/* False: the plugin did not declare this effect, and the call has failed. */
static bool is_declared(struct call *call) {
    const struct run_group *group = call->group->runs;
    const char *method = call->broker.method;
    const char *path = scope_path(call->group->api_url, call->broker.url);
    if (description_allows_effect(group->description, method, path)) {
        return true;
    }
    struct error err;
    error_set(&err,
              "%s %.300s is no effect that plugin %s declares: add it to the effects in its "
              "descriptor",
              method, path, run_group_name(group));
    call_fail(call, SNEK_E_FORBIDDEN, err.text);
    return false;
}

/* The key of a named effect is its name, so that another body makes no other effect. */
static void http_key(const struct http_call *request, uint8_t key[INBOX_KEY_BYTES]) {
    const struct journal_part named[] = {{"once", 4}, {request->once.data, request->once.bytes}};
    const struct journal_part parts[] = {{"http", 4},
                                         {request->method.data, request->method.bytes},
                                         {request->url.data, request->url.bytes},
                                         {request->accept.data, request->accept.bytes},
                                         {request->body.data, request->body.bytes}};
    if (request->once.bytes > 0) {
        journal_key(named, ARRAY_LENGTH(named), key);
    } else {
        journal_key(parts, ARRAY_LENGTH(parts), key);
    }
}

/* Finds the record that the request matches. False: the call has failed. */
static bool match(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request, bool effect) {
    struct error err;
    bool busy = false;
    if (request->once.bytes == 0) {
        call_set_entry(call, journal_match(&run->journal, key));
        return true;
    }
    if (effect) {
        call_set_entry(call,
                       journal_match_named(
                           &run->journal, key,
                           (struct journal_part){request->method.data, request->method.bytes},
                           (struct journal_part){request->url.data, request->url.bytes}, &busy));
    }
    if (effect && !busy) {
        return true;
    }
    error_set(&err, "`once` names %.*s, which %s", (int)request->once.bytes, request->once.data,
              effect ? "another thread of the run makes at this moment: wait for it there"
                     : "only reads: it is no effect");
    call_fail(call, SNEK_E_INVALID, err.text);
    return false;
}

void calls_http(struct call_group *group, struct run *run, const struct http_call *request) {
    const struct config_plugin *config = run->group->config;
    if (reply_stopped(group, run, request->request)) {
        return;
    }
    struct call *call = call_new(group, run, request->request, request->body.bytes);
    if (!call) {
        return;
    }
    fill_request(call, run, request);
    if (call->failed) {
        call_out_of_memory(call);
        return;
    }
    if (!scope_covers(config->repositories, group->api_url, call->broker.url) &&
        !scope_is_owners_config(run->data.repository, group->api_url, call->broker.method,
                                call->broker.url)) {
        call_fail(call, SNEK_E_FORBIDDEN,
                  "the request is in a repository that plugin.repositories does not list");
        return;
    }
    bool effect = effect_is(request);
    if (effect && !is_declared(call)) {
        return;
    }
    uint8_t key[INBOX_KEY_BYTES];
    http_key(request, key);
    if (!match(call, run, key, request, effect)) {
        return;
    }
    if (call->entry && journal_replays(&call->entry->record, config->dry_run)) {
        replay(call, run, &request->once);
    } else if (effect) {
        effect_begin(call, run, key, request);
    } else {
        read_begin(call, run, key,
                   (struct journal_part){request->method.data, request->method.bytes},
                   (struct journal_part){request->url.data, request->url.bytes});
    }
}

/* ---- questions about the app ---- */

static void fill_question(struct call *call, const struct run *run,
                          enum frame_app_question question) {
    call_fill_broker(call, run, on_read_response);
    call->broker.method = "GET";
    call->broker.kind = question == FRAME_APP_PERMISSIONS ? BROKER_PERMISSIONS : BROKER_SLUG;
}

void calls_app(struct call_group *group, struct run *run, const struct app_call *request) {
    static const char *const names[] = {
        [FRAME_APP_SLUG] = "slug", [FRAME_APP_PERMISSIONS] = "permissions"};
    if (reply_stopped(group, run, request->request)) {
        return;
    }
    struct call *call = call_new(group, run, request->request, 0);
    if (!call) {
        return;
    }
    fill_question(call, run, request->question);
    if (call->failed) {
        call_out_of_memory(call);
        return;
    }
    struct journal_part parts[] = {{"app", 3},
                                   {names[request->question], strlen(names[request->question])}};
    uint8_t key[INBOX_KEY_BYTES];
    journal_key(parts, ARRAY_LENGTH(parts), key);
    call_set_entry(call, journal_match(&run->journal, key));
    if (call->entry && journal_replays(&call->entry->record, true)) {
        replay(call, run, &(struct frame_text){NULL, 0});
    } else {
        read_begin(call, run, key, parts[0], parts[1]);
    }
}
