/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The log of what was refused, held to so many lines a second and then a count, so that a flood of
 * forged requests fills no disk. Not for several threads at once. */
#ifndef SNEK_INGEST_REFUSALS_H
#define SNEK_INGEST_REFUSALS_H

#include "base/throttle.h"

#include <stdint.h>

#define REFUSALS_A_SECOND 50

struct refusals {
    struct throttle lines;
};

/* `delivery` may be NULL. */
void refusals_log(struct refusals *refusals, int64_t now_ms, unsigned status, const char *reason,
                  const char *delivery);

/* Says how many were withheld once their second is over; `now_ms` INT64_MAX: in any case. The
 * time to call again, INT64_MAX when there is nothing to say. */
int64_t refusals_flush(struct refusals *refusals, int64_t now_ms);

#endif
