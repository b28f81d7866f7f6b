/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the PostgreSQL store's transactions: how they end, what they cost, and what waits for
 * none. */
#ifndef SNEK_TESTS_CONTRACT_POSTGRES_COMMITS_H
#define SNEK_TESTS_CONTRACT_POSTGRES_COMMITS_H

#include "inbox_contract.h"

/* Adds them to `tests`; their number. */
#define COMMIT_TESTS_MAX 20
size_t postgres_commit_tests(const struct contract_store *store, struct CMUnitTest *tests);

#endif
