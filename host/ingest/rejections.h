/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The log of what was rejected, held to so many lines a second and then a count, so that a flood of
 * forged requests fills no disk. Not for several threads at once. */
#ifndef SNEK_INGEST_REJECTIONS_H
#define SNEK_INGEST_REJECTIONS_H

#include "base/throttle.h"

#include <stdint.h>

#define REJECTIONS_A_SECOND 50

struct rejections {
    struct throttle lines;
};

/* `delivery` may be NULL. */
void rejections_log(struct rejections *rejections, int64_t now_ms, unsigned status,
                    const char *reason, const char *delivery);

/* Says how many were withheld once their second is over; `now_ms` INT64_MAX: in any case. The
 * time to call again, INT64_MAX when there is nothing to say. */
int64_t rejections_flush(struct rejections *rejections, int64_t now_ms);

#endif
