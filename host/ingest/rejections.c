/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Limits and writes the log lines of rejected requests. */
#include "ingest/rejections.h"

#include "base/log.h"

#include <stdio.h>

/* A path may be as long as a client wants. */
#define PATH_BYTES_MAX 200

void rejections_log(struct rejections *rejections, int64_t now_ms,
                    const struct rejection *rejection) {
    char path[PATH_BYTES_MAX + 1] = "";
    rejections_flush(rejections, now_ms);
    if (throttle_pass(&rejections->lines, now_ms, REJECTIONS_A_SECOND)) {
        if (rejection->path) {
            snprintf(path, sizeof path, "%s", rejection->path);
        }
        log_event(SNEK_LEVEL_WARNING, "rejected", LOG_TEXT("delivery", rejection->delivery),
                  LOG_NUMBER("status", rejection->status), LOG_TEXT("reason", rejection->reason),
                  LOG_TEXT("method", rejection->method),
                  LOG_TEXT("path", rejection->path ? path : NULL));
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
