/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fakes of the inbox, the broker and the worker, and the attempts of a run. */
#include "effect_world.h"

#include "base/clock.h"
#include "dispatch/calls.h"
#include "dispatch/effect.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

/* ---- allocations that fail ---- */

int until_failure = -1;

static bool fails(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_reallocarray(void *memory, size_t count, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_reallocarray(void *memory, size_t count, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t bytes);

void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes) {
    return fails() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t bytes) {
    return fails() ? NULL : __real_reallocarray(memory, count, bytes);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t bytes) {
    return fails() ? NULL : __real_strndup(text, bytes);
}

/* ---- the world ---- */

struct world world;

static char *copy_text(const char *text) {
    return text ? __real_strdup(text) : NULL;
}

static void copy_buffer(struct buffer *to, const struct buffer *from) {
    *to = (struct buffer)BUFFER_INIT(from->bytes + 1);
    if (from->bytes > 0) {
        assert_int_equal(buffer_append(to, from->data, from->bytes), 0);
    }
}

static struct inbox_record copy_record(const struct inbox_record *record) {
    struct inbox_record copy = *record;
    copy.method = copy_text(record->method);
    copy.url = copy_text(record->url);
    copy.message = copy_text(record->message);
    copy_buffer(&copy.headers, &record->headers);
    copy_buffer(&copy.body, &record->body);
    return copy;
}

static void store_record(const struct inbox_record *record) {
    assert_in_range(record->number, 1, RECORDS_MAX);
    size_t i = (size_t)record->number - 1;
    inbox_record_finish(&world.records[i]);
    world.records[i] = copy_record(record);
    world.n_records = i + 1 > world.n_records ? i + 1 : world.n_records;
}

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    (void)inbox;
    world.operations[world.n_operations++] = operation;
}

void broker_submit(struct broker *broker, struct broker_request *request) {
    (void)broker;
    world.requests[world.n_requests++] = request;
}

void broker_request_finish(struct broker_request *request) {
    buffer_finish(&request->headers);
    buffer_finish(&request->response);
}

static void do_finish(struct inbox_operation *operation) {
    const struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    operation->result = finish->lost && *finish->lost ? -1 : 0;
    world.n_ends += operation->result == 0;
    for (size_t i = 0; i < world.n_records && operation->result == 0; i++) {
        world.ended_in_doubt = world.ended_in_doubt || world.records[i].state == INBOX_INTENDED;
    }
}

static void do_operation(struct inbox_operation *operation) {
    bool lost = world.store_fails_at > 0 && --world.store_fails_at == 0;
    if (lost && operation->kind == INBOX_COMPLETE) {
        *CONTAINER_OF(operation, struct inbox_complete, operation)->lost = true;
    }
    if (lost && !world.store_did) {
        operation->result = -1;
        return;
    }
    if (operation->kind == INBOX_INTEND) {
        struct inbox_intend *intend = CONTAINER_OF(operation, struct inbox_intend, operation);
        for (size_t i = 0; i < intend->writer.n_records; i++) {
            const struct inbox_record *record = intend->writer.records[i];
            store_record(record);
            world.records[record->number - 1].token = intend->writer.token;
        }
    } else if (operation->kind == INBOX_COMPLETE) {
        store_record(CONTAINER_OF(operation, struct inbox_complete, operation)->record);
    } else if (operation->kind == INBOX_FINISH) {
        do_finish(operation);
        return;
    }
    operation->result = lost ? -1 : 0;
}

static void list_comments(struct buffer *page) {
    assert_int_equal(buffer_append_text(page, "["), 0);
    for (size_t i = 0; i < world.n_comments; i++) {
        assert_int_equal(buffer_append_text(page, i > 0 ? "," : ""), 0);
        assert_int_equal(buffer_append_text(page, world.comments[i]), 0);
    }
    assert_int_equal(buffer_append_text(page, "]"), 0);
}

static void do_request(struct broker_request *request) {
    request->response = (struct buffer)BUFFER_INIT(100000);
    request->headers = (struct buffer)BUFFER_INIT(100);
    request->sent = true;
    request->status = 200;
    if (strcmp(request->method, "GET") == 0) {
        list_comments(&request->response);
        return;
    }
    bool post = strcmp(request->method, "POST") == 0;
    world.n_effects++;
    if (post && world.late) {
        world.late_comment = copy_text(request->body);
        world.late = false;
    } else if (post) {
        world.comments[world.n_comments++] = copy_text(request->body);
    }
    request->status = post ? 201 : world.status;
    request->outcome = post ? 0 : world.status_outcome;
    if (world.lose) {
        request->outcome = SNEK_E_NETWORK;
        request->status = 0;
        world.lose = false;
        return;
    }
    if (world.cut_off) {
        request->outcome = world.cut_off;
        world.cut_off = 0;
        return;
    }
    assert_int_equal(buffer_append_text(&request->response, post ? request->body : "{}"), 0);
}

void pump_operation(void) {
    int saved = until_failure;
    assert_true(world.n_operations > 0);
    struct inbox_operation *operation = world.operations[0];
    world.n_operations--;
    memmove(world.operations, world.operations + 1, world.n_operations * sizeof(operation));
    until_failure = -1;
    do_operation(operation);
    until_failure = saved;
    operation->on_result(operation);
}

void pump_request(void) {
    int saved = until_failure;
    assert_true(world.n_requests > 0);
    struct broker_request *request = world.requests[--world.n_requests];
    until_failure = -1;
    do_request(request);
    until_failure = saved;
    request->on_done(request);
}

void pump(void) {
    while (world.n_operations > 0 || world.n_requests > 0) {
        if (world.n_operations > 0) {
            pump_operation();
        } else {
            pump_request();
        }
    }
}

/* ---- the worker, the log and the metrics ---- */

void worker_process_send_http_response(struct worker_process *worker_process, uint64_t run,
                                       uint64_t request, int32_t outcome, int32_t status,
                                       const char *error, const struct buffer *headers,
                                       const struct buffer *body) {
    (void)worker_process, (void)run, (void)request, (void)status, (void)error;
    (void)headers, (void)body;
    assert_false(world.replied);
    world.replied = true;
    world.outcome = outcome;
}

void worker_process_send_store_result(struct worker_process *worker_process, uint64_t run,
                                      uint64_t request, int64_t outcome, const void *value,
                                      size_t value_bytes) {
    (void)worker_process, (void)run, (void)request, (void)outcome, (void)value, (void)value_bytes;
}

void worker_process_kill(struct worker_process *worker_process, const char *why) {
    (void)worker_process, (void)why;
    world.killed = true;
}

pid_t worker_process_pid(const struct worker_process *worker_process) {
    (void)worker_process;
    return 0;
}

size_t worker_process_waiting_bytes(const struct worker_process *worker_process) {
    (void)worker_process;
    return world.unread_bytes;
}

void worker_process_send_run(struct worker_process *worker_process,
                             struct worker_process_run *run) {
    (void)worker_process, (void)run;
}

void worker_process_send_cancel(struct worker_process *worker_process, uint64_t run) {
    (void)worker_process, (void)run;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    (void)level, (void)message, (void)fields;
}

void metrics_run_ended(struct metrics_plugin *plugin, const char *outcome, int64_t took_ms) {
    (void)plugin, (void)outcome, (void)took_ms;
}

void metrics_runs_now(struct metrics_plugin *plugin, size_t count) {}

void metrics_run_started(struct metrics_plugin *plugin, int64_t waited_ms) {
    (void)plugin, (void)waited_ms;
}

const char *broker_header(const struct buffer *headers, const char *name, size_t *bytes) {
    (void)headers, (void)name, (void)bytes;
    return NULL;
}

void metrics_limit_reached(struct metrics_plugin *plugin, enum metrics_plugin_limit limit) {
    (void)plugin, (void)limit;
}

/* ---- attempts ---- */

struct run_table table;
struct run_group group;
struct call_group calls;
static struct config_plugin config = {
    .memory_mib = 64, .as_written = "test", .effects_per_run = 100};
static struct description description = {.name = "test", .permissions_json = "{}"};

static void ignore_slot(void *context) {
    (void)context;
}

static void ignore_queued(void *context, int64_t due_ms) {
    (void)context, (void)due_ms;
}

static int64_t passed_ms;

void pass(int64_t ms) {
    passed_ms += ms;
    clock_set_for_test(1000000 + passed_ms, 1800000000000 + passed_ms);
}

void begin_world(void) {
    pass(0);
    struct run_table_options options = {.lease_ms = 30000,
                                        .max_attempts = 9,
                                        .first_retry_ms = 5000,
                                        .on_slot_free = ignore_slot,
                                        .on_queued = ignore_queued};
    run_table_init(&table, &options);
    run_group_init(&group, &table, &config);
    run_group_set_description(&group, &description, NULL);
    call_group_init(&calls, &group, NULL, "https://api.github.com");
}

void end_world(void) {
    assert_true(run_table_idle(&table));
    assert_int_equal(calls.n_calls, 0);
    assert_int_equal(calls.bytes, 0);
    assert_int_equal(group.journal_bytes, 0);
    assert_int_equal(group.journal_entries_bytes, 0);
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        inbox_record_finish(&world.records[i]);
    }
    for (size_t i = 0; i < world.n_comments; i++) {
        free(world.comments[i]);
    }
    memset(&world, 0, sizeof world);
}

struct frame_text text(const char *data) {
    return (struct frame_text){.data = data, .bytes = strlen(data)};
}

const char *method = "POST", *url = "/repos/a/b/issues/1/comments", *once = "";

struct run *begin_attempt(int64_t token) {
    struct inbox_run data = {.id = 1, .attempt = 1, .token = token, .n_journal = world.n_records};
    data.journal = calloc(world.n_records + 1, sizeof *data.journal);
    for (size_t i = 0; i < world.n_records; i++) {
        data.journal[i] = copy_record(&world.records[i]);
    }
    struct run *run = run_new(&group, &data);
    assert_non_null(run);
    run_enter(run);
    run_group_set_worker(&group, (struct worker_process *)(void *)&world, 1);
    return run;
}

void begin_call(struct run *run) {
    world.replied = world.killed = false;
    const struct http_call request = {.run = run->handle,
                                      .request = 1,
                                      .method = text(method),
                                      .url = text(url),
                                      .accept = text(""),
                                      .content_type = text(""),
                                      .headers = text(""),
                                      .repository = text(""),
                                      .body = text("{\"body\":\"Welcome!\"}"),
                                      .once = text(once)};
    calls_http(&calls, run, &request);
}

void make_call(struct run *run) {
    begin_call(run);
    pump();
    assert_true(world.replied || world.killed);
}

void end_attempt(void) {
    run_group_requeue(&group, "");
    run_group_set_worker(&group, NULL, 0);
    pump();
    effects_settle(&calls);
    pump();
    run_table_tick(&table, INT64_MAX);
    pump();
    /* GitHub has ended what was on its way. */
    pass(15000);
}
