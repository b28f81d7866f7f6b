/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Returns how long a failed run waits before its next attempt. */
#ifndef SNEK_DISPATCH_BACKOFF_H
#define SNEK_DISPATCH_BACKOFF_H

#include <stdint.h>

/* The wait after the attempt of this number (from 1) has failed: 5 s to 12 h, plus up to 20 % of
 * jitter. */
int64_t backoff_ms(int64_t attempt);

#endif
