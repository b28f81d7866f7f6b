/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Passes at most so many events a second and counts the others. It protects the disk from log lines
 * that a stranger causes. Not for several threads at once. */
#ifndef SNEK_BASE_THROTTLE_H
#define SNEK_BASE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
    int64_t second; /* monotonic */
    unsigned passed, withheld;
};

/* The number of events that were withheld in a second that is over, once; else 0. With `now_ms`
 * INT64_MAX the second need not be over. Call it before throttle_pass(). */
static inline unsigned throttle_take(struct throttle *throttle, int64_t now_ms) {
    unsigned withheld = now_ms / 1000 > throttle->second ? throttle->withheld : 0;
    throttle->withheld -= withheld;
    return withheld;
}

/* The time from which throttle_take() returns a number; INT64_MAX: nothing is withheld. */
static inline int64_t throttle_due_ms(const struct throttle *throttle) {
    return throttle->withheld > 0 ? (throttle->second + 1) * 1000 : INT64_MAX;
}

/* May one more pass? */
static inline bool throttle_pass(struct throttle *throttle, int64_t now_ms, unsigned most) {
    if (throttle->second != now_ms / 1000) {
        throttle->second = now_ms / 1000;
        throttle->passed = 0;
    }
    bool passes = throttle->passed < most;
    throttle->passed += passes;
    throttle->withheld += !passes;
    return passes;
}

#endif
