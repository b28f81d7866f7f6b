/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts a worker's deaths: the backoff of its restarts, and the rule for the quarantine. */
#include "dispatch/restart.h"

#include <assert.h>

void restart_reset(struct restart *restart) {
    restart->deaths = 0;
}

static int64_t last_death_ms(const struct restart *restart) {
    assert(restart->deaths > 0);
    return restart->died_ms[(restart->deaths - 1) % QUARANTINE_DEATHS];
}

int64_t restart_note_death(struct restart *restart, int64_t now_ms) {
    if (restart->deaths > 0 && now_ms - last_death_ms(restart) > RESTART_FORGET_MS) {
        restart_reset(restart);
    }
    restart->died_ms[restart->deaths % QUARANTINE_DEATHS] = now_ms;
    restart->deaths++;
    int64_t wait_ms = RESTART_FIRST_MS;
    for (unsigned i = 1; i < restart->deaths && wait_ms < RESTART_LAST_MS; i++) {
        wait_ms *= 2;
    }
    return wait_ms < RESTART_LAST_MS ? wait_ms : RESTART_LAST_MS;
}

bool restart_quarantines(const struct restart *restart) {
    if (restart->deaths < QUARANTINE_DEATHS) {
        return false;
    }
    int64_t oldest_ms = restart->died_ms[restart->deaths % QUARANTINE_DEATHS];
    return last_death_ms(restart) - oldest_ms <= QUARANTINE_WINDOW_MS;
}
