/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "ingest/refusals.h"

#include "base/log.h"

void refusals_log(struct refusals *refusals, int64_t now_ms, unsigned status, const char *reason,
                  const char *delivery) {
    (void)refusals_flush(refusals, now_ms);
    if (throttle_pass(&refusals->lines, now_ms, REFUSALS_A_SECOND)) {
        log_event(LOG_WARNING, "refused", LOG_TEXT("delivery", delivery),
                  LOG_NUMBER("status", status), LOG_TEXT("reason", reason));
    }
}

int64_t refusals_flush(struct refusals *refusals, int64_t now_ms) {
    unsigned more = throttle_take(&refusals->lines, now_ms);
    if (more > 0) {
        log_event(LOG_WARNING, "refused", LOG_NUMBER("more", more),
                  LOG_TEXT("reason", "too many in a second to log each"));
    }
    return throttle_due_ms(&refusals->lines);
}
