/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One host of the supervisor: its process, its two sockets and its workers. There are two during a
 * reload, and one otherwise. Only this room includes it. One thread.
 *
 *   hosted_start() -> LOADED -> hosted_go() -> READY -> its end -> hosted_forget()
 *     -> hosted_lingers() is false -> hosted_start() */
#ifndef SNEK_SUPERVISOR_HOSTED_H
#define SNEK_SUPERVISOR_HOSTED_H

#include "base/error.h"
#include "supervisor/deployment.h"
#include "supervisor/messages.h"
#include "supervisor/workers.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The options that the hosts of a supervisor share; borrowed. */
struct hosted_options {
    char *const *host_argv;
    const char *worker_path;
    char **environment;
    int listen_fd;
    struct plugin_files *files;
};

struct hosted {
    /* Borrowed while it runs. */
    struct deployment *deployment;
    /* 0: none runs. */
    pid_t pid;
    /* Our ends; -1: none. */
    int messages_fd, control_fd;
    /* The host does not read its control socket, so its requests wait. */
    bool control_full;
    /* It has loaded its plugins; it may use the store; it serves; it was asked to drain. */
    bool loaded, go, ready, draining;
    int64_t ready_since_ms;
    /* Why it cannot start, as it reported; "" when it has not. */
    char failure[SUPERVISOR_REASON_MAX];
    /* The problems of its configuration, as it reported them: lines for a terminal. Ours; NULL: it
     * has reported none. */
    char *problems;
    struct workers workers;
    /* When the workers of the host that has ended must be gone. */
    int64_t workers_gone_ms;
};

/* A packet of a host. */
union hosted_packet {
    uint32_t kind;
    struct supervisor_control control;
    struct supervisor_failure failure;
    struct supervisor_rejection rejection;
};

void hosted_init(struct hosted *hosted);
/* Starts a host; none may run, and no worker of an earlier one. 0, or -1. */
int hosted_start(struct hosted *hosted, const struct hosted_options *options,
                 struct deployment *deployment, struct error *err);
/* Its process has ended: closes its sockets and kills its workers. */
void hosted_forget(struct hosted *hosted);
/* True while workers of a host that has ended are left. Gives them up after some seconds. */
bool hosted_lingers(struct hosted *hosted);
/* When hosted_lingers() gives up; INT64_MAX: it has no need to. Monotonic. */
int64_t hosted_lingers_until_ms(const struct hosted *hosted);

/* Sends a signal, if it runs. */
void hosted_signal(const struct hosted *hosted, int number);
/* Asks it to end after at most `drain_ms`, if it runs. */
void hosted_drain(struct hosted *hosted, int drain_ms);
/* It may use the store and the listening socket from now on. */
void hosted_go(struct hosted *hosted);
/* Sends it the settings. A host without settings is of no use, so a failure kills it. */
void hosted_send_settings(const struct hosted *hosted);

void hosted_log_malformed(ssize_t bytes);
/* Receives a packet from `*fd`, a socket of the host. Returns its length; 0 when there is none. */
ssize_t hosted_receive(int *fd, void *packet, size_t bytes);
/* Receives a packet from the control socket: 1; 0 when there is none; -1 when it had a wrong length
 * and was dropped. */
int hosted_receive_control(struct hosted *hosted, union hosted_packet *packet);
/* Is there room for the response to a request? Notes it in control_full. */
bool hosted_has_room(struct hosted *hosted);

#endif
