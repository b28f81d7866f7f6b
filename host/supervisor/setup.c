/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the setup and waits for its end. This process has no key yet. */
#include "supervisor/supervisor.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "supervisor/messages.h"
#include "supervisor/notify.h"
#include "supervisor/reload.h"
#include "supervisor/send_settings.h"
#include "supervisor/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* A service manager waits for READY, which the host sends after the setup: for 2 hours. */
#define EXTEND_TIMEOUT "EXTEND_TIMEOUT_USEC=7200000000"

struct setup_process {
    const struct config *config;
    pid_t pid;
    int signals_fd, messages_fd, control_fd;
    /* Termination was asked for. */
    bool ending;
    bool ended;
    int status;
};

static int open_signals(struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    int fd = -1;
    if (sigprocmask(SIG_SETMASK, &set, NULL) == 0) {
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    return fd >= 0 ? fd : error_set(err, "cannot receive signals: %s", strerror(errno));
}

/* The sockets are those of a host; the setup uses the control socket only. */
static int start(struct setup_process *setup, char *const argv[], int listen_fd,
                 struct error *err) {
    int messages[2] = {-1, -1}, control[2] = {-1, -1};
    char **environment = start_host_environment();
    pid_t pid = -1;
    if (!environment || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, messages) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
        error_set(err, "cannot make a socket pair: %s", strerror(errno));
    } else {
        const struct start_sockets sockets = {
            .messages_fd = messages[1], .listen_fd = listen_fd, .control_fd = control[1]};
        pid = start_host(argv, environment, &sockets, err);
    }
    start_free_environment(environment);
    cleanup_close(&messages[1]);
    cleanup_close(&control[1]);
    setup->messages_fd = messages[0];
    setup->control_fd = control[0];
    setup->pid = pid;
    return pid < 0 ? -1 : 0;
}

/* A setup without settings is of no use. It needs no descriptions of plugins from an earlier host.
 */
static void on_hello(struct setup_process *setup) {
    struct error err;
    AUTO_CLOSE int descriptions_fd = reload_open_descriptions(&err);
    if (descriptions_fd < 0 ||
        send_settings(setup->config->settings, descriptions_fd, setup->control_fd, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "settings_not_sent", LOG_TEXT("reason", err.text));
        kill(setup->pid, SIGKILL);
    }
}

/* The only packet that counts is HELLO. */
static void handle_control(struct setup_process *setup) {
    struct supervisor_control packet;
    ssize_t got = recv(setup->control_fd, &packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0) {
        cleanup_close(&setup->control_fd);
        setup->control_fd = -1;
    } else if (got == (ssize_t)sizeof packet && packet.kind == SUPERVISOR_HELLO) {
        on_hello(setup);
    }
}

static void handle_signals(struct setup_process *setup, int notify_fd) {
    struct signalfd_siginfo info;
    while (read(setup->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            setup->ending = true;
            notify_send(notify_fd, "STOPPING=1");
            kill(setup->pid, SIGTERM);
        }
    }
}

/* Reaps all children; the first process of a container gets those of others too. */
static void reap(struct setup_process *setup) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == setup->pid) {
            setup->ended = true;
            setup->status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
        }
    }
}

static void run(struct setup_process *setup, int notify_fd) {
    while (!setup->ended) {
        struct pollfd fds[] = {{.fd = setup->signals_fd, .events = POLLIN},
                               {.fd = setup->control_fd, .events = POLLIN}};
        poll(fds, sizeof fds / sizeof *fds, -1);
        handle_signals(setup, notify_fd);
        if (fds[1].revents) {
            handle_control(setup);
        }
        reap(setup);
    }
}

void supervisor_close(struct supervisor_opened *opened) {
    cleanup_close(&opened->listen_fd);
    cleanup_close(&opened->notify_fd);
    *opened = (struct supervisor_opened){.listen_fd = -1, .notify_fd = -1};
}

/* 0, or an exit status. */
static int prepare(struct setup_process *setup, char *const argv[],
                   struct supervisor_opened *opened, struct error *err) {
    const struct config *config = setup->config;
    if (start_open_standard_fds(err) < 0) {
        return EX_OSERR;
    }
    opened->notify_fd = notify_open(err);
    if (opened->notify_fd < -1) {
        return EX_OSERR;
    }
    settings_scrub_environment();
    int status = start_listen(config->server.host, config->server.port, &opened->listen_fd, err);
    if (status != 0) {
        return status;
    }
    notify_send(opened->notify_fd, EXTEND_TIMEOUT);
    setup->signals_fd = open_signals(err);
    return setup->signals_fd < 0 || start(setup, argv, opened->listen_fd, err) < 0 ? EX_OSERR : 0;
}

int supervisor_setup(const struct config *config, char *const setup_argv[],
                     struct supervisor_opened *opened, bool *stored) {
    struct setup_process setup = {
        .config = config, .signals_fd = -1, .messages_fd = -1, .control_fd = -1};
    struct error err;
    process_harden();
    *opened = (struct supervisor_opened){.listen_fd = -1, .notify_fd = -1};
    int status = prepare(&setup, setup_argv, opened, &err);
    if (status != 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
    } else {
        run(&setup, opened->notify_fd);
        status = setup.ending ? EX_OK : setup.status;
    }
    *stored = setup.ended && !setup.ending && status == EX_OK;
    cleanup_close(&setup.signals_fd);
    cleanup_close(&setup.messages_fd);
    cleanup_close(&setup.control_fd);
    if (!*stored) {
        supervisor_close(opened);
    }
    return status;
}
