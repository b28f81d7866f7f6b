/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one clock of the program. Deadlines use the monotonic time, stored times the wall clock. */
#ifndef SNEK_BASE_CLOCK_H
#define SNEK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds; from any thread. */
int64_t clock_monotonic_ms(void);
/* For what takes less than a few. */
int64_t clock_monotonic_us(void);
/* Since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* The earlier of two times. */
static inline int64_t clock_earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* GitHub's clock, from the Date of a response that just arrived. Any thread. */
void clock_set_reference(int64_t wall_ms);
/* How far our wall clock is ahead of GitHub's now; negative: behind. False before the first
 * response. Any thread. */
bool clock_error_ms(int64_t *ahead_ms);
/* The wall clock, or GitHub's while ours is wrong (CLOCK_ERROR_MAX_MS): for times that the store
 * keeps until the clock is right again. Any thread. */
int64_t clock_true_ms(void);
/* Beyond this the host forgets nothing and starts no scheduled work. */
#define CLOCK_ERROR_MAX_MS 3600000

/* For tests: stops both clocks at these values. Call it before any thread starts. */
void clock_set_for_test(int64_t monotonic_ms, int64_t wall_ms);

#endif
