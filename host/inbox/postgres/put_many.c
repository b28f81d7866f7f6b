/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores the ordinary PUTs of a group with one statement, whose parameters are arrays. Ordinary
 * are new deliveries whose runs have no order: others need statements of their own. */
#include "inbox/postgres/put_many.h"

#include "base/list.h"
#include "base/text.h"
#include "inbox/common/codec.h"
#include "inbox/postgres/array.h"
#include "inbox/postgres/operations.h"

#include <assert.h>
#include <string.h>

/* The server joins the deliveries and their runs, and the host copies their bodies. */
#define PUTS_MAX 64
#define BODIES_MAX ((size_t)1 << 20)
#define BODY_MAX ((size_t)256 << 10)

static struct inbox_put *put_at(struct inbox_operation *const *operations, size_t index) {
    assert(operations[index]->kind == INBOX_PUT);
    return CONTAINER_OF(operations[index], struct inbox_put, operation);
}

static size_t stored_bytes(const struct inbox_put *put) {
    return put->packed ? put->packed_bytes : put->body_bytes;
}

static bool is_utf8(const char *text) {
    return text_is_utf8(text, strlen(text));
}

bool postgres_put_is_ordinary(const struct inbox_put *put) {
    if (put->fetched || put->pulled || put->firing || store_grants(put) || store_uninstalls(put) ||
        stored_bytes(put) > BODY_MAX) {
        return false;
    }
    for (size_t i = 0; i < put->n_runs; i++) {
        char key[INBOX_ORDER_KEY_MAX + 1];
        inbox_order_key(put, put->runs[i].order, key);
        if (key[0] || put->runs[i].replaceable) {
            return false;
        }
    }
    return is_utf8(put->event) && is_utf8(put->action) && is_utf8(put->installation) &&
           is_utf8(put->repository) && is_utf8(put->sender);
}

/* May a PUT of a new delivery be carried out before this operation instead of after it? A claim
 * could take its runs, and a limit or a hold applies to the runs that come after it. */
static bool lets_puts_pass(enum inbox_kind kind) {
    switch (kind) {
    case INBOX_PUT:
    case INBOX_FINISH:
    case INBOX_RENEW:
    case INBOX_LEASE_CHECK:
    case INBOX_INTEND:
    case INBOX_COMPLETE:
    case INBOX_SET_HAS:
    case INBOX_SET_ADD:
    case INBOX_SET_REMOVE:
    case INBOX_KEY_GET:
    case INBOX_KEY_PUT:
    case INBOX_KEY_DELETE:
    case INBOX_RESERVE:
    case INBOX_STATS:
        return true;
    default:
        return false;
    }
}

/* The statement that is being planned. */
struct plan {
    struct inbox_operation *const *operations;
    size_t *leaders;
    size_t leader, n_puts, bytes;
};

static bool fits(const struct plan *plan, size_t index) {
    const struct inbox_put *put = put_at(plan->operations, index);
    if (plan->leader == STORE_NO_OPERATION || plan->n_puts == PUTS_MAX ||
        plan->bytes + stored_bytes(put) > BODIES_MAX) {
        return false;
    }
    /* The first of two deliveries with one GUID is stored, and in one statement, both would make
     * runs. */
    for (size_t i = plan->leader; i < index; i++) {
        if (plan->operations[i]->kind == INBOX_PUT &&
            strcmp(put_at(plan->operations, i)->guid, put->guid) == 0) {
            return false;
        }
    }
    return true;
}

/* A statement for one PUT would only be a slower one. */
static void end(struct plan *plan) {
    if (plan->n_puts == 1) {
        plan->leaders[plan->leader] = STORE_NO_OPERATION;
    }
    plan->leader = STORE_NO_OPERATION;
    plan->n_puts = plan->bytes = 0;
}

void postgres_put_many_plan(struct inbox_operation *const *operations, size_t n, size_t *leaders,
                            bool one_by_one) {
    struct plan plan = {.operations = operations, .leaders = leaders, .leader = STORE_NO_OPERATION};
    for (size_t i = 0; i < n; i++) {
        leaders[i] = STORE_NO_OPERATION;
        if (one_by_one || !lets_puts_pass(operations[i]->kind)) {
            end(&plan);
            continue;
        }
        if (operations[i]->kind != INBOX_PUT || !postgres_put_is_ordinary(put_at(operations, i))) {
            continue;
        }
        if (!fits(&plan, i)) {
            end(&plan);
            plan.leader = i;
        }
        leaders[i] = plan.leader;
        plan.n_puts++;
        plan.bytes += stored_bytes(put_at(operations, i));
    }
    end(&plan);
}

/* Sending */

struct deliveries {
    struct pg_array events, actions, installations, repositories, senders, items;
    struct pg_array received_ms, codecs, body_bytes, bodies, guids;
};

static void begin_deliveries(struct deliveries *all, size_t n) {
    struct pg_array *const texts[] = {&all->events,       &all->actions, &all->installations,
                                      &all->repositories, &all->senders, &all->items,
                                      &all->guids};
    struct pg_array *const numbers[] = {&all->received_ms, &all->codecs, &all->body_bytes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pg_array_begin(texts[i], PG_TEXT, n);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pg_array_begin(numbers[i], PG_BIGINT, n);
    }
    pg_array_begin(&all->bodies, PG_BYTEA, n);
}

static void add_delivery(struct deliveries *all, const struct inbox_put *put) {
    pg_array_text(&all->events, put->event);
    pg_array_text(&all->actions, put->action);
    pg_array_text(&all->installations, put->installation);
    pg_array_text(&all->repositories, put->repository);
    pg_array_text(&all->senders, put->sender);
    pg_array_text(&all->items, put->item);
    pg_array_number(&all->received_ms, put->received_ms);
    pg_array_number(&all->codecs, put->packed ? CODEC_LZ4 : CODEC_RAW);
    pg_array_number(&all->body_bytes, (int64_t)put->body_bytes);
    pg_array_blob(&all->bodies, put->packed ? put->packed : put->body, stored_bytes(put));
    pg_array_text(&all->guids, put->guid);
}

/* In the order of the statement's parameters. */
static void bind_deliveries(struct pg_query *query, struct deliveries *all) {
    struct pg_array *const arrays[] = {&all->events,       &all->actions, &all->installations,
                                       &all->repositories, &all->senders, &all->items,
                                       &all->received_ms,  &all->codecs,  &all->body_bytes,
                                       &all->bodies,       &all->guids};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        pg_query_array(query, arrays[i]);
    }
}

struct runs {
    struct pg_array guids, plugins, due_ms, hosts, leases_ms, tokens;
};

static void begin_runs(struct runs *all, size_t n) {
    pg_array_begin(&all->guids, PG_TEXT, n);
    pg_array_begin(&all->plugins, PG_TEXT, n);
    pg_array_begin(&all->due_ms, PG_BIGINT, n);
    pg_array_begin(&all->hosts, PG_BIGINT, n);
    pg_array_begin(&all->leases_ms, PG_BIGINT, n);
    pg_array_begin(&all->tokens, PG_BIGINT, n);
}

/* A run that is not to be leased has the token 0. */
static void add_runs(struct runs *all, const struct inbox_put *put) {
    for (size_t i = 0; i < put->n_runs; i++) {
        int64_t token = put->first_token + (int64_t)i;
        assert(token != 0);
        pg_array_text(&all->guids, put->guid);
        pg_array_text(&all->plugins, put->runs[i].plugin);
        pg_array_number(&all->due_ms, put->due_ms);
        pg_array_number(&all->hosts, put->host);
        pg_array_number(&all->leases_ms, put->lease_ms);
        pg_array_number(&all->tokens, put->runs[i].leased ? token : 0);
    }
}

static void bind_runs(struct pg_query *query, struct runs *all) {
    struct pg_array *const arrays[] = {&all->guids, &all->plugins,   &all->due_ms,
                                       &all->hosts, &all->leases_ms, &all->tokens};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        pg_query_array(query, arrays[i]);
    }
}

int postgres_put_many_send(struct postgres_store *store, struct inbox_operation *const *operations,
                           size_t n, const size_t *leaders, size_t leader, struct error *err) {
    struct deliveries deliveries;
    struct runs runs;
    size_t n_puts = 0, n_runs = 0;
    for (size_t i = leader; i < n; i++) {
        n_puts += leaders[i] == leader;
        n_runs += leaders[i] == leader ? put_at(operations, i)->n_runs : 0;
    }
    begin_deliveries(&deliveries, n_puts);
    if (n_runs > 0) {
        begin_runs(&runs, n_runs);
    }
    for (size_t i = leader; i < n; i++) {
        if (leaders[i] == leader) {
            const struct inbox_put *put = put_at(operations, i);
            add_delivery(&deliveries, put);
            add_runs(&runs, put);
            postgres_note_queued(store, put);
        }
    }
    struct pg_query query = pg_query_begin(n_runs > 0 ? PG_SQL_PUT_MANY : PG_SQL_PUT_MANY_ALONE);
    bind_deliveries(&query, &deliveries);
    if (n_runs > 0) {
        bind_runs(&query, &runs);
    }
    return pg_send(store, &query, err);
}

/* Taking */

/* A row is (guid, run, plugin, state, token): one for each run, or one for a delivery without runs.
 * Most rows come in the order of the PUTs, so the search begins at `*next`. Returns whether there
 * are any. */
static bool take_rows(struct inbox_put *put, const PGresult *result, int *next) {
    int rows = PQntuples(result), begin = *next;
    size_t found = 0, wanted = put->n_runs > 0 ? put->n_runs : 1;
    for (int looked = 0; looked < rows && found < wanted; looked++) {
        int row = (begin + looked) % rows;
        if (strcmp(pg_text(result, row, 0), put->guid) == 0) {
            postgres_take_id(put, result, row, 1);
            *next = (row + 1) % rows;
            found++;
        }
    }
    assert(found == 0 || found == wanted);
    return found > 0;
}

void postgres_put_many_take(struct inbox_operation *const *operations, size_t n,
                            const size_t *leaders, size_t leader, const PGresult *result,
                            bool *unsettled) {
    int next = 0;
    for (size_t i = leader; i < n; i++) {
        if (leaders[i] == leader) {
            struct inbox_put *put = put_at(operations, i);
            unsettled[i] = !take_rows(put, result, &next);
            put->operation.result = unsettled[i] ? INBOX_DUPLICATE : INBOX_STORED;
        }
    }
}
