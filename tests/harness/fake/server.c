/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fake's life, and the way of one request: record it, identify its caller, fail if a test asked
 * for it, route it, respond. */
#include "fake/control.h"
#include "fake/failures.h"
#include "fake/fake.h"
#include "fake/jwt.h"
#include "fake/manifests.h"
#include "fake/rate_limits.h"
#include "fake/requests.h"
#include "fake/response.h"
#include "fake/routes.h"
#include "fake/state.h"
#include "fake/tokens.h"
#include "fake/webhooks.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "config/config.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define IDLE_CONNECTION_S 120

int64_t fake_now_s(const struct fake *fake) {
    return clock_wall_ms() / 1000 + state_setting(fake, "clock_skew_s");
}

void fake_time_text(int64_t time_s, char text[FAKE_TIME_MAX]) {
    time_t seconds = (time_t)time_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, FAKE_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

void fake_release_delays(struct fake *fake) {
    fake->releases++;
    pthread_cond_broadcast(&fake->stop);
}

/* Waits without the lock, until the time is over, a test releases the delays, or the fake ends. */
static void delay(struct fake *fake, json_int_t delay_ms) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(delay_ms / 1000);
    until.tv_nsec += (long)(delay_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int result = 0;
    unsigned releases = fake->releases;
    while (!fake->stopping && fake->releases == releases && result != ETIMEDOUT) {
        result = pthread_cond_timedwait(&fake->stop, &fake->lock, &until);
    }
}

/* Splits the path at its slashes, then unescapes: an escaped slash is part of its segment. */
static bool split_path(struct http_exchange *exchange) {
    exchange->unescaped = strdup(exchange->path);
    if (!exchange->unescaped) {
        return false;
    }
    char *rest = exchange->unescaped + (*exchange->unescaped == '/' ? 1 : 0);
    for (char *segment; (segment = strsep(&rest, "/")) != NULL;) {
        size_t escaped_bytes = strlen(segment);
        bool has_nul = strstr(segment, "%00") != NULL;
        if (exchange->n_segments == EXCHANGE_SEGMENTS_MAX || has_nul ||
            MHD_http_unescape(segment) > escaped_bytes) {
            exchange->n_segments = SIZE_MAX; /* matches no route */
            return true;
        }
        exchange->segments[exchange->n_segments++] = segment;
    }
    return true;
}

static void log_exchange(const struct http_exchange *exchange) {
    if (exchange->fake->quiet) {
        return;
    }
    const char *message = text_of(exchange->response, "message");
    char installation[24] = "";
    if (exchange->caller.installation) {
        snprintf(installation, sizeof installation, "%" JSON_INTEGER_FORMAT,
                 number_of(exchange->caller.installation, "id"));
    }
    log_event(SNEK_LEVEL_INFO, "request", LOG_TEXT("method", exchange->method),
              LOG_TEXT("path", exchange->path),
              LOG_NUMBER("status", exchange->drop ? 0 : exchange->status),
              LOG_TEXT("installation", *installation ? installation : NULL),
              LOG_TEXT("dropped", exchange->drop ? "true" : NULL), LOG_TEXT("message", message));
}

/* With the lock held. */
static void serve_api(struct http_exchange *exchange) {
    request_record(exchange);
    caller_identify(exchange->fake,
                    MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                MHD_HTTP_HEADER_AUTHORIZATION),
                    &exchange->caller);
    request_record_caller(exchange);
    /* One that only delays goes together with one that responds. */
    json_t *failure = failure_take(exchange->fake, exchange, false), *response = NULL;
    if (failure) {
        response = failure_breaks(failure) ? json_incref(failure)
                                           : failure_take(exchange->fake, exchange, true);
    }
    bool after = json_is_true(json_object_get(failure, "after"));
    if (failure && !after) {
        failure_change_state(exchange->fake, failure);
        delay(exchange->fake, number_of(failure, "delay_ms"));
    }
    if (!response || json_is_true(json_object_get(response, "after"))) {
        route_exchange(exchange);
    }
    if (failure && after) {
        /* A test may have replaced the state during the wait. */
        exchange->repository = NULL;
        failure_change_state(exchange->fake, failure);
        delay(exchange->fake, number_of(failure, "delay_ms"));
    }
    bool checked = json_is_true(json_object_get(response, "checked"));
    if (response && (!checked || route_admits(exchange))) {
        failure_respond(exchange, response);
    }
    request_record_response(exchange, response != NULL);
    log_exchange(exchange);
    json_decref(failure);
    json_decref(response);
}

static enum MHD_Result serve(struct http_exchange *exchange) {
    pthread_mutex_lock(&exchange->fake->lock);
    enum MHD_Result result = MHD_NO;
    if (split_path(exchange)) {
        if (exchange->n_segments > 0 && exchange->n_segments != SIZE_MAX &&
            strcmp(exchange->segments[0], "_fake") == 0) {
            control_exchange(exchange);
        } else if (!manifests_serve(exchange)) {
            serve_api(exchange);
        }
        result = exchange->drop ? MHD_NO : response_send(exchange);
    }
    pthread_mutex_unlock(&exchange->fake->lock);
    return result;
}

/* libmicrohttpd calls it first, with the target as the client sent it. */
static void *on_request_target(void *context, const char *target,
                               struct MHD_Connection *connection) {
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return NULL;
    }
    exchange->fake = context;
    exchange->connection = connection;
    exchange->body = (struct buffer)BUFFER_INIT(EXCHANGE_BODY_MAX);
    const char *question = strchr(target, '?');
    exchange->path = question ? strndup(target, (size_t)(question - target)) : strdup(target);
    exchange->query = question ? strdup(question + 1) : NULL;
    return exchange;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **state) {
    (void)context, (void)connection, (void)url, (void)version;
    struct http_exchange *exchange = *state;
    if (!exchange || !exchange->path) {
        return MHD_NO;
    }
    if (!exchange->started) {
        exchange->started = true;
        exchange->method = method;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        if (buffer_append(&exchange->body, upload, *upload_bytes) < 0) {
            exchange->body_too_large = true;
        }
        *upload_bytes = 0;
        return MHD_YES;
    }
    return serve(exchange);
}

static void on_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
                                  enum MHD_RequestTerminationCode code) {
    (void)connection, (void)code;
    struct fake *fake = context;
    struct http_exchange *exchange = *state;
    if (!exchange) {
        return;
    }
    /* Jansson's reference counts are not atomic. */
    pthread_mutex_lock(&fake->lock);
    caller_finish(&exchange->caller);
    json_decref(exchange->record);
    json_decref(exchange->response);
    json_decref(exchange->headers);
    pthread_mutex_unlock(&fake->lock);
    free(exchange->response_text);
    free(exchange->unescaped);
    free(exchange->resolved);
    free(exchange->path);
    free(exchange->query);
    buffer_finish(&exchange->body);
    free(exchange);
    *state = NULL;
}

/* A listening socket for HOST:PORT; `*address` is HOST:PORT with the port that was picked. */
static int listen_at(const char *where, char *address, size_t address_bytes, int *port,
                     struct error *err) {
    const char *colon = strrchr(where, ':');
    if (!colon) {
        return error_set(err, "--listen wants HOST:PORT, not %s", where);
    }
    bool brackets = *where == '[' && colon > where + 1 && colon[-1] == ']';
    AUTO_FREE char *host = brackets ? strndup(where + 1, (size_t)(colon - where) - 2)
                                    : strndup(where, (size_t)(colon - where));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int problem = host ? getaddrinfo(host, colon + 1, &hints, &found) : EAI_MEMORY;
    if (problem != 0) {
        return error_set(err, "cannot listen at %s: %s", where, gai_strerror(problem));
    }
    AUTO_CLOSE int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    bool listening = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                     bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 128) == 0;
    int cause = errno;
    freeaddrinfo(found);
    if (!listening) {
        return error_set(err, "cannot listen at %s: %s", where, strerror(cause));
    }
    struct sockaddr_storage bound;
    socklen_t bound_bytes = sizeof bound;
    getsockname(fd, (struct sockaddr *)&bound, &bound_bytes);
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    snprintf(address, address_bytes, "%.*s:%d", (int)(colon - where), where, *port);
    return steal_fd(&fd);
}

/* The options win over the state's settings. */
static int set_webhook(struct fake *fake, const struct fake_options *options, struct error *err) {
    json_t *settings = state_settings(fake);
    AUTO_SECRET struct secret secret = {0};
    if (options->webhook_url) {
        json_object_set_new(settings, "webhook_url", json_string(options->webhook_url));
    }
    if (options->webhook_secret_file) {
        if (config_secret_file(options->webhook_secret_file, &secret, err) < 0) {
            return -1;
        }
        json_object_set_new(settings, "webhook_secret", json_string(secret.data));
    }
    return 0;
}

static void fake_finish(struct fake *fake) {
    webhooks_finish(fake);
    manifests_finish(fake);
    for (size_t i = 0; i < fake->n_keys; i++) {
        gnutls_pubkey_deinit(fake->keys[i]);
    }
    tokens_finish(fake);
    state_finish(fake);
    rate_limits_finish(fake);
    failures_finish(fake);
    requests_finish(fake);
    pthread_cond_destroy(&fake->stop);
    pthread_mutex_destroy(&fake->lock);
}

static int fake_init(struct fake *fake, const struct fake_options *options, struct error *err) {
    *fake = (struct fake){.app_id = options->app_id, .quiet = options->quiet};
    (void)snprintf(fake->app_slug, sizeof fake->app_slug, "%s", options->app_slug);
    tokens_init(fake);
    rate_limits_init(fake);
    failures_init(fake);
    requests_init(fake);
    webhooks_init(fake);
    manifests_init(fake);
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->stop, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < options->n_app_keys; i++) {
        if (jwt_read_key(options->app_keys[i], &fake->keys[i], err) < 0) {
            return -1;
        }
        fake->n_keys++;
    }
    if (state_load(fake, options->state_file, err) < 0) {
        return -1;
    }
    return set_webhook(fake, options, err);
}

static void set_web_origin(struct fake *fake) {
    const char *authority = strstr(fake->origin, "://");
    size_t scheme_bytes = authority ? (size_t)(authority - fake->origin) + strlen("://") : 0;
    size_t bytes = scheme_bytes + strcspn(fake->origin + scheme_bytes, "/");
    snprintf(fake->web_origin, sizeof fake->web_origin, "%.*s", (int)bytes, fake->origin);
}

static int run(struct fake *fake, const struct fake_options *options, struct error *err) {
    char address[112];
    int port = 0;
    int fd = listen_at(options->listen, address, sizeof address, &port, err);
    if (fd < 0) {
        return -1;
    }
    snprintf(fake->origin, sizeof fake->origin, "%s%s", options->public_url ? "" : "http://",
             options->public_url ? options->public_url : address);
    set_web_origin(fake);

    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* libmicrohttpd's threads inherit it */
    signal(SIGPIPE, SIG_IGN);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            /* The fake's own clock may be skewed. */
            MHD_USE_SUPPRESS_DATE_NO_CLOCK,
        0, NULL, NULL, on_request, fake, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_target, fake, MHD_OPTION_NOTIFY_COMPLETED, on_exchange_completed, fake,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_CONNECTION_S, MHD_OPTION_END);
    if (!daemon) {
        close(fd);
        return error_set(err, "libmicrohttpd cannot serve at %s", address);
    }
    log_event(SNEK_LEVEL_INFO, "listening", LOG_TEXT("address", address), LOG_NUMBER("port", port));
    int got;
    sigwait(&ends, &got);
    pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    pthread_cond_broadcast(&fake->stop);
    pthread_mutex_unlock(&fake->lock);
    MHD_stop_daemon(daemon); /* closes the listening socket */
    return 0;
}

int fake_run(const struct fake_options *options, struct error *err) {
    struct fake fake;
    int result = fake_init(&fake, options, err);
    if (result == 0) {
        result = run(&fake, options, err);
    }
    fake_finish(&fake);
    return result;
}
