/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small HTTP server whose handler decides each response byte for byte. */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define BODY_MAX (8u << 20)

struct connection {
    struct http_server *server;
    pthread_t thread;
    int fd;
    SLIST_ENTRY(connection) link;
};

struct http_server {
    http_handler *handler;
    void *context;
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping;
    atomic_uint violations;
    SLIST_HEAD(, connection) connections;
};

bool http_write(int fd, const void *data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t sent = send(fd, (const char *)data + done, bytes - done, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        done += (size_t)sent;
    }
    return true;
}

bool http_header(const struct http_question *question, const char *name, char *out, size_t room) {
    size_t name_bytes = strlen(name);
    unsigned seen = 0;
    out[0] = '\0';
    for (const char *line = question->head; *line;) {
        const char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name, name_bytes) == 0 && line[name_bytes] == ':') {
            const char *value = line + name_bytes + 1 + (line[name_bytes + 1] == ' ');
            (void)snprintf(out, room, "%.*s", (int)(end - value), value);
            seen++;
        }
        line = end + 2;
    }
    return seen <= 1;
}

/* 1: a whole head is in `head`; 0: the client has gone before a byte; -1: in the middle. */
static int read_head(int fd, char *head) {
    size_t used = 0;
    while (used < HEAD_MAX) {
        if (recv(fd, head + used, 1, 0) != 1) {
            return used ? -1 : 0;
        }
        head[++used] = '\0';
        if (used >= 4 && memcmp(head + used - 4, "\r\n\r\n", 4) == 0) {
            head[used - 2] = '\0';
            return 1;
        }
    }
    return -1;
}

static bool read_body(int fd, struct http_question *question) {
    char length[32], chunked[32];
    if (!http_header(question, "Content-Length", length, sizeof length) ||
        !http_header(question, "Transfer-Encoding", chunked, sizeof chunked) || chunked[0]) {
        return false;
    }
    question->body_bytes = strtoul(length, NULL, 10);
    question->body = question->body_bytes <= BODY_MAX ? calloc(1, question->body_bytes + 1) : NULL;
    for (size_t done = 0; question->body && done < question->body_bytes;) {
        ssize_t got = recv(fd, question->body + done, question->body_bytes - done, 0);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return question->body != NULL;
}

/* 1: go on; 0: the client is done; -1: it broke the rules. */
static int serve_one(struct connection *connection) {
    static const char version[] = " HTTP/1.1\r\n";
    char *head = malloc(HEAD_MAX + 1);
    struct http_question question = {0};
    int result = head ? read_head(connection->fd, head) : -1;
    if (result > 0) {
        char *end = strstr(head, version);
        char *line_end = strstr(head, "\r\n");
        question.head = line_end + 2;
        result = -1;
        if (end && end + sizeof version - 3 == line_end) {
            *end = '\0';
            if (sscanf(head, "%15[A-Z] %8299[^ ]", question.method, question.target) == 2 &&
                read_body(connection->fd, &question)) {
                struct http_server *server = connection->server;
                result = server->handler(server->context, connection->fd, &question) ? 1 : 0;
            }
        }
    }
    free(question.body);
    free(head);
    return result;
}

static void *run_connection(void *context) {
    struct connection *connection = context;
    int result;
    while ((result = serve_one(connection)) > 0) {}
    (void)pthread_mutex_lock(&connection->server->lock);
    if (result < 0 && !connection->server->stopping) {
        connection->server->violations++;
    }
    (void)pthread_mutex_unlock(&connection->server->lock);
    /* Closed when it is joined. */
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *run(void *context) {
    struct http_server *server = context;
    int fd;
    while ((fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        (void)pthread_mutex_lock(&server->lock);
        if (!connection || server->stopping) {
            (void)close(fd);
            free(connection);
        } else {
            /* Answers are written in pieces. */
            int on = 1;
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            *connection = (struct connection){.server = server, .fd = fd};
            SLIST_INSERT_HEAD(&server->connections, connection, link);
            if (pthread_create(&connection->thread, NULL, run_connection, connection) != 0) {
                abort();
            }
        }
        (void)pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

struct http_server *http_server_start(http_handler *handler, void *context) {
    struct http_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    if (!server) {
        abort();
    }
    server->handler = handler;
    server->context = context;
    (void)pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(server->fd, 512) < 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &bytes) < 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    if (pthread_create(&server->thread, NULL, run, server) != 0) {
        abort();
    }
    return server;
}

uint16_t http_server_port(const struct http_server *server) {
    return server->port;
}

unsigned http_server_stop(struct http_server *server) {
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    (void)pthread_mutex_unlock(&server->lock);
    (void)shutdown(server->fd, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    struct connection *connection;
    SLIST_FOREACH(connection, &server->connections, link) {
        (void)shutdown(connection->fd, SHUT_RDWR);
    }
    while ((connection = SLIST_FIRST(&server->connections))) {
        SLIST_REMOVE_HEAD(&server->connections, link);
        (void)pthread_join(connection->thread, NULL);
        (void)close(connection->fd);
        free(connection);
    }
    unsigned violations = server->violations;
    (void)close(server->fd);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
    return violations;
}
