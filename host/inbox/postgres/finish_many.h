/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ends many runs of a group with one statement, for the reason of put_many.h: each execution has a
 * price that does not depend on its rows. */
#ifndef SNEK_INBOX_POSTGRES_FINISH_MANY_H
#define SNEK_INBOX_POSTGRES_FINISH_MANY_H

#include "inbox/deliveries.h"
#include "inbox/postgres/query.h"

/* Finds the FINISHes of the group that one statement can carry out, after postgres_put_many_plan().
 * leaders[i] is the index of the last FINISH of the statement that carries out operations[i] (i
 * itself for the last one). The statement takes its place, so the earlier ones are late and none is
 * early. Plans nothing if `one_by_one`. */
void postgres_finish_many_plan(struct inbox_operation *const *operations, size_t n, size_t *leaders,
                               bool one_by_one);

/* Sends the statement of the last FINISH `leader`. 0, -1. */
int postgres_finish_many_send(struct postgres_store *store,
                              struct inbox_operation *const *operations, const size_t *leaders,
                              size_t leader, struct error *err);
/* Takes its result. */
void postgres_finish_many_take(struct inbox_operation *const *operations, const size_t *leaders,
                               size_t leader, const PGresult *result);

#endif
