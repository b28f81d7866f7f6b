/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts, watches and reaps workers that are children of this process. */
#include "worker_process/starter.h"

#include "base/install_path.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop_watching(struct worker_start *start) {
    struct direct_starter *direct = CONTAINER_OF(start->starter, struct direct_starter, starter);
    if (start->process.fd >= 0) {
        loop_remove(direct->loop, &start->process);
        close(start->process.fd);
        start->process.fd = -1;
    }
}

static void on_process_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    struct worker_start *start = CONTAINER_OF(source, struct worker_start, process);
    /* Its children, as far as they stayed in its group. */
    kill(-start->pid, SIGKILL);
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)start->pid, &info, WEXITED | WNOHANG) < 0) {
        return;
    }
    stop_watching(start);
    /* May free `start`. */
    start->on_ended(start, info.si_code, info.si_status);
}

static void kill_and_reap(pid_t pid) {
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int start_direct(struct worker_starter *starter, struct worker_start *start,
                        struct error *err) {
    struct direct_starter *direct = CONTAINER_OF(starter, struct direct_starter, starter);
    const struct worker_spawn_options options = {.worker_path = direct->worker_path,
                                                 .plugin_path = start->plugin_path,
                                                 .plugin_shown = start->plugin_shown,
                                                 .memory_mib = start->memory_mib,
                                                 .sandbox = start->sandbox};
    struct worker_child child;
    if (worker_spawn(&options, &child, err) < 0) {
        return -1;
    }
    start->starter = starter;
    start->pid = child.pid;
    start->process = (struct loop_source){pidfd_open(child.pid, 0), on_process_ready};
    if (start->process.fd < 0 || loop_add(direct->loop, &start->process, EPOLLIN) < 0) {
        error_set(err, "cannot watch a worker: %s", strerror(errno));
        kill_and_reap(child.pid);
        cleanup_close(&start->process.fd);
        cleanup_close(&child.socket_fd);
        return -1;
    }
    const char *name = strrchr(start->plugin_path, '/');
    name = name ? name + 1 : start->plugin_path;
    snprintf(start->file_hash, sizeof start->file_hash, "%.*s", (int)strcspn(name, "."), name);
    start->on_started(start, child.socket_fd);
    return 0;
}

static void kill_direct(struct worker_starter *starter, struct worker_start *start) {
    assert(start->starter == starter);
    /* It is not reaped yet, so the number is still its own. */
    kill(start->pid, SIGKILL);
}

static void forget_direct(struct worker_starter *starter, struct worker_start *start) {
    assert(start->starter == starter);
    if (start->process.fd >= 0) {
        kill_and_reap(start->pid);
        stop_watching(start);
    }
}

int direct_starter_init(struct direct_starter *direct, struct loop *loop, struct error *err) {
    *direct = (struct direct_starter){
        .starter = {.start = start_direct, .kill = kill_direct, .forget = forget_direct},
        .loop = loop,
        .worker_path = install_path_program("snekomatic-worker", err)};
    return direct->worker_path ? 0 : -1;
}

void direct_starter_finish(struct direct_starter *direct) {
    free(direct->worker_path);
    direct->worker_path = NULL;
}
