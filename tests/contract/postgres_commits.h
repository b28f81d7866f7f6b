/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the PostgreSQL store's transactions: how they end, and what they cost. */
#ifndef SNEK_TESTS_CONTRACT_POSTGRES_COMMITS_H
#define SNEK_TESTS_CONTRACT_POSTGRES_COMMITS_H

void what_gave_way_in_a_deadlock_is_done_again(void **state);
void what_gives_way_again_and_again_is_rejected(void **state);
void a_lone_delivery_takes_one_round_trip(void **state);
void a_delivery_that_the_server_does_not_commit_is_rejected(void **state);

#endif
