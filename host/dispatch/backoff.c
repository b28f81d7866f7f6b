/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says how long a failed run waits before its next attempt: 5 s, 30 s, 2 min, 10 min, 1 h, 3 h,
 * 6 h, then 12 h. */
#include "dispatch/backoff.h"

#include <stddef.h>
#include <stdlib.h>

int64_t backoff_ms(int64_t attempt) {
    static const int64_t steps_ms[] = {5000,    30000,    120000,   600000,
                                       3600000, 10800000, 21600000, 43200000};
    int64_t last = (int64_t)(sizeof steps_ms / sizeof *steps_ms) - 1;
    int64_t step = attempt > 1 ? attempt - 1 : 0;
    int64_t step_ms = steps_ms[step < last ? step : last];
    /* The jitter spreads out the runs that failed together. */
    return step_ms + arc4random_uniform((uint32_t)(step_ms / 5) + 1);
}
