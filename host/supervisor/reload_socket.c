/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens the socket under a lock, and keeps a few clients. A client that says nothing makes room for
 * the next one, so no timer is necessary. */
#include "supervisor/reload_socket.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/runtime_directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Enough to tell the configurations of one machine apart. */
#define NAME_HASH_BYTES 8
/* Accepted in one turn, so that a flood of clients does not hold up the host. */
#define ACCEPTS_PER_TURN 16
/* After accept() has failed, for want of descriptors or memory. */
#define ACCEPT_AGAIN_MS 1000

int reload_socket_name(const struct settings *settings, char name[RELOAD_SOCKET_NAME_MAX],
                       struct error *err) {
    AUTO_FREE char *directory = realpath(settings->directory, NULL);
    if (!directory) {
        return error_set(err, "cannot find the directory %s: %s", settings->directory,
                         strerror(errno));
    }
    const char *slash = settings->file ? strrchr(settings->file, '/') : NULL;
    struct sha256_ctx hash;
    uint8_t digest[NAME_HASH_BYTES];
    char digits[BASE16_ENCODE_LENGTH(NAME_HASH_BYTES)];
    sha256_init(&hash);
    /* With its terminator. Without a file, the directory alone is hashed. */
    sha256_update(&hash, strlen(directory) + 1, (const uint8_t *)directory);
    if (slash) {
        sha256_update(&hash, strlen(slash), (const uint8_t *)slash);
    }
    sha256_digest(&hash, sizeof digest, digest);
    base16_encode_update(digits, sizeof digest, digest);
    snprintf(name, RELOAD_SOCKET_NAME_MAX, "reload-%.*s.socket", (int)sizeof digits, digits);
    return 0;
}

/* Locks NAME.lock; the lock ends with this process. The holder removes the file, so a file that was
 * removed meanwhile does not count. 0, or -1. */
static int lock(struct reload_socket *s, struct error *err) {
    char name[RELOAD_SOCKET_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s.lock", s->name);
    for (int attempt = 0; attempt < 10; attempt++) {
        struct stat status;
        cleanup_close(&s->lock_fd);
        s->lock_fd = openat(s->directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (s->lock_fd < 0) {
            return error_set(err, "cannot open %s: %s", name, strerror(errno));
        }
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
            return error_set(err,
                             "another host runs with this configuration file; `snekomatic reload` "
                             "reaches only that one, so send SIGHUP to this one");
        }
        if (fstat(s->lock_fd, &status) == 0 && status.st_nlink > 0) {
            return 0;
        }
    }
    return error_set(err, "cannot lock %s: other hosts start and stop all the time", name);
}

/* We hold the lock, so a socket here is of a supervisor that has died. */
static int remove_stale(const struct reload_socket *s, struct error *err) {
    struct stat status;
    if (fstatat(s->directory_fd, s->name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : error_set(err, "%s: %s", s->name, strerror(errno));
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(err, "%s is not a socket: remove it", s->name);
    }
    return unlinkat(s->directory_fd, s->name, 0) == 0
               ? 0
               : error_set(err, "cannot remove the old %s: %s", s->name, strerror(errno));
}

static int listen_here(struct reload_socket *s, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The path itself may be too long for an address. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", s->directory_fd,
             s->name);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* On Linux, bind() takes the mode of the file from the socket. */
    if (fd < 0 || fchmod(fd, 0600) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, RELOAD_CLIENTS_MAX) < 0) {
        return error_set(err, "cannot listen on %s: %s", s->name, strerror(errno));
    }
    s->listen_fd = steal_fd(&fd);
    return 0;
}

int reload_socket_open(struct reload_socket *s, const struct settings *settings,
                       struct error *err) {
    *s = (struct reload_socket){.listen_fd = -1, .lock_fd = -1, .directory_fd = -1};
    AUTO_FREE char *directory = runtime_directory(false, err);
    if (!directory || reload_socket_name(settings, s->name, err) < 0) {
        return -1;
    }
    s->directory_fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->directory_fd < 0) {
        return error_set(err, "cannot open %s: %s", directory, strerror(errno));
    }
    if (lock(s, err) < 0 || remove_stale(s, err) < 0 || listen_here(s, err) < 0) {
        error_wrap(err, "%s", directory);
        reload_socket_close(s);
        return -1;
    }
    return 0;
}

static void forget(struct reload_client *client) {
    close(client->fd);
    *client = (struct reload_client){0};
}

static void reply(struct reload_client *client, enum reload_result result, const char *text) {
    static const char *const words[RELOAD_RESULTS] = RELOAD_WORDS;
    char packet[RELOAD_REPLY_MAX];
    assert((unsigned)result < RELOAD_RESULTS);
    int length = snprintf(packet, sizeof packet, "%s\n%s", words[result], text);
    size_t bytes = (size_t)length < sizeof packet ? (size_t)length : sizeof packet - 1;
    /* A client that has gone does not need it. */
    if (send(client->fd, packet, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        log_event(SNEK_LEVEL_DEBUG, "reload_reply_lost", LOG_TEXT("reason", strerror(errno)));
    }
    forget(client);
}

void reload_socket_close(struct reload_socket *s) {
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        if (s->clients[i].fd > 0) {
            reply(&s->clients[i], RELOAD_STOPPING, "");
        }
    }
    if (s->listen_fd >= 0) {
        char name[RELOAD_SOCKET_NAME_MAX + 8];
        snprintf(name, sizeof name, "%s.lock", s->name);
        unlinkat(s->directory_fd, s->name, 0);
        unlinkat(s->directory_fd, name, 0);
    }
    cleanup_close(&s->listen_fd);
    cleanup_close(&s->lock_fd);
    cleanup_close(&s->directory_fd);
    s->listen_fd = s->lock_fd = s->directory_fd = -1;
}

int64_t reload_socket_due_ms(const struct reload_socket *s) {
    bool waits = s->accept_at_ms > clock_monotonic_ms();
    return waits ? s->accept_at_ms : INT64_MAX;
}

void reload_socket_poll(const struct reload_socket *s, struct pollfd fds[RELOAD_SOCKET_FDS]) {
    bool accepts = s->accept_at_ms <= clock_monotonic_ms();
    fds[0] = (struct pollfd){.fd = accepts ? s->listen_fd : -1, .events = POLLIN};
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        const struct reload_client *client = &s->clients[i];
        bool reads = client->fd > 0 && !client->asked;
        fds[1 + i] = (struct pollfd){.fd = reads ? client->fd : -1, .events = POLLIN};
    }
}

/* True when the client asks for a reload. */
static bool read_request(struct reload_client *client) {
    char packet[sizeof RELOAD_REQUEST - 1];
    ssize_t got = recv(client->fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return false;
    }
    client->asked =
        got == (ssize_t)sizeof packet && memcmp(packet, RELOAD_REQUEST, sizeof packet) == 0;
    if (got > 0 && !client->asked) {
        reply(client, RELOAD_FAILED, "the request is malformed");
    } else if (!client->asked) {
        forget(client);
    }
    return client->asked;
}

static bool is_allowed(int fd) {
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* A free slot, or that of the client that has said nothing for the longest time. NULL: all wait for
 * a reload. */
static struct reload_client *find_slot(struct reload_socket *s) {
    struct reload_client *oldest = NULL;
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        struct reload_client *client = &s->clients[i];
        if (client->fd <= 0) {
            return client;
        }
        if (!client->asked && (!oldest || client->number < oldest->number)) {
            oldest = client;
        }
    }
    if (oldest) {
        forget(oldest);
    }
    return oldest;
}

/* True when the client asks for a reload already. */
static bool admit(struct reload_socket *s, int fd) {
    if (!is_allowed(fd)) {
        close(fd);
        return false;
    }
    struct reload_client *client = find_slot(s);
    struct reload_client one_too_many = {.fd = fd};
    if (!client) {
        reply(&one_too_many, RELOAD_BUSY, "");
        return false;
    }
    *client = (struct reload_client){.fd = fd, .number = s->arrivals++};
    return read_request(client);
}

/* Once until a client was accepted. */
static void log_failure(const struct reload_socket *s, int reason) {
    if (s->accept_at_ms == 0) {
        log_event(SNEK_LEVEL_ERROR, "reload_socket_failed", LOG_TEXT("reason", strerror(reason)),
                  LOG_TEXT("result", "`snekomatic reload` waits; SIGHUP works"));
    }
}

static bool accept_clients(struct reload_socket *s) {
    bool asked = false;
    for (unsigned n = 0; n < ACCEPTS_PER_TURN; n++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            s->accept_at_ms = 0;
            asked = admit(s, fd) || asked;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return asked;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            log_failure(s, errno);
            /* The socket would wake us all the time. */
            s->accept_at_ms = clock_monotonic_ms() + ACCEPT_AGAIN_MS;
            return asked;
        }
    }
    return asked;
}

bool reload_socket_serve(struct reload_socket *s, const struct pollfd fds[RELOAD_SOCKET_FDS]) {
    bool asked = false;
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        if (fds[1 + i].fd > 0 && fds[1 + i].revents) {
            asked = read_request(&s->clients[i]) || asked;
        }
    }
    return (s->listen_fd >= 0 && fds[0].revents && accept_clients(s)) || asked;
}

void reload_socket_take(struct reload_socket *s) {
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        s->clients[i].taken = s->clients[i].asked;
    }
}

void reload_socket_reply(struct reload_socket *s, enum reload_result result, const char *text) {
    for (size_t i = 0; i < RELOAD_CLIENTS_MAX; i++) {
        if (s->clients[i].taken) {
            reply(&s->clients[i], result, text);
        }
    }
}
