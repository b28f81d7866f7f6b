/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the setup and waits for its end. This process has no key yet. */
#include "supervisor/supervisor.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "supervisor/deployment.h"
#include "supervisor/hosted.h"
#include "supervisor/notify.h"
#include "supervisor/start.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

/* The setup talks to this process as a host does. */
struct setup_process {
    struct hosted hosted;
    /* It loads no plugin. */
    struct deployment *deployment;
    char **environment;
    int signals_fd;
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

static int start(struct setup_process *setup, const struct config *config, char *const argv[],
                 int listen_fd, struct error *err) {
    setup->environment = start_host_environment();
    setup->deployment = setup->environment ? deployment_new(err) : NULL;
    if (!setup->deployment) {
        return error_set(err, "out of memory");
    }
    setup->deployment->config = config;
    const struct hosted_options options = {
        .host_argv = argv, .environment = setup->environment, .listen_fd = listen_fd};
    return hosted_start(&setup->hosted, &options, setup->deployment, err);
}

/* The only packet that counts is HELLO. */
static void handle_control(struct setup_process *setup) {
    union hosted_packet packet;
    if (hosted_receive_control(&setup->hosted, &packet) > 0 && packet.kind == SUPERVISOR_HELLO) {
        hosted_send_settings(&setup->hosted);
    }
}

static void handle_signals(struct setup_process *setup, int notify_fd) {
    struct signalfd_siginfo info;
    while (read(setup->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            setup->ending = true;
            notify_send(notify_fd, "STOPPING=1");
            hosted_signal(&setup->hosted, SIGTERM);
        }
    }
}

/* Reaps all children; the first process of a container gets those of others too. */
static void reap(struct setup_process *setup) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == setup->hosted.pid) {
            setup->ended = true;
            setup->status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
        }
    }
}

static void run(struct setup_process *setup, int notify_fd) {
    while (!setup->ended) {
        struct pollfd fds[] = {{.fd = setup->signals_fd, .events = POLLIN},
                               {.fd = setup->hosted.control_fd, .events = POLLIN}};
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

static uint16_t port_of(int listen_fd) {
    struct sockaddr_storage local = {0};
    socklen_t bytes = sizeof local;
    getsockname(listen_fd, (struct sockaddr *)&local, &bytes);
    return ntohs(local.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&local)->sin6_port
                                             : ((const struct sockaddr_in *)&local)->sin_port);
}

int supervisor_move(struct supervisor_opened *opened, const struct config *config) {
    struct error err;
    uint16_t port = config->server.port;
    if (port == 0) {
        port = port_of(opened->listen_fd);
    }
    cleanup_close(&opened->listen_fd);
    opened->listen_fd = -1;
    int status = start_listen(config->server.host, port, &opened->listen_fd, &err);
    if (status != 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
    }
    return status;
}

/* 0, or an exit status. */
static int prepare(struct setup_process *setup, const struct config *config, const char *host,
                   char *const argv[], struct supervisor_opened *opened, struct error *err) {
    if (start_open_standard_fds(err) < 0) {
        return EX_OSERR;
    }
    opened->notify_fd = notify_open(err);
    if (opened->notify_fd < -1) {
        return EX_OSERR;
    }
    settings_scrub_environment();
    int status = start_listen(host, config->server.port, &opened->listen_fd, err);
    if (status != 0) {
        return status;
    }
    notify_send(opened->notify_fd, EXTEND_TIMEOUT);
    setup->signals_fd = open_signals(err);
    return setup->signals_fd < 0 || start(setup, config, argv, opened->listen_fd, err) < 0
               ? EX_OSERR
               : 0;
}

int supervisor_setup(const struct config *config, const char *host, char *const setup_argv[],
                     struct supervisor_opened *opened, bool *stored) {
    struct setup_process setup = {.signals_fd = -1};
    struct error err;
    process_harden();
    hosted_init(&setup.hosted);
    *opened = (struct supervisor_opened){.listen_fd = -1, .notify_fd = -1};
    int status = prepare(&setup, config, host, setup_argv, opened, &err);
    if (status != 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
    } else {
        run(&setup, opened->notify_fd);
        status = setup.ending ? EX_OK : setup.status;
    }
    *stored = setup.ended && !setup.ending && status == EX_OK;
    cleanup_close(&setup.signals_fd);
    hosted_forget(&setup.hosted);
    deployment_free(setup.deployment);
    start_free_environment(setup.environment);
    if (!*stored) {
        supervisor_close(opened);
    }
    return status;
}
