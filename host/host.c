/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Wires the rooms together. It starts them against the direction of the data (inbox and broker,
 * dispatch with its workers, ingest) and stops them in the reverse order. */
#include "host.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/listen_socket.h"
#include "base/log.h"
#include "base/log_memory.h"
#include "base/loop.h"
#include "base/process.h"
#include "broker/broker.h"
#include "config/config.h"
#include "console/console.h"
#include "dispatch/dispatch.h"
#include "dispatch/explain.h"
#include "inbox/inbox.h"
#include "ingest/ingest.h"
#include "maintenance/maintenance.h"
#include "metrics/metrics.h"
#include "supervisor/messages.h"
#include "supervisor_client.h"
#include "system_calls.h"
#include "telemetry/sentry.h"
#include "telemetry/telemetry.h"
#include "watchdog.h"
#include "worker_process/wrapper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>

/* For handlers that call snek_cancelled(). */
#define CANCEL_GRACE_MS 500
/* For destroy() of the plugins. */
#define WORKERS_GRACE_MS 1000
/* A worker under valgrind is slow, and valgrind looks for leaks at its end. */
#define WORKERS_WRAPPED_GRACE_MS 60000
/* For requests in progress. */
#define RESPONSES_GRACE_MS 2000

/* Telemetry's and the console's. */
#define HOST_ROUTES_MAX 2

struct host {
    struct config *config;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX];
    size_t n_secrets;
    /* The last one counts until then; 0: for ever. */
    int64_t last_secret_until_ms;
    struct secret admin_token, read_token;
    struct http_route routes[HOST_ROUTES_MAX];
    struct supervisor_client supervisor;
    struct loop loop;
    struct loop_source signals, orphaned;
    struct watchdog watchdog;
    /* See dispatch_options. */
    int descriptions_fd;
    bool stopping, supervisor_gone;
    /* It stops because another host follows it. */
    bool reloading;
    /* While stopping: how long runs may go on. */
    int64_t drain_ms;
    struct inbox *inbox;
    struct broker *broker;
    struct dispatch *dispatch;
    struct maintenance *maintenance;
    struct telemetry *telemetry;
    struct sentry *sentry;
    struct console *console;
    struct ingest *ingest;
    /* For console.listen; NULL: the console is at server.listen. */
    struct ingest *console_ingest;
    int console_fd;
};

static void on_signal(struct loop_source *source, uint32_t events) {
    (void)events;
    struct host *host = CONTAINER_OF(source, struct host, signals);
    struct signalfd_siginfo info;
    if (read(source->fd, &info, sizeof info) != sizeof info) {
        return;
    }
    /* The supervisor handles SIGHUP, which terminals send to both. Platforms repeat their SIGTERM.
     */
    if (info.ssi_signo != SIGHUP && !host->stopping) {
        host->stopping = true;
        host->drain_ms = host->config->server.drain_ms;
        /* Webhooks wait for the end of a reload, so the supervisor bounds it. */
        if (info.ssi_code == SI_QUEUE && info.ssi_int > 0 && info.ssi_int < host->drain_ms) {
            host->drain_ms = info.ssi_int;
        }
        host->reloading = info.ssi_code == SI_QUEUE && info.ssi_int > 0;
        log_event(SNEK_LEVEL_INFO, "stopping", LOG_NUMBER("drain_ms", host->drain_ms));
    }
}

static void on_supervisor_gone(void *context) {
    struct host *host = context;
    if (!host->supervisor_gone) {
        host->supervisor_gone = true;
        host->stopping = true;
        log_event(SNEK_LEVEL_ERROR, "supervisor_gone");
    }
}

static void on_orphaned(struct loop_source *source, uint32_t events) {
    (void)events;
    struct host *host = CONTAINER_OF(source, struct host, orphaned);
    uint64_t count;
    (void)!read(source->fd, &count, sizeof count);
    on_supervisor_gone(host);
}

/* On the broker's thread. */
static void supervisor_lost(void *context) {
    struct host *host = context;
    uint64_t one = 1;
    (void)!write(host->orphaned.fd, &one, sizeof one);
}

static int watch(struct host *host, struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* Before any thread starts, because threads inherit the mask. The log's thread runs already,
     * and blocks all signals. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* A file at its size limit is a store that cannot commit: 503. */
    signal(SIGXFSZ, SIG_IGN);
    host->signals = (struct loop_source){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal};
    host->orphaned = (struct loop_source){eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), on_orphaned};
    if (loop_init(&host->loop) < 0 || loop_add(&host->loop, &host->signals, EPOLLIN) < 0 ||
        loop_add(&host->loop, &host->orphaned, EPOLLIN) < 0) {
        return error_set(err, "cannot watch signals: %s", strerror(errno));
    }
    return supervisor_client_init(&host->supervisor, &host->loop, on_supervisor_gone, host, err) < 0
               ? -1
               : watchdog_start(&host->watchdog, &host->loop, err);
}

static bool append_status(void *context, struct buffer *json) {
    struct host *host = context;
    bool healthy = inbox_healthy(host->inbox);
    int result = buffer_printf(json, "\"store\":\"%s\",", healthy ? "ok" : "failing");
    result |= metrics_render_detail(json);
    bool ready = dispatch_status(host->dispatch, json) && result == 0 && healthy;
    return buffer_append_text(json, ",") == 0 && maintenance_status(host->maintenance, json) &&
           ready;
}

static void route(void *context, struct inbox_put *put) {
    struct host *host = context;
    dispatch_route(host->dispatch, put, INGEST_ROUTES_MAX);
}

static bool wants(void *context, const char *event, const char *action, const char *installation) {
    struct host *host = context;
    return dispatch_wants(host->dispatch, event, action, installation);
}

static void on_stored(void *context, const struct inbox_put *put, struct buffer *body) {
    struct host *host = context;
    dispatch_stored(host->dispatch, put, body);
    maintenance_note_stored(host->maintenance, put);
}

/* On ingest's thread. */
static void on_group_stored(void *context) {
    struct host *host = context;
    dispatch_pass(host->dispatch);
}

/* On the loop's thread, for the deliveries of maintenance. */
static void on_own_stored(void *context, const struct inbox_put *put, struct buffer *body) {
    on_stored(context, put, body);
    on_group_stored(context);
}

static const struct description *describe(void *context, size_t index, bool *more) {
    const struct host *host = context;
    return dispatch_description(host->dispatch, index, more);
}

static void request(void *context, struct broker_request *request) {
    struct host *host = context;
    broker_submit(host->broker, request);
}

static void explain(void *context, struct explain *question) {
    const struct host *host = context;
    dispatch_explain(host->dispatch, question);
}

static void on_changed(void *context) {
    const struct host *host = context;
    dispatch_on_queued(host->dispatch);
}

static void log_address(int fd, const char *message) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    char text[INET6_ADDRSTRLEN] = "?", shown[INET6_ADDRSTRLEN + 16];
    uint16_t port = 0;
    getsockname(fd, (struct sockaddr *)&address, &length);
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        port = ntohs(in6->sin6_port);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        port = ntohs(in->sin_port);
    }
    snprintf(shown, sizeof shown, address.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
    log_event(SNEK_LEVEL_INFO, message, LOG_TEXT("address", shown), LOG_NUMBER("port", port));
}

/* Each connection, worker and request to GitHub needs a descriptor. Ingest alone may need the usual
 * soft limit of 1024. A core file would hold secrets. */
static void set_limits(void) {
    static const struct rlimit none = {0};
    struct rlimit limits;
    if (getrlimit(RLIMIT_NOFILE, &limits) == 0) {
        limits.rlim_cur = limits.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limits);
    }
    setrlimit(RLIMIT_CORE, &none);
}

/* Heroku erases the disk of a dyno at each restart, at least once a day. */
static void warn_of_dyno(const struct config *config) {
    if (getenv("DYNO") && strncmp(config->store.url, "sqlite:", strlen("sqlite:")) == 0) {
        log_event(SNEK_LEVEL_WARNING, "disk_ephemeral", LOG_TEXT("store", config->store.url),
                  LOG_TEXT("reason", "HEROKU ERASES THE DISK OF A DYNO at each restart, with all "
                                     "webhooks and the plugins' data. Run: heroku addons:create "
                                     "heroku-postgresql:essential-0"));
    }
}

/* The parts that find errors of the configuration, and touch nothing that another host may use. */
static int start_clients(struct host *host, struct error *err) {
    const struct config *config = host->config;
    if (config_webhook_secrets(config, host->secrets, &host->n_secrets, &host->last_secret_until_ms,
                               err) < 0) {
        return -1;
    }
    if (config_console_tokens(config, &host->admin_token, &host->read_token, err) < 0) {
        return -1;
    }
    warn_of_dyno(config);
    if (config->sentry.dsn && sentry_new(config->sentry.dsn, config->sentry.environment,
                                         &config->proxy, &host->sentry, err) < 0) {
        return error_wrap(err, "sentry.dsn");
    }
    if (inbox_new(&host->inbox, err) < 0) {
        return -1;
    }
    struct broker_options options = {.api_url = config->github.api_url,
                                     .app_id = config->github.app_id,
                                     .user_agent = config->github.user_agent,
                                     .ca_file = config->github.ca_file,
                                     .proxy = &config->proxy,
                                     .supervisor_fd = SUPERVISOR_FD_MESSAGES,
                                     .write_interval_ms = config->github.write_interval_ms,
                                     .notify_interval_ms = config->github.notify_interval_ms,
                                     .inbox = host->inbox,
                                     .on_supervisor_lost = supervisor_lost,
                                     .context = host};
    return broker_new(&options, &host->broker, err);
}

static void step(struct host *host) {
    loop_step(&host->loop, dispatch_tick(host->dispatch));
}

/* 0: every plugin has loaded; 1: the host must stop; -1: a plugin was rejected. */
static int load_plugins(struct host *host, struct error *err) {
    struct dispatch_options options = {.config = host->config,
                                       .starter = &host->supervisor.starter,
                                       .loop = &host->loop,
                                       .inbox = host->inbox,
                                       .broker = host->broker,
                                       .descriptions_fd = host->descriptions_fd};
    if (dispatch_new(&options, &host->dispatch, err) < 0) {
        return -1;
    }
    int loaded;
    while ((loaded = dispatch_loaded(host->dispatch, err)) == 0 && !host->stopping) {
        step(host);
    }
    return loaded < 0 ? -1 : host->stopping;
}

/* In a reload, the host before this one still uses the store and accepts webhooks. 0: it has ended;
 * 1: this host must stop; -1: error. */
static int wait_for_turn(struct host *host, struct error *err) {
    if (supervisor_client_report(SUPERVISOR_LOADED, err) < 0) {
        return -1;
    }
    while (!host->supervisor.go && !host->stopping) {
        step(host);
    }
    return host->stopping;
}

static int open_store(struct host *host, struct error *err) {
    if (inbox_start(host->inbox, host->config->store.url, clock_wall_ms(), err) < 0) {
        return -1;
    }
    inbox_listen(host->inbox, dispatch_on_queued, host->dispatch);
    dispatch_begin(host->dispatch);
    while (!dispatch_ready(host->dispatch) && !host->stopping) {
        step(host);
    }
    return host->stopping;
}

static int start_maintenance(struct host *host, struct error *err) {
    struct maintenance_options options = {
        .config = host->config,
        .webhook_secrets = host->secrets,
        .n_webhook_secrets = host->n_secrets,
        .last_secret_until_ms = host->last_secret_until_ms,
        .loop = &host->loop,
        .inbox = host->inbox,
        .broker = host->broker,
        .configured = dispatch_configured(host->dispatch),
        .router = {.route = route, .wants = wants, .on_stored = on_own_stored, .context = host},
        .plugins = {.describe = describe, .context = host},
        .on_runs_due = dispatch_on_queued,
        .context = host->dispatch};
    return maintenance_new(&options, &host->maintenance, err) < 0
               ? -1
               : telemetry_new(&host->loop, host->inbox, options.configured, &host->telemetry, err);
}

/* Without an admin's token there is no console. */
static int start_console(struct host *host, struct error *err) {
    if (host->admin_token.bytes == 0) {
        return 0;
    }
    struct console_options options = {.config = host->config,
                                      .inbox = host->inbox,
                                      .configured = dispatch_configured(host->dispatch),
                                      .admin_token = &host->admin_token,
                                      .read_token = &host->read_token,
                                      .append_status = append_status,
                                      .describe = describe,
                                      .explain = explain,
                                      .request = request,
                                      .on_changed = on_changed,
                                      .context = host};
    log_memory_start();
    int result = console_new(&options, &host->console, err);
    secret_finish(&host->admin_token);
    secret_finish(&host->read_token);
    return result;
}

/* The console at an address of its own. An ingest serves it, which receives no webhooks. */
static int start_console_listener(struct host *host, struct error *err) {
    const struct config *config = host->config;
    if (!host->console || !config->console.host) {
        return 0;
    }
    const struct listen_place place = {.host = config->console.host,
                                       .port = config->console.port,
                                       .shown_port = config->console.port,
                                       .key = "console.listen",
                                       .port_key = "console.listen"};
    struct ingest_options options = {.not_serving = "this address serves the console only",
                                     .not_serving_fix =
                                         "send webhooks to the address of server.listen",
                                     .append_status = append_status,
                                     .context = host,
                                     .routes = console_route(host->console),
                                     .n_routes = 1,
                                     .max_connections = CONSOLE_CONNECTIONS_MAX,
                                     .max_body_bytes = config->server.max_body_bytes};
    if (listen_socket_open(&place, &host->console_fd, err) != 0) {
        return -1;
    }
    options.listen_fd = host->console_fd;
    return ingest_new(&options, &host->console_ingest, err);
}

static int start_ingest(struct host *host, struct error *err) {
    const struct config *config = host->config;
    size_t n_routes = 0;
    bool with_console = host->console && !config->console.host;
    host->routes[n_routes++] = *telemetry_route();
    if (with_console) {
        host->routes[n_routes++] = *console_route(host->console);
    }
    struct ingest_options options = {.listen_fd = SUPERVISOR_FD_LISTEN,
                                     .max_body_bytes = config->server.max_body_bytes,
                                     .webhook_secrets = host->secrets,
                                     .n_webhook_secrets = host->n_secrets,
                                     .last_secret_until_ms = host->last_secret_until_ms,
                                     .allow_sha1 = config->github.allow_sha1,
                                     .pulls = config->github.receive == CONFIG_RECEIVE_PULL,
                                     .delay_ms = config->dispatch.delay_ms,
                                     .inbox = host->inbox,
                                     .route = route,
                                     .on_stored = on_stored,
                                     .on_group_stored = on_group_stored,
                                     .append_status = append_status,
                                     .context = host,
                                     .routes = host->routes,
                                     .n_routes = n_routes,
                                     .max_page_connections =
                                         with_console ? CONSOLE_CONNECTIONS_MAX : 0};
    if (start_console_listener(host, err) < 0 || ingest_new(&options, &host->ingest, err) < 0) {
        return -1;
    }
    if (supervisor_client_report(SUPERVISOR_READY, err) < 0) {
        return -1;
    }
    /* After READY, so that whoever reads the line knows: the supervisor restarts this host. */
    log_address(SUPERVISOR_FD_LISTEN, "listening");
    if (host->console_ingest) {
        log_address(host->console_fd, "console_listening");
    }
    return 0;
}

/* The shorter of two waits; a negative first one means for ever. */
static int shorter(int a_ms, int b_ms) {
    return a_ms < 0 || b_ms < a_ms ? b_ms : a_ms;
}

static void serve(struct host *host) {
    while (!host->stopping) {
        int wait_ms = dispatch_tick(host->dispatch);
        wait_ms = shorter(wait_ms, maintenance_tick(host->maintenance));
        loop_step(&host->loop, shorter(wait_ms, telemetry_tick(host->telemetry)));
    }
}

/* The workers end with the supervisor, so nothing is worth a wait without it. */
static void step_until_idle(struct host *host, int64_t most_ms) {
    int64_t deadline_ms = clock_monotonic_ms() + most_ms;
    while (!host->supervisor_gone && !dispatch_idle(host->dispatch) &&
           clock_monotonic_ms() < deadline_ms) {
        dispatch_tick(host->dispatch);
        loop_step(&host->loop, 50);
    }
}

static int64_t workers_grace_ms(void) {
    return wrapper_is_set() ? WORKERS_WRAPPED_GRACE_MS : WORKERS_GRACE_MS;
}

static void drain(struct host *host) {
    console_quiesce(host->console);
    ingest_quiesce(host->ingest);
    if (host->console_ingest) {
        ingest_quiesce(host->console_ingest);
    }
    maintenance_quiesce(host->maintenance);
    if (!host->reloading) {
        maintenance_leave(host->maintenance);
    }
    dispatch_drain(host->dispatch);
    step_until_idle(host, host->drain_ms);
    dispatch_cancel(host->dispatch);
    step_until_idle(host, CANCEL_GRACE_MS);
    dispatch_requeue(host->dispatch);
    int64_t deadline_ms = clock_monotonic_ms() + workers_grace_ms();
    while (!host->supervisor_gone && !dispatch_workers_gone(host->dispatch) &&
           clock_monotonic_ms() < deadline_ms) {
        loop_step(&host->loop, 50);
    }
}

static void finish(struct host *host) {
    /* Ingest waits for the console and the inbox, and dispatch for inbox and broker, so those two
     * go last. */
    console_quiesce(host->console);
    ingest_free(host->console_ingest, RESPONSES_GRACE_MS);
    ingest_free(host->ingest, RESPONSES_GRACE_MS);
    dispatch_close_explanations(host->dispatch);
    console_stop(host->console);
    broker_free(host->broker);
    console_free(host->console);
    dispatch_settle(host->dispatch);
    inbox_free(host->inbox);
    maintenance_free(host->maintenance);
    telemetry_free(host->telemetry);
    dispatch_free(host->dispatch);
    /* After the last log line. */
    sentry_free(host->sentry);
    for (size_t i = 0; i < host->n_secrets; i++) {
        secret_finish(&host->secrets[i]);
    }
    secret_finish(&host->admin_token);
    secret_finish(&host->read_token);
    watchdog_stop(&host->watchdog);
    supervisor_client_finish(&host->supervisor);
    loop_remove(&host->loop, &host->signals);
    loop_remove(&host->loop, &host->orphaned);
    close(host->descriptions_fd);
    cleanup_close(&host->console_fd);
    close(host->signals.fd);
    close(host->orphaned.fd);
    loop_finish(&host->loop);
    config_free(host->config);
}

/* The supervisor passes this exit status on if no host of it was ready before. */
static int cannot_start(const struct error *err) {
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err->text));
    supervisor_client_report_failure(err);
    return err->transient ? EX_TEMPFAIL : EX_CONFIG;
}

/* 0: the host serves; 1: it must stop; -1: error. */
static int start(struct host *host, struct error *err) {
    static int (*const steps[])(struct host * host, struct error * err) = {
        start_clients, load_plugins,      wait_for_turn, open_store,
        start_console, start_maintenance, start_ingest};
    int result = 0;
    for (size_t i = 0; result == 0 && i < ARRAY_LENGTH(steps); i++) {
        result = steps[i](host, err);
    }
    return result;
}

static int start_and_serve(struct host *host) {
    struct error err = {.text = ""};
    int started = start(host, &err);
    if (started < 0) {
        return cannot_start(&err);
    }
    if (started == 0) {
        serve(host);
        drain(host);
    }
    return EX_OK;
}

/* The settings that the supervisor read, as a configuration. 0, or an exit status. */
static int load_config(struct host *host) {
    struct settings *settings = NULL;
    struct error err = {.text = ""};
    AUTO_PROBLEMS struct config_problems problems = {0};
    if (supervisor_client_hello(&settings, &host->descriptions_fd, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
        return EX_OSERR;
    }
    if (settings_apply(settings) < 0 ||
        config_load_settings(settings, CONFIG_NEED_HOST, &host->config, &problems) < 0) {
        /* A URL is wrong, which the supervisor does not judge; or a plugin's file was removed. */
        if (supervisor_client_report_problems(&problems) < 0) {
            fputs(problems.text ? problems.text : "out of memory\n", stderr);
        }
        return EX_CONFIG;
    }
    return 0;
}

int host_run(void) {
    struct host host = {.descriptions_fd = -1, .console_fd = -1};
    struct error err = {.text = ""};
    /* First, because the supervisor sends secrets to a process that no other one can read. */
    process_harden();
    /* A fixed threshold, because glibc would otherwise raise it after the first body of 25 MiB and
     * keep such blocks. */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    /* The heaps of the threads would otherwise shrink and grow again with each group of deliveries,
     * which costs page faults. The inbox gives the memory back after a burst. */
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    int status = load_config(&host);
    if (status != 0) {
        return status;
    }
    log_setup(host.config->log.level, host.config->log.format);
    set_limits();
    if (system_calls_restrict(&err) < 0) {
        log_event(SNEK_LEVEL_WARNING, "system_calls_not_restricted", LOG_TEXT("reason", err.text));
    }
    if (log_start(&err) < 0 || watch(&host, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
        return EX_OSERR;
    }
    status = start_and_serve(&host);
    bool served = host.ingest != NULL;
    finish(&host);
    if (served) {
        log_event(SNEK_LEVEL_INFO, "stopped");
    }
    return status;
}
