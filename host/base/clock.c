/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the clocks of the system, or the fixed times of a test. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

static bool frozen;
static int64_t frozen_monotonic_ms, frozen_wall_ms;

static int64_t read_ms(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void) {
    /* This clock also counts while the machine sleeps, as leases do. */
    return frozen ? frozen_monotonic_ms : read_ms(CLOCK_BOOTTIME);
}

int64_t clock_monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return frozen ? frozen_monotonic_ms * 1000 : (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void) {
    return frozen ? frozen_wall_ms : read_ms(CLOCK_REALTIME);
}

/* The reference less the monotonic clock, which no one sets; 0: unknown. */
static _Atomic int64_t reference_offset_ms;

void clock_set_reference(int64_t wall_ms) {
    atomic_store(&reference_offset_ms, wall_ms - clock_monotonic_ms());
}

bool clock_error_ms(int64_t *ahead_ms) {
    int64_t offset_ms = atomic_load(&reference_offset_ms);
    if (offset_ms == 0) {
        return false;
    }
    *ahead_ms = clock_wall_ms() - (offset_ms + clock_monotonic_ms());
    return true;
}

int64_t clock_true_ms(void) {
    int64_t ahead_ms;
    bool wrong = clock_error_ms(&ahead_ms) &&
                 (ahead_ms > CLOCK_ERROR_MAX_MS || ahead_ms < -CLOCK_ERROR_MAX_MS);
    return clock_wall_ms() - (wrong ? ahead_ms : 0);
}

void clock_set_for_test(int64_t monotonic_ms, int64_t wall_ms) {
    frozen = true;
    frozen_monotonic_ms = monotonic_ms;
    frozen_wall_ms = wall_ms;
}
