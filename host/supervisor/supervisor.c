/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The loop that runs the host and its workers. Signals arrive on a signalfd and messages on two
 * socket pairs; the third kind of event is a time. Besides the log's thread there is one thread,
 * which handles all events. */
#include "supervisor/supervisor.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "supervisor/deployment.h"
#include "supervisor/hosted.h"
#include "supervisor/messages.h"
#include "supervisor/notify.h"
#include "supervisor/reload.h"
#include "supervisor/reload_socket.h"
#include "supervisor/signer.h"
#include "supervisor/start.h"
#include "supervisor/workers.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
/* How long runs may go on in a reload. GitHub gives a webhook up after 10 s. */
#define RELOAD_DRAIN_MS 5000
/* A host that drains has further seconds for its last steps, and a loading one for its report. */
#define RELOAD_GRACE_MS 10000
/* How long the new host may open its store and get ready. */
#define RELOAD_START_MS 300000

struct supervisor {
    /* Owned. The one in force. */
    struct deployment *deployment;
    /* A reload that is under way; NULL: none. */
    struct reload *reload;
    /* A reload was asked for that cannot begin yet. */
    bool reload_wanted;
    struct reload_socket reload_socket;
    struct hosted_options options;
    struct hosted hosts[2];
    /* The host that has the store and the listening socket, and the one that loads in a reload.
     * Each may not run. */
    struct hosted *serving, *loading;
    /* The second is NULL unless a rotation is under way. */
    struct app_key *keys[SUPERVISOR_KEYS_MAX];
    int signals_fd, notify_fd;
    /* A host was ready once. */
    bool served;
    /* One bit for each signal (SIGUSR1) that a ready host gets. */
    unsigned waiting_signals;

    bool ending;           /* termination was asked for */
    int64_t restart_at_ms; /* while none serves */
    /* The delay if the next host dies early, too. */
    int64_t next_delay_ms;
    bool ended; /* with `status` */
    int status;
};

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
    log_event(SNEK_LEVEL_INFO, "host_restarts", LOG_NUMBER("in_ms", delay_ms));
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

static void stop(struct supervisor *s, int number) {
    if (!s->ending) {
        log_event(SNEK_LEVEL_INFO, "stopping", LOG_TEXT("signal", sigabbrev_np(number)));
        s->ending = true;
        notify_send(s->notify_fd, "STOPPING=1");
        /* An open socket of ours would accept connections that no host serves. */
        cleanup_close(&s->options.listen_fd);
        s->options.listen_fd = -1;
        reload_socket_close(&s->reload_socket);
        /* It has no run. */
        hosted_signal(s->loading, SIGKILL);
    }
    hosted_signal(s->serving, SIGTERM);
    if (s->serving->pid == 0) {
        end_with(s, 0); /* between two hosts */
    }
}

/* Reloads. */

static void end_reload(struct supervisor *s) {
    reload_free(s->reload);
    s->reload = NULL;
}

static void set_phase(struct supervisor *s, enum reload_phase phase, int64_t most_ms) {
    s->reload->phase = phase;
    s->reload->until_ms = clock_monotonic_ms() + most_ms;
}

/* The old configuration is, or was, in force. */
static void reload_fails(struct supervisor *s, const char *reason) {
    if (*reason == '\0') {
        reason = "the host did not start with the new configuration; its lines in the log have the "
                 "reason";
    }
    log_event(SNEK_LEVEL_ERROR, "reload_failed", LOG_TEXT("reason", reason),
              LOG_TEXT("result", "the old configuration stays in force"));
    reload_socket_reply(&s->reload_socket, RELOAD_FAILED, reason);
    end_reload(s);
}

/* Nothing was stopped. */
static void reject_reload(struct supervisor *s, const struct error *err) {
    log_event(SNEK_LEVEL_ERROR, "reload_rejected", LOG_TEXT("reason", err->text),
              LOG_TEXT("result", "the present configuration stays in force"));
    reload_socket_reply(&s->reload_socket, RELOAD_REJECTED, err->text);
    end_reload(s);
}

/* For SIGHUP and for `snekomatic reload`. The new host loads while the old one goes on. */
static void begin_reload(struct supervisor *s) {
    struct error err;
    assert(!s->reload && s->loading->pid == 0);
    s->reload_wanted = false;
    reload_socket_take(&s->reload_socket);
    if (reload_read(s->deployment, s->options.files, &s->reload, &err) < 0) {
        reject_reload(s, &err);
        return;
    }
    log_event(SNEK_LEVEL_INFO, "reloading", LOG_TEXT("file", s->deployment->config->file),
              LOG_TEXT("plugins", s->reload->plugins));
    set_phase(s, RELOAD_LOADING, reload_load_ms(s->reload) + RELOAD_GRACE_MS);
    if (hosted_start(s->loading, &s->options, s->reload->deployment, &err) < 0) {
        reload_fails(s, err.text);
    }
}

/* False: the first start has not ended, which a wrong configuration ends, or a host is in the way.
 */
static bool can_begin_reload(struct supervisor *s) {
    return s->served && !s->ending && !s->reload && s->loading->pid == 0 &&
           !hosted_lingers(s->loading);
}

static void exchange_deployments(struct supervisor *s) {
    struct deployment *old = s->deployment;
    s->deployment = s->reload->deployment;
    s->reload->deployment = old;
}

/* The new host has loaded. The old one gives its runs some seconds and the others back to the
 * store, as on SIGTERM. Connections wait meanwhile: the listening socket is ours. */
static void drain_old_host(struct supervisor *s) {
    log_event(SNEK_LEVEL_INFO, "loaded", LOG_NUMBER("pid", s->loading->pid));
    set_phase(s, RELOAD_DRAINING, RELOAD_DRAIN_MS + RELOAD_GRACE_MS);
    hosted_drain(s->serving, RELOAD_DRAIN_MS);
    if (s->serving->pid == 0) {
        s->restart_at_ms = clock_monotonic_ms();
    }
}

/* The old host has ended. */
static void take_over(struct supervisor *s) {
    struct hosted *old = s->serving;
    s->serving = s->loading;
    s->loading = old;
    exchange_deployments(s);
    set_phase(s, RELOAD_STARTING, RELOAD_START_MS);
    hosted_go(s->serving);
}

static void end_late_phase(struct supervisor *s) {
    if (!s->reload || clock_monotonic_ms() < s->reload->until_ms) {
        return;
    }
    s->reload->until_ms = INT64_MAX;
    if (s->reload->phase == RELOAD_LOADING) {
        snprintf(s->loading->failure, sizeof s->loading->failure,
                 "the plugins took too long to load");
        hosted_signal(s->loading, SIGKILL);
    } else if (s->reload->phase == RELOAD_STARTING) {
        snprintf(s->serving->failure, sizeof s->serving->failure,
                 "the new host took too long to get ready");
        hosted_signal(s->serving, SIGKILL);
    } else {
        log_event(SNEK_LEVEL_ERROR, "host_does_not_drain", LOG_NUMBER("pid", s->serving->pid));
        hosted_signal(s->serving, SIGKILL);
    }
}

static void reply_reloaded(struct supervisor *s) {
    const char *plugins = s->reload->plugins, *keys = s->reload->needs_restart;
    char text[RELOAD_REPLY_MAX];
    snprintf(text, sizeof text, "%s%s%s%s%s%s", *plugins ? "plugins: " : "", plugins,
             *plugins ? "\n" : "", *keys ? "needs a restart: " : "", keys, *keys ? "\n" : "");
    reload_socket_reply(&s->reload_socket, RELOAD_DONE, text);
}

static void handle_signals(struct supervisor *s) {
    struct signalfd_siginfo info;
    while (read(s->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) { /* all there are */
        int number = (int)info.ssi_signo;
        if (number == SIGTERM || number == SIGINT) {
            stop(s, number);
        } else if (number == SIGHUP) {
            s->reload_wanted = true;
        } else if (number == SIGUSR1) {
            if (s->serving->ready) {
                hosted_signal(s->serving, number);
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
    struct hosted *host = s->serving;
    if (s->reload && s->reload->phase == RELOAD_STARTING) {
        log_setup(s->deployment->config->log.level, s->deployment->config->log.format);
        log_event(SNEK_LEVEL_INFO, "reloaded", LOG_NUMBER("pid", host->pid));
        reply_reloaded(s);
        end_reload(s);
    } else if (s->served) {
        log_event(SNEK_LEVEL_INFO, "host_restarted", LOG_NUMBER("pid", host->pid));
    }
    if (!s->served && !s->ending) {
        notify_send(s->notify_fd, "READY=1");
    }
    host->ready = true;
    host->ready_since_ms = clock_monotonic_ms();
    s->served = true;
    for (int number = 1; number < 32; number++) {
        if (s->waiting_signals & 1U << number) {
            hosted_signal(host, number);
        }
    }
    s->waiting_signals = 0;
}

static void on_loaded(struct supervisor *s, struct hosted *host) {
    host->loaded = true;
    if (host == s->serving) {
        hosted_go(host);
    } else if (s->reload && s->reload->phase == RELOAD_LOADING) {
        drain_old_host(s);
    }
}

/* The host is trusted less than this process: any other packet is dropped. */
static void handle_message(struct supervisor *s, struct hosted *host) {
    struct supervisor_message message;
    ssize_t got = hosted_receive(&host->messages_fd, &message, sizeof message);
    if (got == (ssize_t)sizeof message && message.kind == SUPERVISOR_JWT) {
        signer_reply(s->keys, s->deployment->config->github.app_id, &message, host->messages_fd);
    } else if (got > 0) {
        hosted_log_malformed(got);
    }
}

/* Handles one packet; false when there is none. `ended`: of a host that has ended, only READY,
 * FAILED and REJECTED still count. */
static bool handle_control(struct supervisor *s, struct hosted *host, bool ended) {
    union hosted_packet packet;
    int got = hosted_receive_control(host, &packet);
    if (got <= 0) {
        return got < 0;
    }
    if (packet.kind == SUPERVISOR_READY && host == s->serving) {
        if (!host->ready) {
            on_ready(s);
        }
    } else if (packet.kind == SUPERVISOR_FAILED) {
        snprintf(host->failure, sizeof host->failure, "%.*s", (int)sizeof packet.failure.text - 1,
                 packet.failure.text);
    } else if (packet.kind == SUPERVISOR_REJECTED) {
        free(host->problems);
        host->problems = strndup(packet.rejection.text, sizeof packet.rejection.text - 1);
    } else if (packet.kind == SUPERVISOR_ALIVE) {
        if (s->served && host == s->serving) {
            /* The manager's watchdog starts with READY. */
            notify_send(s->notify_fd, "WATCHDOG=1");
        }
    } else if (ended) {
        /* Nothing hears the response. */
    } else if (packet.kind == SUPERVISOR_HELLO) {
        hosted_send_settings(host);
    } else if (packet.kind == SUPERVISOR_START_WORKER) {
        workers_start(&host->workers, &packet.control, host->control_fd);
    } else if (packet.kind == SUPERVISOR_STOP_WORKER) {
        workers_stop(&host->workers, &packet.control);
    } else if (packet.kind == SUPERVISOR_LOADED && !host->loaded) {
        on_loaded(s, host);
    } else {
        hosted_log_malformed(sizeof packet.control);
    }
    return true;
}

/* A request is read only when there is room for its response. */
static void serve_control(struct supervisor *s, struct hosted *host) {
    if (hosted_has_room(host)) {
        handle_control(s, host, false);
    }
}

/* The end of a host. */

static int exit_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void log_death(const struct hosted *host, int status) {
    bool by_signal = WIFSIGNALED(status);
    log_event(SNEK_LEVEL_ERROR, "host_died", LOG_NUMBER("pid", host->pid),
              by_signal ? LOG_TEXT("signal", sigabbrev_np(WTERMSIG(status)))
                        : LOG_NUMBER("status", WEXITSTATUS(status)),
              LOG_TEXT("while", host->ready ? "serving" : "starting"));
}

/* The status for an end before any host was ready. A host reports a wrong configuration by
 * EX_CONFIG and a SIGTERM of its own by 0. Any other cause may pass, so the service manager may try
 * again. */
static int first_start_status(int status) {
    bool known =
        WIFEXITED(status) && (WEXITSTATUS(status) == EX_CONFIG || WEXITSTATUS(status) == 0);
    return known ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* The host that loads in a reload. The serving one goes on; if it drains already, another one takes
 * its place. */
static void on_loading_ended(struct supervisor *s, int status) {
    if (s->ending) {
        return;
    }
    assert(s->reload);
    if (s->loading->problems && s->reload->phase == RELOAD_LOADING) {
        struct error err;
        reload_problems(s->loading->problems, &err);
        reject_reload(s, &err);
        return;
    }
    log_death(s->loading, status);
    reload_fails(s, s->loading->failure);
}

static void on_serving_ended(struct supervisor *s, int status) {
    struct hosted *host = s->serving;
    /* A SIGTERM that we passed on killed it before it had a handler: also a requested end. */
    bool requested =
        (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) || exit_status(status) == 0;
    if (host->problems) {
        fputs(host->problems, stderr);
    }
    /* Problems of the first configuration say all. */
    bool expected = (requested && (s->ending || host->draining)) || (host->problems && !s->served);
    if (!expected) {
        log_death(host, status);
    }
    if (s->ending) {
        end_with(s, requested ? 0 : exit_status(status));
    } else if (s->reload && s->reload->phase == RELOAD_STARTING) {
        exchange_deployments(s);
        reload_fails(s, host->failure);
        s->restart_at_ms = clock_monotonic_ms();
    } else if (host->draining) {
        s->restart_at_ms = clock_monotonic_ms();
    } else if (s->served) {
        bool stayed_up = host->ready && clock_monotonic_ms() - host->ready_since_ms >= STAYED_UP_MS;
        plan_restart(s, stayed_up);
    } else {
        end_with(s, first_start_status(status));
    }
    /* A new host reads everything anew. */
    s->waiting_signals = 0;
}

static void on_host_ended(struct supervisor *s, struct hosted *host, int status) {
    /* READY may still wait in the socket. */
    for (unsigned n = 0; n < 64 && handle_control(s, host, true); n++) {}
    if (host == s->serving) {
        on_serving_ended(s, status);
    } else {
        on_loading_ended(s, status);
    }
    hosted_forget(host);
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
        for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
            workers_on_exit(&s->hosts[i].workers, &info);
        }
        if (waitpid(info.si_pid, &status, WNOHANG) != info.si_pid) {
            continue;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
            if (s->hosts[i].pid == info.si_pid) {
                on_host_ended(s, &s->hosts[i], status);
            }
        }
    }
}

/* The workers of the host before must be gone. */
static void start_when_due(struct supervisor *s) {
    struct error err;
    if (s->serving->pid != 0 || s->ended || clock_monotonic_ms() < s->restart_at_ms ||
        hosted_lingers(s->serving)) {
        return;
    }
    if (s->reload && s->reload->phase == RELOAD_DRAINING) {
        take_over(s);
    } else if (hosted_start(s->serving, &s->options, s->deployment, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "host_not_restarted", LOG_TEXT("reason", err.text));
        plan_restart(s, false);
    }
}

static int wait_ms(const struct supervisor *s) {
    int64_t at_ms = reload_socket_due_ms(&s->reload_socket);
    if (s->reload && s->reload->until_ms < at_ms) {
        at_ms = s->reload->until_ms;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
        int64_t until_ms = hosted_lingers_until_ms(&s->hosts[i]);
        at_ms = until_ms < at_ms ? until_ms : at_ms;
    }
    /* While workers linger, their ends wake us. */
    if (!s->ended && s->serving->pid == 0 && hosted_lingers_until_ms(s->serving) == INT64_MAX &&
        s->restart_at_ms < at_ms) {
        at_ms = s->restart_at_ms;
    }
    if (at_ms == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = at_ms - clock_monotonic_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static bool is_over(struct supervisor *s) {
    return s->ended && s->loading->pid == 0 && !hosted_lingers(s->loading) &&
           !hosted_lingers(s->serving);
}

static void run(struct supervisor *s) {
    enum { SIGNALS, HOSTS, RELOADS = HOSTS + 2 * ARRAY_LENGTH(s->hosts) };
    while (!is_over(s)) {
        struct pollfd fds[RELOADS + RELOAD_SOCKET_FDS] = {
            [SIGNALS] = {.fd = s->signals_fd, .events = POLLIN}};
        for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
            const struct hosted *host = &s->hosts[i];
            fds[HOSTS + 2 * i] = (struct pollfd){.fd = host->messages_fd, .events = POLLIN};
            fds[HOSTS + 2 * i + 1] = (struct pollfd){
                .fd = host->control_fd, .events = host->control_full ? POLLOUT : POLLIN};
        }
        reload_socket_poll(&s->reload_socket, fds + RELOADS);
        poll(fds, ARRAY_LENGTH(fds), wait_ms(s));
        /* Before the signals: these may close it. */
        s->reload_wanted =
            reload_socket_serve(&s->reload_socket, fds + RELOADS) || s->reload_wanted;
        handle_signals(s);
        for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
            if (fds[HOSTS + 2 * i].revents) {
                handle_message(s, &s->hosts[i]);
            }
            if (fds[HOSTS + 2 * i + 1].revents) {
                serve_control(s, &s->hosts[i]);
            }
        }
        reap(s);
        end_late_phase(s);
        if (s->reload_wanted && can_begin_reload(s)) {
            begin_reload(s);
        }
        for (size_t i = 0; i < ARRAY_LENGTH(s->hosts); i++) {
            if (workers_report(&s->hosts[i].workers, s->hosts[i].control_fd)) {
                s->hosts[i].control_full = true;
            }
        }
        start_when_due(s);
    }
}

/* Without its socket the supervisor still handles SIGHUP. */
static void open_reload_socket(struct supervisor *s) {
    struct error err;
    if (reload_socket_open(&s->reload_socket, s->deployment->config->settings, &err) < 0) {
        log_event(SNEK_LEVEL_WARNING, "reload_socket_failed", LOG_TEXT("reason", err.text),
                  LOG_TEXT("result", "`snekomatic reload` does not work; SIGHUP does"));
    }
}

static void log_rejection(const struct error *err) {
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err->text));
}

/* Opens what the setup has not opened before. 0, or an exit status. */
static int open_outside(struct supervisor *s, const struct config *config, struct error *err) {
    /* It removes variables that are not for the host. */
    s->notify_fd = notify_open(err);
    if (s->notify_fd < -1) {
        return EX_OSERR;
    }
    return start_listen(config->server.host, config->server.port, &s->options.listen_fd, err);
}

/* 0, or an exit status. */
static int prepare(struct supervisor *s, const struct config *config, bool opened,
                   struct error *err) {
    if (start_open_standard_fds(err) < 0) {
        return EX_OSERR;
    }
    if (signer_read_keys(config, s->keys, err) < 0) {
        return EX_CONFIG;
    }
    int status = opened ? 0 : open_outside(s, config, err);
    if (status != 0) {
        return status;
    }
    settings_scrub_environment();
    s->options.environment = start_host_environment();
    if (!s->options.environment) {
        error_set(err, "out of memory");
        return EX_OSERR;
    }
    s->deployment = deployment_new(err);
    if (!s->deployment) {
        return EX_OSERR;
    }
    s->deployment->config = config;
    if (plugin_files_open(&s->options.files, err) < 0) {
        return err->transient ? EX_TEMPFAIL : EX_CONFIG;
    }
    open_reload_socket(s);
    s->signals_fd = open_signals(err);
    return s->signals_fd < 0 || hosted_start(s->serving, &s->options, s->deployment, err) < 0
               ? EX_OSERR
               : 0;
}

int supervisor_run(const struct config *config, char *const host_argv[], const char *worker_path,
                   const struct supervisor_opened *opened) {
    /* Before the key is in memory. */
    process_harden();
    struct supervisor s = {
        .options = {.host_argv = host_argv, .worker_path = worker_path, .listen_fd = -1},
        .serving = &s.hosts[0],
        .loading = &s.hosts[1],
        .signals_fd = -1,
        .notify_fd = -1,
        .reload_socket = {.listen_fd = -1, .lock_fd = -1, .directory_fd = -1}};
    hosted_init(s.serving);
    hosted_init(s.loading);
    struct error err;
    if (opened) {
        s.options.listen_fd = opened->listen_fd;
        s.notify_fd = opened->notify_fd;
    }
    int status = prepare(&s, config, opened != NULL, &err);
    if (status != 0) {
        log_rejection(&err);
    } else {
        run(&s);
        status = s.status;
    }
    cleanup_close(&s.signals_fd);
    cleanup_close(&s.options.listen_fd);
    cleanup_close(&s.notify_fd);
    hosted_forget(s.serving);
    hosted_forget(s.loading);
    reload_socket_close(&s.reload_socket);
    end_reload(&s);
    deployment_free(s.deployment);
    plugin_files_close(s.options.files);
    start_free_environment(s.options.environment);
    signer_free_keys(s.keys);
    return status;
}
