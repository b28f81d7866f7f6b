/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides when the worker of one plugin starts again after its death, and when so many deaths
 * quarantine the plugin. It counts deaths without a finished run between them. Threads: the loop's.
 */
#ifndef SNEK_DISPATCH_RESTART_H
#define SNEK_DISPATCH_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/* The wait doubles with every death. */
#define RESTART_FIRST_MS 100
#define RESTART_LAST_MS 60000
/* A worker that lived for so long starts the count anew. */
#define RESTART_FORGET_MS 600000
/* So many deaths within so long quarantine the plugin. */
#define QUARANTINE_DEATHS 5
#define QUARANTINE_WINDOW_MS 60000

struct restart {
    /* Since the last finished run. */
    unsigned deaths;
    /* Monotonic: the latest deaths, death n at n % QUARANTINE_DEATHS. */
    int64_t died_ms[QUARANTINE_DEATHS];
};

/* A run has finished, or the plugin was released: earlier deaths do not count any more. */
void restart_reset(struct restart *restart);

/* The worker died, or could not be started, at `now_ms` (monotonic). The wait before its next start
 * in milliseconds. */
int64_t restart_note_death(struct restart *restart, int64_t now_ms);

/* True when the latest deaths quarantine the plugin. */
bool restart_quarantines(const struct restart *restart);

#endif
