/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ends the ordinary runs of a group with one statement, whose parameters are arrays. Ordinary are
 * runs that are done, have no order, and leave no journal: others need statements of their own. */
#include "inbox/postgres/finish_many.h"

#include "base/list.h"
#include "inbox/postgres/array.h"
#include "inbox/postgres/operations.h"

#include <assert.h>
#include <string.h>

/* The server looks for each run in the arrays. */
#define FINISHES_MAX 64

static struct inbox_finish *finish_at(struct inbox_operation *const *operations, size_t index) {
    assert(operations[index]->kind == INBOX_FINISH);
    return CONTAINER_OF(operations[index], struct inbox_finish, operation);
}

static bool is_ordinary(const struct inbox_operation *operation) {
    if (operation->kind != INBOX_FINISH) {
        return false;
    }
    const struct inbox_finish *finish =
        CONTAINER_OF(operation, const struct inbox_finish, operation);
    return finish->how == INBOX_DONE && !finish->order_key[0] && !finish->has_journal &&
           !finish->suspect && finish->crashes == 0 && !finish->reason[0];
}

/* May a FINISH be carried out after this operation instead of before it? An operation of people, or
 * a claim, may look at runs that have ended. */
static bool lets_finishes_wait(enum inbox_kind kind) {
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
        return true;
    default:
        return false;
    }
}

/* The statement that is being planned: its members so far. */
struct plan {
    struct inbox_operation *const *operations;
    size_t *leaders;
    size_t members[FINISHES_MAX];
    size_t n;
};

/* One statement has one label. Of two FINISHes of one run the second is stale, and one statement
 * would end the run for both. */
static bool fits(const struct plan *plan, const struct inbox_finish *finish) {
    for (size_t i = 0; i < plan->n; i++) {
        const struct inbox_finish *other = finish_at(plan->operations, plan->members[i]);
        if (other->run == finish->run || strcmp(other->label, finish->label) != 0) {
            return false;
        }
    }
    return plan->n < FINISHES_MAX;
}

/* A statement for one FINISH would only be a slower one. */
static void end(struct plan *plan) {
    for (size_t i = 0; plan->n > 1 && i < plan->n; i++) {
        plan->leaders[plan->members[i]] = plan->members[plan->n - 1];
    }
    plan->n = 0;
}

void postgres_finish_many_plan(struct inbox_operation *const *operations, size_t n, size_t *leaders,
                               bool one_by_one) {
    struct plan plan = {.operations = operations, .leaders = leaders};
    for (size_t i = 0; i < n && !one_by_one; i++) {
        if (!lets_finishes_wait(operations[i]->kind)) {
            end(&plan);
        }
        if (!is_ordinary(operations[i])) {
            continue;
        }
        assert(leaders[i] == STORE_NO_OPERATION);
        if (!fits(&plan, finish_at(operations, i))) {
            end(&plan);
        }
        plan.members[plan.n++] = i;
    }
    end(&plan);
}

int postgres_finish_many_send(struct postgres_store *store,
                              struct inbox_operation *const *operations, const size_t *leaders,
                              size_t leader, struct error *err) {
    struct pg_array runs, tokens, now_ms;
    size_t n = 0;
    for (size_t i = 0; i <= leader; i++) {
        n += leaders[i] == leader;
    }
    assert(n > 1 && n <= FINISHES_MAX);
    pg_array_begin(&runs, PG_BIGINT, n);
    pg_array_begin(&tokens, PG_BIGINT, n);
    pg_array_begin(&now_ms, PG_BIGINT, n);
    for (size_t i = 0; i <= leader; i++) {
        if (leaders[i] == leader) {
            const struct inbox_finish *finish = finish_at(operations, i);
            pg_array_number(&runs, finish->run);
            pg_array_number(&tokens, finish->token);
            pg_array_number(&now_ms, finish->now_ms);
        }
    }
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_END);
    pg_query_array(&query, &runs);
    pg_query_array(&query, &tokens);
    pg_query_array(&query, &now_ms);
    pg_query_shown(&query, finish_at(operations, leader)->label);
    return pg_send(store, &query, err);
}

static bool has_row(const PGresult *result, int64_t run) {
    for (int row = 0; row < PQntuples(result); row++) {
        if (pg_number(result, row, 0) == run) {
            return true;
        }
    }
    return false;
}

void postgres_finish_many_take(struct inbox_operation *const *operations, const size_t *leaders,
                               size_t leader, const PGresult *result) {
    for (size_t i = 0; i <= leader; i++) {
        if (leaders[i] == leader) {
            struct inbox_finish *finish = finish_at(operations, i);
            finish->operation.result = has_row(result, finish->run) ? 0 : INBOX_STALE;
        }
    }
}
