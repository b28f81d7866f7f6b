/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The peers of the host: libmicrohttpd that checks the signature and keeps nothing, and
 * the smallest program that keeps each delivery before it responds: the same, LZ4, and commits in
 * groups to SQLite or PostgreSQL. It routes nothing, reads no JSON, and has one table. It prints
 * its port, and ends at SIGTERM. */
#include "bench.h"
#include "peer_store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lz4.h>
#include <microhttpd.h>
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>

#define BODY_MAX ((size_t)25 << 20)

struct request {
    struct MHD_Connection *connection;
    char *body;
    size_t bytes, room;
    bool stored, rejected;
    struct peer_row row;
    struct request *next;
};

static struct {
    struct peer_store *store;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct request *first, **last;
    /* Committed groups, whose connections the server's thread resumes; it waits for the eventfd. */
    struct request *committed;
    int event_fd;
} writer = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .last = &writer.first};

static struct hmac_sha256_ctx keyed;

static bool is_signed(const struct request *request) {
    struct hmac_sha256_ctx hmac = keyed;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[2 * SHA256_DIGEST_SIZE];
    const char *signature =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "X-Hub-Signature-256");
    hmac_sha256_update(&hmac, request->bytes, (const uint8_t *)request->body);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    return signature && strlen(signature) == 7 + sizeof hex &&
           memcmp(signature + 7, hex, sizeof hex) == 0;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status) {
    static char text[] = "{\"status\":\"queued\"}\n";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void append(struct request *request, const char *data, size_t bytes) {
    if (bytes > BODY_MAX - request->bytes) {
        request->rejected = true;
        return;
    }
    if (request->bytes + bytes > request->room) {
        request->room = 2 * (request->bytes + bytes);
        request->body = realloc(request->body, request->room);
        if (!request->body) {
            bench_fail("out of memory");
        }
    }
    memcpy(request->body + request->bytes, data, bytes);
    request->bytes += bytes;
}

static void submit(struct request *request) {
    struct peer_row *row = &request->row;
    row->guid =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "X-GitHub-Delivery");
    row->event =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "X-GitHub-Event");
    int room = LZ4_compressBound((int)request->bytes);
    row->body = malloc((size_t)room);
    if (!row->guid || !row->event || !row->body) {
        bench_fail("a delivery without a header, or out of memory");
    }
    row->bytes = (size_t)LZ4_compress_default(request->body, row->body, (int)request->bytes, room);
    MHD_suspend_connection(request->connection);
    pthread_mutex_lock(&writer.lock);
    *writer.last = request;
    writer.last = &request->next;
    pthread_cond_signal(&writer.work);
    pthread_mutex_unlock(&writer.lock);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **state) {
    (void)cls, (void)url, (void)method, (void)version;
    struct request *request = *state;
    if (!request) {
        request = calloc(1, sizeof *request);
        if (!request) {
            return MHD_NO;
        }
        request->connection = connection;
        *state = request;
        return MHD_YES;
    }
    if (*bytes > 0) {
        append(request, data, *bytes);
        *bytes = 0;
        return MHD_YES;
    }
    if (request->stored) {
        return respond(connection, MHD_HTTP_ACCEPTED);
    }
    if (request->rejected || !is_signed(request)) {
        return respond(connection, MHD_HTTP_UNAUTHORIZED);
    }
    if (!writer.store) {
        return respond(connection, MHD_HTTP_ACCEPTED);
    }
    submit(request);
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)cls, (void)connection, (void)code;
    struct request *request = *state;
    if (request) {
        free(request->row.body);
        free(request->body);
        free(request);
    }
}

/* All that wait share a commit. */
static void *write_groups(void *argument) {
    for (;;) {
        pthread_mutex_lock(&writer.lock);
        while (!writer.first) {
            pthread_cond_wait(&writer.work, &writer.lock);
        }
        struct request *group = writer.first;
        writer.first = NULL;
        writer.last = &writer.first;
        pthread_mutex_unlock(&writer.lock);
        peer_store_begin(writer.store);
        for (const struct request *at = group; at; at = at->next) {
            peer_store_add(writer.store, &at->row);
        }
        peer_store_commit(writer.store);
        pthread_mutex_lock(&writer.lock);
        struct request **end = &writer.committed;
        while (*end) {
            end = &(*end)->next;
        }
        *end = group;
        pthread_mutex_unlock(&writer.lock);
        eventfd_write(writer.event_fd, 1);
    }
    return argument;
}

static void resume_committed(void) {
    eventfd_t count;
    if (eventfd_read(writer.event_fd, &count) < 0) {
        return;
    }
    pthread_mutex_lock(&writer.lock);
    struct request *committed = writer.committed;
    writer.committed = NULL;
    pthread_mutex_unlock(&writer.lock);
    while (committed) {
        struct request *request = committed;
        committed = request->next;
        request->stored = true;
        MHD_resume_connection(request->connection);
    }
}

static volatile sig_atomic_t stopped;

static void on_stop(int number) {
    (void)number;
    stopped = 1;
}

/* On an epoll of ours, like the host: libmicrohttpd's own thread sometimes sleeps while more than
 * 128 connections have data. */
static void serve(struct MHD_Daemon *daemon) {
    int epoll_fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd ready[] = {{.fd = epoll_fd, .events = POLLIN},
                             {.fd = writer.event_fd, .events = POLLIN}};
    while (!stopped) {
        MHD_UNSIGNED_LONG_LONG left_ms;
        bool more = MHD_get_timeout(daemon, &left_ms) == MHD_YES && left_ms == 0;
        poll(ready, 2, more ? 0 : 1000);
        resume_committed();
        MHD_run(daemon);
    }
}

int main(int argc, char **argv) {
    if (argc > 2) {
        fputs("Usage: bench_peer [sqlite:PATH|postgres:URL]\n", stderr);
        return EX_USAGE;
    }
    signal(SIGTERM, on_stop);
    hmac_sha256_set_key(&keyed, sizeof BENCH_SECRET - 1, (const uint8_t *)BENCH_SECRET);
    writer.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    writer.store = argc == 2 ? peer_store_open(argv[1]) : NULL;
    pthread_t thread;
    if (writer.store && pthread_create(&thread, NULL, write_groups, NULL) != 0) {
        bench_fail("no thread");
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, 1024U,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!daemon) {
        bench_fail("libmicrohttpd does not start: %s", strerror(errno));
    }
    printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    serve(daemon);
    /* Nothing is in flight once the load has ended. */
    _exit(EX_OK);
}
