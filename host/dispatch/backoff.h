/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Returns how long a failed run waits before its next attempt. */
#ifndef SNEK_DISPATCH_BACKOFF_H
#define SNEK_DISPATCH_BACKOFF_H

#include <stdint.h>

/* No wait is longer than 12 hours, before the jitter. */
#define BACKOFF_MAX_MS 43200000

/* The wait after the attempt of this number (from 1) has failed, plus up to 20 % of jitter. After
 * the first attempt it is `first_ms` (dispatch.first_retry_ms); the later waits grow by fixed
 * factors up to BACKOFF_MAX_MS. */
int64_t backoff_ms(int64_t attempt, int64_t first_ms);

#endif
