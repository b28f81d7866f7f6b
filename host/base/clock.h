/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one clock. Deadlines come from the monotonic time, stored times from the wall's. */
#ifndef SNEK_BASE_CLOCK_H
#define SNEK_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds; from any thread. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void); /* for what takes less than a few */
int64_t clock_wall_ms(void);      /* since 1970-01-01 UTC */

/* For tests: from now on both clocks stand at these values. Before any thread is started. */
void clock_set_for_test(int64_t monotonic_ms, int64_t wall_ms);

#endif
