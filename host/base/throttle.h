/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* So many of something a second; the rest is counted. For lines of the log that a stranger causes,
 * so that no flood of them fills a disk. Not for several threads at once. */
#ifndef SNEK_BASE_THROTTLE_H
#define SNEK_BASE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
    int64_t second; /* monotonic */
    unsigned passed, withheld;
};

/* How many were withheld, once their second is over, and then forgets them; else 0. `now_ms`
 * INT64_MAX: in any case. To be asked before throttle_pass(). */
static inline unsigned throttle_take(struct throttle *throttle, int64_t now_ms) {
    unsigned withheld = now_ms / 1000 > throttle->second ? throttle->withheld : 0;
    throttle->withheld -= withheld;
    return withheld;
}

/* When throttle_take() has something to say; INT64_MAX: nothing is withheld. */
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
