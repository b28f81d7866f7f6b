/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Claims of runs, in SQLite: the plugin's installations take turns. */
#include "base/array.h"
#include "base/clock.h"
#include "base/list.h"
#include "inbox/common/codec.h"
#include "inbox/common/share.h"
#include "inbox/sqlite/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many waiting installations are passed over in the search for the oldest run. */
#define OLDEST_TRIES 8

int sqlite_read_body(struct sqlite_store *store, int64_t delivery, struct payload **payload,
                     struct error *err) {
    const char *what = "reading the body of a delivery";
    sqlite3_blob *blob = NULL;
    if (sqlite3_blob_open(store->db, "main", "deliveries", "body", delivery, 0, &blob) !=
        SQLITE_OK) {
        return sqlite_fail(store, err, what);
    }
    size_t bytes = (size_t)sqlite3_blob_bytes(blob);
    struct payload *made = payload_new(bytes);
    int result = 0;
    if (!made) {
        result = sqlite_no_memory(store, err, what);
    } else if (sqlite3_blob_read(blob, made->data, (int)bytes, 0) != SQLITE_OK) {
        result = sqlite_fail(store, err, what);
        made = payload_unref(made);
    }
    sqlite3_blob_close(blob);
    if (result == 0) {
        *payload = made;
    }
    return result;
}

/* True when this one row cannot be read. Then the other runs still go on. */
static bool is_lost(struct sqlite_store *store) {
    int code = sqlite3_errcode(store->db);
    return code == SQLITE_CORRUPT || code == SQLITE_ERROR;
}

/* Reads the journal and the body of a claimed run. A run whose body is lost is claimed without it,
 * and then ends with the reason. */
static int read_rest(struct sqlite_store *store, struct inbox_run *run, int64_t delivery,
                     struct error *err) {
    if (sqlite_read_records(store, run->id, &run->journal, &run->n_journal, err) == 0 &&
        sqlite_read_body(store, delivery, &run->payload, err) == 0) {
        return 0;
    }
    if (!is_lost(store)) {
        return -1;
    }
    run->payload_codec = CODEC_LOST;
    run->payload = payload_new(0);
    return run->payload ? 0 : sqlite_no_memory(store, err, "claiming runs");
}

/* Adds the row of SQL_RUN_LOAD to the claim. */
static int take_row(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                    sqlite3_stmt *row, struct error *err) {
    struct inbox_run *run = ARRAY_ADD(claim->runs, claim->n_runs);
    if (!run) {
        return sqlite_no_memory(store, err, "claiming runs");
    }
    run->id = sqlite3_column_int64(row, 0);
    run->attempt = sqlite3_column_int64(row, 1) + 1;
    run->token = claim->first_token + (int64_t)claim->n_runs - 1;
    run->crashes = sqlite3_column_int64(row, 2);
    run->suspect = sqlite3_column_int(row, 3) != 0;
    run->share = share;
    run->received_ms = sqlite3_column_int64(row, 5);
    run->payload_bytes = (size_t)sqlite3_column_int64(row, 12);
    run->payload_codec = sqlite3_column_int64(row, 13);
    run->due_ms = sqlite3_column_int64(row, 14);
    column_copy(row, 6, run->guid, sizeof run->guid);
    column_copy(row, 7, run->event, sizeof run->event);
    column_copy(row, 8, run->action, sizeof run->action);
    column_copy(row, 9, run->installation, sizeof run->installation);
    column_copy(row, 15, run->item, sizeof run->item);
    column_copy(row, 16, run->order_key, sizeof run->order_key);
    run->coalesce_key = sqlite3_column_int64(row, 17);
    run->waited_ms = sqlite3_column_int64(row, 18);
    run->repository = column_text(row, 10);
    run->sender = column_text(row, 11);
    if (!run->repository || !run->sender) {
        return sqlite_no_memory(store, err, "claiming runs");
    }
    return read_rest(store, run, sqlite3_column_int64(row, 4), err);
}

/* Takes the run if it fits. 1, 0, -1. */
static int take_run(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                    const struct share_candidate *candidate, struct share_room *room,
                    struct error *err) {
    if (!share_takes(room, candidate)) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_LOAD);
    query_number(&query, candidate->id);
    int step = query_step(&query, err, "claiming a run");
    return step > 0 ? take_row(store, claim, share, query.statement, err) : step;
}

/* Reads a row (id, due_ms), and the run's size. A run that cannot be read counts as empty, and
 * read_rest() finds that it is lost. */
static int read_candidate(struct sqlite_store *store, sqlite3_stmt *row,
                          struct share_candidate *candidate, struct error *err) {
    *candidate = (struct share_candidate){.id = sqlite3_column_int64(row, 0),
                                          .due_ms = sqlite3_column_int64(row, 1)};
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_BYTES);
    query_number(&query, candidate->id);
    int step = query_step(&query, err, "sizing a run");
    if (step > 0) {
        candidate->bytes = (uint64_t)sqlite3_column_int64(query.statement, 0);
    }
    return step >= 0 || is_lost(store) ? 0 : -1;
}

/* Takes the first suspect that is due. 1, 0, -1. */
static int take_suspect(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                        struct error *err) {
    struct share_candidate candidate;
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_SUSPECT_DUE);
        query_text(&query, claim->shares[share].plugin);
        query_number(&query, claim->now_ms);
        int step = query_step(&query, err, "claiming a suspect run");
        if (step <= 0) {
            return step;
        }
        if (read_candidate(store, query.statement, &candidate, err) < 0) {
            return -1;
        }
    }
    struct share_room room = share_begin(&claim->shares[share]);
    return take_run(store, claim, share, &candidate, &room, err) < 0 ? -1 : 1;
}

/* Takes the run that the share wants first, if it is due and fits. */
static int take_wanted(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                       struct share_room *room, struct error *err) {
    struct share_candidate candidate;
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_RUN_WANTED);
        query_number(&query, claim->shares[share].first);
        query_text(&query, claim->shares[share].plugin);
        query_number(&query, claim->now_ms);
        int step = query_step(&query, err, "claiming a run");
        if (step <= 0) {
            return step;
        }
        if (read_candidate(store, query.statement, &candidate, err) < 0) {
            return -1;
        }
    }
    return take_run(store, claim, share, &candidate, room, err);
}

/* ---- turns ---- */

/* An installation whose turn it is. */
struct due {
    char installation[INBOX_NAME_MAX + 1];
    /* Its runs that the claim may take, in order. Only the first may be too large. */
    struct share_candidate *runs;
    size_t n_runs;
};

struct dues {
    struct due *items;
    size_t n_items;
};

static void dues_finish(struct dues *dues) {
    for (size_t i = 0; i < dues->n_items; i++) {
        free(dues->items[i].runs);
    }
    free(dues->items);
}

static int add_due(struct sqlite_store *store, struct dues *dues, const char *installation,
                   struct error *err) {
    struct due *due = ARRAY_ADD(dues->items, dues->n_items);
    if (!due) {
        return sqlite_no_memory(store, err, "claiming runs");
    }
    snprintf(due->installation, sizeof due->installation, "%s", installation);
    return 0;
}

/* Finds the next installation from the position `at` on, and moves `at` behind it. 1, 0 when there
 * is none, -1. Adds it to `dues` when it has a run that is due and does not wait for a rate
 * limit. */
static int next_turn(struct sqlite_store *store, const struct inbox_claim *claim,
                     const char *plugin, char at[INBOX_NAME_MAX + 2], struct dues *dues,
                     struct error *err) {
    int64_t due_ms, until_ms;
    char installation[INBOX_NAME_MAX + 1];
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_TURN_NEXT);
        query_text(&query, plugin);
        query_text(&query, at);
        int step = query_step(&query, err, "finding the next installation");
        if (step <= 0) {
            return step;
        }
        column_copy(query.statement, 0, installation, sizeof installation);
        due_ms = sqlite3_column_int64(query.statement, 1);
        until_ms = sqlite3_column_int64(query.statement, 2);
    }
    /* No installation's name has a control character, so this text sorts directly after the
     * name. */
    snprintf(at, INBOX_NAME_MAX + 2, "%s\x01", installation);
    if (due_ms > claim->now_ms) {
        return 1;
    }
    if (until_ms > claim->now_ms) {
        return sqlite_delay_runs(store, installation, until_ms, err) < 0 ? -1 : 1;
    }
    return add_due(store, dues, installation, err) < 0 ? -1 : 1;
}

/* Lists up to `most` installations, the one after the last turn first. */
static int list_turns(struct sqlite_store *store, const struct inbox_claim *claim,
                      const char *plugin, size_t most, struct dues *dues, struct error *err) {
    char at[INBOX_NAME_MAX + 2], end[INBOX_NAME_MAX + 2];
    snprintf(end, sizeof end, "%s\x01", turns_last(&store->turns, plugin));
    snprintf(at, sizeof at, "%s", end);
    bool wrapped = false;
    for (size_t i = 0; i < TURNS_MAX && dues->n_items < most; i++) {
        int step = next_turn(store, claim, plugin, at, dues, err);
        if (step < 0) {
            return -1;
        }
        if (wrapped && (step == 0 || strcmp(at, end) > 0)) {
            /* All installations have had their turn. If the last one was added again just now, it
             * is removed. */
            dues->n_items -= dues->n_items > 1 && step > 0 &&
                             strcmp(dues->items[0].installation,
                                    dues->items[dues->n_items - 1].installation) == 0;
            return 0;
        }
        if (step == 0) {
            at[0] = '\0';
            wrapped = true;
        }
    }
    return 0;
}

/* The installation of the run that has been due the longest, when no turn came to one that has any:
 * those that a claim looks at may have later runs only, and hide it. */
static int add_oldest(struct sqlite_store *store, const struct inbox_claim *claim,
                      const char *plugin, struct dues *dues, struct error *err) {
    for (int i = 0; i < OLDEST_TRIES; i++) {
        char installation[INBOX_NAME_MAX + 1];
        int64_t until_ms;
        {
            AUTO_QUERY struct query query = query_begin(store, SQL_TURN_OLDEST);
            query_text(&query, plugin);
            query_number(&query, claim->now_ms);
            int step = query_step(&query, err, "looking for the oldest run");
            if (step <= 0) {
                return step;
            }
            column_copy(query.statement, 0, installation, sizeof installation);
            until_ms = sqlite3_column_int64(query.statement, 1);
        }
        if (until_ms <= claim->now_ms) {
            return add_due(store, dues, installation, err);
        }
        if (sqlite_delay_runs(store, installation, until_ms, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Lists the first run, and up to `most` that are not too large. */
static int list_runs(struct sqlite_store *store, const struct inbox_claim *claim, size_t share,
                     struct due *due, size_t most, struct error *err) {
    const struct inbox_claim_share *of = &claim->shares[share];
    AUTO_QUERY struct query query = query_begin(store, SQL_TURN_RUNS);
    query_text(&query, of->plugin);
    query_text(&query, due->installation);
    query_number(&query, claim->now_ms);
    int step = 1;
    size_t fitting = 0;
    for (size_t i = 0; i < most + SHARE_LOOK_MAX && fitting < most; i++) {
        step = query_step(&query, err, "claiming runs");
        if (step <= 0) {
            return step;
        }
        struct share_candidate candidate;
        if (read_candidate(store, query.statement, &candidate, err) < 0) {
            return -1;
        }
        bool too_small = share_is_too_small(of, candidate.bytes);
        if (candidate.id == of->first || (i > 0 && too_small)) {
            continue;
        }
        struct share_candidate *added = ARRAY_ADD(due->runs, due->n_runs);
        if (!added) {
            return sqlite_no_memory(store, err, "claiming runs");
        }
        *added = candidate;
        fitting += !too_small;
    }
    return 0;
}

/* Takes one run of each installation, then a second run of each, until the share is full. */
static int take_in_turns(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                         const struct dues *dues, struct share_room *room, struct error *err) {
    bool more = true;
    for (size_t rank = 0; more; rank++) {
        more = false;
        for (size_t i = 0; i < dues->n_items; i++) {
            if (rank >= dues->items[i].n_runs) {
                continue;
            }
            if (take_run(store, claim, share, &dues->items[i].runs[rank], room, err) < 0) {
                return -1;
            }
            more = true;
        }
    }
    return 0;
}

static int take_ordinary(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                         struct error *err) {
    CLEANUP(dues_finish) struct dues dues = {0};
    struct share_room room = share_begin(&claim->shares[share]);
    const char *plugin = claim->shares[share].plugin;
    size_t most = claim->shares[share].runs;
    if (claim->shares[share].first != 0 && take_wanted(store, claim, share, &room, err) < 0) {
        return -1;
    }
    size_t first = claim->n_runs;
    if (list_turns(store, claim, plugin, most, &dues, err) < 0 ||
        (dues.n_items == 0 && add_oldest(store, claim, plugin, &dues, err) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < dues.n_items; i++) {
        if (list_runs(store, claim, share, &dues.items[i], most - dues.n_items + 1, err) < 0) {
            return -1;
        }
    }
    if (take_in_turns(store, claim, share, &dues, &room, err) < 0) {
        return -1;
    }
    if (claim->n_runs > first) {
        turns_took(&store->turns, plugin, claim, first);
    } else if (dues.n_items > 0) {
        turns_passed(&store->turns, plugin, dues.items[dues.n_items - 1].installation);
    }
    return 0;
}

/* ---- the claim ---- */

/* Call it after all rows were read, because a scan must not meet its own updates. */
static int lease_runs(struct sqlite_store *store, const struct inbox_claim *claim, size_t first,
                      struct error *err) {
    for (size_t i = first; i < claim->n_runs; i++) {
        AUTO_QUERY struct query query = query_begin(store, SQL_RUN_LEASE);
        query_number(&query, claim->host);
        query_number(&query, claim->runs[i].token);
        query_number(&query, clock_monotonic_ms() + claim->lease_ms);
        query_number(&query, claim->runs[i].id);
        if (query_run(&query, err, "leasing a run") < 0) {
            return -1;
        }
    }
    return 0;
}

/* Reads when the plugin's first queued run is due; INT64_MAX when none is queued. */
static int next_due(struct sqlite_store *store, const char *plugin, bool suspect, int64_t *due_ms,
                    struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_NEXT_DUE);
    query_text(&query, plugin);
    query_number(&query, suspect);
    int step = query_step(&query, err, "looking for the next run");
    *due_ms = step > 0 ? sqlite3_column_int64(query.statement, 0) : INT64_MAX;
    return step;
}

static int claim_share(struct sqlite_store *store, struct inbox_claim *claim, size_t index,
                       struct error *err) {
    struct inbox_claim_share *share = &claim->shares[index];
    size_t first = claim->n_runs;
    int taken = 0;
    if (share->runs > 0 && share->alone) {
        taken = take_suspect(store, claim, index, err);
    }
    if (share->runs > 0 && taken == 0) {
        taken = take_ordinary(store, claim, index, err);
    }
    int64_t ordinary_ms, suspect_ms;
    if (taken < 0 || lease_runs(store, claim, first, err) < 0 ||
        next_due(store, share->plugin, false, &ordinary_ms, err) < 0 ||
        next_due(store, share->plugin, true, &suspect_ms, err) < 0) {
        return -1;
    }
    share_note_due(claim, index, ordinary_ms, suspect_ms, 0);
    return 0;
}

/* Makes runs due that this host has lost. No other host uses the file. */
static int reclaim(struct sqlite_store *store, const struct inbox_claim *claim, struct error *err) {
    AUTO_FREE char *live = store_list_numbers("[]", claim->live, claim->n_live);
    if (!live) {
        return sqlite_no_memory(store, err, "reclaiming runs");
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_RECLAIM);
    query_number(&query, claim->now_ms);
    query_number(&query, clock_monotonic_ms());
    query_text(&query, live);
    return query_run(&query, err, "reclaiming runs");
}

int sqlite_claim(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    if (reclaim(store, claim, err) < 0 || sqlite_begin_holds(store, claim, err) < 0 ||
        sqlite_join_lines(store, claim->now_ms, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < claim->n_shares; i++) {
        if (claim_share(store, claim, i, err) < 0) {
            return -1;
        }
    }
    return sqlite_set_aside(store, claim, err);
}
