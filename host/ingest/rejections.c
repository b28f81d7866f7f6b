/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Limits and writes the log lines of rejected requests. */
#include "ingest/rejections.h"

#include "base/log.h"

void rejections_log(struct rejections *rejections, int64_t now_ms, unsigned status,
                    const char *reason, const char *delivery) {
    rejections_flush(rejections, now_ms);
    if (throttle_pass(&rejections->lines, now_ms, REJECTIONS_A_SECOND)) {
        log_event(SNEK_LEVEL_WARNING, "rejected", LOG_TEXT("delivery", delivery),
                  LOG_NUMBER("status", status), LOG_TEXT("reason", reason));
    }
}

int64_t rejections_flush(struct rejections *rejections, int64_t now_ms) {
    unsigned more = throttle_take(&rejections->lines, now_ms);
    if (more > 0) {
        log_event(SNEK_LEVEL_WARNING, "rejected", LOG_NUMBER("more", more),
                  LOG_TEXT("reason", "too many in a second to log each"));
    }
    return throttle_due_ms(&rejections->lines);
}
