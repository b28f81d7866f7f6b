/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The loop that runs one child, the host. Signals arrive on a signalfd and messages on a socket
 * pair; the third kind of event is a time. Besides the log's thread there is one thread, which
 * handles all events. */
#include "supervisor/supervisor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/messages.h"
#include "supervisor/notify.h"
#include "supervisor/signer.h"
#include "supervisor/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

/* The first restart is immediate. The delay doubles after each host that did not stay up. So a long
 * outage of the store causes few restarts, and the bot still returns soon after the outage. */
#define RESTART_DELAY_FIRST_MS 100
#define RESTART_DELAY_MAX_MS 30000
#define STAYED_UP_MS 10000

struct supervisor {
    const struct config *config;
    char *const *host_argv;
    /* Owned. The host's environment, without the key. */
    char **environment;
    /* The second is NULL unless a rotation is under way. */
    struct app_key *keys[SUPERVISOR_KEYS_MAX];
    int signals_fd, listen_fd, notify_fd;

    pid_t host;      /* 0: none runs */
    int messages_fd; /* our end; -1: none */
    bool ready;      /* this host reported it */
    /* A host was ready once. */
    bool served;
    int64_t ready_since_ms;
    /* One bit for each signal (SIGHUP, SIGUSR1) that a ready host gets. */
    unsigned waiting_signals;

    bool ending;           /* termination was asked for */
    int64_t restart_at_ms; /* while none runs */
    /* The delay if the next host dies early, too. */
    int64_t next_delay_ms;
    bool ended; /* with `status` */
    int status;
};

static void forget_host(struct supervisor *s) {
    cleanup_close(&s->messages_fd);
    s->messages_fd = -1;
    s->host = 0;
    s->ready = false;
    /* A new host reads everything anew. */
    s->waiting_signals = 0;
}

static void end_with(struct supervisor *s, int status) {
    s->ended = true;
    s->status = status;
}

/* The restart is immediate, unless hosts keep dying soon after each other. */
static void plan_restart(struct supervisor *s, bool stayed_up) {
    int64_t delay_ms = stayed_up ? 0 : s->next_delay_ms;
    int64_t longer_ms = delay_ms == 0 ? RESTART_DELAY_FIRST_MS : 2 * delay_ms;
    s->next_delay_ms = longer_ms < RESTART_DELAY_MAX_MS ? longer_ms : RESTART_DELAY_MAX_MS;
    s->restart_at_ms = clock_monotonic_ms() + delay_ms;
}

static int start(struct supervisor *s, struct error *err) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set(err, "cannot make a socket pair: %s", strerror(errno));
    }
    AUTO_CLOSE int theirs = ends[1];
    AUTO_CLOSE int ours = ends[0];
    if (s->served && start_mark_restarted(s->environment) < 0) {
        return error_set(err, "out of memory");
    }
    pid_t host = start_host(s->host_argv, s->environment, theirs, s->listen_fd, err);
    if (host < 0) {
        return -1;
    }
    s->host = host;
    s->messages_fd = steal_fd(&ours);
    return 0;
}

/* Signals. */

static int open_signals(struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    /* If SIGCHLD were inherited as ignored, waitpid() would find nothing. */
    signal(SIGCHLD, SIG_DFL);
    /* A write to a log without a reader must not end the process. */
    signal(SIGPIPE, SIG_IGN);
    int fd = -1;
    if (sigprocmask(SIG_SETMASK, &set, NULL) == 0) {
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    return fd >= 0 ? fd : error_set(err, "cannot receive signals: %s", strerror(errno));
}

static void send_to_host(const struct supervisor *s, int number) {
    if (s->host > 0) {
        /* The host is not reaped yet, so the number is still its own. */
        kill(s->host, number);
    }
}

static void stop(struct supervisor *s, int number) {
    if (!s->ending) {
        log_event(SNEK_LEVEL_INFO, "stopping", LOG_TEXT("signal", sigabbrev_np(number)));
        s->ending = true;
        notify_send(s->notify_fd, "STOPPING=1");
        /* An open socket of ours would accept connections that no host serves. */
        cleanup_close(&s->listen_fd);
        s->listen_fd = -1;
    }
    send_to_host(s, SIGTERM);
    if (s->host == 0) {
        end_with(s, 0); /* between two hosts */
    }
}

static void handle_signals(struct supervisor *s) {
    struct signalfd_siginfo info;
    while (read(s->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) { /* all there are */
        int number = (int)info.ssi_signo;
        if (number == SIGTERM || number == SIGINT) {
            stop(s, number);
        } else if (number == SIGHUP || number == SIGUSR1) {
            if (s->ready) {
                send_to_host(s, number);
            } else {
                /* The host may have no handlers yet, and the signal would end it. */
                s->waiting_signals |= 1U << number;
            }
            /* SIGCHLD: reap() looks after every wake. */
        }
    }
}

/* Messages. */

static void on_ready(struct supervisor *s) {
    if (s->ready) {
        return;
    }
    if (s->served) {
        log_event(SNEK_LEVEL_INFO, "host_restarted", LOG_NUMBER("pid", s->host));
    }
    if (!s->served && !s->ending) {
        notify_send(s->notify_fd, "READY=1");
    }
    s->ready = true;
    s->served = true;
    s->ready_since_ms = clock_monotonic_ms();
    for (int number = 1; number < 32; number++) {
        if (s->waiting_signals & 1U << number) {
            send_to_host(s, number);
        }
    }
    s->waiting_signals = 0;
}

/* Handles one packet; false when there is none. The host is trusted less than this process: any
 * other packet is dropped. */
static bool handle_message(struct supervisor *s) {
    struct supervisor_message message;
    if (s->messages_fd < 0) {
        return false;
    }
    ssize_t got = recv(s->messages_fd, &message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) {
        return errno == EINTR;
    }
    if (got == 0) {
        /* The host closed its end, or sent an empty packet. */
        cleanup_close(&s->messages_fd);
        s->messages_fd = -1;
        return false;
    }
    bool whole = got == (ssize_t)sizeof message;
    if (whole && message.kind == SUPERVISOR_READY) {
        on_ready(s);
    } else if (whole && message.kind == SUPERVISOR_JWT) {
        signer_reply(s->keys, s->config->github.app_id, &message, s->messages_fd);
    } else if (whole && message.kind == SUPERVISOR_ALIVE) {
        if (s->served) {
            /* The manager's watchdog starts with READY. */
            notify_send(s->notify_fd, "WATCHDOG=1");
        }
    } else {
        log_event(SNEK_LEVEL_WARNING, "message_malformed", LOG_NUMBER("bytes", got));
    }
    return true;
}

/* The end of a host. */

static int exit_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void log_death(const struct supervisor *s, int status) {
    bool by_signal = WIFSIGNALED(status);
    log_event(SNEK_LEVEL_ERROR, "host_died", LOG_NUMBER("pid", s->host),
              by_signal ? LOG_TEXT("signal", sigabbrev_np(WTERMSIG(status)))
                        : LOG_NUMBER("status", WEXITSTATUS(status)),
              LOG_TEXT("while", s->ready ? "serving" : "starting"));
}

/* The status for an end before any host was ready. A host reports a wrong configuration by
 * EX_CONFIG and a SIGTERM of its own by 0. Any other cause may pass, so the service manager may try
 * again. */
static int first_start_status(int status) {
    bool known =
        WIFEXITED(status) && (WEXITSTATUS(status) == EX_CONFIG || WEXITSTATUS(status) == 0);
    return known ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

static void on_host_ended(struct supervisor *s, int status) {
    /* READY may still wait in the socket. */
    for (unsigned n = 0; n < 64 && handle_message(s); n++) {}
    /* A SIGTERM that we passed on killed it before it had a handler: also a requested end. */
    bool requested = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    if (s->ending && (requested || exit_status(status) == 0)) {
        end_with(s, 0);
        forget_host(s);
        return;
    }
    log_death(s, status);
    if (s->ending) {
        end_with(s, exit_status(status));
    } else if (s->served) {
        bool stayed_up = s->ready && clock_monotonic_ms() - s->ready_since_ms >= STAYED_UP_MS;
        plan_restart(s, stayed_up);
    } else {
        end_with(s, first_start_status(status));
    }
    forget_host(s);
}

/* Reaps all children. The first process of a container also gets those of other processes. */
static void reap(struct supervisor *s) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->host) {
            on_host_ended(s, status);
        }
    }
}

static void restart_when_due(struct supervisor *s) {
    struct error err;
    if (s->host != 0 || s->ended || clock_monotonic_ms() < s->restart_at_ms) {
        return;
    }
    if (start(s, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "host_not_restarted", LOG_TEXT("reason", err.text));
        plan_restart(s, false);
    }
}

static int wait_ms(const struct supervisor *s) {
    if (s->host != 0) {
        return -1;
    }
    int64_t left_ms = s->restart_at_ms - clock_monotonic_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static void run(struct supervisor *s) {
    while (!s->ended) {
        struct pollfd fds[] = {{.fd = s->signals_fd, .events = POLLIN},
                               {.fd = s->messages_fd, .events = POLLIN}};
        poll(fds, 2, wait_ms(s));
        handle_signals(s);
        if (fds[1].revents) {
            handle_message(s);
        }
        reap(s);
        restart_when_due(s);
    }
}

static void log_rejection(const struct error *err) {
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err->text));
}

/* 0, or an exit status. */
static int prepare(struct supervisor *s, struct error *err) {
    if (start_open_standard_fds(err) < 0) {
        return EX_OSERR;
    }
    if (signer_read_keys(s->config, s->keys, err) < 0) {
        return EX_CONFIG;
    }
    /* Before the environment is copied for the host. */
    s->notify_fd = notify_open(err);
    if (s->notify_fd < -1) {
        return EX_OSERR;
    }
    s->environment = start_take_environment();
    if (!s->environment) {
        error_set(err, "out of memory");
        return EX_OSERR;
    }
    int status = start_listen(s->config->server.host, s->config->server.port, &s->listen_fd, err);
    if (status != 0) {
        return status;
    }
    s->signals_fd = open_signals(err);
    return s->signals_fd < 0 || start(s, err) < 0 ? EX_OSERR : 0;
}

int supervisor_run(const struct config *config, char *const host_argv[]) {
    /* Before the key is in memory: no core file, and no other process of this user can read this
     * process's memory. */
    prctl(PR_SET_DUMPABLE, 0);
    struct supervisor s = {.config = config,
                           .host_argv = host_argv,
                           .signals_fd = -1,
                           .listen_fd = -1,
                           .notify_fd = -1,
                           .messages_fd = -1};
    struct error err;
    int status = prepare(&s, &err);
    if (status != 0) {
        log_rejection(&err);
    } else {
        run(&s);
        status = s.status;
    }
    cleanup_close(&s.signals_fd);
    cleanup_close(&s.listen_fd);
    cleanup_close(&s.notify_fd);
    cleanup_close(&s.messages_fd);
    start_free_environment(s.environment);
    signer_free_keys(s.keys);
    return status;
}
