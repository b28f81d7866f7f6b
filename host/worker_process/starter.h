/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a worker's process is started and watched. worker_process.c uses this interface only. There
 * are two starters: the host's (supervisor_client.h), which asks the supervisor, and the direct one
 * below, which forks and execs.
 *
 *   start() -> on_started() -> on_ended()
 *          '-> on_failed()
 *
 * Threads: everything on the loop's thread. A starter may call a handler within start(). */
#ifndef SNEK_WORKER_PROCESS_STARTER_H
#define SNEK_WORKER_PROCESS_STARTER_H

#include "base/error.h"
#include "base/list.h"
#include "base/loop.h"
#include "worker_process/spawn.h"

#include <stdint.h>
#include <sys/types.h>

#define WORKER_FILE_HASH_MAX 65

struct worker_start;

struct worker_starter {
    /* 0: a handler of `start` will be called, unless forget() is. -1: none will be. `start` is
     * borrowed until on_failed(), on_ended() or forget(). */
    int (*start)(struct worker_starter *starter, struct worker_start *start, struct error *err);
    /* Kills the process, also one that is being started. on_ended() or on_failed() will come. */
    void (*kill)(struct worker_starter *starter, struct worker_start *start);
    /* Kills the process, and calls no handler any more. */
    void (*forget)(struct worker_starter *starter, struct worker_start *start);
};

struct worker_start {
    /* The caller sets these. The index of the plugin in the configuration: */
    uint32_t plugin;
    /* Only the direct starter reads these, within start(): the supervisor has its own. */
    const char *plugin_path, *plugin_shown;
    uint32_t memory_mib;
    enum frame_sandbox sandbox;
    /* The handler owns the descriptor. */
    void (*on_started)(struct worker_start *start, int socket_fd);
    /* No process was started. */
    void (*on_failed)(struct worker_start *start, const struct error *why);
    /* `code` and `status` are the si_code and si_status of waitid(2). The process is reaped, and
     * its process group was killed. */
    void (*on_ended)(struct worker_start *start, int code, int status);

    /* The starter sets these. 0 before on_started(): */
    pid_t pid;
    struct worker_starter *starter;
    TAILQ_ENTRY(worker_start) link;
    uint64_t id;
    /* The name of the plugin's file without ".so". It is a copy that has its SHA-256, in
     * hexadecimal, as its name. */
    char file_hash[WORKER_FILE_HASH_MAX];
    /* A pidfd; -1 before on_started(). */
    struct loop_source process;
    bool killed;
};

/* Starts workers as children of this process. */
struct direct_starter {
    struct worker_starter starter;
    struct loop *loop;
    char *worker_path;
};

/* Borrows the loop until direct_starter_finish(). 0, or -1 when there is no snekomatic-worker. */
int direct_starter_init(struct direct_starter *direct, struct loop *loop, struct error *err);
void direct_starter_finish(struct direct_starter *direct);

#endif
