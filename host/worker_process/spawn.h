/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the program snekomatic-worker: in the supervisor for `serve`, directly for the verbs that
 * only load plugins. The process that starts a worker chooses its plugin and its limits and sends
 * them in FRAME_START, so that the host cannot choose them. Any thread. */
#ifndef SNEK_WORKER_PROCESS_SPAWN_H
#define SNEK_WORKER_PROCESS_SPAWN_H

#include "base/error.h"
#include "protocol/frames.h"

#include <stdint.h>
#include <sys/types.h>

/* A worker that takes longer to load is to be killed by whoever started it. */
#define WORKER_SPAWN_LOAD_DEADLINE_MS 20000
/* With sandbox = "off", because it may wait for a debugger. */
#define WORKER_SPAWN_DEBUG_DEADLINE_MS 600000

/* Borrowed during worker_spawn(). */
struct worker_spawn_options {
    const char *worker_path;
    /* Absolute. The worker loads it. */
    const char *plugin_path;
    /* The same plugin as the operator knows it: names the process. */
    const char *plugin_shown;
    uint32_t memory_mib;
    enum frame_sandbox sandbox;
};

struct worker_child {
    pid_t pid;
    /* The caller's end of the worker's socket. */
    int socket_fd;
};

/* Starts a worker in a process group of its own, with an empty environment and one descriptor, the
 * socket. 0 and `*child`, whose process the caller reaps and whose descriptors it closes; or -1.
 * The error is transient when the system lacks a resource at the moment. */
int worker_spawn(const struct worker_spawn_options *options, struct worker_child *child,
                 struct error *err);

#endif
