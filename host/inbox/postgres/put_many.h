/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores many deliveries of a group with one statement. A statement has a price of its own: for one
 * delivery, the server spends more time on preparing the execution than on the rows. */
#ifndef SNEK_INBOX_POSTGRES_PUT_MANY_H
#define SNEK_INBOX_POSTGRES_PUT_MANY_H

#include "inbox/deliveries.h"
#include "inbox/postgres/query.h"

/* Is it a new delivery, as far as the host knows, whose runs have no order, and which needs no
 * statement but the one that inserts it? */
bool postgres_put_is_ordinary(const struct inbox_put *put);

/* Finds the PUTs of the group that one statement can store. leaders[i] is the index of the first
 * PUT of the statement that stores operations[i] (i itself for the first one), or
 * STORE_NO_OPERATION when operations[i] sends its own statements, as all do if `one_by_one`. */
void postgres_put_many_plan(struct inbox_operation *const *operations, size_t n, size_t *leaders,
                            bool one_by_one);

/* Sends the statement of the first PUT `leader`. 0, -1. */
int postgres_put_many_send(struct postgres_store *store, struct inbox_operation *const *operations,
                           size_t n, const size_t *leaders, size_t leader, struct error *err);
/* Takes its result. Sets unsettled[i] for each PUT whose GUID is known. */
void postgres_put_many_take(struct inbox_operation *const *operations, size_t n,
                            const size_t *leaders, size_t leader, const PGresult *result,
                            bool *unsettled);

#endif
