/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes, accounts for and ends a worker's calls. */
#include "dispatch/call.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void call_group_init(struct call_group *group, struct run_group *runs, struct broker *broker,
                     const char *api_url) {
    *group = (struct call_group){.runs = runs, .broker = broker, .api_url = api_url};
    TAILQ_INIT(&group->calls);
    TAILQ_INIT(&group->unrecorded);
}

bool call_group_has_room(const struct call_group *group, size_t bytes) {
    static_assert(FRAME_TO_HOST_MAX <= CALL_BODIES_MAX, "a single call has room");
    return group->n_calls < CALLS_MAX && group->bytes + bytes <= CALL_BODIES_MAX;
}

struct call *call_new(struct call_group *group, const struct run *run, uint64_t request,
                      size_t bytes) {
    struct worker_process *worker_process = group->runs->worker_process;
    assert(worker_process);
    struct call *call = calloc(1, sizeof *call);
    if (!call) {
        worker_process_kill(worker_process, "was ended: the host is out of memory");
        return NULL;
    }
    call->group = group;
    call->generation = group->runs->generation;
    call->run = run->handle;
    call->request = request;
    call->bytes = bytes;
    group->n_calls++;
    group->bytes += bytes;
    TAILQ_INSERT_HEAD(&group->calls, call, link);
    return call;
}

static void leave_group(struct call *call) {
    struct call_group *group = call->group;
    assert(group->n_calls > 0 && group->bytes >= call->bytes);
    TAILQ_REMOVE(&group->calls, call, link);
    group->n_calls--;
    group->bytes -= call->bytes;
}

void call_free(struct call *call) {
    leave_group(call);
    for (unsigned i = 0; i < call->n_owned; i++) {
        free(call->owned[i]);
    }
    free(call->records);
    free(call->effect.list_url);
    free(call->effect.search_url);
    broker_request_finish(&call->effect.search);
    broker_request_finish(&call->broker);
    buffer_finish(&call->item.value);
    if (call->held) {
        journal_set_busy(call->entry, false);
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
    /* A body may hold any byte. */
    memcpy(copy, data, bytes);
    copy[bytes] = '\0';
    return call_own_text(call, copy);
}

const char *call_own_text(struct call *call, char *text) {
    assert(call->n_owned < CALL_OWNED_MAX);
    call->owned[call->n_owned++] = text;
    return text;
}

bool call_wanted(const struct call *call) {
    return call->group->runs->worker_process && call->group->runs->generation == call->generation;
}

struct run *call_run(const struct call *call) {
    return call_wanted(call) ? run_group_find(call->group->runs, call->run) : NULL;
}

/* ---- the journal ---- */

void call_set_entry(struct call *call, struct journal_entry *entry) {
    call->entry = entry;
}

void call_hold(struct call *call, struct run *run) {
    assert(!call->held && call->entry && !call->entry->busy);
    call->held = run;
    journal_set_busy(call->entry, true);
    run_hold(run);
}

bool call_write(struct call *call, struct inbox_journal_writer *writer) {
    struct run *run = call->held;
    assert(run);
    free(call->records);
    call->n_records = 0;
    call->records = journal_unwritten(&run->journal, call->entry, &call->n_records);
    *writer = (struct inbox_journal_writer){.run = run->data.id,
                                            .token = run->data.token,
                                            .lease_ms = run->group->table->options.lease_ms,
                                            .records = call->records,
                                            .n_records = call->n_records};
    return call->records != NULL;
}

void call_written(struct call *call) {
    journal_drop_responses(&call->held->journal, call->records, call->n_records);
}

void call_not_written(struct call *call) {
    journal_set_unwritten(call->records, call->n_records);
}

/* ---- the broker ---- */

void call_fill_broker(struct call *call, const struct run *run,
                      void (*on_done)(struct broker_request *)) {
    const struct run_group *group = run->group;
    const struct run_table_options *table = &group->table->options;
    call->broker = (struct broker_request){
        .reply_to = table->mailbox,
        .on_done = on_done,
        .plugin = run_group_name(group),
        .delivery = call_own(call, run->data.guid, strlen(run->data.guid)),
        .attempt = run->data.attempt,
        .installation = call_own(call, run->data.installation, strlen(run->data.installation)),
        .permissions = group->description->permissions_json,
        .optional = group->description->optional_json,
        .holder = {.run = run->data.id, .token = run->data.token, .lease_ms = table->lease_ms},
    };
}

int64_t call_waited_ms(const struct call_group *group, const struct run *run, int64_t now_ms,
                       bool *waits) {
    int64_t most_ms = 0;
    const struct call *call;
    *waits = false;
    TAILQ_FOREACH(call, &group->calls, link) {
        const struct broker_request *const requests[] = {&call->broker, &call->effect.search};
        for (size_t i = 0; i < 2 && call->run == run->handle; i++) {
            int64_t since_ms = atomic_load(&requests[i]->waited.since_ms);
            int64_t waited_ms = atomic_load(&requests[i]->waited.total_ms);
            if (since_ms > 0) {
                waited_ms += now_ms - since_ms;
                *waits = true;
            }
            most_ms = waited_ms > most_ms ? waited_ms : most_ms;
        }
    }
    return most_ms;
}

/* ---- the end ---- */

/* True when the worker has not read the responses before this one. A response alone always fits. */
static bool is_crowded(const struct call *call, size_t bytes) {
    size_t waiting_bytes = worker_process_waiting_bytes(call->group->runs->worker_process);
    return waiting_bytes > 0 && waiting_bytes + bytes > CALL_RESPONSES_MAX;
}

static void send_reply(const struct call *call, int32_t outcome, int32_t status,
                       const char *sentence, const struct buffer *headers,
                       const struct buffer *body) {
    static const char crowded[] = "the worker does not read its responses fast enough";
    static const struct buffer nothing = BUFFER_INIT(0);
    struct run *run = call_run(call);
    if (!run) {
        return;
    }
    if (is_crowded(call, headers->bytes + body->bytes)) {
        run_defer(run, clock_wall_ms() + CALL_CROWDED_MS, crowded);
        outcome = SNEK_E_REQUEUE;
        status = 0;
        sentence = crowded;
        headers = body = &nothing;
    }
    worker_process_send_http_response(call->group->runs->worker_process, call->run, call->request,
                                      outcome, status, sentence, headers, body);
}

void call_reply(struct call *call, int32_t outcome, int32_t status, const char *sentence,
                const struct buffer *headers, const struct buffer *body) {
    send_reply(call, outcome, status, sentence, headers, body);
    call_free(call);
}

void call_send_broker_reply(struct call *call) {
    const struct broker_request *broker = &call->broker;
    send_reply(call, broker->outcome, broker->status, broker->error.text, &broker->headers,
               &broker->response);
}

void call_reply_broker(struct call *call) {
    call_send_broker_reply(call);
    call_free(call);
}

void call_fail(struct call *call, int32_t outcome, const char *sentence) {
    static const struct buffer nothing = BUFFER_INIT(0);
    call_reply(call, outcome, 0, sentence, &nothing, &nothing);
}

void call_reply_store(struct call *call, int64_t outcome, const char *value, size_t bytes) {
    if (call_wanted(call)) {
        worker_process_send_store_result(call->group->runs->worker_process, call->run,
                                         call->request, outcome, value, bytes);
    }
    call_free(call);
}

void call_fail_store(struct call *call, int64_t outcome, const char *sentence) {
    call_reply_store(call, outcome, sentence, strnlen(sentence, FRAME_REASON_MAX));
}

void call_out_of_memory(struct call *call) {
    worker_process_kill(call->group->runs->worker_process, "was ended: the host is out of memory");
    call_free(call);
}
