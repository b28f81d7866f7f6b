/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The socket of `snekomatic reload`, in the runtime directory (base/runtime_directory.h). It
 * accepts only our user and root. A client sends the packet RELOAD_REQUEST, and gets one packet
 * when the reload has ended: a word of enum reload_result, a line break, and a text. No call waits
 * for a client. One thread.
 *
 *   client -> request -> reload_socket_take() -> reload_socket_reply()
 *
 * A client that asks after a reload has begun waits for the next one, because the configuration may
 * have changed in between. */
#ifndef SNEK_SUPERVISOR_RELOAD_SOCKET_H
#define SNEK_SUPERVISOR_RELOAD_SOCKET_H

#include "base/error.h"
#include "config/settings.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELOAD_REQUEST "reload"
#define RELOAD_REPLY_MAX 4096
#define RELOAD_SOCKET_NAME_MAX 40
#define RELOAD_CLIENTS_MAX 8
/* Descriptors for poll(). */
#define RELOAD_SOCKET_FDS (1 + RELOAD_CLIENTS_MAX)

/* The numbers of RELOAD_WORDS. */
enum reload_result { RELOAD_DONE, RELOAD_REJECTED, RELOAD_FAILED, RELOAD_BUSY, RELOAD_STOPPING };
#define RELOAD_RESULTS 5
#define RELOAD_WORDS                                                                               \
    { "reloaded", "rejected", "failed", "busy", "stopping" }

struct reload_client {
    /* 0 or less: the slot is free. */
    int fd;
    /* Its request came. Its reload has begun. */
    bool asked, taken;
    /* The order of arrival. */
    uint64_t number;
};

struct reload_socket {
    /* -1: closed. */
    int listen_fd, lock_fd, directory_fd;
    char name[RELOAD_SOCKET_NAME_MAX];
    uint64_t arrivals;
    /* accept() has failed: no client is accepted before this time (monotonic). 0: it has not. */
    int64_t accept_at_ms;
    struct reload_client clients[RELOAD_CLIENTS_MAX];
};

/* The socket's file name: a hash of the configuration file's name and of its directory's real path.
 * The file itself may be a symbolic link that changes. 0, or -1. */
int reload_socket_name(const struct settings *settings, char name[RELOAD_SOCKET_NAME_MAX],
                       struct error *err);

/* Opens the socket, and replaces one that a dead supervisor left. 0, or -1 and `socket` is closed;
 * reload_socket_close() in either case. */
int reload_socket_open(struct reload_socket *socket, const struct settings *settings,
                       struct error *err);
/* Removes the socket. Clients that wait get RELOAD_STOPPING. */
void reload_socket_close(struct reload_socket *socket);

/* Fills in what the socket waits for. If accept() has failed, it accepts again at a time that
 * reload_socket_due_ms() returns (monotonic); INT64_MAX: it has not. */
int64_t reload_socket_due_ms(const struct reload_socket *socket);
void reload_socket_poll(const struct reload_socket *socket, struct pollfd fds[RELOAD_SOCKET_FDS]);
/* Accepts clients and reads requests, after poll(). True when a client asked for a reload. */
bool reload_socket_serve(struct reload_socket *socket, const struct pollfd fds[RELOAD_SOCKET_FDS]);

/* A reload begins: it is for all clients that have asked. */
void reload_socket_take(struct reload_socket *socket);
/* The reload has ended: replies to its clients. */
void reload_socket_reply(struct reload_socket *socket, enum reload_result result, const char *text);

#endif
