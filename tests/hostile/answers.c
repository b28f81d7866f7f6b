/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Responses that a hostile or broken GitHub may give. */
#include "answers.h"

#include "http_server.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEGABYTE ((size_t)1 << 20)
#define BLOCK 65536

static void say(int fd, const char *text) {
    (void)http_write(fd, text, strlen(text));
}

/* Again and again, until the other side has gone or so many bytes were sent. */
static void go_on(int fd, const char *text, unsigned every_ms, size_t most_bytes) {
    size_t bytes = strlen(text);
    for (size_t sent = 0; sent < most_bytes && http_write(fd, text, bytes); sent += bytes) {
        (void)usleep(every_ms * 1000);
    }
}

static void wait_until_gone(int fd) {
    char byte;
    (void)recv(fd, &byte, 1, 0);
}

static void reset(int fd) {
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* First a text, then a text (NULL: a block) that is repeated. */
static const struct {
    const char *target, *first, *repeated;
    unsigned every_ms;
    size_t most_bytes;
    void (*then)(int fd);
} answers[] = {
    {"/silent", "", "", 0, 0, wait_until_gone},
    {"/silent-after-head", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "", 0, 0,
     wait_until_gone},
    {"/drip", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "x", 20, 100000, NULL},
    {"/drip-headers", "HTTP/1.1 200 OK\r\n", "X: y\r\n", 20, 100000, NULL},
    {"/endless", "HTTP/1.1 200 OK\r\n\r\n", NULL, 0, 64 * MEGABYTE, NULL},
    {"/hundred-megabytes", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, 0,
     100 * MEGABYTE, NULL},
    {"/announced", "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", "", 0, 0, NULL},
    {"/headers", "HTTP/1.1 200 OK\r\n", "X-Snake: sssssssssssssssssssssssssssssssssssssss\r\n", 0,
     MEGABYTE, NULL},
    {"/long-header", "HTTP/1.1 200 OK\r\nX-Snake: ", NULL, 0, 2 * MEGABYTE, NULL},
    {"/continue", "", "HTTP/1.1 100 Continue\r\nX-Snake: s\r\n\r\n", 0, MEGABYTE, NULL},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "", 0, 0, NULL},
    {"/cut-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nonly", "", 0, 0,
     NULL},
    {"/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", "", 0, 0, NULL},
    {"/huge-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
     "", 0, 0, NULL},
    {"/negative-length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", "", 0, 0, NULL},
    {"/longer-than-it-says", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{\"evil\":1}", "", 0, 0,
     NULL},
    {"/bomb",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"
     "\x1f\x8b\x08\x01\x01\x01\x01\x01\x02\x03"
     "aaaaaaaaaa",
     "", 0, 0, NULL},
    {"/html", "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>No!</html", "", 0, 0, NULL},
    {"/html-502", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 16\r\n\r\n<html>No!</html>", "", 0,
     0, NULL},
    {"/nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 0, 0, NULL},
    {"/garbage", "220 smtp.example ESMTP\r\n", "", 0, 0, NULL},
    {"/status-0", "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", "", 0, 0, NULL},
    {"/elsewhere",
     "HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n", "", 0, 0,
     NULL},
    {"/around", "HTTP/1.1 302 Found\r\nLocation: /around\r\nContent-Length: 0\r\n\r\n", "", 0, 0,
     NULL},
    {"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "", 0, 0, NULL},
    {"/reset", "", "", 0, 0, reset},
    {"/reset-in-the-middle", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly", "", 0, 0, reset},
    {"/hang-up", "", "", 0, 0, NULL},
};

/* Much at a time, so that it is the broker's time that counts. */
static const char *block(bool chunked) {
    static __thread char text[BLOCK + 16];
    int head = chunked ? snprintf(text, sizeof text, "%x\r\n", BLOCK) : 0;
    memset(text + head, 'a', BLOCK);
    memcpy(text + head + BLOCK, chunked ? "\r\n" : "", chunked ? 3 : 1);
    return text;
}

bool hostile_answer(int fd, const char *target) {
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (strcmp(answers[i].target, target) == 0) {
            const char *repeated = answers[i].repeated;
            say(fd, answers[i].first);
            if (!repeated || *repeated) {
                go_on(fd, repeated ? repeated : block(strstr(answers[i].first, "chunked") != NULL),
                      answers[i].every_ms, answers[i].most_bytes);
            }
            if (answers[i].then) {
                answers[i].then(fd);
            }
            return true;
        }
    }
    return false;
}
