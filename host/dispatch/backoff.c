/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How long a failed run waits: design.md, "Retry". */
#include "dispatch/private.h"

#include <stdlib.h>

int64_t run_backoff_ms(int64_t attempt) {
    static const int64_t steps_ms[] = {5000,    30000,    120000,   600000,
                                       3600000, 10800000, 21600000, 43200000};
    int64_t last = (int64_t)(sizeof steps_ms / sizeof *steps_ms) - 1;
    int64_t step_ms = steps_ms[attempt < 1 ? 0 : attempt - 1 > last ? last : attempt - 1];
    /* The jitter keeps what failed together from coming back together. */
    return step_ms + arc4random_uniform((uint32_t)(step_ms / 5) + 1);
}
