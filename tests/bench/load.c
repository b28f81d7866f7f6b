/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The load: connections from one thread, each with one request in progress. A request is its
 * headers, with a GUID of its own, and one of the bodies, which were signed before, so that the
 * sender costs the measured server as little processor time as possible. With a rate, requests are
 * sent at their times, and a response's time counts from there: a server that stops for a while
 * cannot hide the requests that would have come meanwhile. */
#include "bench.h"
#include "github.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define STALL_MS 20000
/* GUIDs are like GitHub's: they begin with the time. They end with the number of the delivery. */
#define GUID_MIDDLE "-11f0-8000-"

struct connection {
    int fd;
    char head[1024], response[2048];
    size_t head_bytes, sent, got;
    const struct bench_body *body;
    double began;
    uint64_t number;
    bool busy, responded, commented;
};

struct load {
    int epoll_fd;
    const struct bench_load_options *options;
    const struct bench_bodies *bodies;
    struct connection *connections;
    double began, count_from, until;
    uint64_t n_sent;
    /* A part of the GUIDs, because a server keeps them over several loads. */
    uint32_t run;
    float *ms;
    size_t n_ms, room_ms, rejected;
};

static void send_more(struct connection *connection) {
    while (connection->sent < connection->head_bytes + connection->body->bytes) {
        size_t head_sent =
            connection->sent < connection->head_bytes ? connection->sent : connection->head_bytes;
        size_t body_sent = connection->sent - head_sent;
        struct iovec parts[] = {
            {connection->head + head_sent, connection->head_bytes - head_sent},
            {connection->body->json + body_sent, connection->body->bytes - body_sent}};
        ssize_t sent = writev(connection->fd, parts, 2);
        if (sent < 0 && errno == EAGAIN) {
            /* epoll reports the error. */
            return;
        }
        if (sent < 0) {
            bench_fail("sending: %s", strerror(errno));
        }
        connection->sent += (size_t)sent;
    }
}

/* Sends the next request; `at`: when it was due. */
static void begin(struct load *load, struct connection *connection, double at) {
    const struct bench_body *body = &load->bodies->all[load->n_sent % load->bodies->n];
    connection->began = at;
    int bytes =
        snprintf(connection->head, sizeof connection->head,
                 "POST /webhook/github HTTP/1.1\r\n"
                 "Host: 127.0.0.1\r\n"
                 "User-Agent: GitHub-Hookshot/f00d1ed\r\n"
                 "Accept: */*\r\n"
                 "Content-Type: application/json\r\n"
                 "X-GitHub-Event: %s\r\n"
                 "X-GitHub-Delivery: %08x-%04x" GUID_MIDDLE "%012llx\r\n"
                 "X-Hub-Signature-256: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 body->event, (unsigned)(uint64_t)(connection->began * 1e7), load->run & 0xffff,
                 (unsigned long long)load->n_sent, body->signature, body->bytes);
    connection->number = load->n_sent++;
    connection->responded = false;
    connection->commented = !load->options->github;
    connection->head_bytes = (size_t)bytes;
    connection->body = body;
    connection->sent = connection->got = 0;
    connection->busy = true;
    send_more(connection);
}

/* The length of a whole response; 0 when more must come. */
static size_t whole(const struct connection *connection) {
    const char *end = strstr(connection->response, "\r\n\r\n");
    const char *length = strcasestr(connection->response, "\r\nContent-Length:");
    if (!end || !length) {
        return 0;
    }
    size_t bytes = (size_t)(end + 4 - connection->response) + strtoul(length + 17, NULL, 10);
    return connection->got >= bytes ? bytes : 0;
}

static void note_status(struct load *load, const struct connection *connection) {
    if (strncmp(connection->response, "HTTP/1.1 20", 11) != 0) {
        load->rejected++;
    }
}

static void count(struct load *load, const struct connection *connection) {
    double now = bench_now();
    if (now < load->count_from) {
        return;
    }
    if (load->n_ms == load->room_ms) {
        load->room_ms = load->room_ms ? load->room_ms * 2 : 65536;
        load->ms = reallocarray(load->ms, load->room_ms, sizeof *load->ms);
        if (!load->ms) {
            bench_fail("out of memory");
        }
    }
    load->ms[load->n_ms++] = (float)((now - connection->began) * 1000);
}

static void dial(struct load *load, struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->options->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        bench_fail("connecting: %s", strerror(errno));
    }
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
}

/* When the next request with a rate is due. */
static double due_at(const struct load *load) {
    return load->began + (double)load->n_sent / load->options->rate;
}

/* Sends the next delivery on the connection, if one is due. */
static void go_on(struct load *load, struct connection *connection) {
    const struct bench_load_options *options = load->options;
    double at = bench_now();
    connection->busy = false;
    if (options->fresh) {
        close(connection->fd);
        dial(load, connection);
    }
    if (options->rate > 0) {
        if (due_at(load) > at) {
            return;
        }
        at = due_at(load);
    }
    begin(load, connection, at);
}

static void finish(struct load *load, struct connection *connection) {
    count(load, connection);
    go_on(load, connection);
}

void bench_on_request(void *context, const char *request) {
    struct load *load = ((struct bench_comments *)context)->load;
    const char *guid = strstr(request, "/comments ") ? strstr(request, GUID_MIDDLE) : NULL;
    if (!load || !guid) {
        return;
    }
    uint64_t number = strtoull(guid + strlen(GUID_MIDDLE), NULL, 16);
    for (unsigned i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        if (connection->busy && !connection->commented && connection->number == number) {
            connection->commented = true;
            if (connection->responded) {
                finish(load, connection);
            }
        }
    }
}

static void receive(struct load *load, struct connection *connection) {
    for (;;) {
        ssize_t got = recv(connection->fd, connection->response + connection->got,
                           sizeof connection->response - 1 - connection->got, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            bench_fail("the server hung up: %s", got < 0 ? strerror(errno) : "end of file");
        }
        connection->got += (size_t)got;
        connection->response[connection->got] = '\0';
        if (whole(connection)) {
            note_status(load, connection);
            connection->responded = true;
            if (!connection->commented) {
                return;
            }
            finish(load, connection);
            if (load->options->fresh) {
                return;
            }
        }
    }
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct load *load, double part) {
    size_t at = (size_t)((double)load->n_ms * part);
    if (load->n_ms == 0) {
        return 0;
    }
    return (double)load->ms[at < load->n_ms ? at : load->n_ms - 1];
}

/* Sends what is due on connections that are free. Returns for how long to wait, in milliseconds. */
static int send_due(struct load *load) {
    if (load->options->rate == 0) {
        return STALL_MS;
    }
    double now = bench_now();
    for (unsigned i = 0; i < load->options->connections && due_at(load) <= now; i++) {
        if (!load->connections[i].busy) {
            begin(load, &load->connections[i], due_at(load));
        }
    }
    double left_ms = (due_at(load) - now) * 1000;
    return left_ms > 1 ? (int)left_ms : 1;
}

static void run(struct load *load) {
    int waited_ms = 0;
    while (bench_now() < load->until && !(load->options->first && load->n_ms > 0)) {
        struct epoll_event events[64];
        int wait_ms = send_due(load);
        if (load->options->github) {
            int due_ms = github_step(load->options->github);
            wait_ms = due_ms >= 0 && due_ms < wait_ms ? due_ms : wait_ms;
        }
        int n = epoll_wait(load->epoll_fd, events, 64, wait_ms);
        waited_ms = n > 0 ? 0 : waited_ms + wait_ms;
        if (waited_ms >= STALL_MS) {
            bench_fail("no response for %d s", STALL_MS / 1000);
        }
        for (int i = 0; i < n; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection && connection->busy && !connection->responded) {
                send_more(connection);
                receive(load, connection);
            }
        }
    }
}

struct bench_result bench_load(const struct bench_load_options *options,
                               const struct bench_bodies *bodies, struct bench_comments *comments) {
    struct load load = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                        .options = options,
                        .bodies = bodies,
                        .run = arc4random()};
    load.connections = calloc(options->connections, sizeof *load.connections);
    if (load.epoll_fd < 0 || !load.connections) {
        bench_fail("out of memory or descriptors");
    }
    for (unsigned i = 0; i < options->connections; i++) {
        dial(&load, &load.connections[i]);
    }
    if (options->github) {
        /* Its connections have a pointer, and it has none. */
        struct epoll_event event = {.events = EPOLLIN};
        epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, github_fd(options->github), &event);
        comments->load = &load;
    }
    load.began = bench_now();
    load.count_from = load.began + (options->first ? 0 : options->warm_up_s);
    load.until = load.count_from + options->seconds;
    for (unsigned i = 0; i < options->connections && options->rate == 0; i++) {
        begin(&load, &load.connections[i], bench_now());
    }
    run(&load);
    double took = bench_now() - load.count_from;
    if (options->github) {
        comments->load = NULL;
    }
    qsort(load.ms, load.n_ms, sizeof *load.ms, compare);
    struct bench_result result = {.per_second = (double)load.n_ms / took,
                                  .p50_ms = percentile(&load, 0.5),
                                  .p99_ms = percentile(&load, 0.99),
                                  .p999_ms = percentile(&load, 0.999),
                                  .sent = load.n_sent,
                                  .responses = load.n_ms,
                                  .rejected = load.rejected};
    for (unsigned i = 0; i < options->connections; i++) {
        close(load.connections[i].fd);
    }
    close(load.epoll_fd);
    free(load.connections);
    free(load.ms);
    return result;
}
