/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The leases of the runs that this host has. Each is renewed long before it lapses; by our own
 * clock we know until when nobody else can have taken a run. A host that was stopped for longer
 * finds that out here: what its runs still say is rejected. */
#include "dispatch/private.h"

#include "base/clock.h"

#include <stdlib.h>

static int64_t lease_ms(const struct dispatch *dispatch) {
    return dispatch->options.config->dispatch.lease_ms;
}

void lease_trust(struct run *run, int64_t asked_ms) {
    int64_t until_ms = asked_ms + lease_ms(run->plugin->dispatch);
    run->trusted_until_ms = until_ms > run->trusted_until_ms ? until_ms : run->trusted_until_ms;
}

bool lease_is_trusted(const struct run *run) {
    /* With time to spare, in which what is asked next can be done. */
    return clock_monotonic_ms() + lease_ms(run->plugin->dispatch) / 6 < run->trusted_until_ms;
}

void lease_lost(struct run *run) {
    struct worker_process *worker_process = run->plugin->worker_process;
    if (run->disowned) {
        return;
    }
    run->disowned = true;
    log_event(SNEK_LEVEL_WARNING, "lease_lost", LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("plugin", plugin_name(run->plugin)),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt),
              LOG_TEXT("reason", "this host was silent for longer than dispatch.lease_ms, and "
                                 "another took the run"));
    if (run->sent && worker_process) {
        worker_process_send_cancel(worker_process, run->handle);
    }
}

/* Calls `each` for every run that is ours by a lease. */
static void for_each(struct dispatch *dispatch, void (*each)(struct dispatch *, struct run *)) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        for (struct run *run = dispatch->plugins[i].runs; run; run = run->next) {
            each(dispatch, run);
        }
        for (struct run *run = dispatch->plugins[i].held; run; run = run->next) {
            each(dispatch, run);
        }
    }
    for (struct run *run = dispatch->unfinished; run; run = run->next) {
        each(dispatch, run);
    }
}

static void count(struct dispatch *dispatch, struct run *run) {
    dispatch->renew.n_held += !run->disowned;
}

static void name(struct dispatch *dispatch, struct run *run) {
    if (!run->disowned) {
        dispatch->renew.held[dispatch->renew.n_held++] =
            (struct inbox_held){.run = run->data.id, .attempt = run->data.attempt};
    }
}

static void judge(struct dispatch *dispatch, struct run *run) {
    const struct inbox_renew *renew = &dispatch->renew;
    for (size_t i = 0; i < renew->n_held && !run->disowned; i++) {
        const struct inbox_held *held = &renew->held[i];
        if (held->run != run->data.id || held->attempt != run->data.attempt) {
            continue;
        }
        if (held->ours) {
            lease_trust(run, dispatch->renew_asked_ms);
        } else if (run->trusted_until_ms <= dispatch->renew_asked_ms + lease_ms(dispatch)) {
            lease_lost(run); /* and it was not claimed anew since */
        }
        return;
    }
}

static void renew_done(struct inbox_operation *operation) {
    struct inbox_renew *renew = CONTAINER_OF(operation, struct inbox_renew, operation);
    struct dispatch *dispatch = CONTAINER_OF(renew, struct dispatch, renew);
    dispatch->renewing = false;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "renewal_failed", LOG_TEXT("reason", operation->error.text));
        int64_t third_ms = lease_ms(dispatch) / 3;
        dispatch->renew_next_ms =
            clock_monotonic_ms() + (third_ms < FINISH_AGAIN_MS ? third_ms : FINISH_AGAIN_MS);
    } else if (!dispatch->closed) {
        for_each(dispatch, judge);
    }
    free(renew->held);
    renew->held = NULL;
}

void lease_tick(struct dispatch *dispatch, int64_t now_ms) {
    if (dispatch->renewing || now_ms < dispatch->renew_next_ms) {
        return;
    }
    dispatch->renew_next_ms = now_ms + lease_ms(dispatch) / 3;
    dispatch->renew = (struct inbox_renew){
        .operation = {.kind = INBOX_RENEW, .reply_to = &dispatch->mailbox, .on_result = renew_done},
        .lease = dispatch->lease,
        .lease_ms = lease_ms(dispatch)};
    for_each(dispatch, count);
    if (dispatch->renew.n_held == 0) {
        return;
    }
    dispatch->renew.held = calloc(dispatch->renew.n_held, sizeof *dispatch->renew.held);
    if (!dispatch->renew.held) {
        return; /* the next time may be in time */
    }
    dispatch->renew.n_held = 0;
    for_each(dispatch, name);
    dispatch->renewing = true;
    dispatch->renew_asked_ms = now_ms;
    inbox_submit(dispatch->options.inbox, &dispatch->renew.operation);
}

int64_t lease_next_ms(const struct dispatch *dispatch) {
    return dispatch->renewing ? INT64_MAX : dispatch->renew_next_ms;
}
