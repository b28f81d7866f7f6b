/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "ingest/refusals.h"

#include "base/log.h"

void refusals_log(struct refusals *refusals, int64_t now_ms, unsigned status, const char *reason,
                  const char *delivery) {
    (void)refusals_flush(refusals, now_ms);
    if (refusals->second != now_ms / 1000) {
        refusals->second = now_ms / 1000;
        refusals->logged = 0;
    }
    if (refusals->logged == REFUSALS_A_SECOND) {
        refusals->withheld++;
        return;
    }
    refusals->logged++;
    log_event(LOG_WARNING, "refused", LOG_TEXT("delivery", delivery), LOG_NUMBER("status", status),
              LOG_TEXT("reason", reason));
}

int64_t refusals_flush(struct refusals *refusals, int64_t now_ms) {
    if (refusals->withheld == 0) {
        return INT64_MAX;
    }
    if (now_ms / 1000 <= refusals->second) {
        return (refusals->second + 1) * 1000;
    }
    log_event(LOG_WARNING, "refused", LOG_NUMBER("more", refusals->withheld),
              LOG_TEXT("reason", "too many in a second to log each"));
    refusals->withheld = 0;
    return INT64_MAX;
}
