/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small HTTP/1.1 server for tests: one thread a connection, strict about what it receives, and
 * free to answer with anything at all, broken answers too. Loopback only. */
#ifndef SNEK_TESTS_HTTP_SERVER_H
#define SNEK_TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;

struct http_question {
    char method[16];
    char target[8300];
    char *head; /* all header lines, NUL-terminated */
    char *body;
    size_t body_bytes;
};

/* The value of the one header of that name (any case), copied; "" when it is absent. False when
 * there are several. */
bool http_header(const struct http_question *question, const char *name, char *out, size_t room);

/* On the connection's thread; writes to `fd` what it likes. False: the connection is closed. */
typedef bool http_handler(void *context, int fd, const struct http_question *question);

struct http_server *http_server_start(http_handler *handler, void *context);
uint16_t http_server_port(const struct http_server *server);
/* Closes every connection, ends the threads, and frees. The number of requests that no HTTP client
 * should have sent. */
unsigned http_server_stop(struct http_server *server);

/* Writes all of it; false when the other side has gone. */
bool http_write(int fd, const void *data, size_t bytes);

#endif
