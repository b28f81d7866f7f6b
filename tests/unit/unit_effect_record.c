/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/effect and dispatch/run: the worker has the response to an effect, which the store does
 * not have yet. */
#include "effect_world.h"

#include "base/clock.h"
#include "dispatch/effect.h"

#include <snekomatic/types.h>

#include <string.h>

/* The worker has got the response, which the store has not carried out yet. */
static struct run *make_call_of_slow_store(void) {
    struct run *run = begin_attempt(7);
    begin_call(run);
    /* The intent. */
    pump_operation();
    pump_request();
    assert_true(world.replied);
    assert_int_equal(world.n_operations, 1);
    assert_int_equal(world.operations[0]->kind, INBOX_COMPLETE);
    assert_int_equal(world.records[0].state, INBOX_INTENDED);
    return run;
}

static void a_run_may_end_while_its_response_is_being_stored(void **state) {
    (void)state;
    begin_world();
    struct run *run = make_call_of_slow_store();
    run_result(run, SNEK_DONE, 0, text(""));
    assert_int_equal(world.n_operations, 2);
    assert_int_equal(world.operations[1]->kind, INBOX_FINISH);
    assert_false(run_table_idle(&table));
    pump();
    assert_int_equal(world.records[0].state, INBOX_COMPLETED);
    assert_int_equal(world.n_ends, 1);
    end_world();
}

/* In each way in which a run can end. The store fails for the response, and then perhaps also for
 * the end behind it, or for the second try. */
static void no_run_ends_before_its_response_is_stored(void **state) {
    (void)state;
    static const int64_t results[] = {SNEK_DONE,  SNEK_SKIPPED, SNEK_REJECTED,
                                      SNEK_RETRY, SNEK_WAIT,    SNEK_E_FAILED};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        for (int failures = 1; failures <= 3; failures++) {
            begin_world();
            run_result(make_call_of_slow_store(), results[i], 1000, text(""));
            assert_int_equal(world.n_operations, 2);
            for (int n = 0; n < failures; n++) {
                world.store_fails_at = 1;
                pump_operation();
                pump();
                assert_int_equal(world.n_ends, 0);
                assert_int_equal(table.n_submitted, 0);
                /* The end waits, and is not tried again and again meanwhile. */
                assert_true(run_table_next_ms(&table) == INT64_MAX);
                assert_int_equal(effects_next_ms(&calls), clock_monotonic_ms() + 1000);
                pass(1000);
                run_table_tick(&table, clock_monotonic_ms());
                effects_tick(&calls, clock_monotonic_ms());
                assert_int_equal(world.n_operations, 1);
            }
            pump();
            assert_int_equal(world.records[0].state, INBOX_COMPLETED);
            assert_int_equal(world.n_ends, 1);
            assert_false(world.ended_in_doubt);
            end_world();
        }
    }
}

/* The run's end fails alone. */
static void an_end_that_fails_behind_a_stored_response_is_tried_again(void **state) {
    (void)state;
    begin_world();
    run_result(make_call_of_slow_store(), SNEK_DONE, 0, text(""));
    pump_operation();
    world.store_fails_at = 1;
    pump();
    assert_int_equal(world.n_ends, 0);
    pass(1000);
    run_table_tick(&table, clock_monotonic_ms());
    pump();
    assert_int_equal(world.n_ends, 1);
    end_world();
}

/* Its end needs no completion, but the inbox still reads the record. */
static void a_run_whose_lease_is_lost_stays_in_memory_until_its_response_is_stored(void **state) {
    (void)state;
    begin_world();
    struct run *run = make_call_of_slow_store();
    run_set_lease_lost(run);
    run_result(run, SNEK_DONE, 0, text(""));
    assert_int_equal(world.n_operations, 1);
    assert_false(run_table_idle(&table));
    assert_ptr_equal(TAILQ_FIRST(&table.all), run);
    pump();
    assert_true(TAILQ_EMPTY(&table.all));
    assert_int_equal(world.records[0].state, INBOX_COMPLETED);
    assert_int_equal(world.n_ends, 0);
    end_world();
}

/* The second request is of the same name, and gets the first one's response. */
static void a_named_effect_may_be_requested_again_while_its_response_is_being_stored(void **state) {
    (void)state;
    begin_world();
    once = "welcome";
    struct run *run = make_call_of_slow_store();
    begin_call(run);
    once = "";
    assert_true(world.replied);
    assert_int_equal(world.outcome, 0);
    assert_int_equal(world.n_operations, 1);
    pump();
    assert_int_equal(world.n_comments, 1);
    assert_non_null(strstr(world.records[0].body.data, "Welcome!"));
    end_attempt();
    end_world();
}

/* The next effect's intent waits in the same queue behind the response. */
static void the_next_effect_may_begin_while_the_response_is_being_stored(void **state) {
    (void)state;
    begin_world();
    struct run *run = make_call_of_slow_store();
    begin_call(run);
    assert_int_equal(world.n_operations, 2);
    pump();
    assert_true(world.replied);
    assert_int_equal(world.n_comments, 2);
    assert_int_equal(world.n_records, 2);
    assert_int_equal(world.records[0].state, INBOX_COMPLETED);
    assert_int_equal(world.records[1].state, INBOX_COMPLETED);
    end_attempt();
    end_world();
}

/* The host stops: the store is closed with both operations in it, which may fail or not. */
static void a_host_may_close_while_a_response_and_an_end_are_being_stored(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        begin_world();
        run_result(make_call_of_slow_store(), SNEK_RETRY, 0, text(""));
        run_table_set_phase(&table, RUN_PHASE_CLOSING);
        effects_settle(&calls);
        assert_true(table.n_holds > 0);
        world.store_fails_at = i % 3;
        if (i >= 3) {
            run_table_set_phase(&table, RUN_PHASE_CLOSED);
        }
        pump();
        effects_settle(&calls);
        assert_int_equal(table.n_holds, 0);
        run_table_set_phase(&table, RUN_PHASE_CLOSED);
        run_table_finish(&table);
        assert_true(TAILQ_EMPTY(&table.all));
        assert_false(world.ended_in_doubt);
        end_world();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_may_end_while_its_response_is_being_stored),
        cmocka_unit_test(no_run_ends_before_its_response_is_stored),
        cmocka_unit_test(an_end_that_fails_behind_a_stored_response_is_tried_again),
        cmocka_unit_test(a_run_whose_lease_is_lost_stays_in_memory_until_its_response_is_stored),
        cmocka_unit_test(a_named_effect_may_be_requested_again_while_its_response_is_being_stored),
        cmocka_unit_test(the_next_effect_may_begin_while_the_response_is_being_stored),
        cmocka_unit_test(a_host_may_close_while_a_response_and_an_end_are_being_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
