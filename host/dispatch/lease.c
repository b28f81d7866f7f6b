/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Renews the leases of all runs in memory together, three times in a lease's length. */
#include "dispatch/lease.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

#define RENEW_RETRY_MS 1000

void lease_init(struct lease_keeper *keeper, struct run_table *table) {
    *keeper = (struct lease_keeper){.table = table};
}

static int64_t lease_ms(const struct lease_keeper *keeper) {
    return keeper->table->options.lease_ms;
}

static void lose_lease(struct run *run) {
    if (!run->lease_lost) {
        run_log(run, SNEK_LEVEL_WARNING, "lease_lost",
                LOG_TEXT("reason", "this host was silent for longer than dispatch.lease_ms, and "
                                   "another host took the run"));
        run_set_lease_lost(run);
    }
}

static void on_run_renewed(const struct lease_keeper *keeper, struct run *run,
                           const struct inbox_held *held) {
    if (held->ours) {
        run_trust(run, keeper->asked_ms, lease_ms(keeper));
    } else {
        lose_lease(run);
    }
}

static const struct inbox_held *find_held(const struct inbox_renew *renew, const struct run *run) {
    for (size_t i = 0; i < renew->n_held; i++) {
        const struct inbox_held *held = &renew->held[i];
        if (held->run == run->data.id && held->token == run->data.token) {
            return held;
        }
    }
    return NULL;
}

static void on_renewed(struct inbox_operation *operation) {
    struct inbox_renew *renew = CONTAINER_OF(operation, struct inbox_renew, operation);
    struct lease_keeper *keeper = CONTAINER_OF(renew, struct lease_keeper, renew);
    assert(keeper->renewing);
    keeper->renewing = false;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "renewal_failed", LOG_TEXT("reason", operation->error.text));
        int64_t third_ms = lease_ms(keeper) / 3;
        keeper->next_ms =
            clock_monotonic_ms() + (third_ms < RENEW_RETRY_MS ? third_ms : RENEW_RETRY_MS);
    } else if (keeper->table->phase != RUN_PHASE_CLOSED) {
        struct run *run;
        TAILQ_FOREACH(run, &keeper->table->all, link_all) {
            const struct inbox_held *held = run->lease_lost ? NULL : find_held(renew, run);
            if (held) {
                on_run_renewed(keeper, run, held);
            }
        }
    }
    free(renew->held);
    renew->held = NULL;
}

/* Lists the runs to renew. False when there is none, or memory is short: then the next renewal may
 * still be early enough. */
static bool list_held(struct inbox_renew *renew, const struct run_table *table) {
    size_t n = 0;
    const struct run *run;
    TAILQ_FOREACH(run, &table->all, link_all) {
        n += !run->lease_lost;
    }
    renew->held = n > 0 ? calloc(n, sizeof *renew->held) : NULL;
    if (!renew->held) {
        return false;
    }
    TAILQ_FOREACH(run, &table->all, link_all) {
        if (!run->lease_lost) {
            renew->held[renew->n_held++] =
                (struct inbox_held){.run = run->data.id, .token = run->data.token};
        }
    }
    assert(renew->n_held == n);
    return true;
}

void lease_tick(struct lease_keeper *keeper, int64_t now_ms) {
    struct run_table *table = keeper->table;
    if (keeper->renewing || now_ms < keeper->next_ms) {
        return;
    }
    keeper->next_ms = now_ms + lease_ms(keeper) / 3;
    keeper->renew = (struct inbox_renew){.operation = {.kind = INBOX_RENEW,
                                                       .reply_to = table->options.mailbox,
                                                       .on_result = on_renewed},
                                         .lease_ms = lease_ms(keeper)};
    if (list_held(&keeper->renew, table)) {
        keeper->renewing = true;
        keeper->asked_ms = now_ms;
        inbox_submit(table->options.inbox, &keeper->renew.operation);
    }
}

int64_t lease_next_ms(const struct lease_keeper *keeper) {
    return keeper->renewing ? INT64_MAX : keeper->next_ms;
}
