/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The process that runs one plugin: what its files share.
 *
 *   main.c   loads (sandbox.c, loader.c, descriptor.c), then reads frames until the host closes
 *   runs.c   hands runs to a pool of threads, and answers to the calls that wait (calls.c)
 *   handle.c calls the handlers of one run, in order, and says how it ended
 *   host.c   struct snek_host; service_*.c the five services over it
 *
 * Threads: the main thread reads the socket and runs create() and destroy(); each run has a thread
 * of the pool. Everything that a plugin may call is called from any thread of its own.
 * Memory: a run's is freed when its last handler has returned; the plugin's descriptor, its
 * configuration and what was found in it stay until the process ends. */
#ifndef SNEK_WORKER_WORKER_H
#define SNEK_WORKER_WORKER_H

#include "base/log.h"
#include "worker/arena.h"
#include "worker/wire.h"

#include <snekomatic/host.h>

#include <stdatomic.h>
#include <stdbool.h>

#define RUN_TEXTS_MAX (64u << 20) /* bytes that one run's handlers are handed */
#define RUN_STACK_BYTES (512u << 10)
#define RUN_GUID_MAX 128 /* bytes; as the inbox's */

struct worker;
struct call;
struct snek_response;
struct snek_pages;

/* Why something ended: a sentence, and whether a failing call left it or the plugin itself. */
struct reason {
    char text[FRAME_REASON_MAX + 1];
    bool of_call;
    int64_t delay_ms;
};

struct run {
    struct snek_run shown; /* what the handlers see */
    struct worker *worker;
    struct run *next; /* waiting or running; runs.c's, under its lock */
    uint64_t handle;
    atomic_bool cancelled;
    char *frame; /* ours: the payload lies in it */

    /* From the frame; terminated; constant. */
    const char *event, *action, *delivery, *installation;
    int64_t attempt;
    bool from_self;
    struct snek_text payload;

    struct arena arena;
    pthread_mutex_t lock; /* of what follows */
    struct reason reason;
    struct snek_response *responses;
    struct snek_pages *lists;

    /* Of the command that is being handled; set between handlers. */
    const char *const *words;
    uint32_t words_count;
};

/* What runs.c and calls.c know. */
struct runs {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* a run waits */
    pthread_cond_t quiet; /* a result was sent */
    struct run *waiting, *running;
    struct call *calls;
    uint64_t concurrency;
    uint64_t threads, idle, waiting_count;
    uint64_t ending; /* their handlers have returned, their results are not sent yet */
    uint64_t last_request;
};

struct config_text; /* service_config.c */

struct worker {
    struct snek_host host; /* what the plugin sees */
    struct wire wire;
    struct snek_plugin plugin; /* ours, checked */
    void *state;
    enum log_level least_level;
    char *config; /* a JSON object */
    size_t config_bytes;
    struct runs runs;

    pthread_mutex_t lock; /* of what follows */
    struct reason rejection;
    struct arena config_arena;
    struct config_text *config_texts;
};

static inline struct run *run_of(struct snek_run *shown) {
    return (struct run *)(void *)((char *)shown - offsetof(struct run, shown));
}

static inline struct worker *worker_of(const struct snek_host *host) {
    return (struct worker *)(void *)((char *)(uintptr_t)host - offsetof(struct worker, host));
}

/* host.c. A line in the host's log; `run` may be NULL. */
extern const struct snek_host worker_host;
void worker_log(struct worker *worker, const struct run *run, enum log_level level,
                const char *text);

/* handle.c: calls the handlers that the run is for. `reason` is the run's when it returns. */
int32_t run_handle(struct run *run);

/* Leaves the sentence of a failing call as the run's reason; returns `code`. Any thread. */
int32_t run_fail(struct run *run, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void run_leave_reason(struct run *run, const char *text, size_t bytes);

#endif
