/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The steps of pruning: how many a busy writer gets, and that a pass ends. The test is the inbox.
 */
#include "unit.h"

#include "base/clock.h"
#include "maintenance/prune.h"

#define PASS_MS 10000

static struct inbox_operation *submitted;

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    assert_null(submitted);
    submitted = operation;
}

/* The number of steps in PASS_MS if each takes `took_ms`. The last of `steps` has no more to do. */
static int count_steps(int64_t took_ms, int steps) {
    struct prune prune;
    int64_t start_ms = 1000000, now_ms = start_ms;
    int done = 0;
    prune_init(&prune, NULL, NULL, 7, 400, "ping");
    while (now_ms < start_ms + PASS_MS) {
        clock_set_for_test(now_ms, 0);
        int64_t next_ms = prune_tick(&prune, true, now_ms);
        if (!submitted) {
            assert_true(next_ms > now_ms);
            now_ms = next_ms;
            continue;
        }
        struct inbox_prune *step = CONTAINER_OF(submitted, struct inbox_prune, operation);
        submitted = NULL;
        assert_int_equal(step->after.delivery, done);
        step->operation.result = 0;
        step->next = (struct inbox_prune_position){.received_ms = 1, .delivery = done + 1};
        done++;
        step->more = done < steps;
        now_ms += took_ms;
        clock_set_for_test(now_ms, 0);
        step->operation.on_result(&step->operation);
    }
    return done;
}

static void the_steps_take_at_most_a_tenth_of_the_time(void **state) {
    for (int64_t took_ms = 1; took_ms <= 500; took_ms++) {
        int64_t most = PASS_MS / (10 * took_ms) + 1;
        assert_in_range(count_steps(took_ms, INT32_MAX), 1, most);
    }
}

static void a_pass_goes_on_beside_a_busy_writer_until_it_ends(void **state) {
    assert_in_range(count_steps(20, INT32_MAX), 40, 51);
    assert_int_equal(count_steps(20, 5), 5);
}

static void quick_steps_follow_each_other_soon(void **state) {
    assert_in_range(count_steps(0, INT32_MAX), 500, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_take_at_most_a_tenth_of_the_time),
        cmocka_unit_test(a_pass_goes_on_beside_a_busy_writer_until_it_ends),
        cmocka_unit_test(quick_steps_follow_each_other_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
