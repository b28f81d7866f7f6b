/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The maintenance of the SQLite store: pruning, and counting requested redeliveries. New rows use
 * the pages that pruning frees; the file itself does not get smaller. */
#include "inbox/maintenance.h"
#include "inbox/sqlite/operations.h"

#include <string.h>

/* PRUNE */

/* Deletes the body, and the parts of its runs' journals that only a retry needs. */
static int prune_body(struct sqlite_store *store, int64_t delivery, struct error *err) {
    static const enum sqlite_sql steps[] = {SQL_PRUNE_BODY, SQL_PRUNE_READS, SQL_PRUNE_RESPONSES};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        AUTO_QUERY struct query query = query_begin(store, steps[i]);
        query_number(&query, delivery);
        if (query_run(&query, err, "pruning a body") < 0) {
            return -1;
        }
    }
    return 0;
}

/* Reads first and changes afterwards: a scan must not meet its own updates. */
static int look(struct sqlite_store *store, struct inbox_prune *prune, int64_t *found,
                uint32_t *n_found, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PRUNE_LOOK);
    query_number(&query, prune->after.received_ms);
    query_number(&query, prune->after.delivery);
    query_number(&query, prune->done_before_ms);
    query_number(&query, prune->dead_before_ms);
    query_number(&query, prune->most);
    uint64_t bytes = 0;
    uint32_t looked = 0;
    int step;
    while ((step = query_step(&query, err, "looking for bodies to prune")) > 0) {
        uint64_t size = (uint64_t)sqlite3_column_int64(query.statement, 2);
        bool prunable = sqlite3_column_int(query.statement, 3) != 0;
        if (prunable && *n_found > 0 && bytes + size > prune->most_bytes) {
            prune->more = true;
            return 0;
        }
        looked++;
        prune->next.received_ms = sqlite3_column_int64(query.statement, 0);
        prune->next.delivery = sqlite3_column_int64(query.statement, 1);
        if (prunable) {
            found[(*n_found)++] = prune->next.delivery;
            bytes += size;
        }
    }
    prune->more = looked == prune->most;
    return step;
}

static int prune_bodies(struct sqlite_store *store, struct inbox_prune *prune, struct error *err) {
    AUTO_FREE int64_t *found = calloc(prune->most + (size_t)1, sizeof *found);
    if (!found) {
        return sqlite_no_memory(store, err, "pruning bodies");
    }
    if (look(store, prune, found, &prune->bodies, err) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < prune->bodies; i++) {
        if (prune_body(store, found[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static const char looking[] = "looking for runs of plugins that are not configured";

/* 1 when the store has such runs, 0, -1. */
static int has_unwanted(struct sqlite_store *store, const struct inbox_prune *prune,
                        struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_UNWANTED);
    query_text(&query, prune->configured);
    return query_step(&query, err, looking);
}

/* `*last`: the last run of this step's marks; 0 when no run comes behind them. */
static int end_of_marks(struct sqlite_store *store, const struct inbox_prune *prune, int64_t *last,
                        struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_MARK_END);
    query_number(&query, prune->after.marked);
    query_text(&query, prune->configured);
    int step = query_step(&query, err, looking);
    if (step > 0) {
        *last = sqlite3_column_int64(query.statement, 0);
    }
    return step;
}

static int mark_unconfigured(struct sqlite_store *store, struct inbox_prune *prune,
                             struct error *err) {
    int64_t last = 0;
    int any = prune->after.marked > 0;
    if (prune->after.marked == 0) {
        any = has_unwanted(store, prune, err);
    }
    if (any > 0) {
        any = end_of_marks(store, prune, &last, err);
    }
    prune->next.marked = last > 0 ? last : -1;
    if (any <= 0) {
        return any;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_MARK);
    query_number(&query, prune->after.marked);
    query_number(&query, last > 0 ? last : INT64_MAX);
    query_text(&query, prune->configured);
    if (query_run(&query, err, looking) < 0) {
        return -1;
    }
    prune->marked = (uint32_t)sqlite3_changes(store->db);
    prune->more = prune->more || last > 0;
    return 0;
}

/* Ends such runs if this step looked at their deliveries. */
static int end_unconfigured(struct sqlite_store *store, struct inbox_prune *prune,
                            struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_END_UNCONFIGURED);
    query_number(&query, prune->now_ms);
    query_text(&query, prune->configured);
    query_number(&query, prune->after.received_ms);
    query_number(&query, prune->after.delivery);
    query_number(&query, prune->next.received_ms);
    query_number(&query, prune->next.delivery);
    query_number(&query, prune->done_before_ms);
    if (query_run(&query, err, looking) < 0) {
        return -1;
    }
    prune->ended = (uint32_t)sqlite3_changes(store->db);
    return 0;
}

/* Among the runs that were ended may be some that held a key. */
static int repair_order(struct sqlite_store *store, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_REPAIR);
    return query_run(&query, err, "looking for runs that nothing blocks");
}

static int settle_unconfigured(struct sqlite_store *store, struct inbox_prune *prune,
                               struct error *err) {
    if (!prune->configured) {
        return 0;
    }
    bool first = prune->after.steps == 0;
    if (end_unconfigured(store, prune, err) < 0 || mark_unconfigured(store, prune, err) < 0 ||
        (first && sqlite_forget_timers(store, prune, err) < 0)) {
        return -1;
    }
    return first || prune->ended > 0 ? repair_order(store, err) : 0;
}

/* Runs `sql`, which deletes at most `most` rows from before `before_ms`. `*rows` is their number.
 */
static int forget(struct sqlite_store *store, enum sqlite_sql sql, int64_t before_ms, uint32_t most,
                  uint32_t *rows, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    query_number(&query, before_ms);
    query_number(&query, most);
    if (query_run(&query, err, "forgetting deliveries") < 0) {
        return -1;
    }
    *rows = (uint32_t)sqlite3_changes(store->db);
    return 0;
}

int sqlite_prune(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_prune *prune = CONTAINER_OF(operation, struct inbox_prune, operation);
    uint32_t redeliveries, loops, pulled;
    int64_t before_ms = prune->forget_before_ms;
    if (prune_bodies(store, prune, err) < 0 || settle_unconfigured(store, prune, err) < 0 ||
        forget(store, SQL_PRUNE_FORGET, before_ms, prune->most, &prune->forgotten, err) < 0 ||
        forget(store, SQL_PRUNE_REDELIVERIES, before_ms, prune->most, &redeliveries, err) < 0 ||
        forget(store, SQL_PRUNE_LOOPS, before_ms, prune->most, &loops, err) < 0 ||
        forget(store, SQL_PRUNE_PULLED, prune->pulled_before_ms, prune->most, &pulled, err) < 0 ||
        forget(store, SQL_PRUNE_AUDIT, prune->audit_before_ms, prune->most, &prune->audited, err) <
            0) {
        return -1;
    }
    prune->more = prune->more || prune->forgotten == prune->most || redeliveries == prune->most ||
                  loops == prune->most || pulled == prune->most || prune->audited == prune->most;
    return 0;
}

/* ---- redeliveries ---- */

static int read_requests(struct sqlite_store *store, const char *guid, uint32_t *requests,
                         int64_t *requested_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_REDELIVERY_FIND);
    query_text(&query, guid);
    int step = query_step(&query, err, "reading the requested redeliveries");
    *requests = step > 0 ? (uint32_t)sqlite3_column_int64(query.statement, 0) : 0;
    *requested_ms = step > 0 ? sqlite3_column_int64(query.statement, 1) : 0;
    return step;
}

int sqlite_find_missing(struct sqlite_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_find_missing *find =
        CONTAINER_OF(operation, const struct inbox_find_missing, operation);
    for (size_t i = 0; i < find->n_guids; i++) {
        int64_t delivery;
        int found = sqlite_find_delivery(store, find->guids[i], &delivery, err);
        if (found < 0 || read_requests(store, find->guids[i], &find->requests[i],
                                       &find->requested_ms[i], err) < 0) {
            return -1;
        }
        find->missing[i] = !found;
    }
    return 0;
}

int sqlite_redelivery_fetched(struct sqlite_store *store, const char *guid, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_REDELIVERY_FETCHED);
    query_text(&query, guid);
    return query_run(&query, err, "counting a redelivery");
}

int sqlite_redelivery_arrived(struct sqlite_store *store, const char *guid, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_REDELIVERY_ARRIVED);
    query_text(&query, guid);
    return query_step(&query, err, "counting a redelivery");
}

static int run_with_number(struct sqlite_store *store, unsigned sql, int64_t number,
                           struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    query_number(&query, number);
    return query_run(&query, err, "moving due times back");
}

/* Moves the runs of one step. 1 when there are others behind them, 0, -1. */
static int set_back_step(struct sqlite_store *store, const struct inbox_clock_set_back *set,
                         struct error *err) {
    const char *what = "moving due times back";
    int64_t last = set->after_run + INBOX_SET_BACK_STEP;
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_SET_BACK);
        query_number(&query, set->by_ms);
        query_number(&query, set->now_ms);
        query_number(&query, set->after_run);
        query_number(&query, last);
        if (query_run(&query, err, what) < 0) {
            return -1;
        }
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_BEHIND);
    query_number(&query, last);
    return query_step(&query, err, what);
}

int sqlite_clock_set_back(struct sqlite_store *store, struct inbox_operation *operation,
                          struct error *err) {
    const struct inbox_clock_set_back *set =
        CONTAINER_OF(operation, const struct inbox_clock_set_back, operation);
    if (set->after_run == 0 && (run_with_number(store, SQL_RUNS_OF_FUTURE, set->now_ms, err) < 0 ||
                                (set->by_ms > 0 && run_with_number(store, SQL_RATE_LIMITS_SET_BACK,
                                                                   set->by_ms, err) < 0))) {
        return -1;
    }
    return set->by_ms > 0 ? set_back_step(store, set, err) : 0;
}

int sqlite_uncount_redelivery(struct sqlite_store *store, struct inbox_operation *operation,
                              struct error *err) {
    const struct inbox_uncount_redelivery *uncount =
        CONTAINER_OF(operation, const struct inbox_uncount_redelivery, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_REDELIVERY_UNCOUNT);
    query_number(&query, uncount->requested_ms);
    query_text(&query, uncount->guid);
    return query_run(&query, err, "taking back a redelivery");
}

int sqlite_count_redelivery(struct sqlite_store *store, struct inbox_operation *operation,
                            struct error *err) {
    const struct inbox_count_redelivery *ask =
        CONTAINER_OF(operation, const struct inbox_count_redelivery, operation);
    int64_t delivery;
    uint32_t requests;
    int64_t requested_ms;
    int found = sqlite_find_delivery(store, ask->guid, &delivery, err);
    if (found != 0) {
        return found < 0 ? -1 : INBOX_REDELIVERY_PRESENT;
    }
    if (read_requests(store, ask->guid, &requests, &requested_ms, err) < 0) {
        return -1;
    }
    if (requests >= ask->most) {
        return INBOX_REDELIVERY_EXHAUSTED;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_REDELIVERY_COUNT);
    query_text(&query, ask->guid);
    query_number(&query, ask->now_ms);
    return query_run(&query, err, "counting a redelivery") < 0 ? -1 : INBOX_REDELIVERY_COUNTED;
}

static int note_configured(struct sqlite_store *store, const char *name, size_t bytes,
                           int64_t until_ms, struct error *err) {
    AUTO_FREE char *copy = strndup(name, bytes);
    if (!copy) {
        return sqlite_no_memory(store, err, "noting a plugin");
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PLUGIN_CONFIGURED);
    query_number(&query, until_ms);
    query_text(&query, copy);
    return query_run(&query, err, "noting a plugin");
}

/* A file has one host. */
int sqlite_elect(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    const struct inbox_elect *elect = CONTAINER_OF(operation, const struct inbox_elect, operation);
    for (const char *at = elect->configured ? elect->configured : ""; *at;) {
        size_t bytes = strcspn(at, "\n");
        if (bytes > 0 &&
            note_configured(store, at, bytes, elect->now_ms + INBOX_CONFIGURED_MS, err) < 0) {
            return -1;
        }
        at += bytes + (at[bytes] == '\n');
    }
    return 1;
}
