/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Receives notifications of other hosts that they have queued runs (LISTEN, on a connection and a
 * thread of its own), so that this host looks for them at once. A notification may get lost: the
 * host then finds the runs at its next regular claim. */
#include "inbox/postgres/listen.h"

#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_MS 5000
/* So often it looks whether it must stop, while a name is being resolved. */
#define RESOLVE_MS 200
#define AGAIN_MS 5000

struct listener {
    struct postgres_store *store;
    void (*on_queued)(void *context);
    void *context;
    pthread_t thread;
    int stop_fd;
};

/* Waits for input on `fd`, at most `timeout_ms`. True when the listener must stop. */
static bool stops_within(const struct listener *listener, int fd, int timeout_ms) {
    struct pollfd wanted[] = {{.fd = listener->stop_fd, .events = POLLIN},
                              {.fd = fd, .events = POLLIN}};
    poll(wanted, 2, timeout_ms);
    return wanted[0].revents != 0;
}

/* The text is the first due time of the runs that the other host has queued. */
static void note_due(struct postgres_store *store, const char *text) {
    int64_t due_ms = strtoll(text, NULL, 10);
    int64_t known_ms = atomic_load(&store->others_due_ms);
    while (due_ms > 0 && (known_ms == 0 || due_ms < known_ms) &&
           !atomic_compare_exchange_weak(&store->others_due_ms, &known_ms, due_ms)) {}
}

static void read_notifications(const struct listener *listener, PGconn *connection) {
    bool others = false;
    for (PGnotify *notify; (notify = PQnotifies(connection));) {
        if (notify->be_pid != atomic_load(&listener->store->backend)) {
            note_due(listener->store, notify->extra);
            others = true;
        }
        PQfreemem(notify);
    }
    if (others) {
        listener->on_queued(listener->context);
    }
}

/* Listens until the connection is lost or the listener must stop. */
static void listen(const struct listener *listener, PGconn *connection) {
    if (link_continue(connection, clock_monotonic_ms() + CONNECT_MS, NULL) != 0 ||
        link_run(connection, "LISTEN snekomatic", LINK_SILENCE_MS, NULL, NULL, "listening") < 0) {
        return;
    }
    /* Other hosts may have sent notifications while this thread did not listen. */
    listener->on_queued(listener->context);
    do {
        if (!PQconsumeInput(connection)) {
            return;
        }
        read_notifications(listener, connection);
    } while (!stops_within(listener, PQsocket(connection), -1));
}

/* NULL when the name cannot be resolved, memory is short, or the listener must stop. */
static PGconn *begin(const struct listener *listener) {
    const struct link_target *target = &listener->store->target;
    const struct resolved *resolved = NULL;
    if (!link_has_name(target)) {
        return link_begin(target, NULL);
    }
    struct resolution *resolution = link_resolve(target);
    int state = resolution ? 1 : -1;
    while (state > 0 && !stops_within(listener, -1, 0)) {
        state = resolve_wait(resolution, clock_monotonic_ms() + RESOLVE_MS, &resolved, NULL);
    }
    PGconn *connection = state == 0 ? link_begin(target, resolved) : NULL;
    resolve_end(resolution);
    return connection;
}

static void *keep_listening(void *argument) {
    const struct listener *listener = argument;
    do {
        PGconn *connection = begin(listener);
        if (connection) {
            listen(listener, connection);
        }
        PQfinish(connection);
    } while (!stops_within(listener, -1, AGAIN_MS));
    return NULL;
}

void postgres_listen(struct store *base, void (*on_queued)(void *context), void *context) {
    struct postgres_store *store = CONTAINER_OF(base, struct postgres_store, store);
    struct listener *listener = store->notifies ? calloc(1, sizeof *listener) : NULL;
    if (!listener) {
        return;
    }
    *listener = (struct listener){.store = store,
                                  .on_queued = on_queued,
                                  .context = context,
                                  .stop_fd = eventfd(0, EFD_CLOEXEC)};
    if (listener->stop_fd < 0 ||
        pthread_create(&listener->thread, NULL, keep_listening, listener) != 0) {
        cleanup_close(&listener->stop_fd);
        free(listener);
        return;
    }
    store->listener = listener;
}

void postgres_listener_free(struct listener *listener) {
    if (listener) {
        uint64_t one = 1;
        (void)!write(listener->stop_fd, &one, sizeof one);
        pthread_join(listener->thread, NULL);
        close(listener->stop_fd);
        free(listener);
    }
}
