/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the PostgreSQL store's plans. */
#ifndef SNEK_TESTS_CONTRACT_POSTGRES_PLANS_H
#define SNEK_TESTS_CONTRACT_POSTGRES_PLANS_H

void due_runs_are_found_by_their_indexes_with_statistics_and_without(void **state);
void a_claim_reads_no_runs_that_are_not_due(void **state);
void statements_use_indexes_and_are_planned_once(void **state);
void the_statements_of_the_console_use_indexes(void **state);

#endif
