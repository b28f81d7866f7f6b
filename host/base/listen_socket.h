/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens a listening TCP socket. Any thread. */
#ifndef SNEK_BASE_LISTEN_SOCKET_H
#define SNEK_BASE_LISTEN_SOCKET_H

#include "base/error.h"

#include <stdint.h>

struct listen_place {
    /* An address without brackets, or a name, which means IPv4. */
    const char *host;
    uint16_t port;
    /* Errors name this port. */
    uint16_t shown_port;
    /* Errors name these settings: "server.listen", "server.listen or the variable PORT". */
    const char *key, *port_key;
};

/* 0 and the non-blocking, close-on-exec socket in `*fd`, or an exit status of <sysexits.h>. */
int listen_socket_open(const struct listen_place *place, int *fd, struct error *err);

#endif
