/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one clock of the program. Deadlines use the monotonic time, stored times the wall clock. */
#ifndef SNEK_BASE_CLOCK_H
#define SNEK_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds; from any thread. */
int64_t clock_monotonic_ms(void);
/* For what takes less than a few. */
int64_t clock_monotonic_us(void);
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */

/* For tests: stops both clocks at these values. Call it before any thread starts. */
void clock_set_for_test(int64_t monotonic_ms, int64_t wall_ms);

#endif
