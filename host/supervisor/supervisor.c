/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The loop that runs the host and its workers. Signals arrive on a signalfd and messages on two
 * socket pairs; the third kind of event is a time. Besides the log's thread there is one thread,
 * which handles all events. */
#include "supervisor/supervisor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "supervisor/messages.h"
#include "supervisor/notify.h"
#include "supervisor/reload.h"
#include "supervisor/reload_socket.h"
#include "supervisor/send_settings.h"
#include "supervisor/signer.h"
#include "supervisor/start.h"
#include "supervisor/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

/* The first restart is immediate. The delay doubles after each host that did not stay up. So a long
 * outage of the store causes few restarts, and the bot still returns soon after the outage. */
#define RESTART_DELAY_FIRST_MS 100
#define RESTART_DELAY_MAX_MS 30000
#define STAYED_UP_MS 10000
/* SIGKILL ends a process at once, unless the kernel waits for a disk that does not respond. */
#define WORKERS_DEATH_MS 5000
/* How long runs may go on in a reload. GitHub gives a webhook up after 10 s, and a new host starts
 * within a second or two. */
#define RELOAD_DRAIN_MS 5000

struct supervisor {
    const struct config *config;
    /* The same, if a reload has read it; NULL: it is the caller's. */
    struct config *owned_config;
    /* Of the present configuration; see struct reload. */
    int descriptions_fd;
    /* A reload that is under way. Until the present host has ended, it has the new configuration;
     * then it has the old one, which comes back if no host starts with the new one. */
    struct reload *reload;
    bool reload_starts;
    /* A reload was asked for that cannot begin yet. */
    bool reload_wanted;
    struct reload_socket reload_socket;
    char *const *host_argv;
    const char *worker_path;
    /* Owned. The host's environment. */
    char **environment;
    /* The second is NULL unless a rotation is under way. */
    struct app_key *keys[SUPERVISOR_KEYS_MAX];
    int signals_fd, listen_fd, notify_fd;

    pid_t host; /* 0: none runs */
    /* Our ends; -1: none. */
    int messages_fd, control_fd;
    /* The host does not read its control socket, so its requests wait. */
    bool control_full;
    bool ready; /* this host reported it */
    struct workers workers;
    /* When the workers of the host that has ended must be gone. */
    int64_t workers_gone_ms;
    /* A host was ready once. */
    bool served;
    int64_t ready_since_ms;
    /* One bit for each signal (SIGUSR1) that a ready host gets. */
    unsigned waiting_signals;

    bool ending;           /* termination was asked for */
    int64_t restart_at_ms; /* while none runs */
    /* The delay if the next host dies early, too. */
    int64_t next_delay_ms;
    bool ended; /* with `status` */
    int status;
};

static void close_sockets(struct supervisor *s) {
    cleanup_close(&s->messages_fd);
    cleanup_close(&s->control_fd);
    s->messages_fd = -1;
    s->control_fd = -1;
}

static void forget_host(struct supervisor *s) {
    close_sockets(s);
    s->host = 0;
    s->control_full = false;
    workers_kill_all(&s->workers);
    s->workers_gone_ms = clock_monotonic_ms() + WORKERS_DEATH_MS;
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

static int make_pair(int *ours, int *theirs, struct error *err) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set(err, "cannot make a socket pair: %s", strerror(errno));
    }
    *ours = ends[0];
    *theirs = ends[1];
    return 0;
}

static int start(struct supervisor *s, struct error *err) {
    AUTO_CLOSE int messages_fd = -1;
    AUTO_CLOSE int their_messages_fd = -1;
    AUTO_CLOSE int control_fd = -1;
    AUTO_CLOSE int their_control_fd = -1;
    if (make_pair(&messages_fd, &their_messages_fd, err) < 0 ||
        make_pair(&control_fd, &their_control_fd, err) < 0) {
        return -1;
    }
    const struct start_sockets sockets = {.messages_fd = their_messages_fd,
                                          .listen_fd = s->listen_fd,
                                          .control_fd = their_control_fd};
    pid_t host = start_host(s->host_argv, s->environment, &sockets, err);
    if (host < 0) {
        return -1;
    }
    s->host = host;
    s->messages_fd = steal_fd(&messages_fd);
    s->control_fd = steal_fd(&control_fd);
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

/* The value of the signal bounds the host's drain. */
static void drain_host(const struct supervisor *s) {
    const union sigval drain_ms = {.sival_int = RELOAD_DRAIN_MS};
    if (s->host > 0) {
        sigqueue(s->host, SIGTERM, drain_ms);
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
        reload_socket_close(&s->reload_socket);
    }
    send_to_host(s, SIGTERM);
    if (s->host == 0) {
        end_with(s, 0); /* between two hosts */
    }
}

/* False: it was rejected. */
static bool read_reload(struct supervisor *s) {
    struct error err;
    s->reload_wanted = false;
    reload_socket_take(&s->reload_socket);
    if (reload_read(s->config, &s->workers, &s->reload, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "reload_rejected", LOG_TEXT("reason", err.text),
                  LOG_TEXT("result", "the present configuration stays in force"));
        reload_socket_reply(&s->reload_socket, RELOAD_REJECTED, err.text);
        return false;
    }
    s->reload_starts = false;
    log_event(SNEK_LEVEL_INFO, "reloading", LOG_TEXT("file", s->config->file),
              LOG_TEXT("plugins", s->reload->plugins));
    return true;
}

/* For SIGHUP and for `snekomatic reload`. The host gives its runs some seconds and the others back
 * to the store, as on SIGTERM. Connections wait meanwhile: the listening socket is ours. */
static void begin_reload(struct supervisor *s) {
    if (s->ending) {
        return;
    }
    if (!s->ready || s->reload) {
        s->reload_wanted = true;
    } else if (read_reload(s)) {
        drain_host(s);
    }
}

static void exchange(struct supervisor *s) {
    reload_exchange(s->reload, &s->config, &s->owned_config, &s->descriptions_fd, &s->workers);
    s->restart_at_ms = clock_monotonic_ms();
}

static void end_reload(struct supervisor *s) {
    reload_free(s->reload);
    s->reload = NULL;
    s->reload_starts = false;
}

static void reply_reloaded(struct supervisor *s) {
    const char *plugins = s->reload->plugins, *keys = s->reload->needs_restart;
    char text[RELOAD_REPLY_MAX];
    snprintf(text, sizeof text, "%s%s%s%s%s%s", *plugins ? "plugins: " : "", plugins,
             *plugins ? "\n" : "", *keys ? "needs a restart: " : "", keys, *keys ? "\n" : "");
    reload_socket_reply(&s->reload_socket, RELOAD_DONE, text);
}

static void reload_fails(struct supervisor *s) {
    static const char reason[] = "the host did not start with the new configuration; its lines in "
                                 "the log have the reason";
    log_event(SNEK_LEVEL_ERROR, "reload_failed", LOG_TEXT("reason", reason),
              LOG_TEXT("result", "the old configuration is in force again"));
    reload_socket_reply(&s->reload_socket, RELOAD_FAILED, reason);
    end_reload(s);
}

static void handle_signals(struct supervisor *s) {
    struct signalfd_siginfo info;
    while (read(s->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) { /* all there are */
        int number = (int)info.ssi_signo;
        if (number == SIGTERM || number == SIGINT) {
            stop(s, number);
        } else if (number == SIGHUP) {
            begin_reload(s);
        } else if (number == SIGUSR1) {
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
    if (s->reload && s->reload_starts) {
        log_setup(s->config->log.level, s->config->log.format);
        log_event(SNEK_LEVEL_INFO, "reloaded", LOG_NUMBER("pid", s->host));
        reply_reloaded(s);
        end_reload(s);
    } else if (s->served) {
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

static void log_malformed(ssize_t bytes) {
    log_event(SNEK_LEVEL_WARNING, "message_malformed", LOG_NUMBER("bytes", bytes));
}

/* Receives a packet from a socket of the host. Returns its length; 0 when there is none. */
static ssize_t receive(int *fd, void *packet, size_t bytes) {
    ssize_t got = *fd < 0 ? 0 : recv(*fd, packet, bytes, MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0) {
        /* The host closed its end, or sent an empty packet. */
        cleanup_close(fd);
        *fd = -1;
    }
    return got < 0 ? 0 : got;
}

/* The host is trusted less than this process: any other packet is dropped. */
static void handle_message(struct supervisor *s) {
    struct supervisor_message message;
    ssize_t got = receive(&s->messages_fd, &message, sizeof message);
    if (got == (ssize_t)sizeof message && message.kind == SUPERVISOR_JWT) {
        signer_reply(s->keys, s->config->github.app_id, &message, s->messages_fd);
    } else if (got > 0) {
        log_malformed(got);
    }
}

/* A host without settings is of no use. */
static void on_hello(struct supervisor *s) {
    struct error err;
    if (send_settings(s->config->settings, s->descriptions_fd, s->control_fd, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "settings_not_sent", LOG_TEXT("reason", err.text));
        send_to_host(s, SIGKILL);
    }
}

/* A request that needs a response. */
static void handle_request(struct supervisor *s, const struct supervisor_control *packet) {
    switch (packet->kind) {
    case SUPERVISOR_HELLO:
        on_hello(s);
        break;
    case SUPERVISOR_START_WORKER:
        workers_start(&s->workers, packet, s->control_fd);
        break;
    case SUPERVISOR_STOP_WORKER:
        workers_stop(&s->workers, packet);
        break;
    default:
        log_malformed(sizeof *packet);
        break;
    }
}

/* Handles one packet; false when there is none. `ended`: of a host that has ended, only READY still
 * counts. */
static bool handle_control(struct supervisor *s, bool ended) {
    struct supervisor_control packet;
    ssize_t got = receive(&s->control_fd, &packet, sizeof packet);
    if (got == 0) {
        return false;
    }
    if (got != (ssize_t)sizeof packet) {
        log_malformed(got);
    } else if (packet.kind == SUPERVISOR_READY) {
        on_ready(s);
    } else if (packet.kind == SUPERVISOR_ALIVE) {
        if (s->served) {
            /* The manager's watchdog starts with READY. */
            notify_send(s->notify_fd, "WATCHDOG=1");
        }
    } else if (!ended) {
        handle_request(s, &packet);
    }
    return true;
}

static bool is_writable(int fd) {
    struct pollfd output = {.fd = fd, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && output.revents & POLLOUT;
}

/* A request is read only when there is room for its response. */
static void serve_control(struct supervisor *s) {
    s->control_full = s->control_fd >= 0 && !is_writable(s->control_fd);
    if (!s->control_full) {
        handle_control(s, false);
    }
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
    for (unsigned n = 0; n < 64 && handle_control(s, true); n++) {}
    /* A SIGTERM that we passed on killed it before it had a handler: also a requested end. */
    bool requested = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    if (s->ending && (requested || exit_status(status) == 0)) {
        end_with(s, 0);
        forget_host(s);
        return;
    }
    bool drained = s->reload && !s->reload_starts && (requested || exit_status(status) == 0);
    if (!drained) {
        log_death(s, status);
    }
    if (s->ending) {
        end_with(s, exit_status(status));
    } else if (s->reload && !s->reload_starts) {
        exchange(s);
        s->reload_starts = true;
    } else if (s->reload) {
        exchange(s);
        reload_fails(s);
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
    for (;;) {
        siginfo_t info = {0};
        int status;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
            return;
        }
        /* A worker's process group is killed while the number is still its own. */
        workers_on_exit(&s->workers, &info);
        if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid && info.si_pid == s->host) {
            on_host_ended(s, status);
        }
    }
}

/* The workers of a host that has ended must be gone before the next host starts. */
static bool workers_linger(struct supervisor *s) {
    if (s->host != 0 || !workers_any_alive(&s->workers)) {
        return false;
    }
    if (clock_monotonic_ms() < s->workers_gone_ms) {
        return true;
    }
    log_event(SNEK_LEVEL_ERROR, "worker_does_not_end",
              LOG_TEXT("reason", "the kernel does not end a killed worker; perhaps a disk does not "
                                 "respond"));
    workers_forget_all(&s->workers);
    return false;
}

static void restart_when_due(struct supervisor *s) {
    struct error err;
    if (s->host != 0 || s->ended || clock_monotonic_ms() < s->restart_at_ms || workers_linger(s)) {
        return;
    }
    /* Hosts may fail for a reason that the new configuration removes. */
    if (s->reload_wanted && !s->reload && read_reload(s)) {
        exchange(s);
        s->reload_starts = true;
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
    bool linger = workers_any_alive(&s->workers);
    int64_t left_ms = (linger ? s->workers_gone_ms : s->restart_at_ms) - clock_monotonic_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static void run(struct supervisor *s) {
    while (!s->ended || workers_linger(s)) {
        struct pollfd fds[3 + RELOAD_SOCKET_FDS] = {
            {.fd = s->signals_fd, .events = POLLIN},
            {.fd = s->messages_fd, .events = POLLIN},
            {.fd = s->control_fd, .events = s->control_full ? POLLOUT : POLLIN}};
        reload_socket_poll(&s->reload_socket, fds + 3);
        poll(fds, sizeof fds / sizeof *fds, wait_ms(s));
        /* Before the signals: these may close it. */
        s->reload_wanted = reload_socket_serve(&s->reload_socket, fds + 3) || s->reload_wanted;
        handle_signals(s);
        if (fds[1].revents) {
            handle_message(s);
        }
        if (fds[2].revents) {
            serve_control(s);
        }
        reap(s);
        if (s->reload_wanted && s->ready && !s->reload) {
            begin_reload(s);
        }
        if (workers_report(&s->workers, s->control_fd)) {
            s->control_full = true;
        }
        restart_when_due(s);
    }
}

/* Without its socket the supervisor still handles SIGHUP. */
static void open_reload_socket(struct supervisor *s) {
    struct error err;
    if (reload_socket_open(&s->reload_socket, s->config->settings, &err) < 0) {
        log_event(SNEK_LEVEL_WARNING, "reload_socket_failed", LOG_TEXT("reason", err.text),
                  LOG_TEXT("result", "`snekomatic reload` does not work; SIGHUP does"));
    }
}

static void log_rejection(const struct error *err) {
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err->text));
}

/* Opens what the setup has not opened before. 0, or an exit status. */
static int open_outside(struct supervisor *s, struct error *err) {
    /* It removes variables that are not for the host. */
    s->notify_fd = notify_open(err);
    if (s->notify_fd < -1) {
        return EX_OSERR;
    }
    return start_listen(s->config->server.host, s->config->server.port, &s->listen_fd, err);
}

/* 0, or an exit status. */
static int prepare(struct supervisor *s, bool opened, struct error *err) {
    if (start_open_standard_fds(err) < 0) {
        return EX_OSERR;
    }
    if (signer_read_keys(s->config, s->keys, err) < 0) {
        return EX_CONFIG;
    }
    int status = opened ? 0 : open_outside(s, err);
    if (status != 0) {
        return status;
    }
    settings_scrub_environment();
    s->environment = start_host_environment();
    if (!s->environment) {
        error_set(err, "out of memory");
        return EX_OSERR;
    }
    if (workers_init(&s->workers, s->config, s->worker_path, err) < 0) {
        return err->transient ? EX_TEMPFAIL : EX_CONFIG;
    }
    open_reload_socket(s);
    s->signals_fd = open_signals(err);
    s->descriptions_fd = reload_open_descriptions(err);
    return s->signals_fd < 0 || s->descriptions_fd < 0 || start(s, err) < 0 ? EX_OSERR : 0;
}

int supervisor_run(const struct config *config, char *const host_argv[], const char *worker_path,
                   const struct supervisor_opened *opened) {
    /* Before the key is in memory. */
    process_harden();
    struct supervisor s = {.config = config,
                           .worker_path = worker_path,
                           .host_argv = host_argv,
                           .signals_fd = -1,
                           .descriptions_fd = -1,
                           .listen_fd = -1,
                           .notify_fd = -1,
                           .messages_fd = -1,
                           .control_fd = -1,
                           .reload_socket = {.listen_fd = -1, .lock_fd = -1, .directory_fd = -1}};
    struct error err;
    if (opened) {
        s.listen_fd = opened->listen_fd;
        s.notify_fd = opened->notify_fd;
    }
    int status = prepare(&s, opened != NULL, &err);
    if (status != 0) {
        log_rejection(&err);
    } else {
        run(&s);
        status = s.status;
    }
    cleanup_close(&s.signals_fd);
    cleanup_close(&s.listen_fd);
    cleanup_close(&s.notify_fd);
    cleanup_close(&s.descriptions_fd);
    close_sockets(&s);
    reload_socket_close(&s.reload_socket);
    end_reload(&s);
    workers_finish(&s.workers);
    config_free(s.owned_config);
    start_free_environment(s.environment);
    signer_free_keys(s.keys);
    return status;
}
