/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/hold_watch: a quarantine that the store could not take is stored later. The inbox is a
 * small fake. */
#include "unit.h"

#include "base/log.h"
#include "dispatch/hold_watch.h"

#include <stdio.h>

#define OPERATIONS_MAX 8

static struct inbox_operation *operations[OPERATIONS_MAX];
static size_t n_operations;
static struct hold_watch watch;

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    (void)inbox;
    assert_true(n_operations < OPERATIONS_MAX);
    operations[n_operations++] = operation;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    (void)level, (void)message, (void)fields;
}

static void ignore_change(void *context) {
    (void)context;
}

static int set_up(void **state) {
    (void)state;
    n_operations = 0;
    hold_watch_init(&watch, &(struct hold_watch_options){.on_changed = ignore_change});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hold_watch_finish(&watch);
    return 0;
}

static void change(enum inbox_kind kind) {
    struct inbox_hold hold = {.scope = INBOX_HOLD_PLUGIN, .cause = INBOX_HOLD_QUARANTINED};
    (void)snprintf(hold.plugin, sizeof hold.plugin, "test");
    hold_watch_change(&watch, kind, &hold);
}

/* Ends the submitted operations, and counts those of the kind. */
static unsigned end_operations(enum inbox_kind kind, int result) {
    size_t n = n_operations;
    unsigned found = 0;
    n_operations = 0;
    for (size_t i = 0; i < n; i++) {
        found += operations[i]->kind == kind;
        operations[i]->result = result;
        operations[i]->on_result(operations[i]);
    }
    return found;
}

/* The next tick that has work. */
static void tick(void) {
    hold_watch_tick(&watch, hold_watch_next_ms(&watch) + 1);
}

static void a_change_that_failed_is_repeated_until_it_is_stored(void **state) {
    (void)state;
    change(INBOX_HOLD_PUT);
    assert_int_equal(end_operations(INBOX_HOLD_PUT, -1), 1);
    for (int result = -1; result <= 0; result++) {
        unsigned repeated = 0;
        for (int i = 0; i < 3 && repeated == 0; i++) {
            tick();
            repeated = end_operations(INBOX_HOLD_PUT, result);
        }
        assert_int_equal(repeated, 1);
    }
    for (int i = 0; i < 3; i++) {
        tick();
        assert_int_equal(end_operations(INBOX_HOLD_PUT, 0), 0);
    }
}

static void a_later_change_of_the_same_hold_replaces_it(void **state) {
    (void)state;
    change(INBOX_HOLD_PUT);
    assert_int_equal(end_operations(INBOX_HOLD_PUT, -1), 1);
    change(INBOX_HOLD_END);
    assert_int_equal(end_operations(INBOX_HOLD_END, 0), 1);
    for (int i = 0; i < 3; i++) {
        tick();
        assert_int_equal(end_operations(INBOX_HOLD_PUT, 0), 0);
    }
}

static void a_change_that_fails_after_a_later_one_was_made_is_not_repeated(void **state) {
    (void)state;
    change(INBOX_HOLD_PUT);
    change(INBOX_HOLD_END);
    assert_int_equal(end_operations(INBOX_HOLD_PUT, -1), 1);
    unsigned ended = 0;
    for (int i = 0; i < 4; i++) {
        tick();
        for (size_t j = 0; j < n_operations; j++) {
            assert_int_not_equal(operations[j]->kind, INBOX_HOLD_PUT);
        }
        ended += end_operations(INBOX_HOLD_END, 0);
    }
    assert_int_equal(ended, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_that_failed_is_repeated_until_it_is_stored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_later_change_of_the_same_hold_replaces_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_change_that_fails_after_a_later_one_was_made_is_not_repeated, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
