/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the event's item, and reserves names in the host's store. */
#include "worker/item.h"

#include "base/clock.h"
#include "worker/run.h"
#include "worker/store_call.h"

/* A run that waits for another one looks again after a quarter of its age, within these bounds. */
#define BUSY_MIN_MS 2000
#define BUSY_MAX_MS (10 * 60000)

int64_t item_number(struct run *run) {
    static const char *const paths[] = {"issue.number", "pull_request.number",
                                        "check_run.pull_requests[0].number",
                                        "check_suite.pull_requests[0].number"};
    int64_t number = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && number == 0; i++) {
        number = run_find_integer(run, paths[i]);
    }
    return number;
}

int32_t item_reserve(struct run *run, const char *name, const char *what) {
    const struct store_call call = {FRAME_RESERVE, SNEK_SCOPE_INSTALLATION, "", name, NULL, 0};
    AUTO_CALL_RESULT struct call_result stored = {0};
    int32_t result = store_call_send(run, &call, &stored);
    if (result != 0) {
        return result < 0 ? result : 0;
    }
    int64_t wait_ms = (clock_wall_ms() - run_received_ms(run)) / 4;
    wait_ms = wait_ms < BUSY_MIN_MS ? BUSY_MIN_MS : wait_ms;
    return run_fail_busy(run, wait_ms < BUSY_MAX_MS ? wait_ms : BUSY_MAX_MS,
                         "another run of this plugin makes %s, and has not ended", what);
}
