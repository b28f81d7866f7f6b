/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Judges what one worker uses: its threads, its processor time in all, and whether it burns a whole
 * processor without a result. It gets numbers and knows no process. Threads: the loop's. */
#ifndef SNEK_DISPATCH_USAGE_WATCH_H
#define SNEK_DISPATCH_USAGE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A worker that uses a whole processor for so long without a result becomes slower. */
#define USAGE_BUSY_MS 10000
/* It counts as a whole processor from so many percent on, because others want it too. */
#define USAGE_BUSY_PERCENT 90
/* How often the host looks: while the worker has runs, while it does something, else. */
#define USAGE_RUNS_MS 250
#define USAGE_ACTIVE_MS 1000
#define USAGE_IDLE_MS 10000

struct usage_limits {
    /* 0: no limit. */
    uint32_t cpu_seconds;
    uint32_t concurrency;
};

/* Times are monotonic. */
struct usage_watch {
    int64_t next_ms;
    /* The last look. */
    int64_t looked_ms, cpu_ms;
    /* Since then the worker has used a whole processor, as far as it is known. */
    int64_t busy_since_ms, busy_cpu_ms;
    bool slowed;
};

struct usage {
    /* Milliseconds; -1: not known. */
    int64_t cpu_ms;
    unsigned threads;
    bool has_runs;
};

enum usage_verdict {
    USAGE_FINE,
    /* Kill it; the sentence is in `why`. */
    USAGE_KILL,
    /* Give it the lowest priority. */
    USAGE_SLOW_DOWN,
    /* It has no run and has used more than half of its processor time: a new one should take over
     * before the limit is reached in a run. */
    USAGE_REPLACE,
};

/* A new worker starts at `now_ms`. */
void usage_watch_start(struct usage_watch *watch, int64_t now_ms);
/* The worker has runs, so the next look comes soon. */
void usage_watch_hasten(struct usage_watch *watch, int64_t now_ms);
/* A run has finished. */
void usage_watch_note_result(struct usage_watch *watch);
/* Judges the worker when `watch->next_ms` has come. `why` has `room` bytes. */
enum usage_verdict usage_watch_look(struct usage_watch *watch, const struct usage_limits *limits,
                                    const struct usage *usage, int64_t now_ms, char *why,
                                    size_t room);

#endif
