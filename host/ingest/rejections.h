/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Logs rejected requests. It limits the lines a second and then logs a count, so that a flood of
 * forged requests does not fill the disk. Only one thread at once may use it. */
#ifndef SNEK_INGEST_REJECTIONS_H
#define SNEK_INGEST_REJECTIONS_H

#include "base/throttle.h"

#include <stdint.h>

#define REJECTIONS_A_SECOND 50

struct rejections {
    struct throttle lines;
};

struct rejection {
    unsigned status;
    const char *reason;
    /* Each may be NULL. */
    const char *delivery, *method, *path;
};

void rejections_log(struct rejections *rejections, int64_t now_ms,
                    const struct rejection *rejection);

/* Logs how many lines were withheld, once their second is over, or at once if `now_ms` is
 * INT64_MAX. Returns the time of the next call, INT64_MAX if nothing waits to be logged. */
int64_t rejections_flush(struct rejections *rejections, int64_t now_ms);

#endif
