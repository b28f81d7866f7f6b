/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store in a PostgreSQL database. It sends a group of operations as one transaction. If the
 * server is gone or does not respond, the group fails after LINK_SILENCE_MS. Until a new connection
 * is made, the next groups fail at once, or after CONNECT_PATIENCE_MS while a connection is being
 * tried. */
#include "inbox/postgres/postgres.h"

#include "base/clock.h"
#include "base/list.h"
#include "inbox/common/operations.h"
#include "inbox/postgres/finish_many.h"
#include "inbox/postgres/listen.h"
#include "inbox/postgres/operations.h"
#include "inbox/postgres/put_many.h"
#include "inbox/postgres/schema.h"
#include "inbox/postgres/session.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* How long a group waits for a new connection. With LINK_SILENCE_MS before it this is under 5 s. */
#define CONNECT_PATIENCE_MS 1000
#define TELL_MS 100
/* At start, when the server may be starting too. */
#define OPEN_PATIENCE_MS 5000
#define OPEN_AGAIN_US 200000
#define RECONNECT_MS 1000

static const struct postgres_operation *const operations_of[INBOX_KINDS] = {
    [INBOX_PUT] = &postgres_put,
    [INBOX_CLAIM] = &postgres_claim,
    [INBOX_FINISH] = &postgres_finish,
    [INBOX_FINISH_TIMERS] = &postgres_finish_timers,
    [INBOX_TIMERS_DUE] = &postgres_timers_due,
    [INBOX_FIRE] = &postgres_fire,
    [INBOX_RENEW] = &postgres_renew,
    [INBOX_LEASE_CHECK] = &postgres_lease_check,
    [INBOX_INTEND] = &postgres_intend,
    [INBOX_COMPLETE] = &postgres_complete,
    [INBOX_SET_HAS] = &postgres_set_has,
    [INBOX_SET_ADD] = &postgres_set_change,
    [INBOX_SET_REMOVE] = &postgres_set_change,
    [INBOX_KEY_GET] = &postgres_key_get,
    [INBOX_KEY_PUT] = &postgres_key_change,
    [INBOX_KEY_DELETE] = &postgres_key_change,
    [INBOX_RATE_LIMIT_PUT] = &postgres_rate_limit_put,
    [INBOX_RATE_LIMIT_GET] = &postgres_rate_limit_get,
    [INBOX_AUDIT_READ] = &postgres_audit_read,
    [INBOX_RESERVE] = &postgres_reserve,
    [INBOX_BOT_USER_GET] = &postgres_bot_user_get,
    [INBOX_BOT_USER_PUT] = &postgres_bot_user_put,
    [INBOX_HOST_SEEN] = &postgres_host_seen,
    [INBOX_HOSTS] = &postgres_hosts,
    [INBOX_HOLD_PUT] = &postgres_hold_put,
    [INBOX_HOLD_END] = &postgres_hold_end,
    [INBOX_HOLDS] = &postgres_holds,
    [INBOX_PULL_BEGIN] = &postgres_pull_begin,
    [INBOX_PULL_NOTE] = &postgres_pull_note,
    [INBOX_PULL_DUE] = &postgres_pull_due,
    [INBOX_PULL_FAIL] = &postgres_pull_fail,
    [INBOX_PULL_FORGET] = &postgres_pull_forget,
    [INBOX_STATS] = &postgres_stats,
    [INBOX_LIST] = &postgres_list,
    [INBOX_BODY] = &postgres_body,
    [INBOX_JOURNAL_READ] = &postgres_journal_read,
    [INBOX_RERUN] = &postgres_change,
    [INBOX_DISCARD] = &postgres_change,
    [INBOX_INSTALLATIONS] = &postgres_installations,
    [INBOX_INSTALLATION_RELEASE] = &postgres_installation_release,
    [INBOX_PREVIEW] = &postgres_preview,
    [INBOX_PREVIEW_APPLY] = &postgres_preview_apply,
    [INBOX_SEARCH] = &postgres_console,
    [INBOX_SHOW] = &postgres_console,
    [INBOX_TIMELINE] = &postgres_console,
    [INBOX_FAILURES] = &postgres_console,
    [INBOX_SERIES] = &postgres_console,
    [INBOX_DIGEST] = &postgres_console,
    [INBOX_PLUGINS] = &postgres_console,
    [INBOX_RECOVERY] = &postgres_console,
    [INBOX_ACTION_PUT] = &postgres_console,
    [INBOX_ACTIONS] = &postgres_console,
    [INBOX_ELECT] = &postgres_elect,
    [INBOX_PRUNE] = &postgres_prune,
    [INBOX_FIND_MISSING] = &postgres_find_missing,
    [INBOX_COUNT_REDELIVERY] = &postgres_count_redelivery,
    [INBOX_UNCOUNT_REDELIVERY] = &postgres_uncount_redelivery,
    [INBOX_CLOCK_SET_BACK] = &postgres_clock_set_back,
};

static const struct postgres_operation *kind_of(const struct inbox_operation *operation) {
    assert(operation->kind < INBOX_KINDS && operations_of[operation->kind]);
    return operations_of[operation->kind];
}

/* A group */

struct group {
    struct postgres_store *store;
    struct inbox_operation *const *operations;
    size_t n;
    bool probe;
    /* The batch is the whole transaction. The server then needs no BEGIN and no COMMIT: it commits
     * at the end of the batch. */
    bool implicit;
    /* The first operation that needs the lock of a key (order.c); STORE_NO_OPERATION: none does. */
    size_t first_locking;
    /* How many statements each operation has sent. */
    unsigned *sent;
    bool *unsettled; /* of each */
    /* The leader of each operation: see put_many.h and finish_many.h. */
    size_t *leaders;
    struct store_failure *failure;
    bool failed;
    /* The COMMIT was sent, so the server may have committed. */
    bool end_sent;
    /* Monotonic clock. */
    int64_t began_ms;
};

/* A connection that broke at once had been closed before: nothing was committed on it. After a
 * longer silence there is no time for another try, since ingest responds within 5 s. */
static bool may_reconnect(const struct group *group) {
    return group->store->lost && !group->end_sent &&
           clock_monotonic_ms() - group->began_ms < RECONNECT_MS;
}

/* Records the first failure; later ones follow from it. A failure of the store, such as a full disk
 * or a server that stops, fails all operations of the group. */
static void fail(struct group *group, size_t failed_index, const struct error *error) {
    if (!group->failed) {
        bool broken = group->store->broken;
        group->failed = true;
        /* A claim that is not committed has taken no run. */
        turns_forget_due(&group->store->turns);
        group->failure->failed_index = broken ? STORE_NO_OPERATION : failed_index;
        group->failure->broken = broken;
        group->failure->again = group->store->deadlocked || may_reconnect(group) ||
                                (group->store->one_by_one && !broken);
        group->failure->error = *error;
    }
}

static int send_plain(struct group *group, enum postgres_sql sql, struct error *err) {
    struct pg_query query = pg_query_begin(sql);
    return pg_send(group->store, &query, err);
}

/* A PUT that comes again finds the delivery that it has stored, so it may be repeated after all. */
static bool is_lone_put(const struct group *group) {
    return group->n == 1 && group->operations[0]->kind == INBOX_PUT &&
           postgres_put_is_ordinary(
               CONTAINER_OF(group->operations[0], struct inbox_put, operation));
}

static int send_end(struct group *group, struct error *err) {
    group->end_sent = !is_lone_put(group);
    return (group->probe && send_plain(group, PG_SQL_PROBE, err) < 0) ||
                   (!group->implicit && send_plain(group, PG_SQL_COMMIT, err) < 0)
               ? -1
               : 0;
}

/* All locks of the group at once, in one order for all hosts. */
static int send_locks(struct group *group, struct error *err) {
    char *locks = postgres_list_locks(group->operations, group->n, &group->first_locking, err);
    if (!locks || group->first_locking == STORE_NO_OPERATION) {
        free(locks);
        return locks ? 0 : -1;
    }
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_LOCK);
    pg_query_take(&query, locks);
    return pg_send(group->store, &query, err);
}

static int send_many(struct group *group, size_t leader, struct error *err) {
    if (group->operations[leader]->kind == INBOX_FINISH) {
        return postgres_finish_many_send(group->store, group->operations, group->leaders, leader,
                                         err);
    }
    return postgres_put_many_send(group->store, group->operations, group->n, group->leaders, leader,
                                  err);
}

static void take_many(struct group *group, size_t leader, const PGresult *result) {
    if (group->operations[leader]->kind == INBOX_FINISH) {
        postgres_finish_many_take(group->operations, group->leaders, leader, result);
    } else {
        postgres_put_many_take(group->operations, group->n, group->leaders, leader, result,
                               group->unsettled);
    }
}

static int send_operation(struct group *group, size_t index, struct error *err) {
    struct postgres_store *store = group->store;
    size_t leader = group->leaders[index];
    if (leader != STORE_NO_OPERATION) {
        /* The statement of its leader carries it out. */
        return leader == index ? send_many(group, leader, err) : 0;
    }
    const struct postgres_operation *kind = kind_of(group->operations[index]);
    return kind->send ? kind->send(store, group->operations[index], err) : 1;
}

static int send_group(struct group *group, struct error *err) {
    struct postgres_store *store = group->store;
    if ((!group->implicit && send_plain(group, PG_SQL_BEGIN, err) < 0) ||
        send_locks(group, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < group->n; i++) {
        store->sent = 0;
        int sent = send_operation(group, i, err);
        if (sent < 0) {
            return -1;
        }
        group->unsettled[i] = sent > 0;
        group->sent[i] = store->sent;
    }
    return (group->implicit && send_end(group, err) < 0) || pg_sync(store, err) < 0 ? -1 : 0;
}

/* One result for the operation `index` (STORE_NO_OPERATION: the transaction's own). The connection
 * must be read on even after a failure, so that it stays in step. */
static void take_result(struct group *group, size_t index, unsigned nth, const char *what) {
    struct postgres_store *store = group->store;
    struct error err;
    AUTO_RESULT PGresult *result = NULL;
    bool many = index != STORE_NO_OPERATION && group->leaders[index] == index;
    if (pg_next(store, &result, &err, what) < 0) {
        store->one_by_one = store->one_by_one || (many && !group->failed);
        fail(group, index, &err);
        return;
    }
    if (group->failed || PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        return;
    }
    if (many) {
        take_many(group, index, result);
    } else if (index != STORE_NO_OPERATION) {
        struct inbox_operation *operation = group->operations[index];
        const struct postgres_operation *kind = kind_of(operation);
        int taken = kind->take ? kind->take(store, operation, nth, result, &err) : 0;
        group->unsettled[index] = group->unsettled[index] || taken > 0;
        if (taken < 0) {
            fail(group, index, &err);
        }
    }
}

static void take_end(struct group *group) {
    if (group->probe && !group->store->lost) {
        take_result(group, STORE_NO_OPERATION, 0, "writing");
    }
    if (!group->implicit && !group->store->lost) {
        take_result(group, STORE_NO_OPERATION, 0, "committing");
    }
}

static void take_sync(struct group *group) {
    struct error err;
    if (!group->store->lost && pg_synced(group->store, &err) < 0) {
        fail(group, STORE_NO_OPERATION, &err);
    }
}

/* If another host holds a key's lock for too long, the first operation that needs one fails, and
 * the writer repeats the others without it. */
static void take_locks(struct group *group) {
    AUTO_RESULT PGresult *result = NULL;
    struct error err;
    if (group->first_locking != STORE_NO_OPERATION && !group->store->lost &&
        pg_next(group->store, &result, &err, "locking the keys of runs") < 0) {
        fail(group, group->first_locking, &err);
    }
}

static void take_group(struct group *group) {
    if (!group->implicit) {
        take_result(group, STORE_NO_OPERATION, 0, "beginning");
    }
    take_locks(group);
    for (size_t i = 0; i < group->n; i++) {
        for (unsigned nth = 0; nth < group->sent[i] && !group->store->lost; nth++) {
            take_result(group, i, nth, "storing");
        }
    }
    if (group->implicit) {
        take_end(group);
    }
    take_sync(group);
}

static void settle(struct group *group) {
    struct error err;
    for (size_t i = 0; i < group->n && !group->failed; i++) {
        struct inbox_operation *operation = group->operations[i];
        if (group->unsettled[i] && kind_of(operation)->settle(group->store, operation, &err) < 0) {
            fail(group, i, &err);
        }
    }
}

static void commit(struct group *group) {
    struct error err;
    if (send_end(group, &err) < 0 || pg_sync(group->store, &err) < 0) {
        fail(group, STORE_NO_OPERATION, &err);
    } else {
        take_end(group);
        take_sync(group);
    }
}

static void ask_plain(struct group *group, enum postgres_sql sql, const char *what) {
    struct pg_query query = pg_query_begin(sql);
    AUTO_RESULT PGresult *result = NULL;
    struct error err;
    if (!group->store->lost && pg_ask(group->store, &query, &result, &err, what) < 0) {
        fail(group, STORE_NO_OPERATION, &err);
    }
}

static void settle_and_commit(struct group *group) {
    settle(group);
    if (!group->failed) {
        commit(group);
    }
    if (group->failed) {
        ask_plain(group, PG_SQL_ROLLBACK, "rolling back");
    }
}

static bool may_settle(const struct group *group) {
    for (size_t i = 0; i < group->n; i++) {
        if (kind_of(group->operations[i])->settle) {
            return true;
        }
    }
    return false;
}

/* A lone PUT hardly ever has to settle. When it has to, it has changed nothing before, so it
 * settles in a transaction of its own. */
static void do_group(struct group *group) {
    struct error err;
    group->implicit = !may_settle(group) || is_lone_put(group);
    if (send_group(group, &err) < 0) {
        fail(group, STORE_NO_OPERATION, &err);
        return;
    }
    take_group(group);
    if (!group->implicit) {
        settle_and_commit(group);
    } else if (!group->failed && group->unsettled[0]) {
        group->implicit = false;
        ask_plain(group, PG_SQL_BEGIN, "beginning");
        settle_and_commit(group);
    }
}

/* Notifies the other hosts after the commit, because a NOTIFY within a transaction makes the
 * commits of all sessions wait for each other. It does not notify for every group, because a host
 * that is notified looks for all due runs. */
static void notify_hosts(struct postgres_store *store) {
    int64_t now_ms = clock_monotonic_ms();
    if (!store->queued || !store->notifies || now_ms - store->notified_ms < TELL_MS) {
        return;
    }
    struct pg_query query = pg_query_begin(PG_SQL_NOTIFY);
    pg_query_number(&query, store->queued_due_ms);
    AUTO_RESULT PGresult *result = NULL;
    pg_ask(store, &query, &result, NULL, "notifying other hosts"); /* a hint */
    store->queued = false;
    store->queued_due_ms = 0;
    store->notified_ms = now_ms;
}

static int be_ready(struct postgres_store *store, int64_t patience_ms, struct error *err) {
    if (store->ready) {
        return 0;
    }
    int64_t now_ms = clock_monotonic_ms();
    /* If an attempt to connect has used up its time, further groups do not wait for it. */
    int64_t from_ms = store->connection || store->resolution ? store->began_ms : now_ms;
    if (postgres_connect(store, from_ms + patience_ms, err) < 0) {
        return -1;
    }
    if (postgres_prepare(store, err) < 0) {
        postgres_disconnect(store);
        return -1;
    }
    store->ready = true;
    return 0;
}

static int transact(struct store *base, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure) {
    struct postgres_store *store = CONTAINER_OF(base, struct postgres_store, store);
    *failure = (struct store_failure){.failed_index = STORE_NO_OPERATION, .broken = true};
    for (size_t i = 0; i < n; i++) {
        if (operation_check(operations[i], &failure->error) < 0) {
            failure->failed_index = i;
            failure->broken = false;
            return -1;
        }
    }
    if (store->ready && link_is_closed(store->connection)) {
        postgres_disconnect(store);
    }
    if (be_ready(store, CONNECT_PATIENCE_MS, &failure->error) < 0) {
        return -1;
    }
    AUTO_FREE unsigned *sent = calloc(n + 1, sizeof *sent);
    AUTO_FREE bool *unsettled = calloc(n + 1, sizeof *unsettled);
    AUTO_FREE size_t *leaders = calloc(n + 1, sizeof *leaders);
    if (!sent || !unsettled || !leaders) {
        return error_set(&failure->error, "out of memory");
    }
    postgres_put_many_plan(operations, n, leaders, store->one_by_one);
    postgres_finish_many_plan(operations, n, leaders, store->one_by_one);
    store->one_by_one = false;
    struct group group = {.store = store,
                          .operations = operations,
                          .n = n,
                          .probe = probe,
                          .first_locking = STORE_NO_OPERATION,
                          .sent = sent,
                          .unsettled = unsettled,
                          .leaders = leaders,
                          .failure = failure,
                          .began_ms = clock_monotonic_ms()};
    do_group(&group);
    if (!group.failed) {
        notify_hosts(store);
    }
    if (store->lost) {
        postgres_disconnect(store);
    }
    return group.failed ? -1 : 0;
}

/* Opening and closing */

static void store_free(struct store *base) {
    struct postgres_store *store = CONTAINER_OF(base, struct postgres_store, store);
    postgres_listener_free(atomic_load(&store->listener));
    postgres_disconnect(store);
    resolve_end(store->resolution);
    link_target_finish(&store->target);
    turns_finish(&store->turns);
    free(store);
}

static const struct store_methods methods = {.transact = transact,
                                             .take_over = postgres_take_over,
                                             .listen = postgres_listen,
                                             .free = store_free};

/* Waits for a server that is starting or cannot be reached yet. */
static int connect_first(struct postgres_store *store, struct error *err) {
    int64_t until_ms = clock_monotonic_ms() + OPEN_PATIENCE_MS;
    while (postgres_connect(store, until_ms, err) < 0) {
        if (!link_is_temporary(err->text)) {
            return -1;
        }
        if (clock_monotonic_ms() >= until_ms) {
            return error_mark_transient(err);
        }
        usleep(OPEN_AGAIN_US);
    }
    return 0;
}

/* `now_ms` < 0: opens the store for a tool, which creates and changes nothing. */
static int open_store(struct postgres_store *store, int64_t now_ms, struct error *err) {
    if (connect_first(store, err) < 0) {
        return -1;
    }
    int ready = now_ms < 0 ? postgres_check_version(store->connection, err)
                           : postgres_migrate(store->connection, now_ms, err);
    if (ready < 0 || postgres_compare_schema(store->connection, err) < 0 ||
        postgres_find_adopted(store->connection, &store->adopted, err) < 0 ||
        postgres_prepare(store, err) < 0) {
        return PQstatus(store->connection) == CONNECTION_BAD ? error_mark_transient(err) : -1;
    }
    store->ready = true;
    return 0;
}

static int open_url(const char *url, int64_t now_ms, bool read_only, bool fits_plans,
                    struct store **store, struct error *err) {
    struct postgres_store *made = calloc(1, sizeof *made);
    if (!made) {
        return error_set(err, "opening the inbox: out of memory");
    }
    made->store.methods = &methods;
    made->read_only = read_only;
    made->fits_plans = fits_plans;
    if (link_target_init(&made->target, url, err) < 0) {
        store_free(&made->store);
        return error_wrap(err, "the inbox");
    }
    if (open_store(made, now_ms, err) < 0) {
        error_wrap(err, "the inbox %s", made->target.shown);
        store_free(&made->store);
        return -1;
    }
    *store = &made->store;
    return 0;
}

int postgres_open(const char *url, int64_t now_ms, struct store **store, struct error *err) {
    return open_url(url, now_ms, false, false, store, err);
}

int postgres_open_tool(const char *url, bool write, struct store **store, struct error *err) {
    return open_url(url, -1, !write, !write, store, err);
}

int postgres_open_reader(const char *url, struct store **store, struct error *err) {
    return open_url(url, -1, true, false, store, err);
}

int postgres_check(const char *url, struct error *err) {
    struct postgres_store *store = calloc(1, sizeof *store);
    if (!store) {
        return error_set(err, "looking at the inbox: out of memory");
    }
    store->read_only = true;
    int result = link_target_init(&store->target, url, err);
    if (result == 0 &&
        (connect_first(store, err) < 0 || postgres_check_schema(store->connection, err) < 0)) {
        result = error_wrap(err, "the inbox %s", store->target.shown);
    }
    store_free(&store->store);
    return result;
}

char *postgres_show_url(const char *url, struct error *err) {
    struct link_target target = {0};
    if (link_target_init(&target, url, err) < 0) {
        return NULL;
    }
    char *shown = STEAL(target.shown);
    link_target_finish(&target);
    return shown;
}
