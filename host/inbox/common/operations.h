/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kinds of operations as the writer sees them: one row of a table for each kind says what to
 * check, how many bytes it holds, and how its results are emptied and freed. */
#ifndef SNEK_INBOX_COMMON_OPERATIONS_H
#define SNEK_INBOX_COMMON_OPERATIONS_H

#include "inbox/operation.h"

#include <stddef.h>

/* Prepares what the store needs, on the thread that submits. */
void operation_prepare(struct inbox_operation *operation);
/* Frees what operation_prepare() made, before the result is posted. */
void operation_unprepare(struct inbox_operation *operation);

/* Posts the result to the client. Any thread; the operation is the client's again. */
void operation_post(struct inbox_operation *operation);
/* Opens that mail, on the client's thread. */
void operation_open_result(struct mail *mail);
/* Posts `error` as the result. */
void operation_post_failure(struct inbox_operation *operation, const struct error *error);

/* Checks the operation against the limits of the contract. 0; or -1 and the reason, which is an
 * error of the client and not of the store. */
int operation_check(const struct inbox_operation *operation, struct error *err);

/* How many bytes the operation gives to the store. The writer limits their sum in a group. */
size_t operation_bytes(const struct inbox_operation *operation);

/* Empties the results, because the client may have left old values there. */
void operation_clear(struct inbox_operation *operation);
/* Frees and empties the results of a transaction that was not committed. */
void operation_revoke(struct inbox_operation *operation);

#endif
