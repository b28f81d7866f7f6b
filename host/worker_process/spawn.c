/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* posix_spawn() with everything that a worker must not inherit taken away. */
#include "worker_process/spawn.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "worker_process/wrapper.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The descriptor at which the worker has its socket. */
#define WORKER_FD 3
/* A path and a few numbers. */
#define START_FRAME_BYTES_MAX 8192
#define TITLE_BYTES_MAX 64

/* The name of the process, as `ps` shows it: "snekomatic-worker: invite". */
static void make_title(const char *plugin_path, char *title, size_t room) {
    const char *slash = strrchr(plugin_path, '/'), *name = slash ? slash + 1 : plugin_path;
    size_t bytes = strlen(name);
    bool suffixed = bytes > 3 && strcmp(name + bytes - 3, ".so") == 0;
    snprintf(title, room, "snekomatic-worker: %.*s", (int)(suffixed ? bytes - 3 : bytes), name);
}

static int report_lack(struct error *err, const char *attempt) {
    int reason = errno;
    error_set(err, "cannot %s: %s", attempt, strerror(reason));
    bool may_pass = reason == EAGAIN || reason == ENOMEM || reason == EMFILE || reason == ENFILE;
    return may_pass ? error_mark_transient(err) : -1;
}

/* An empty environment, the socket as the one descriptor, a process group of its own. */
static int spawn(const struct worker_spawn_options *options, int socket_fd, pid_t *pid,
                 struct error *err) {
    char title[TITLE_BYTES_MAX];
    char *const plain[] = {title, NULL}, *const environment[] = {NULL};
    struct wrapper wrapper = {.text = NULL};
    bool wrapped =
        options->sandbox == FRAME_SANDBOX_OFF && wrapper_read(&wrapper, options->worker_path) > 0;
    make_title(options->plugin_shown, title, sizeof title);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, WORKER_FD);
#ifndef SNEK_SANITIZED
    /* The pipes for its output come with LOAD. Sanitizers may report before that. */
    for (int fd = 0; fd < WORKER_FD; fd++) {
        posix_spawn_file_actions_addclose(&actions, fd);
    }
#endif
    posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_FD + 1);
    const char *program = wrapped ? wrapper.words[0] : options->worker_path;
    int problem = posix_spawnp(pid, program, &actions, &attributes, wrapped ? wrapper.words : plain,
                               environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = problem;
    if (problem != 0) {
        report_lack(err, "start it");
        error_wrap(err, wrapped ? "%s of " WRAPPER_VARIABLE : "%s", program);
    }
    free(wrapper.text);
    return problem == 0 ? 0 : -1;
}

/* It fits into the socket's buffer, which is empty. */
static int send_start(const struct worker_spawn_options *options, int socket_fd,
                      struct error *err) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(START_FRAME_BYTES_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_START, 0, 0);
    frame_put_number(&writer, FRAME_PROTOCOL);
    frame_put_text(&writer, options->plugin_path);
    frame_put_number(&writer, (uint64_t)options->sandbox);
    frame_put_number(&writer, options->memory_mib);
    if (frame_end(&writer) < 0) {
        return error_set(err, "the path of the plugin is too long");
    }
    ssize_t sent = send(socket_fd, buffer.data, buffer.bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == (ssize_t)buffer.bytes ? 0 : report_lack(err, "write to a worker's socket");
}

int worker_spawn(const struct worker_spawn_options *options, struct worker_child *child,
                 struct error *err) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        return report_lack(err, "make a socketpair for a worker");
    }
    AUTO_CLOSE int ours = fds[0];
    AUTO_CLOSE int theirs = fds[1];
    pid_t pid;
    if (send_start(options, ours, err) < 0) {
        return -1;
    }
    if (spawn(options, theirs, &pid, err) < 0) {
        return -1;
    }
    *child = (struct worker_child){.pid = pid, .socket_fd = steal_fd(&ours)};
    return 0;
}
