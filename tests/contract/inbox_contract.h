/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The contract of host/inbox/inbox.h as tests that every store passes. A store's own program says
 * how to get an empty store and runs them; it adds tests of what only that store has. */
#ifndef SNEK_TESTS_INBOX_CONTRACT_H
#define SNEK_TESTS_INBOX_CONTRACT_H

#include "../unit/unit.h"

#include "inbox/admin.h"
#include "inbox/bot_user.h"
#include "inbox/deliveries.h"
#include "inbox/inbox.h"
#include "inbox/installations.h"
#include "inbox/maintenance.h"
#include "inbox/plugin_state.h"
#include "inbox/rate_limits.h"
#include "inbox/stats.h"

struct contract_store {
    /* An empty place of a store's own; fails the test when it cannot. */
    void *(*make)(void);
    void (*remove)(void *place);
    int (*open)(void *place, int64_t now_ms, struct inbox **inbox, struct error *err);
    /* SQL that all stores know, on a connection of its own; the first column of the first row. */
    int64_t (*query)(void *place, const char *sql);
    /* From now on the database itself rejects the delivery with this GUID, and a response of an
     * effect with this message. */
    void (*poison)(void *place, const char *text);
};

/* Is `name` in the part that a program was called with? NULL means every part. */
bool contract_has(const char *part, const char *name);

/* Adds the contract's tests of a part to `tests`, which has room for so many; their number. The
 * parts are "deliveries", "runs" and "state". A store's own tests are a part of that name: "own".
 */
#define CONTRACT_TESTS_MAX 240
size_t contract_tests(const struct contract_store *store, const char *part,
                      struct CMUnitTest *tests);
size_t contract_claim_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_group_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_lease_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_order_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_audit_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_item_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_people_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_redelivery_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_preview_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_hold_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_timer_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_host_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_waiting_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_pull_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_wait_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_console_tests(const struct contract_store *store, struct CMUnitTest *tests);
size_t contract_journal_tests(const struct contract_store *store, struct CMUnitTest *tests);

/* One test of a list in which `store` is a variable; it finds a fixture as its state. */
#define CONTRACT(test)                                                                             \
    { #test, test, fixture_set_up, fixture_tear_down, (void *)(uintptr_t)store }
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* A test has a place, an inbox that is open on it (unless the test closed it), a mailbox. */
struct fixture {
    const struct contract_store *store;
    void *place;
    struct inbox *inbox;
    struct mailbox mailbox;
    unsigned answered;
};

/* The wall's time of these tests, unless one says another. */
#define FIXTURE_NOW 1700000000000

/* The number of the host that fixture_open() made last. */
int64_t fixture_host(void);

void fixture_open(struct fixture *fixture, int64_t now_ms); /* again, after fixture_close() */
void fixture_close(struct fixture *fixture);

/* Submits without waiting; waits until `n` answers have come since the last fixture_wait(); both.
 */
void fixture_submit(struct fixture *fixture, struct inbox_operation *operation);
void fixture_wait(struct fixture *fixture, unsigned n);
int fixture_do(struct fixture *fixture, struct inbox_operation *operation);

/* How many runs are in these states. */
void fixture_expect_stats(struct fixture *fixture, int64_t queued, int64_t running, int64_t dead);

/* Operations with defaults: a push for plugin "invite" of installation 7, received and due now. */
struct inbox_put put_of(const char *guid);
struct inbox_claim claim_of(struct inbox_claim_share *shares, size_t n_shares, int64_t now_ms);
struct inbox_finish finish_of(const struct inbox_run *run, enum inbox_finish_how how);

/* Claims everything that `plugin` has due; the caller frees claim.runs. */
struct inbox_claim fixture_claim(struct fixture *fixture, const char *plugin, int64_t now_ms);

/* Delivers again what a host rejected because another host's group held a lock for too long, as on
 * a busy machine. GitHub's recovery does the same. */
void fixture_put_again(struct fixture *fixture, struct inbox_put *puts, size_t n);

/* Claims the one run of "invite" that is due; the caller ends it with inbox_run_finish(). The
 * second stores put_of(guid) before. */
struct inbox_run fixture_claim_one(struct fixture *fixture);
/* Counts a redelivery that the host is about to request, of three at most. The result. */
int fixture_count_redelivery(struct fixture *fixture, const char *guid);
struct inbox_run fixture_put_and_claim(struct fixture *fixture, const char *guid);

/* Writes these records for a run, with a lease of 30 s; borrows them. */
struct inbox_journal_writer writer_of(const struct inbox_run *run,
                                      const struct inbox_record *const *records, size_t n_records);

#endif
