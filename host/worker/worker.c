/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the process, and the two things that go to the host outside of a run's own frames:
 * log lines, and the sentence with which create() rejects to start. */
#include "worker/worker.h"

#include "base/lock.h"
#include "base/text.h"
#include "worker/arena.h"
#include "worker/calls.h"
#include "worker/wire.h"

#include <snekomatic/host.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of texts that create() and others keep. */
#define KEPT_TEXTS_MAX (64u << 20)

struct worker {
    /* The plugin's view. */
    struct snek_host host;
    struct wire wire;
    struct calls *calls;
    struct snek_plugin plugin;
    void *state;
    struct plugin_config *config;
    struct arena arena;
    enum log_level least_level;

    /* Guards the member below. */
    pthread_mutex_t lock;
    char rejection[FRAME_REASON_MAX + 1];
};

struct worker *worker_new(const struct snek_host *vtable, int host_fd) {
    struct worker *worker = calloc(1, sizeof *worker);
    struct calls *calls = calls_new();
    if (!worker || !calls) {
        free(calls);
        free(worker);
        return NULL;
    }
    worker->host = *vtable;
    worker->calls = calls;
    arena_init(&worker->arena, KEPT_TEXTS_MAX);
    wire_init(&worker->wire, host_fd);
    pthread_mutex_init(&worker->lock, NULL);
    return worker;
}

struct worker *worker_of(const struct snek_host *host) {
    return CONTAINER_OF((uintptr_t)host, struct worker, host);
}

const struct snek_host *worker_host(const struct worker *worker) {
    return &worker->host;
}

struct wire *worker_wire(struct worker *worker) {
    return &worker->wire;
}

struct calls *worker_calls(struct worker *worker) {
    return worker->calls;
}

void worker_configure(struct worker *worker, struct plugin_config *config,
                      enum log_level least_level) {
    assert(config && !worker->config);
    worker->config = config;
    worker->least_level = least_level;
}

bool worker_logs(const struct worker *worker, enum log_level level) {
    return level >= worker->least_level;
}

struct plugin_config *worker_config(struct worker *worker) {
    assert(worker->config);
    return worker->config;
}

struct snek_plugin *worker_plugin(struct worker *worker) {
    return &worker->plugin;
}

struct arena *worker_arena(struct worker *worker) {
    return &worker->arena;
}

void **worker_state(struct worker *worker) {
    return &worker->state;
}

void worker_log(struct worker *worker, uint64_t run, enum log_level level, const char *text) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    char line[FRAME_REASON_MAX + 1];
    if (!worker_logs(worker, level)) {
        return;
    }
    text_repair(line, sizeof line, text, strnlen(text, sizeof line));
    frame_begin(&writer, &buffer, FRAME_LOG, run, 0);
    frame_put_number(&writer, level);
    frame_put_text(&writer, line);
    if (frame_end(&writer) == 0) {
        /* When the host is gone, the main thread ends the process. */
        (void)wire_send(&worker->wire, &buffer, NULL, 0);
    }
}

void worker_set_rejection(struct worker *worker, const char *text, size_t bytes) {
    SCOPED_LOCK(&worker->lock);
    text_repair(worker->rejection, sizeof worker->rejection, text, bytes);
}

const char *worker_rejection(const struct worker *worker) {
    return worker->rejection;
}
