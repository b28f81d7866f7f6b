/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the socket of the running supervisor, asks for a reload, and reads its reply. */
#include "cli/reload_client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/runtime_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The runtime directory of the systemd unit, which a shell has no variable for. */
#define SERVICE_DIRECTORY "/run/snekomatic"

/* Connects to the socket in a directory. With `must_be_ours`, another user's directory does not
 * count. -1: no host of the directory's owner is there. */
static int connect_below(const char *directory, const char *name, bool must_be_ours) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    struct stat status;
    socklen_t bytes = sizeof peer;
    AUTO_CLOSE int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory_fd < 0 || fstat(directory_fd, &status) < 0 ||
        (must_be_ours && status.st_uid != geteuid())) {
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_fd, name);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 || peer.uid != status.st_uid) {
        return -1;
    }
    return steal_fd(&fd);
}

/* A host may have been started with other variables, so each place may have its socket. */
static int find_host(const char *name) {
    char *places[RUNTIME_DIRECTORY_PLACES];
    size_t count = runtime_directory_places(places);
    int fd = -1;
    for (size_t i = 0; i < count; i++) {
        if (fd < 0) {
            fd = connect_below(places[i], name, true);
        }
        free(places[i]);
    }
    return fd < 0 ? connect_below(SERVICE_DIRECTORY, name, false) : fd;
}

/* Sends the request and waits. The length of the reply; 0: the host is gone; -1: it takes too long.
 */
static ssize_t ask(int fd, int timeout_s, char reply[RELOAD_REPLY_MAX]) {
    int64_t until_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
    struct pollfd input = {.fd = fd, .events = POLLIN};
    int ready;
    if (send(fd, RELOAD_REQUEST, sizeof RELOAD_REQUEST - 1, MSG_NOSIGNAL) < 0) {
        return 0;
    }
    do {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        ready = poll(&input, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return -1;
    }
    ssize_t got = recv(fd, reply, RELOAD_REPLY_MAX - 1, 0);
    return got > 0 ? got : 0;
}

/* Terminates the reply, and makes it safe to print. */
static void clean(char *reply, size_t got) {
    reply[got] = '\0';
    for (char *at = reply; *at; at++) {
        if (*at != '\n' && ((unsigned char)*at < ' ' || *at == 0x7f)) {
            *at = '?';
        }
    }
}

/* 0 and the result, or -1. */
static int read_result(const char *reply, enum reload_result *result) {
    static const char *const words[RELOAD_RESULTS] = RELOAD_WORDS;
    const char *text = strchr(reply, '\n');
    for (size_t i = 0; text && i < RELOAD_RESULTS; i++) {
        if (strncmp(reply, words[i], (size_t)(text - reply)) == 0 &&
            words[i][text - reply] == '\0') {
            *result = (enum reload_result)i;
            return 0;
        }
    }
    return -1;
}

enum reload_client_outcome reload_client_ask(const struct settings *settings, int timeout_s,
                                             enum reload_result *result,
                                             char text[RELOAD_REPLY_MAX], struct error *err) {
    char name[RELOAD_SOCKET_NAME_MAX], reply[RELOAD_REPLY_MAX];
    if (reload_socket_name(settings, name, err) < 0) {
        return RELOAD_CLIENT_NO_NAME;
    }
    AUTO_CLOSE int fd = find_host(name);
    if (fd < 0) {
        return RELOAD_CLIENT_NO_HOST;
    }
    ssize_t got = ask(fd, timeout_s, reply);
    if (got < 0) {
        error_set(err,
                  "the reload has not ended after %d s; it goes on, and the host's log will have "
                  "its result",
                  timeout_s);
        return RELOAD_CLIENT_SLOW;
    }
    if (got == 0) {
        error_set(err, "the host closed the connection; its log may have the reason");
        return RELOAD_CLIENT_CLOSED;
    }
    clean(reply, (size_t)got);
    if (read_result(reply, result) < 0) {
        error_set(err, "the host's reply is unknown; is it another version?");
        return RELOAD_CLIENT_UNKNOWN;
    }
    snprintf(text, RELOAD_REPLY_MAX, "%s", strchr(reply, '\n') + 1);
    return RELOAD_CLIENT_ASKED;
}
