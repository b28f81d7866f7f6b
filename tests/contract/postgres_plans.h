/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the PostgreSQL store's plans. */
#ifndef SNEK_TESTS_CONTRACT_POSTGRES_PLANS_H
#define SNEK_TESTS_CONTRACT_POSTGRES_PLANS_H

#include "inbox_contract.h"

/* Adds them to `tests`; their number. */
#define PLAN_TESTS_MAX 20
size_t postgres_plan_tests(const struct contract_store *store, struct CMUnitTest *tests);

#endif
