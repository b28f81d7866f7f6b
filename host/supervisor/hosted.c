/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts a host, exchanges packets with it, and buries its workers. */
#include "supervisor/hosted.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "supervisor/send_settings.h"
#include "supervisor/start.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* SIGKILL ends a process at once, unless the kernel waits for a disk that does not respond. */
#define WORKERS_DEATH_MS 5000

void hosted_init(struct hosted *hosted) {
    *hosted = (struct hosted){.messages_fd = -1, .control_fd = -1};
}

static int make_pair(int *ours, int *theirs, struct error *err) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set(err, "cannot make a socket pair: %s", strerror(errno));
    }
    *ours = ends[0];
    *theirs = ends[1];
    return 0;
}

int hosted_start(struct hosted *hosted, const struct hosted_options *options,
                 struct deployment *deployment, struct error *err) {
    AUTO_CLOSE int messages_fd = -1;
    AUTO_CLOSE int their_messages_fd = -1;
    AUTO_CLOSE int control_fd = -1;
    AUTO_CLOSE int their_control_fd = -1;
    assert(hosted->pid == 0 && !workers_any_alive(&hosted->workers));
    if (make_pair(&messages_fd, &their_messages_fd, err) < 0 ||
        make_pair(&control_fd, &their_control_fd, err) < 0) {
        return -1;
    }
    const struct start_sockets sockets = {.messages_fd = their_messages_fd,
                                          .listen_fd = options->listen_fd,
                                          .control_fd = their_control_fd};
    pid_t pid = start_host(options->host_argv, options->environment, &sockets, err);
    if (pid < 0) {
        return -1;
    }
    hosted_init(hosted);
    workers_init(&hosted->workers, deployment, options->files, options->worker_path);
    hosted->deployment = deployment;
    hosted->pid = pid;
    hosted->messages_fd = steal_fd(&messages_fd);
    hosted->control_fd = steal_fd(&control_fd);
    return 0;
}

void hosted_forget(struct hosted *hosted) {
    cleanup_close(&hosted->messages_fd);
    cleanup_close(&hosted->control_fd);
    hosted->messages_fd = -1;
    hosted->control_fd = -1;
    free(hosted->problems);
    hosted->problems = NULL;
    hosted->pid = 0;
    hosted->control_full = false;
    hosted->loaded = hosted->go = hosted->ready = hosted->draining = false;
    workers_kill_all(&hosted->workers);
    hosted->workers_gone_ms = clock_monotonic_ms() + WORKERS_DEATH_MS;
}

bool hosted_lingers(struct hosted *hosted) {
    if (hosted->pid != 0 || !workers_any_alive(&hosted->workers)) {
        return false;
    }
    if (clock_monotonic_ms() < hosted->workers_gone_ms) {
        return true;
    }
    log_event(SNEK_LEVEL_ERROR, "worker_does_not_end",
              LOG_TEXT("reason", "the kernel does not end a killed worker; perhaps a disk does not "
                                 "respond"));
    workers_forget_all(&hosted->workers);
    return false;
}

int64_t hosted_lingers_until_ms(const struct hosted *hosted) {
    bool lingers = hosted->pid == 0 && workers_any_alive(&hosted->workers);
    return lingers ? hosted->workers_gone_ms : INT64_MAX;
}

void hosted_signal(const struct hosted *hosted, int number) {
    if (hosted->pid > 0) {
        /* The host is not reaped yet, so the number is still its own. */
        kill(hosted->pid, number);
    }
}

void hosted_drain(struct hosted *hosted, int drain_ms) {
    /* The value of the signal bounds the host's drain. */
    const union sigval value = {.sival_int = drain_ms};
    if (hosted->pid > 0) {
        hosted->draining = true;
        sigqueue(hosted->pid, SIGTERM, value);
    }
}

void hosted_go(struct hosted *hosted) {
    const struct supervisor_event event = {.kind = SUPERVISOR_GO};
    hosted->go = true;
    if (descriptors_send(hosted->control_fd, &event, sizeof event, NULL, 0) < 0) {
        log_event(SNEK_LEVEL_ERROR, "reply_lost", LOG_TEXT("reason", strerror(errno)));
        hosted_signal(hosted, SIGKILL);
    }
}

void hosted_send_settings(const struct hosted *hosted) {
    const struct deployment *deployment = hosted->deployment;
    struct error err;
    if (send_settings(deployment->config->settings, deployment->descriptions_fd, hosted->control_fd,
                      &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "settings_not_sent", LOG_TEXT("reason", err.text));
        hosted_signal(hosted, SIGKILL);
    }
}

void hosted_log_malformed(ssize_t bytes) {
    log_event(SNEK_LEVEL_WARNING, "message_malformed", LOG_NUMBER("bytes", bytes));
}

ssize_t hosted_receive(int *fd, void *packet, size_t bytes) {
    ssize_t got = *fd < 0 ? 0 : recv(*fd, packet, bytes, MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0) {
        /* The host closed its end, or sent an empty packet. */
        cleanup_close(fd);
        *fd = -1;
    }
    return got < 0 ? 0 : got;
}

int hosted_receive_control(struct hosted *hosted, union hosted_packet *packet) {
    ssize_t got = hosted_receive(&hosted->control_fd, packet, sizeof *packet);
    if (got == 0) {
        return 0;
    }
    size_t wanted = sizeof packet->control;
    if (got >= (ssize_t)sizeof packet->kind && packet->kind == SUPERVISOR_FAILED) {
        wanted = sizeof packet->failure;
    } else if (got >= (ssize_t)sizeof packet->kind && packet->kind == SUPERVISOR_REJECTED) {
        wanted = sizeof packet->rejection;
    }
    if (got != (ssize_t)wanted) {
        hosted_log_malformed(got);
        return -1;
    }
    return 1;
}

bool hosted_has_room(struct hosted *hosted) {
    struct pollfd output = {.fd = hosted->control_fd, .events = POLLOUT};
    bool writable = poll(&output, 1, 0) == 1 && output.revents & POLLOUT;
    hosted->control_full = hosted->control_fd >= 0 && !writable;
    return !hosted->control_full;
}
