/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Name resolution on a thread of its own. */
#include "inbox/postgres/resolve.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The bytes of a list of hosts or addresses. */
#define LIST_MAX 65536
#define NAME_MAX_BYTES 255

struct resolution {
    /* Borrowed by the thread; they do not change. */
    char *hosts, *ports;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. The caller and the thread have a reference each. */
    unsigned references;
    bool done;
    int result;
    struct resolved resolved;
    struct error error;
};

/* ---- the lists ---- */

/* The item `index` of a list with commas; a list of one item has it at every index. */
static char *item_of(const char *list, size_t index) {
    const char *at = list;
    for (size_t i = 0; i < index && strchr(list, ','); i++) {
        at += strcspn(at, ",");
        at += *at == ',';
    }
    return strndup(at, strcspn(at, ","));
}

static size_t count_items(const char *list) {
    size_t n = 1;
    for (; *list; list++) {
        n += *list == ',';
    }
    return n;
}

static bool is_name(const char *host) {
    struct in_addr in;
    struct in6_addr in6;
    /* libpq takes these two for the path and the abstract name of a socket. */
    bool socket = host[0] == '\0' || host[0] == '/' || host[0] == '@';
    return !socket && inet_pton(AF_INET, host, &in) != 1 && inet_pton(AF_INET6, host, &in6) != 1 &&
           !strchr(host, '%');
}

bool resolve_needs(const char *hosts) {
    bool needs = false;
    for (size_t i = 0; i < count_items(hosts); i++) {
        AUTO_FREE char *host = item_of(hosts, i);
        needs = needs || (host && is_name(host));
    }
    return needs;
}

struct lists {
    struct buffer hosts, addresses, ports;
    size_t n;
    bool failed;
};

static void add(struct lists *lists, const char *host, const char *address, const char *port) {
    const char *comma = lists->n++ > 0 ? "," : "";
    lists->failed = lists->failed || buffer_printf(&lists->hosts, "%s%s", comma, host) < 0 ||
                    buffer_printf(&lists->addresses, "%s%s", comma, address) < 0 ||
                    buffer_printf(&lists->ports, "%s%s", comma, port) < 0;
}

/* ---- on the resolution's thread ---- */

static void resolve_name(struct resolution *resolution, struct lists *lists, const char *host,
                         const char *port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed) {
        error_set(&resolution->error, "could not translate host name \"%.*s\" to address: %s",
                  NAME_MAX_BYTES, host, gai_strerror(failed));
        return;
    }
    for (const struct addrinfo *info = found; info; info = info->ai_next) {
        char address[NI_MAXHOST];
        if (getnameinfo(info->ai_addr, info->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            add(lists, host, address, port);
        }
    }
    freeaddrinfo(found);
}

static void resolve_all(struct resolution *resolution) {
    struct lists lists = {.hosts = BUFFER_INIT(LIST_MAX),
                          .addresses = BUFFER_INIT(LIST_MAX),
                          .ports = BUFFER_INIT(LIST_MAX)};
    for (size_t i = 0; i < count_items(resolution->hosts); i++) {
        AUTO_FREE char *host = item_of(resolution->hosts, i);
        AUTO_FREE char *port = item_of(resolution->ports, i);
        if (!host || !port) {
            lists.failed = true;
        } else if (is_name(host)) {
            resolve_name(resolution, &lists, host, port);
        } else {
            add(&lists, host, "", port);
        }
    }
    resolution->result = lists.n > 0 ? 0 : -1;
    if (lists.failed) {
        resolution->result = error_set(&resolution->error, "resolving names: out of memory");
    }
    resolution->resolved = (struct resolved){.hosts = buffer_steal(&lists.hosts),
                                             .addresses = buffer_steal(&lists.addresses),
                                             .ports = buffer_steal(&lists.ports)};
}

static void unref(struct resolution *resolution) {
    bool last;
    {
        SCOPED_LOCK(&resolution->lock);
        assert(resolution->references > 0);
        last = --resolution->references == 0;
    }
    if (last) {
        pthread_cond_destroy(&resolution->changed);
        pthread_mutex_destroy(&resolution->lock);
        free(resolution->hosts);
        free(resolution->ports);
        free(resolution->resolved.hosts);
        free(resolution->resolved.addresses);
        free(resolution->resolved.ports);
        free(resolution);
    }
}

static void *resolve(void *argument) {
    struct resolution *resolution = argument;
    resolve_all(resolution);
    {
        SCOPED_LOCK(&resolution->lock);
        resolution->done = true;
        pthread_cond_signal(&resolution->changed);
    }
    unref(resolution);
    return NULL;
}

/* ---- on the caller's ---- */

static int start_thread(struct resolution *resolution) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, resolve, resolution);
    pthread_attr_destroy(&attributes);
    return failed ? -1 : 0;
}

struct resolution *resolve_begin(const char *hosts, const char *ports) {
    struct resolution *made = calloc(1, sizeof *made);
    if (!made) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&made->lock, NULL);
    made->hosts = strdup(hosts);
    made->ports = strdup(ports);
    made->references = 2;
    if (!made->hosts || !made->ports || start_thread(made) < 0) {
        unref(made);
        unref(made);
        return NULL;
    }
    return made;
}

/* The condition waits by CLOCK_MONOTONIC, which base/clock.h does not use. */
static struct timespec after(int64_t wait_ms) {
    struct timespec at;
    int64_t ms = wait_ms > 0 ? wait_ms : 0;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

int resolve_wait(struct resolution *resolution, int64_t until_ms, const struct resolved **resolved,
                 struct error *err) {
    struct timespec until = after(until_ms - clock_monotonic_ms());
    SCOPED_LOCK(&resolution->lock);
    int waited = 0;
    while (!resolution->done && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&resolution->changed, &resolution->lock, &until);
    }
    if (!resolution->done) {
        return 1;
    }
    if (resolution->result < 0) {
        return error_set(err, "%s", resolution->error.text);
    }
    *resolved = &resolution->resolved;
    return 0;
}

void resolve_end(struct resolution *resolution) {
    if (resolution) {
        unref(resolution);
    }
}
