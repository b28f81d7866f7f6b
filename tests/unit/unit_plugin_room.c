/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch: which runs a plugin has room for, by handoff and by claim. The inbox and the worker are
 * small fakes. */
#include "unit.h"

#include "base/clock.h"
#include "dispatch/claim.h"
#include "dispatch/handoff.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define OPERATIONS_MAX 16

/* The submitted operations, and the bytes of payloads that the worker has not read. */
static struct inbox_operation *operations[OPERATIONS_MAX];
static size_t n_operations, unread_bytes;

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    (void)inbox;
    assert_true(n_operations < OPERATIONS_MAX);
    operations[n_operations++] = operation;
}

size_t worker_process_waiting_payload_bytes(const struct worker_process *worker_process) {
    (void)worker_process;
    return unread_bytes;
}

void worker_process_send_run(struct worker_process *worker_process,
                             struct worker_process_run *run) {
    (void)worker_process;
    payload_unref(run->payload);
}

size_t worker_process_waiting_bytes(const struct worker_process *worker_process) {
    (void)worker_process;
    return 0;
}

enum frame_sandbox_level worker_process_level(const struct worker_process *worker_process,
                                              const char **why) {
    *why = "";
    return FRAME_LEVEL_FULL;
}

pid_t worker_process_pid(const struct worker_process *worker_process) {
    (void)worker_process;
    return 0;
}

unsigned worker_process_threads(const struct worker_process *worker_process) {
    (void)worker_process;
    return 0;
}

bool worker_process_take_many_threads(struct worker_process *worker_process) {
    (void)worker_process;
    return false;
}

const char *worker_process_file_hash(const struct worker_process *worker_process) {
    (void)worker_process;
    return "";
}

int worker_process_start(struct loop *loop, struct worker_starter *starter,
                         const struct worker_process_spec *spec,
                         const struct worker_process_handlers *handlers, void *context,
                         struct worker_process **worker_process, struct error *err) {
    (void)loop, (void)starter, (void)spec, (void)handlers, (void)context, (void)worker_process;
    return error_set(err, "there is no worker");
}

void worker_process_send_http_response(struct worker_process *worker_process, uint64_t run,
                                       uint64_t request, int32_t outcome, int32_t status,
                                       const char *error, const struct buffer *headers,
                                       const struct buffer *body) {
    (void)worker_process, (void)run, (void)request, (void)outcome, (void)status, (void)error;
    (void)headers, (void)body;
}

void worker_process_send_store_result(struct worker_process *worker_process, uint64_t run,
                                      uint64_t request, int64_t outcome, const void *value,
                                      size_t value_bytes) {
    (void)worker_process, (void)run, (void)request, (void)outcome, (void)value, (void)value_bytes;
}

void worker_process_tick(struct worker_process *worker_process, int64_t now_ms) {}

void worker_process_flush(struct worker_process *worker_process) {}

int64_t worker_process_next_ms(const struct worker_process *worker_process) {
    return INT64_MAX;
}

void worker_process_send_cancel(struct worker_process *worker_process, uint64_t run) {
    (void)worker_process, (void)run;
}

void worker_process_kill(struct worker_process *worker_process, const char *why) {
    (void)worker_process, (void)why;
}

void worker_process_resume(struct worker_process *worker_process) {
    (void)worker_process;
}

void worker_process_close(struct worker_process *worker_process) {
    (void)worker_process;
}

void worker_process_free(struct worker_process *worker_process) {
    (void)worker_process;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    (void)level, (void)message, (void)fields;
}

/* ---- a plugin that runs ---- */

static struct mailbox mailbox;
static struct run_table table;
static struct plugin plugin;
static struct handoff handoff;
static struct claimer claimer;
static struct config_plugin config;
static struct description description;
static struct hold_watch holds;
static struct plugin_options options = {.table = &table, .holds = &holds};

static void ignore_slot(void *context) {
    (void)context;
}

static void ignore_queued(void *context, int64_t due_ms) {
    (void)context, (void)due_ms;
}

static int set_up(void **state) {
    (void)state;
    n_operations = unread_bytes = 0;
    config = (struct config_plugin){
        .memory_mib = 256, .concurrency = 4, .deadline_ms = 60000, .as_written = "test"};
    description = (struct description){.name = "test", .permissions_json = "{}"};
    assert_int_equal(mailbox_init(&mailbox), 0);
    struct run_table_options of_table = {.mailbox = &mailbox,
                                         .host = 1,
                                         .lease_ms = 30000,
                                         .max_attempts = 9,
                                         .first_retry_ms = 5000,
                                         .on_slot_free = ignore_slot,
                                         .on_queued = ignore_queued};
    run_table_init(&table, &of_table);
    plugin_init(&plugin, &options, &config);
    plugin.description = &description;
    run_group_set_description(&plugin.runs, &description, metrics_plugin("test"));
    run_group_set_worker(&plugin.runs, (struct worker_process *)(void *)&mailbox, 1);
    atomic_store(&plugin.state, PLUGIN_RUNNING);
    assert_int_equal(handoff_init(&handoff, &table, &plugin, 1), 0);
    assert_int_equal(claim_init(&claimer, &table, &plugin, 1), 0);
    handoff_tick(&handoff, 0, false);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    run_table_set_phase(&table, RUN_PHASE_CLOSED);
    handoff_finish(&handoff);
    claim_finish(&claimer);
    run_group_set_worker(&plugin.runs, NULL, 0);
    run_group_finish(&plugin.runs);
    run_table_finish(&table);
    mailbox_finish(&mailbox);
    return 0;
}

static struct run *enter(int64_t id, int64_t token, size_t bytes) {
    struct inbox_run data = {
        .id = id, .attempt = 2, .token = token, .payload = payload_new(0), .payload_bytes = bytes};
    assert_non_null(data.payload);
    struct run *run = run_new(&plugin.runs, &data);
    assert_non_null(run);
    run_enter(run);
    return run;
}

/* Hands a run over as ingest does after its commit. */
static void hand_over(int64_t id, int64_t token, size_t bytes) {
    int64_t now_ms = clock_wall_ms();
    AUTO_FREE char *text = calloc(1, bytes + 1);
    assert_non_null(text);
    struct buffer body = BUFFER_INIT(bytes + 1);
    assert_int_equal(buffer_append(&body, text, bytes), 0);
    struct inbox_put_run run = {.plugin = plugin_name(&plugin)};
    struct inbox_put put = {.guid = "guid",
                            .event = "push",
                            .action = "",
                            .installation = "7",
                            .repository = "",
                            .sender = "",
                            .body = body.data,
                            .body_bytes = bytes,
                            .received_ms = now_ms,
                            .due_ms = now_ms,
                            .runs = &run,
                            .n_runs = 1,
                            .routed_ms = clock_monotonic_ms()};
    handoff_reserve(&handoff, 0, &put, &run);
    assert_true(run.leased);
    run.id = id;
    run.token = token;
    assert_true(handoff_stored(&handoff, &put, &body));
    buffer_finish(&body);
}

static const struct inbox_finish *finish_at(size_t i) {
    assert_true(i < n_operations);
    assert_int_equal(operations[i]->kind, INBOX_FINISH);
    return CONTAINER_OF(operations[i], const struct inbox_finish, operation);
}

static void end_operations(void) {
    for (size_t i = 0; i < n_operations; i++) {
        operations[i]->result = 0;
        operations[i]->on_result(operations[i]);
    }
    n_operations = 0;
}

static void runs_that_are_handed_over_come_together(void **state) {
    (void)state;
    hand_over(5, 100, 10);
    hand_over(6, 101, 10);
    assert_int_equal(mailbox_drain(&mailbox), 0);
    handoff_pass(&handoff);
    handoff_pass(&handoff);
    assert_int_equal(mailbox_drain(&mailbox), 2);
}

/* The inbox was silent for longer than the lease, and then carried out a PUT and a CLAIM at once.
 * The claim's result came first. */
static void a_stale_handed_run_leaves_the_newer_claim_alone(void **state) {
    (void)state;
    hand_over(5, 100, 10);
    struct run *newer = enter(5, 200, 10);
    handoff_pass(&handoff);
    (void)mailbox_drain(&mailbox);
    handoff_tick(&handoff, clock_monotonic_ms() + 1000, false);
    assert_false(newer->lease_lost);
    assert_int_equal(plugin.runs.n_runs, 1);
    assert_int_equal(n_operations, 0);
    assert_true(handoff_idle(&handoff));
    assert_int_equal(handoff.bytes, 0);
}

/* Two of these would fill half of the worker's memory. */
static void a_handed_run_waits_until_its_payload_fits_into_the_worker(void **state) {
    (void)state;
    config.memory_mib = 2;
    hand_over(1, 100, 700 << 10);
    hand_over(2, 200, 700 << 10);
    handoff_pass(&handoff);
    (void)mailbox_drain(&mailbox);
    handoff_tick(&handoff, clock_monotonic_ms() + 1000, false);
    assert_int_equal(plugin.runs.n_runs, 1);
    run_requeue(TAILQ_FIRST(&plugin.runs.runs), false, "");
    end_operations();
    handoff_tick(&handoff, clock_monotonic_ms() + 1000, false);
    assert_int_equal(plugin.runs.n_runs, 1);
    assert_int_equal(TAILQ_FIRST(&plugin.runs.runs)->data.id, 2);
}

static void a_large_handed_run_holds_up_no_run_behind_it(void **state) {
    (void)state;
    enter(1, 100, 10);
    unread_bytes = 14 * MIB;
    hand_over(2, 200, 3 * MIB);
    hand_over(3, 300, 10);
    handoff_pass(&handoff);
    (void)mailbox_drain(&mailbox);
    handoff_tick(&handoff, clock_monotonic_ms() + 1000, false);
    assert_int_equal(n_operations, 1);
    assert_int_equal(finish_at(0)->run, 2);
    assert_int_equal(finish_at(0)->how, INBOX_REQUEUE);
    assert_int_equal(plugin.runs.n_runs, 2);
    end_operations();
}

static struct inbox_claim *begin_claim(void) {
    claim_want(&claimer);
    claim_tick(&claimer, clock_wall_ms());
    if (n_operations == 0) {
        return NULL;
    }
    assert_int_equal(n_operations, 1);
    assert_int_equal(operations[0]->kind, INBOX_CLAIM);
    return CONTAINER_OF(operations[0], struct inbox_claim, operation);
}

static void what_the_host_holds_for_a_plugin_bounds_its_claims(void **state) {
    (void)state;
    static const struct {
        size_t unread, journal, entries, in_worker;
        uint64_t room;
    } cases[] = {{0, 0, 0, 0, 16 * MIB},
                 {10 * MIB, 0, 0, 0, 6 * MIB},
                 {0, 4 * MIB, 3 * MIB, 0, 9 * MIB},
                 {0, 0, 0, 125 * MIB, 3 * MIB},
                 {0, 0, 0, 128 * MIB, 0},
                 /* With little room most runs would be passed over. */
                 {15 * MIB + 1, 0, 0, 0, 0},
                 {200 * MIB, 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unread_bytes = cases[i].unread;
        plugin.runs.journal_bytes = cases[i].journal;
        plugin.runs.journal_entries_bytes = cases[i].entries;
        plugin.runs.payload_bytes = cases[i].in_worker;
        assert_int_equal(plugin_room_bytes(&plugin), cases[i].room);
    }
    plugin.runs.journal_bytes = plugin.runs.journal_entries_bytes = plugin.runs.payload_bytes = 0;
}

/* Their leases may have expired in a pause of this host. */
static void a_claim_names_the_runs_in_memory_so_that_none_is_taken_again(void **state) {
    (void)state;
    enter(1, 100, 10);
    run_set_lease_lost(enter(2, 200, 10));
    hand_over(3, 300, 10);
    handoff_pass(&handoff);
    (void)mailbox_drain(&mailbox);
    const struct inbox_claim *claim = begin_claim();
    assert_non_null(claim);
    assert_int_equal(claim->n_live, 2);
    assert_int_equal(claim->live[0] + claim->live[1], 100 + 300);
    end_operations();
}

static void a_run_that_was_passed_over_gets_the_plugin_alone(void **state) {
    (void)state;
    struct run *busy = enter(1, 100, 10);
    struct inbox_claim *claim = begin_claim();
    assert_non_null(claim);
    assert_int_equal(claim->shares[0].first, 0);
    claim->shares[0].passed_over = 77;
    claim->shares[0].passed_over_due_ms = clock_wall_ms();
    end_operations();
    /* Others overtake it, and it goes first where it fits. */
    claim = begin_claim();
    assert_non_null(claim);
    assert_int_equal(claim->shares[0].first, 77);
    assert_false(claim->shares[0].alone);
    claim->shares[0].passed_over = 77;
    claim->shares[0].passed_over_due_ms = clock_wall_ms() - 60000;
    end_operations();
    /* After a while no run begins beside the present ones. */
    assert_true(plugin_waits_for_idle(&plugin));
    assert_null(begin_claim());
    run_requeue(busy, false, "");
    end_operations();
    claim = begin_claim();
    assert_non_null(claim);
    assert_int_equal(claim->shares[0].first, 77);
    assert_true(claim->shares[0].alone);
    claim->shares[0].first_taken = true;
    claim->shares[0].passed_over = 78;
    claim->shares[0].passed_over_due_ms = clock_wall_ms() - 60000;
    end_operations();
    /* The next large one waits, so that the small ones get their time. */
    assert_false(plugin_waits_for_idle(&plugin));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_that_are_handed_over_come_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_handed_run_leaves_the_newer_claim_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_handed_run_waits_until_its_payload_fits_into_the_worker,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_handed_run_holds_up_no_run_behind_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_host_holds_for_a_plugin_bounds_its_claims, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_claim_names_the_runs_in_memory_so_that_none_is_taken_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_was_passed_over_gets_the_plugin_alone, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
