/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says how long a failed run waits before its next attempt: 5 s, 30 s, 2 min, 10 min, 1 h, 3 h,
 * 6 h, then 12 h, unless dispatch.first_retry_ms says something else than 5 s. */
#include "dispatch/backoff.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

int64_t backoff_ms(int64_t attempt, int64_t first_ms) {
    /* In multiples of the first wait. */
    static const int64_t steps[] = {1, 6, 24, 120, 720, 2160, 4320, 8640};
    assert(first_ms > 0 && first_ms <= BACKOFF_MAX_MS);
    int64_t last = (int64_t)(sizeof steps / sizeof *steps) - 1;
    int64_t step = attempt > 1 ? attempt - 1 : 0;
    int64_t step_ms = steps[step < last ? step : last] * first_ms;
    if (step_ms > BACKOFF_MAX_MS) {
        step_ms = BACKOFF_MAX_MS;
    }
    /* The jitter spreads out the runs that failed together. */
    return step_ms + arc4random_uniform((uint32_t)(step_ms / 5) + 1);
}
