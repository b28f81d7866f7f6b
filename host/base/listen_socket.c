/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Resolves the address, and binds to the first one that works. */
#include "base/listen_socket.h"

#include "base/cleanup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

/* Connections wait here while a host restarts. */
#define BACKLOG 1024

static void free_addresses(struct addrinfo **list) {
    if (*list) {
        freeaddrinfo(*list);
    }
}

static int listen_at(const struct addrinfo *address) {
    static const int on = 1, off = 0;
    AUTO_CLOSE int fd =
        socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) {
        return -1;
    }
    if (address->ai_family == AF_INET6) {
        /* [::] serves IPv4 too, independent of the sysctl. */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        return -1;
    }
    return steal_fd(&fd);
}

/* The error names the cause and its fix. */
static void explain(const struct listen_place *place, const char *shown, int reason,
                    struct error *err) {
    static const char format[] = "cannot listen on %s: %s%s%s";
    const char *fix = "", *key = "";
    if (reason == EADDRINUSE) {
        fix = ": another program uses it (`ss -ltnp` shows which): stop that program, or set "
              "another port in ";
        key = place->port_key;
    } else if (reason == EADDRNOTAVAIL) {
        fix = ": this machine does not have the address: set one that `ip address` shows in ";
        key = place->key;
    } else if (reason == EACCES) {
        fix = ": this user may not listen on a port below 1024: set a higher one in ";
        key = place->port_key;
    }
    error_set(err, format, shown, strerror(reason), fix, key);
}

int listen_socket_open(const struct listen_place *place, int *fd, struct error *err) {
    char service[8], shown[300];
    bool ipv6 = strchr(place->host, ':') != NULL;
    snprintf(service, sizeof service, "%u", (unsigned)place->port);
    snprintf(shown, sizeof shown, ipv6 ? "[%s]:%u" : "%s:%u", place->host,
             (unsigned)place->shown_port);
    CLEANUP(free_addresses) struct addrinfo *list = NULL;
    /* A name means IPv4: a client that connects to 127.0.0.1 must reach "localhost". */
    const struct addrinfo hints = {.ai_family = ipv6 ? AF_INET6 : AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int code = getaddrinfo(place->host, service, &hints, &list);
    if (code != 0) {
        error_set(err, "cannot listen on %s: %s", shown,
                  code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
        return EX_UNAVAILABLE;
    }
    int opened = -1;
    for (const struct addrinfo *address = list; address && opened < 0; address = address->ai_next) {
        opened = listen_at(address);
    }
    if (opened < 0) {
        int reason = errno;
        explain(place, shown, reason, err);
        return reason == EADDRINUSE || reason == EADDRNOTAVAIL ? EX_UNAVAILABLE : EX_OSERR;
    }
    *fd = opened;
    return 0;
}
