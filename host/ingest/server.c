/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread of ingest: one epoll over libmicrohttpd's epoll, this room's mailbox and the
 * deadlines. */
#include "ingest/server.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Deadlines are checked at most this often. */
#define DEADLINE_GRAIN_MS 20
/* At shutdown, for connections without any request yet. */
#define FRESH_GRACE_MS 1000
/* To read the bytes that a client sent before it closed the connection. */
#define LEFT_GRACE_MS 1000
#define WAIT_MAX_MS 60000
#define EVENTS_MAX 64
/* Rounds of libmicrohttpd, to pass the last responses to the kernel. */
#define FLUSH_ROUNDS_MAX 1000

void connection_set_deadline(struct ingest *ingest, struct connection *connection, int64_t in_ms) {
    if (in_ms != INT64_MAX && connection->left) {
        in_ms = in_ms < LEFT_GRACE_MS ? in_ms : LEFT_GRACE_MS;
    }
    connection->deadline_ms = in_ms == INT64_MAX ? INT64_MAX : clock_monotonic_ms() + in_ms;
    if (connection->deadline_ms < ingest->next_deadline_ms) {
        ingest->next_deadline_ms = connection->deadline_ms;
    }
}

static int watch(struct ingest *ingest, int fd, uint32_t events, struct connection *connection) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    return epoll_ctl(ingest->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* libmicrohttpd 0.9.75 misses a close that arrives together with the bytes before it: its epoll is
 * edge-triggered, and it does not read again after a short read. Without this function the server
 * would wait for the rest of the request, and hold its body, up to the deadline. */
static void on_left(struct ingest *ingest, struct connection *connection) {
    struct http_exchange *exchange = connection->exchange;
    connection->left = true;
    if (exchange && exchange->suspended && exchange->request.route->on_left) {
        exchange->request.route->on_left(&exchange->request);
    }
    if (!connection->exchange || !connection->exchange->handled) {
        connection_set_deadline(ingest, connection, LEFT_GRACE_MS);
    }
}

static void connection_new(struct ingest *ingest, struct MHD_Connection *mhd, void **context) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    *context = connection;
    if (!connection) {
        shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    connection->fd = info->connect_fd;
    connection->since_ms = clock_monotonic_ms();
    TAILQ_INSERT_HEAD(&ingest->connections, connection, link);
    ingest->n_connections++;
    ingest->n_accepted++;
    watch(ingest, connection->fd, EPOLLRDHUP | EPOLLET | EPOLLONESHOT, connection);
    connection_set_deadline(ingest, connection, ingest->options.header_deadline_ms);
}

static void connection_free(struct ingest *ingest, struct connection *connection) {
    (void)connection_set_page(ingest, connection, false);
    /* Closing the descriptor does not remove it from the epoll while a forked child still has it
     * before its exec. */
    epoll_ctl(ingest->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    TAILQ_REMOVE(&ingest->connections, connection, link);
    assert(ingest->n_connections > 0);
    free(connection);
    ingest->n_connections--;
    ingest->closed_one = true;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_new(cls, mhd, context);
    } else if (*context) {
        connection_free(cls, *context);
    }
}

/* libmicrohttpd treats the shut socket as a closed connection. */
static void shut_connection(struct ingest *ingest, struct connection *connection, unsigned status,
                            const char *why) {
    struct http_exchange *exchange = connection->exchange;
    if (why) {
        rejections_log(
            &ingest->rejections, clock_monotonic_ms(),
            &(struct rejection){.status = status,
                                .reason = why,
                                .delivery = exchange ? exchange->request.delivery : NULL});
    }
    connection->shut = true;
    connection->deadline_ms = INT64_MAX;
    shutdown(connection->fd, SHUT_RDWR);
}

static bool waits_for_headers(const struct connection *connection) {
    return !connection->exchange || !connection->exchange->started;
}

static bool waits_for_body(const struct connection *connection) {
    const struct http_exchange *exchange = connection->exchange;
    return exchange && exchange->started && !exchange->handled &&
           (!exchange->responded || exchange->response);
}

static bool has_part_of_body(const struct connection *connection) {
    return waits_for_body(connection) && connection->exchange->held_bytes > 0;
}

static struct connection *oldest(const struct ingest *ingest, const struct connection *but,
                                 bool (*is_meant)(const struct connection *connection)) {
    struct connection *found = NULL;
    struct connection *c;
    TAILQ_FOREACH(c, &ingest->connections, link) {
        if (c != but && !c->shut && is_meant(c) && (!found || c->since_ms <= found->since_ms)) {
            /* The first of equally old connections wins; it is the last in the list. */
            found = c;
        }
    }
    return found;
}

static bool page_is_idle(const struct connection *connection) {
    return connection->is_page && !connection->exchange;
}

/* A browser keeps connections open that it may never use again. */
static bool shut_idle_page(struct ingest *ingest, const struct connection *but) {
    struct connection *connection = oldest(ingest, but, page_is_idle);
    if (!connection) {
        return false;
    }
    shut_connection(ingest, connection, 0, NULL);
    return connection_set_page(ingest, connection, false);
}

bool connection_set_page(struct ingest *ingest, struct connection *connection, bool is_page) {
    if (ingest->options.max_page_connections == 0 || connection->is_page == is_page) {
        return true;
    }
    if (is_page && ingest->n_page_connections >= ingest->options.max_page_connections &&
        !shut_idle_page(ingest, connection)) {
        return false;
    }
    connection->is_page = is_page;
    if (is_page) {
        ingest->n_page_connections++;
    } else {
        assert(ingest->n_page_connections > 0);
        ingest->n_page_connections--;
    }
    return true;
}

unsigned connections_other(const struct ingest *ingest) {
    return ingest->n_connections - ingest->n_page_connections;
}

uint64_t connections_arriving_bytes(const struct ingest *ingest) {
    uint64_t bytes = 0;
    struct connection *c;
    TAILQ_FOREACH(c, &ingest->connections, link) {
        bytes += has_part_of_body(c) ? c->exchange->held_bytes : 0;
    }
    return bytes;
}

bool connections_shut_oldest_body(struct ingest *ingest, const struct connection *but) {
    struct connection *connection = oldest(ingest, but, has_part_of_body);
    if (!connection) {
        return false;
    }
    shut_connection(
        ingest, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
        "its body had been arriving for longest when another request needed the memory");
    /* Without a response: the exchange is over. */
    connection->exchange->responded = true;
    http_drop_body(&connection->exchange->request);
    return true;
}

/* The server enforces absolute deadlines itself. libmicrohttpd's own timeout restarts with every
 * byte, so that a byte a second would keep a connection open for ever. */
static void shut_late_connections(struct ingest *ingest, int64_t now_ms) {
    if (now_ms < ingest->next_deadline_ms) {
        return;
    }
    int64_t next_ms = INT64_MAX;
    struct connection *c;
    TAILQ_FOREACH(c, &ingest->connections, link) {
        if (c->deadline_ms <= now_ms) {
            bool silently = !c->exchange || c->exchange->responded || c->left;
            shut_connection(ingest, c, MHD_HTTP_REQUEST_TIMEOUT,
                            silently ? NULL : "the request was not complete in time");
        } else if (c->deadline_ms < next_ms) {
            next_ms = c->deadline_ms;
        }
    }
    int64_t soonest_ms = now_ms + DEADLINE_GRAIN_MS;
    ingest->next_deadline_ms = next_ms < soonest_ms ? soonest_ms : next_ms;
}

static void quiesce(struct ingest *ingest) {
    if (ingest->quiesced) {
        return;
    }
    ingest->quiesced = true;
    (void)MHD_quiesce_daemon(ingest->daemon);
    int64_t now_ms = clock_monotonic_ms();
    struct connection *c;
    TAILQ_FOREACH(c, &ingest->connections, link) {
        int64_t grace_ms = c->responded ? 0 : FRESH_GRACE_MS;
        if (!c->exchange && c->deadline_ms > now_ms + grace_ms) {
            connection_set_deadline(ingest, c, grace_ms);
        }
    }
}

static void on_quiesce(struct mail *mail) {
    quiesce(CONTAINER_OF(mail, struct ingest, quiesce_mail));
}

static void on_stop(struct mail *mail) {
    struct ingest *ingest = CONTAINER_OF(mail, struct ingest, stop_mail);
    quiesce(ingest);
    ingest->stopping = true;
    ingest->stop_at_ms = clock_monotonic_ms() + ingest->grace_ms;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The timeout for epoll_wait(). */
static int timeout_ms(struct ingest *ingest, int64_t now_ms) {
    MHD_UNSIGNED_LONG_LONG left_ms;
    if (MHD_get_timeout(ingest->daemon, &left_ms) == MHD_YES && left_ms == 0) {
        /* libmicrohttpd has more work than it did in one round. */
        return 0;
    }
    int64_t next_ms = !TAILQ_EMPTY(&ingest->connections) ? ingest->next_deadline_ms : INT64_MAX;
    next_ms = least(next_ms, rejections_flush(&ingest->rejections, now_ms));
    if (ingest->stopping) {
        next_ms = least(next_ms, ingest->stop_at_ms);
    }
    if (next_ms == INT64_MAX) {
        return -1;
    }
    return next_ms <= now_ms ? 0 : (int)least(next_ms - now_ms, WAIT_MAX_MS);
}

void http_reject_stopping(struct http_request *request) {
    http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the host is stopping",
                "send the request again");
}

/* Closes every remaining connection. Clients that wait for a response get one that names the
 * reason. */
static void end_connections(struct ingest *ingest) {
    ingest->ending = true;
    struct connection *c;
    TAILQ_FOREACH(c, &ingest->connections, link) {
        if (c->exchange && c->exchange->suspended) {
            http_reject_stopping(&c->exchange->request);
        }
    }
    MHD_UNSIGNED_LONG_LONG left_ms;
    unsigned rounds = 0;
    do {
        (void)MHD_run(ingest->daemon);
    } while (rounds++ < FLUSH_ROUNDS_MAX && MHD_get_timeout(ingest->daemon, &left_ms) == MHD_YES &&
             left_ms == 0);
    /* MHD_stop_daemon() would abort on a connection that is still suspended. Without the quiesce
     * before, it would also shut the listening socket for the next host. */
    MHD_stop_daemon(ingest->daemon);
    ingest->daemon = NULL;
}

static void wait_for_exchanges(struct ingest *ingest) {
    struct pollfd mail = {.fd = ingest->mailbox.event_fd, .events = POLLIN};
    while (ingest->n_exchanges > 0) {
        poll(&mail, 1, -1);
        mailbox_drain(&ingest->mailbox);
    }
}

/* One round, and another one if it closed a connection: after libmicrohttpd was at its limit, it
 * only accepts again at the start of a round. */
static void run_daemon(struct ingest *ingest) {
    do {
        ingest->closed_one = false;
        (void)MHD_run(ingest->daemon);
    } while (ingest->closed_one);
}

static bool other_waits_for_headers(const struct connection *connection) {
    return !connection->is_page && waits_for_headers(connection);
}

static bool other_waits_for_body(const struct connection *connection) {
    return !connection->is_page && waits_for_body(connection);
}

static unsigned all_connections_max(const struct ingest *ingest) {
    return ingest->options.max_connections + ingest->options.max_page_connections;
}

/* Are all connections taken while a client waits to be accepted? Or did one come that has no place
 * beside those of pages? */
static bool lacks_room(const struct ingest *ingest) {
    struct pollfd listening = {.fd = ingest->listen_fd, .events = POLLIN};
    return connections_other(ingest) > ingest->options.max_connections ||
           (ingest->n_connections >= all_connections_max(ingest) && poll(&listening, 1, 0) > 0);
}

/* Closes the connection that has waited for a request for longest, or else the one whose body has
 * been arriving for longest, until there is room. */
static void make_room(struct ingest *ingest) {
    while (!ingest->quiesced && lacks_room(ingest)) {
        unsigned before = ingest->n_accepted, count = ingest->n_connections;
        struct connection *connection = oldest(ingest, NULL, other_waits_for_headers);
        connection = connection ? connection : oldest(ingest, NULL, other_waits_for_body);
        if (!connection) {
            return;
        }
        shut_connection(ingest, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                        "all connections were taken, and this one had been idle for longest");
        run_daemon(ingest);
        if (ingest->n_accepted == before && ingest->n_connections >= count) {
            /* libmicrohttpd notices the close in its next round. */
            return;
        }
    }
}

static bool finished(const struct ingest *ingest, int64_t now_ms) {
    return ingest->stopping && (TAILQ_EMPTY(&ingest->connections) || now_ms >= ingest->stop_at_ms);
}

/* After the responses, which nobody else is to delay. */
static void end_group(struct ingest *ingest) {
    const struct ingest_options *options = &ingest->options;
    if (ingest->stored_some && options->on_group_stored) {
        options->on_group_stored(options->context);
    }
    ingest->stored_some = false;
}

static void *serve(void *context) {
    struct ingest *ingest = context;
    int64_t now_ms = clock_monotonic_ms();
    while (!finished(ingest, now_ms)) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(ingest->epoll_fd, events, EVENTS_MAX, timeout_ms(ingest, now_ms));
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                on_left(ingest, events[i].data.ptr);
            }
        }
        mailbox_drain(&ingest->mailbox);
        shut_late_connections(ingest, clock_monotonic_ms());
        run_daemon(ingest);
        end_group(ingest);
        make_room(ingest);
        now_ms = clock_monotonic_ms();
    }
    end_connections(ingest);
    wait_for_exchanges(ingest);
    end_group(ingest);
    rejections_flush(&ingest->rejections, INT64_MAX);
    return NULL;
}

static void set_defaults(struct ingest_options *options) {
    if (options->header_deadline_ms == 0) {
        options->header_deadline_ms = 10000;
    }
    if (options->idle_deadline_ms == 0) {
        options->idle_deadline_ms = 90000;
    }
    if (options->body_deadline_ms == 0) {
        options->body_deadline_ms = 30000;
    }
    if (options->body_grace_ms == 0) {
        options->body_grace_ms = 5000;
    }
    if (options->max_connections == 0) {
        options->max_connections = 1024;
    }
    if (options->max_held_bytes == 0) {
        options->max_held_bytes = (uint64_t)64 << 20;
    }
    if (options->max_held_bytes < (uint64_t)options->max_body_bytes) {
        options->max_held_bytes = (uint64_t)options->max_body_bytes;
    }
}

/* Prepares everything except the thread. If it fails, ingest_dispose() cleans up. */
static int prepare(struct ingest *ingest, struct error *err) {
    ingest->listen_fd = fcntl(ingest->options.listen_fd, F_DUPFD_CLOEXEC, 0);
    ingest->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ingest->listen_fd < 0 || ingest->epoll_fd < 0) {
        return error_set(err, "the HTTP server gets no descriptor (%s): " ERROR_FIX_FILES,
                         strerror(errno));
    }
    ingest->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_exchange_access, ingest,
        MHD_OPTION_LISTEN_SOCKET, ingest->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        all_connections_max(ingest), MHD_OPTION_NOTIFY_CONNECTION, on_connection, ingest,
        MHD_OPTION_NOTIFY_COMPLETED, http_exchange_completed, ingest, MHD_OPTION_URI_LOG_CALLBACK,
        http_exchange_new, ingest,
        /* From 1.0 on, this option rejects what strict.c rejects. Before, it closes the connection
         * without a response. */
        MHD_OPTION_STRICT_FOR_CLIENT, MHD_get_version()[0] == '0' ? 0 : 1, MHD_OPTION_END);
    if (!ingest->daemon) {
        /* libmicrohttpd has closed it. */
        ingest->listen_fd = -1;
        return error_set(err, "libmicrohttpd does not start: %s", strerror(errno));
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(ingest->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || watch(ingest, info->epoll_fd, EPOLLIN, NULL) < 0 ||
        /* At its limit libmicrohttpd does not watch this socket; make_room() does. */
        watch(ingest, ingest->listen_fd, EPOLLIN | EPOLLET, NULL) < 0 ||
        watch(ingest, ingest->mailbox.event_fd, EPOLLIN, NULL) < 0) {
        return error_set(err,
                         "the HTTP server cannot wait for events (%s): raise "
                         "fs.epoll.max_user_watches with sysctl",
                         strerror(errno));
    }
    return 0;
}

static void ingest_dispose(struct ingest *ingest) {
    assert(TAILQ_EMPTY(&ingest->connections) && ingest->n_exchanges == 0);
    /* Only if ingest_new() fails, before the first connection. */
    if (ingest->daemon) {
        (void)MHD_quiesce_daemon(ingest->daemon);
        MHD_stop_daemon(ingest->daemon);
    }
    cleanup_close(&ingest->listen_fd);
    cleanup_close(&ingest->epoll_fd);
    mailbox_finish(&ingest->mailbox);
    free(ingest);
}

int ingest_new(const struct ingest_options *options, struct ingest **ingest, struct error *err) {
    struct ingest *new = calloc(1, sizeof *new);
    if (!new || mailbox_init(&new->mailbox) < 0) {
        free(new);
        return error_set(err, "the HTTP server does not start (%s): " ERROR_FIX_FILES_OR_MEMORY,
                         strerror(errno));
    }
    new->options = *options;
    set_defaults(&new->options);
    TAILQ_INIT(&new->connections);
    new->next_deadline_ms = INT64_MAX;
    new->quiesce_mail.open = on_quiesce;
    new->stop_mail.open = on_stop;
    webhook_route(new, &new->own_routes[0]);
    endpoints_routes(new, &new->own_routes[1]);

    int result = prepare(new, err);
    if (result == 0) {
        /* The main thread handles all signals. */
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error = pthread_create(&new->thread, NULL, serve, new);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error != 0) {
            result = error_set(err, "the HTTP server gets no thread (%s): " ERROR_FIX_THREADS,
                               strerror(error));
        }
    }
    if (result < 0) {
        ingest_dispose(new);
        return -1;
    }
    *ingest = new;
    return 0;
}

void ingest_quiesce(struct ingest *ingest) {
    if (!ingest->quiesce_posted) {
        ingest->quiesce_posted = true;
        mailbox_post(&ingest->mailbox, &ingest->quiesce_mail);
    }
}

void ingest_free(struct ingest *ingest, int64_t grace_ms) {
    if (!ingest) {
        return;
    }
    ingest->grace_ms = grace_ms;
    mailbox_post(&ingest->mailbox, &ingest->stop_mail);
    pthread_join(ingest->thread, NULL);
    ingest_dispose(ingest);
}
