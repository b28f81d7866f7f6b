/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A token bucket, kept as the one time at which it is full again (budget.h). */
#include "console/budget.h"

#include <assert.h>

/* A burst that is spent is paid for after so long. */
#define BURST_PAID_US (CONSOLE_BURST_US * CONSOLE_PARTS_OF_TIME)

int64_t console_budget_wait_us(const struct console_budget *budget, int64_t now_us) {
    int64_t wait_us = budget->paid_us - BURST_PAID_US - now_us;
    return wait_us > 0 ? wait_us : 0;
}

void console_budget_spend(struct console_budget *budget, int64_t took_us, int64_t now_us) {
    assert(took_us >= 0);
    int64_t most_us = now_us + BURST_PAID_US + CONSOLE_WAIT_MAX_US;
    int64_t from_us = now_us - took_us;
    if (budget->paid_us > from_us) {
        from_us = budget->paid_us;
    }
    budget->paid_us = from_us + took_us * CONSOLE_PARTS_OF_TIME;
    if (budget->paid_us > most_us) {
        budget->paid_us = most_us;
    }
}
