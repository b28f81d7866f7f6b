/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One operation of the inbox for each check; it outlives a waiter that forgets it. */
#include "broker/lease_check.h"

#include "inbox/leases.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdlib.h>

struct lease_check {
    struct inbox_lease_check inbox;
    struct lease_checker *checker;
    /* NULL: it has forgotten the check. */
    struct lease_waiter *waiter;
};

static void on_result(struct inbox_operation *operation) {
    struct inbox_lease_check *inbox = CONTAINER_OF(operation, struct inbox_lease_check, operation);
    struct lease_check *check = CONTAINER_OF(inbox, struct lease_check, inbox);
    struct lease_waiter *waiter = check->waiter;
    struct error err = operation->error;
    int result = operation->result;
    assert(check->checker->in_progress > 0);
    check->checker->in_progress--;
    free(check);
    if (!waiter) {
        return;
    }
    waiter->check = NULL;
    int32_t outcome = 0;
    if (result < 0) {
        outcome = SNEK_E_STORE;
    } else if (result == INBOX_STALE) {
        outcome = SNEK_E_STALE;
        error_set(&err, "while it waited, its run was ended, or taken over by another host");
    }
    waiter->on_checked(waiter, outcome, &err);
}

int lease_check_begin(struct lease_checker *checker, const struct lease_holder *holder,
                      struct lease_waiter *waiter) {
    assert(!waiter->check && holder->run != 0 && checker->inbox);
    struct lease_check *check = calloc(1, sizeof *check);
    if (!check) {
        return -1;
    }
    *check = (struct lease_check){.checker = checker,
                                  .waiter = waiter,
                                  .inbox = {.operation = {.kind = INBOX_LEASE_CHECK,
                                                          .reply_to = checker->mailbox,
                                                          .on_result = on_result},
                                            .run = holder->run,
                                            .token = holder->token,
                                            .lease_ms = holder->lease_ms}};
    waiter->check = check;
    checker->in_progress++;
    inbox_submit(checker->inbox, &check->inbox.operation);
    return 0;
}

void lease_check_forget(struct lease_waiter *waiter) {
    if (waiter->check) {
        waiter->check->waiter = NULL;
        waiter->check = NULL;
    }
}
