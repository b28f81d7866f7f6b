/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Knows how long a request may be under way, and makes its run come back afterwards. */
#include "dispatch/unsettled.h"

#include "base/clock.h"

#include <snekomatic/types.h>

/* The broker's timeout: a request of a dead host is under way at most this long. */
#define REQUEST_TIMEOUT_MS 30000

int64_t unsettled_ms(const struct call *call, bool *here) {
    int64_t settled_ms = 0;
    *here = run_sent_here(call->held, call->entry->record.token, &settled_ms);
    if (*here) {
        return settled_ms - clock_monotonic_ms();
    }
    int64_t wait_ms = call->entry->record.at_ms + REQUEST_TIMEOUT_MS - clock_wall_ms();
    /* The other host's clock may be fast. */
    return wait_ms < REQUEST_TIMEOUT_MS ? wait_ms : REQUEST_TIMEOUT_MS;
}

void unsettled_defer(struct call *call, int64_t wait_ms, const struct error *why) {
    run_defer(call->held, clock_wall_ms() + wait_ms, why->text);
    call_fail(call, SNEK_E_REQUEUE, why->text);
}
