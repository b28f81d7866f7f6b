/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Receives notifications of other hosts that they have queued runs (LISTEN, on a connection and a
 * thread of its own), so that this host looks for them at once. A notification may get lost: the
 * host then finds the runs at its next regular claim. The same connection counts the runs, because
 * a count may take longer than the webhooks of a group may wait. */
#include "inbox/postgres/listen.h"

#include "base/clock.h"
#include "base/lock.h"
#include "inbox/common/operations.h"
#include "inbox/postgres/operations.h"
#include "inbox/postgres/session.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_MS 5000
/* So often it looks whether it must stop, while a name is being resolved. */
#define RESOLVE_MS 200
#define AGAIN_MS 5000
/* Nothing waits for a count but the metrics. */
#define COUNT_MS 10000
#define COUNT_SETTINGS                                                                             \
    "SET default_transaction_read_only = on;"                                                      \
    "SET statement_timeout = 10000;"                                                               \
    "SET lock_timeout = 10000;"                                                                    \
    "PREPARE snek_stats AS "

struct listener {
    struct postgres_store *store;
    void (*on_queued)(void *context);
    void *context;
    pthread_t thread;
    int stop_fd;
    /* Readable when `count` is set. */
    int count_fd;
    /* Protects the members below. */
    pthread_mutex_t lock;
    /* The connection can count. */
    bool counts;
    /* The count that is under way; NULL: none. */
    struct inbox_operation *count;
};

/* Waits for input on `fd` or `other_fd`, at most `timeout_ms`. True when the listener must stop. */
static bool stops_within(const struct listener *listener, int fd, int other_fd, int timeout_ms) {
    struct pollfd wanted[] = {{.fd = listener->stop_fd, .events = POLLIN},
                              {.fd = fd, .events = POLLIN},
                              {.fd = other_fd, .events = POLLIN}};
    poll(wanted, 3, timeout_ms);
    return wanted[0].revents != 0;
}

/* Counts */

bool postgres_take_over(struct store *base, struct inbox_operation *operation) {
    struct listener *listener =
        atomic_load(&CONTAINER_OF(base, struct postgres_store, store)->listener);
    if (operation->kind != INBOX_STATS || !listener) {
        return false;
    }
    {
        SCOPED_LOCK(&listener->lock);
        if (!listener->counts || listener->count) {
            return false;
        }
        listener->count = operation;
    }
    uint64_t one = 1;
    (void)!write(listener->count_fd, &one, sizeof one);
    return true;
}

static struct inbox_operation *find_count(struct listener *listener) {
    SCOPED_LOCK(&listener->lock);
    return listener->count;
}

/* From now on the connection can count, or it cannot. Returns the count that is under way. */
static struct inbox_operation *set_counts(struct listener *listener, bool counts) {
    SCOPED_LOCK(&listener->lock);
    struct inbox_operation *count = listener->count;
    listener->counts = counts;
    listener->count = NULL;
    return count;
}

/* Without it the writer goes on to count. */
static bool prepare_count(PGconn *connection) {
    AUTO_FREE char *sql = NULL;
    if (asprintf(&sql, COUNT_SETTINGS "%s", postgres_statements[PG_SQL_STATS]) < 0) {
        sql = NULL;
        return false;
    }
    return link_run(connection, postgres_settings, LINK_SILENCE_MS, NULL, NULL, "setting up") ==
               0 &&
           link_run(connection, sql, LINK_SILENCE_MS, NULL, NULL, "setting up") == 0;
}

/* The only result of what was sent; NULL with `err`. */
static PGresult *await_result(const struct listener *listener, PGconn *connection,
                              struct error *err) {
    static const char what[] = "counting runs";
    int64_t until_ms = clock_monotonic_ms() + COUNT_MS;
    PGresult *first = NULL, *next = NULL;
    do {
        while (PQisBusy(connection)) {
            int64_t left_ms = until_ms - clock_monotonic_ms();
            if (left_ms <= 0 || stops_within(listener, PQsocket(connection), -1, (int)left_ms)) {
                PQclear(first);
                error_set(err, "%s: the server did not respond in time", what);
                return NULL;
            }
            if (!PQconsumeInput(connection)) {
                PQclear(first);
                link_lost(connection, err, what);
                return NULL;
            }
        }
        next = PQgetResult(connection);
        if (first) {
            PQclear(next);
        } else {
            first = next;
        }
    } while (next);
    if (!first) {
        link_lost(connection, err, what);
    } else if (PQresultStatus(first) != PGRES_TUPLES_OK) {
        link_rejected(first, err, what);
        PQclear(first);
        first = NULL;
    }
    return first;
}

/* False when the connection must end. */
static bool count_runs(struct listener *listener, PGconn *connection,
                       struct inbox_operation *operation) {
    struct inbox_stats *stats = CONTAINER_OF(operation, struct inbox_stats, operation);
    const char *const values[] = {stats->configured};
    struct error err = {.text = ""};
    AUTO_RESULT PGresult *result = NULL;
    if (!PQsendQueryPrepared(connection, "snek_stats", 1, values, NULL, NULL, 1) ||
        PQflush(connection) != 0) {
        link_lost(connection, &err, "counting runs");
    } else {
        result = await_result(listener, connection, &err);
    }
    struct inbox_operation *under_way = set_counts(listener, result != NULL);
    assert(under_way == operation);
    if (!result) {
        operation_post_failure(under_way, &err);
        return false;
    }
    postgres_read_stats(stats, result);
    under_way->result = 0;
    operation_post(under_way);
    return true;
}

/* False when the connection must end. */
static bool count_if_asked(struct listener *listener, PGconn *connection) {
    uint64_t counts;
    struct inbox_operation *operation = find_count(listener);
    (void)!read(listener->count_fd, &counts, sizeof counts);
    return !operation || count_runs(listener, connection, operation);
}

/* No connection can carry it out. */
static void fail_count(struct listener *listener) {
    struct inbox_operation *operation = set_counts(listener, false);
    struct error err;
    if (operation) {
        error_set(&err, "counting runs: the connection was lost");
        operation_post_failure(operation, &err);
    }
}

/* Notifications */

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
static void listen(struct listener *listener, PGconn *connection) {
    if (link_continue(connection, clock_monotonic_ms() + CONNECT_MS, NULL) != 0 ||
        link_run(connection, "LISTEN snekomatic", LINK_SILENCE_MS, NULL, NULL, "listening") < 0) {
        return;
    }
    set_counts(listener, prepare_count(connection));
    /* Other hosts may have sent notifications while this thread did not listen. */
    listener->on_queued(listener->context);
    do {
        if (!PQconsumeInput(connection)) {
            return;
        }
        if (!count_if_asked(listener, connection)) {
            return;
        }
        read_notifications(listener, connection);
    } while (!stops_within(listener, PQsocket(connection), listener->count_fd, -1));
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
    while (state > 0 && !stops_within(listener, -1, -1, 0)) {
        state = resolve_wait(resolution, clock_monotonic_ms() + RESOLVE_MS, &resolved, NULL);
    }
    PGconn *connection = state == 0 ? link_begin(target, resolved) : NULL;
    resolve_end(resolution);
    return connection;
}

static void *keep_listening(void *argument) {
    struct listener *listener = argument;
    do {
        PGconn *connection = begin(listener);
        if (connection) {
            listen(listener, connection);
        }
        fail_count(listener);
        PQfinish(connection);
    } while (!stops_within(listener, -1, -1, AGAIN_MS));
    return NULL;
}

static void finish(struct listener *listener) {
    cleanup_close(&listener->stop_fd);
    cleanup_close(&listener->count_fd);
    pthread_mutex_destroy(&listener->lock);
    free(listener);
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
                                  .stop_fd = eventfd(0, EFD_CLOEXEC),
                                  .count_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_mutex_init(&listener->lock, NULL);
    if (listener->stop_fd < 0 || listener->count_fd < 0 ||
        pthread_create(&listener->thread, NULL, keep_listening, listener) != 0) {
        finish(listener);
        return;
    }
    atomic_store(&store->listener, listener);
}

void postgres_listener_free(struct listener *listener) {
    if (listener) {
        uint64_t one = 1;
        (void)!write(listener->stop_fd, &one, sizeof one);
        pthread_join(listener->thread, NULL);
        finish(listener);
    }
}
