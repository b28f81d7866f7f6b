/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/effect: one allocation in turn fails on the way of a comment and of its next attempts.
 * At the end there is exactly one comment. The inbox, the broker and the worker are small fakes. */
#include "unit.h"

#include "base/clock.h"
#include "dispatch/calls.h"
#include "dispatch/effect.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

/* ---- allocations that fail ---- */

/* So many allocations succeed before one fails; negative: none fails. */
static int until_failure = -1;

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

#define RECORDS_MAX 8
#define COMMENTS_MAX 8
#define PENDING_MAX 16

static struct {
    /* The journal in the inbox, by number. */
    struct inbox_record records[RECORDS_MAX];
    size_t n_records;
    char *comments[COMMENTS_MAX];
    size_t n_comments;
    /* The next response to an effect gets lost. */
    bool lose;
    /* After GitHub's status, the next response to a POST fails here with this; 0: it does not. */
    int32_t cut_off;
    /* The bytes of responses that the worker has not read. */
    size_t unread_bytes;
    /* GitHub writes the next comment only when this test says so. */
    bool late;
    char *late_comment;
    /* The response to an effect that is no POST. */
    int32_t status, status_outcome;
    unsigned n_effects;
    struct inbox_operation *operations[PENDING_MAX];
    struct broker_request *requests[PENDING_MAX];
    size_t n_operations, n_requests;
    /* The n-th operation from now on fails, counted from 1; 0: none does. */
    int store_fails_at;
    /* It was carried out all the same: its commit's result got lost. */
    bool store_did;
    /* The worker has got a response, or was killed. */
    bool replied, killed;
    int32_t outcome;
} world;

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

static void do_operation(struct inbox_operation *operation) {
    bool lost = world.store_fails_at > 0 && --world.store_fails_at == 0;
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

/* Does what was submitted; only the callbacks of dispatch may run out of memory. */
static void pump(void) {
    while (world.n_operations > 0 || world.n_requests > 0) {
        int saved = until_failure;
        until_failure = -1;
        if (world.n_operations > 0) {
            struct inbox_operation *operation = world.operations[--world.n_operations];
            do_operation(operation);
            until_failure = saved;
            operation->on_result(operation);
        } else {
            struct broker_request *request = world.requests[--world.n_requests];
            do_request(request);
            until_failure = saved;
            request->on_done(request);
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

static struct run_table table;
static struct run_group group;
static struct call_group calls;
static struct config_plugin config = {
    .memory_mib = 64, .as_written = "test", .effects_per_run = 100};
static struct description description = {.name = "test", .permissions_json = "{}"};

static void ignore_slot(void *context) {
    (void)context;
}

static void ignore_queued(void *context, int64_t due_ms) {
    (void)context, (void)due_ms;
}

/* The clocks stand still between two attempts. */
static int64_t passed_ms;

static void pass(int64_t ms) {
    passed_ms += ms;
    clock_set_for_test(1000000 + passed_ms, 1800000000000 + passed_ms);
}

static void begin_world(void) {
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

static void end_world(void) {
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

static struct frame_text text(const char *data) {
    return (struct frame_text){.data = data, .bytes = strlen(data)};
}

static const char *method = "POST", *url = "/repos/a/b/issues/1/comments";

static struct run *begin_attempt(int64_t token) {
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

static void make_call(struct run *run) {
    world.replied = world.killed = false;
    const struct http_call request = {.run = run->handle,
                                      .request = 1,
                                      .method = text(method),
                                      .url = text(url),
                                      .accept = text(""),
                                      .content_type = text(""),
                                      .headers = text(""),
                                      .repository = text(""),
                                      .body = text("{\"body\":\"Welcome!\"}")};
    calls_http(&calls, run, &request);
    pump();
    assert_true(world.replied || world.killed);
}

static void end_attempt(void) {
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

/* One attempt, in which the n-th allocation fails (negative: none). True when it failed. */
static bool attempt(int n) {
    struct run *run = begin_attempt(7);
    until_failure = n;
    make_call(run);
    bool failed = n >= 0 && until_failure < 0;
    until_failure = -1;
    end_attempt();
    return failed;
}

static void expect_one_comment(void) {
    assert_false(attempt(-1));
    assert_true(world.replied);
    assert_int_equal(world.outcome, 0);
    assert_int_equal(world.n_comments, 1);
    assert_non_null(strstr(world.comments[0], "<!-- snekomatic:effect="));
}

static void a_failed_allocation_never_makes_two_comments(void **state) {
    (void)state;
    bool failed = true;
    int n = 0;
    for (; failed; n++) {
        begin_world();
        failed = attempt(n);
        expect_one_comment();
        end_world();
    }
    assert_true(n > 10);
}

static void nor_does_one_in_the_attempt_after_a_lost_response(void **state) {
    (void)state;
    bool failed = true;
    int n = 0;
    for (; failed; n++) {
        begin_world();
        world.lose = true;
        assert_false(attempt(-1));
        assert_int_equal(world.outcome, SNEK_E_NETWORK);
        failed = attempt(n);
        expect_one_comment();
        end_world();
    }
    assert_true(n > 10);
}

/* The first attempt's response is lost; then GitHub gives this one. */
static int32_t repeat(const char *its_method, const char *its_url, int32_t status,
                      int32_t status_outcome, int64_t age_ms) {
    begin_world();
    method = its_method;
    url = its_url;
    world.status = 200;
    world.lose = true;
    assert_false(attempt(-1));
    assert_int_equal(world.outcome, SNEK_E_NETWORK);
    assert_int_equal(world.n_records, 1);
    world.records[0].at_ms -= age_ms;
    world.status = status;
    world.status_outcome = status_outcome;
    assert_false(attempt(-1));
    int32_t outcome = world.outcome;
    assert_int_equal(world.n_effects, outcome == SNEK_E_IN_DOUBT ? 1 : 2);
    end_world();
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    return outcome;
}

/* They would fill the host's memory. */
static void a_worker_that_reads_no_responses_gets_no_more_and_its_run_comes_back(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.unread_bytes = CALL_RESPONSES_MAX;
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    assert_true(run->deferred);
    end_attempt();
    world.unread_bytes = 0;
    expect_one_comment();
    assert_int_equal(world.n_effects, 1);
    end_world();
}

static void a_repeated_delete_that_finds_nothing_has_succeeded(void **state) {
    (void)state;
    static const char ref[] = "/repos/a/b/git/refs/heads/x", label[] = "/repos/a/b/labels/x";
    assert_int_equal(repeat("DELETE", label, 404, SNEK_E_NOT_FOUND, 0), 0);
    assert_int_equal(repeat("DELETE", label, 410, SNEK_E_NOT_FOUND, 0), 0);
    assert_int_equal(repeat("DELETE", ref, 422, SNEK_E_VALIDATION, 0), 0);
    assert_int_equal(repeat("DELETE", label, 422, SNEK_E_VALIDATION, 0), SNEK_E_VALIDATION);
    assert_int_equal(repeat("PUT", label, 404, SNEK_E_NOT_FOUND, 0), SNEK_E_NOT_FOUND);
}

static void a_patch_in_doubt_is_repeated_for_ten_minutes(void **state) {
    (void)state;
    static const char issue[] = "/repos/a/b/issues/1";
    assert_int_equal(repeat("PATCH", issue, 200, 0, 9 * 60000), 0);
    assert_int_equal(repeat("PATCH", issue, 200, 0, 11 * 60000), SNEK_E_IN_DOUBT);
    assert_int_equal(repeat("PUT", issue, 200, 0, 11 * 60000), 0);
}

/* The handler makes its comment again by itself after each failure. */
static void attempt_with_a_stubborn_handler(void) {
    struct run *run = begin_attempt(7);
    for (int i = 0; i < 3; i++) {
        make_call(run);
        if (world.outcome == 0) {
            break;
        }
    }
    end_attempt();
}

/* The n-th operation of the store fails, carried out or not, in an attempt that is the first one or
 * that comes after a lost response. */
static void nor_does_a_failing_store_when_the_handler_tries_again(void **state) {
    (void)state;
    for (int i = 0; i < 24; i++) {
        begin_world();
        if (i % 2 != 0) {
            world.lose = true;
            assert_false(attempt(-1));
        }
        world.store_did = i / 2 % 2 != 0;
        world.store_fails_at = 1 + i / 4;
        attempt_with_a_stubborn_handler();
        world.store_fails_at = 0;
        expect_one_comment();
        end_world();
    }
}

/* Such as 65,536 bytes of headers: every further attempt would get the same error again. */
static void a_response_that_failed_here_after_its_status_leaves_the_comment_in_doubt(void **state) {
    (void)state;
    static const int32_t failures[] = {SNEK_E_TOO_LARGE, SNEK_E_FAILED, SNEK_E_NETWORK,
                                       SNEK_E_TIMEOUT};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        begin_world();
        world.cut_off = failures[i];
        assert_false(attempt(-1));
        assert_int_equal(world.outcome, failures[i]);
        assert_int_equal(world.records[0].state, INBOX_INTENDED);
        expect_one_comment();
        end_world();
    }
}

static void
a_comment_that_is_not_there_is_written_only_once_github_has_ended_its_request(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.lose = world.late = true;
    make_call(run);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    pass(-5000);
    run = begin_attempt(8);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    assert_int_equal(world.n_effects, 1);
    world.comments[world.n_comments++] = world.late_comment;
    expect_one_comment();
    assert_int_equal(world.n_effects, 1);
    end_world();
}

/* A dead host's comment is looked for once GitHub must have carried it out, whatever the new host
 * has sent for the run in between. */
static void
a_dead_hosts_comment_is_looked_for_after_the_wait_whatever_was_sent_before(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.lose = true;
    make_call(run);
    end_attempt();
    table.next_sent_here = 0;
    memset(table.sent_here, 0, sizeof table.sent_here); /* another host */
    run = begin_attempt(8);
    method = "PUT";
    url = "/repos/a/b/issues/1/labels";
    world.status = 422;
    world.status_outcome = SNEK_E_VALIDATION;
    make_call(run);
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    end_world();
}

/* Attempt 1 was this host's, attempt 2 another's, attempt 3 is this host's again. */
static void it_also_waits_when_this_host_made_an_attempt_before_the_dead_hosts(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    method = "PUT";
    url = "/repos/a/b/issues/1/labels";
    world.status = 422;
    world.status_outcome = SNEK_E_VALIDATION;
    make_call(run);
    end_attempt();
    struct run_table ours = table;
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    run = begin_attempt(8);
    world.lose = true;
    make_call(run);
    end_attempt();
    memcpy(table.sent_here, ours.sent_here, sizeof table.sent_here);
    table.next_sent_here = ours.next_sent_here;
    run = begin_attempt(9);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    end_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_never_makes_two_comments),
        cmocka_unit_test(a_worker_that_reads_no_responses_gets_no_more_and_its_run_comes_back),
        cmocka_unit_test(a_repeated_delete_that_finds_nothing_has_succeeded),
        cmocka_unit_test(a_patch_in_doubt_is_repeated_for_ten_minutes),
        cmocka_unit_test(nor_does_one_in_the_attempt_after_a_lost_response),
        cmocka_unit_test(nor_does_a_failing_store_when_the_handler_tries_again),
        cmocka_unit_test(a_response_that_failed_here_after_its_status_leaves_the_comment_in_doubt),
        cmocka_unit_test(
            a_comment_that_is_not_there_is_written_only_once_github_has_ended_its_request),
        cmocka_unit_test(
            a_dead_hosts_comment_is_looked_for_after_the_wait_whatever_was_sent_before),
        cmocka_unit_test(it_also_waits_when_this_host_made_an_attempt_before_the_dead_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
