/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The limits on threads and processor time, and the rule for a worker that burns a processor. */
#include "dispatch/usage_watch.h"

#include "worker_process/worker_process.h"

#include <stdio.h>

/* No window has begun. */
#define NOT_BUSY (-1)

void usage_watch_start(struct usage_watch *watch, int64_t now_ms) {
    *watch = (struct usage_watch){
        .next_ms = now_ms + USAGE_RUNS_MS, .looked_ms = now_ms, .busy_since_ms = NOT_BUSY};
}

void usage_watch_hasten(struct usage_watch *watch, int64_t now_ms) {
    int64_t soon_ms = now_ms + USAGE_RUNS_MS;
    watch->next_ms = soon_ms < watch->next_ms ? soon_ms : watch->next_ms;
}

void usage_watch_note_result(struct usage_watch *watch) {
    watch->busy_since_ms = NOT_BUSY;
}

static bool is_busy(int64_t cpu_ms, int64_t wall_ms) {
    return cpu_ms * 100 >= wall_ms * USAGE_BUSY_PERCENT;
}

/* True once the worker has used a whole processor for long enough. */
static bool burns(struct usage_watch *watch, int64_t cpu_ms, int64_t now_ms) {
    if (watch->busy_since_ms == NOT_BUSY ||
        !is_busy(cpu_ms - watch->busy_cpu_ms, now_ms - watch->busy_since_ms)) {
        watch->busy_since_ms = now_ms;
        watch->busy_cpu_ms = cpu_ms;
    }
    return now_ms - watch->busy_since_ms >= USAGE_BUSY_MS;
}

static int64_t pause_ms(const struct usage_watch *watch, const struct usage *usage,
                        int64_t now_ms) {
    if (usage->has_runs) {
        return USAGE_RUNS_MS;
    }
    /* A hundredth of a processor. */
    bool active = (usage->cpu_ms - watch->cpu_ms) * 100 > now_ms - watch->looked_ms;
    return active ? USAGE_ACTIVE_MS : USAGE_IDLE_MS;
}

static enum usage_verdict judge(struct usage_watch *watch, const struct usage_limits *limits,
                                const struct usage *usage, int64_t now_ms, char *why, size_t room) {
    int64_t cpu_max_ms = (int64_t)limits->cpu_seconds * 1000;
    if (usage->threads > limits->concurrency + WORKER_PROCESS_THREADS_MORE) {
        snprintf(why, room,
                 "was ended: it has %u threads, and may have %u (plugin.concurrency, %u, and %d): "
                 "start fewer threads, or raise plugin.concurrency",
                 usage->threads, limits->concurrency + WORKER_PROCESS_THREADS_MORE,
                 limits->concurrency, WORKER_PROCESS_THREADS_MORE);
        return USAGE_KILL;
    }
    if (limits->cpu_seconds > 0 && usage->cpu_ms > cpu_max_ms) {
        snprintf(why, room,
                 "was ended: it has used %lld s of processor time, and plugin.cpu_seconds is %u: "
                 "raise it if its runs need more",
                 (long long)(usage->cpu_ms / 1000), limits->cpu_seconds);
        return USAGE_KILL;
    }
    if (limits->cpu_seconds > 0 && !usage->has_runs && usage->cpu_ms > cpu_max_ms / 2) {
        return USAGE_REPLACE;
    }
    if (usage->cpu_ms >= 0 && burns(watch, usage->cpu_ms, now_ms) && !watch->slowed) {
        watch->slowed = true;
        return USAGE_SLOW_DOWN;
    }
    return USAGE_FINE;
}

enum usage_verdict usage_watch_look(struct usage_watch *watch, const struct usage_limits *limits,
                                    const struct usage *usage, int64_t now_ms, char *why,
                                    size_t room) {
    enum usage_verdict verdict = judge(watch, limits, usage, now_ms, why, room);
    watch->next_ms = now_ms + pause_ms(watch, usage, now_ms);
    watch->looked_ms = now_ms;
    watch->cpu_ms = usage->cpu_ms;
    return verdict;
}
