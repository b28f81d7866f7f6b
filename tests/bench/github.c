/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One thread and one epoll, so that this GitHub is never the bottleneck. */
#include "github.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_MAX 8192

/* The app, its bot user, and a comment have what the host reads of each. */
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         "X-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: 4999\r\n"
                         "Content-Length: 23\r\n\r\n{\"id\":1,\"slug\":\"bench\"}";
static const char limited[] = "HTTP/1.1 403 Forbidden\r\nRetry-After: 600\r\n"
                              "Content-Length: 2\r\n\r\n{}";
static const char token_body[] =
    "{\"token\":\"ghs_benchmark\",\"expires_at\":\"2099-01-01T00:00:00Z\"}";

struct connection {
    int fd;
    size_t bytes;
    int64_t due_ms;
    const char *response;
    bool waits;
    TAILQ_ENTRY(connection) link, all_link;
    char request[REQUEST_MAX + 1];
};

TAILQ_HEAD(connections, connection);

struct github_server {
    int epoll_fd, listen_fd, signal_fd, port;
    int64_t latency_ms;
    github_on_request *on_request;
    void *context;
    /* Ordered by time, because all responses have the same latency. */
    struct connections due;
    struct connections all;
    uint64_t now_connected;
    struct github_report report;
    char token[300];
};

static void watch(const struct github_server *server, int fd, void *context) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = context};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        abort();
    }
}

static void hang_up(struct github_server *server, struct connection *connection) {
    if (connection->waits) {
        TAILQ_REMOVE(&server->due, connection, link);
    }
    TAILQ_REMOVE(&server->all, connection, all_link);
    close(connection->fd);
    free(connection);
    server->now_connected--;
}

static void take(struct github_server *server) {
    int fd, on = 1;
    while ((fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection) {
            abort();
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection->fd = fd;
        TAILQ_INSERT_TAIL(&server->all, connection, all_link);
        watch(server, fd, connection);
        server->report.connections++;
        if (++server->now_connected > server->report.most_connections) {
            server->report.most_connections = server->now_connected;
        }
    }
}

/* The request is complete: its response waits for the latency. */
static void understand(struct github_server *server, struct connection *connection) {
    const char *request = connection->request;
    bool token = strstr(request, "/access_tokens ") != NULL;
    server->report.requests++;
    server->report.tokens += token;
    if (server->on_request) {
        server->on_request(server->context, request);
    }
    connection->response = strstr(request, " /limited/") ? limited : ok;
    if (token) {
        connection->response = server->token;
    }
    connection->bytes = 0;
    connection->due_ms = clock_monotonic_ms() + server->latency_ms;
    connection->waits = true;
    TAILQ_INSERT_TAIL(&server->due, connection, link);
}

static void hear(struct github_server *server, struct connection *connection) {
    ssize_t got = recv(connection->fd, connection->request + connection->bytes,
                       REQUEST_MAX - connection->bytes, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            hang_up(server, connection);
        }
        return;
    }
    connection->bytes += (size_t)got;
    connection->request[connection->bytes] = '\0';
    const char *end = strstr(connection->request, "\r\n\r\n");
    const char *length = strcasestr(connection->request, "\r\nContent-Length:");
    size_t body_bytes = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (end && connection->bytes >= (size_t)(end - connection->request) + 4 + body_bytes) {
        understand(server, connection);
    }
}

static void respond_due(struct github_server *server) {
    int64_t now_ms = clock_monotonic_ms();
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&server->due)) && connection->due_ms <= now_ms) {
        TAILQ_REMOVE(&server->due, connection, link);
        connection->waits = false;
        size_t bytes = strlen(connection->response);
        if (send(connection->fd, connection->response, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
            hang_up(server, connection);
        }
    }
}

static int next_ms(const struct github_server *server) {
    const struct connection *first = TAILQ_FIRST(&server->due);
    int64_t left_ms = first ? first->due_ms - clock_monotonic_ms() : -1;
    return first && left_ms < 0 ? 0 : (int)left_ms;
}

/* Handles what is ready. True once the process is to end. */
static bool step(struct github_server *server, int wait_ms) {
    struct epoll_event events[256];
    bool ended = false;
    int n = epoll_wait(server->epoll_fd, events, 256, wait_ms);
    for (int i = 0; i < n; i++) {
        void *context = events[i].data.ptr;
        ended = ended || context == &server->signal_fd;
        if (context == &server->listen_fd) {
            take(server);
        } else if (context != &server->signal_fd) {
            hear(server, context);
        }
    }
    respond_due(server);
    return ended;
}

struct github_server *github_open(int64_t latency_ms, github_on_request *on_request,
                                  void *context) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    struct github_server *server = calloc(1, sizeof *server);
    if (!server) {
        abort();
    }
    *server = (struct github_server){.latency_ms = latency_ms,
                                     .on_request = on_request,
                                     .context = context,
                                     .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    TAILQ_INIT(&server->due);
    TAILQ_INIT(&server->all);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->epoll_fd < 0 ||
        bind(server->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(server->listen_fd, 4096) < 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &bytes) < 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    snprintf(
        server->token, sizeof server->token,
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(token_body), token_body);
    watch(server, server->listen_fd, &server->listen_fd);
    return server;
}

int github_port(const struct github_server *server) {
    return server->port;
}

int github_fd(const struct github_server *server) {
    return server->epoll_fd;
}

int github_step(struct github_server *server) {
    step(server, 0);
    return next_ms(server);
}

void github_close(struct github_server *server) {
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&server->all))) {
        hang_up(server, connection);
    }
    close(server->listen_fd);
    close(server->epoll_fd);
    free(server);
}

struct github github_start(int64_t latency_ms) {
    int pipes[2];
    struct github_server *server = github_open(latency_ms, NULL, NULL);
    if (pipe(pipes) < 0) {
        abort();
    }
    struct github github = {.pid = fork(), .port = server->port, .report_fd = pipes[0]};
    if (github.pid == 0) {
        sigset_t set;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        watch(server, server->signal_fd, &server->signal_fd);
        while (!step(server, next_ms(server))) {}
        if (write(pipes[1], &server->report, sizeof server->report) < 0) {
            abort();
        }
        _exit(0);
    }
    github_close(server);
    close(pipes[1]);
    return github;
}

struct github_report github_stop(struct github github) {
    struct github_report report = {0};
    kill(github.pid, SIGTERM);
    if (read(github.report_fd, &report, sizeof report) != sizeof report) {
        abort();
    }
    waitpid(github.pid, NULL, 0);
    close(github.report_fd);
    return report;
}
