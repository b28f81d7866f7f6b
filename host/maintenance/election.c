/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes and renews the lease that makes this host the elected one, and logs each change. */
#include "maintenance/election.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

/* The longest interval between renewals of the elected host. */
#define RENEW_MS 5000
/* So often another host asks. It bounds how long the maintenance rests after the elected host was
 * killed. */
#define STANDBY_MS 1000
#define FAILED_RENEW_MS 1000

void election_init(struct election *election, struct inbox *inbox, struct mailbox *mailbox,
                   int64_t lease_ms, const char *configured) {
    assert(lease_ms > 0);
    *election = (struct election){
        .inbox = inbox, .mailbox = mailbox, .lease_ms = lease_ms, .configured = configured};
    arc4random_buf(&election->holder, sizeof election->holder);
    election->holder &= INT64_MAX;
}

static void set_elected(struct election *election, bool elected) {
    if (elected != election->elected) {
        log_event(SNEK_LEVEL_INFO, elected ? "maintenance_taken" : "maintenance_elsewhere");
    }
    election->elected = elected;
}

static void on_elected(struct inbox_operation *operation) {
    struct inbox_elect *elect = CONTAINER_OF(operation, struct inbox_elect, operation);
    struct election *election = CONTAINER_OF(elect, struct election, elect);
    int64_t now_ms = clock_monotonic_ms(), third_ms = election->lease_ms / 3;
    int64_t most_ms = operation->result == 1 ? RENEW_MS : STANDBY_MS;
    assert(election->under_way);
    election->under_way = false;
    if (election->closed || election->released) {
        return;
    }
    /* other operations log that the store fails */
    if (operation->result < 0) {
        election->next_ms = now_ms + FAILED_RENEW_MS;
        return;
    }
    election->until_ms = operation->result == 1 ? election->asked_ms + election->lease_ms : 0;
    election->next_ms = now_ms + (third_ms < most_ms ? third_ms : most_ms);
    if (elect->configured) {
        election->configured_ms = election->asked_ms;
    }
    set_elected(election, operation->result == 1);
}

static void ask(struct election *election, int64_t lease_ms) {
    int64_t now_ms = clock_monotonic_ms();
    bool renews = election->configured_ms == 0 || now_ms - election->configured_ms >= RENEW_MS;
    election->elect = (struct inbox_elect){
        .operation = {.kind = INBOX_ELECT, .reply_to = election->mailbox, .on_result = on_elected},
        .host = election->holder,
        .lease_ms = lease_ms,
        .now_ms = clock_wall_ms(),
        .configured = renews ? election->configured : NULL,
    };
    election->under_way = true;
    election->asked_ms = now_ms;
    inbox_submit(election->inbox, &election->elect.operation);
}

int64_t election_tick(struct election *election, int64_t now_ms) {
    if (election->elected && election->until_ms <= now_ms) {
        set_elected(election, false);
    }
    if (election->under_way) {
        return INT64_MAX;
    }
    if (election->next_ms > now_ms) {
        return election->next_ms;
    }
    ask(election, election->lease_ms);
    return INT64_MAX;
}

void election_release(struct election *election) {
    bool held = election->elected && !election->under_way;
    election->released = true;
    if (held) {
        /* The lease ends now. */
        ask(election, 0);
    }
}

bool election_is_won(const struct election *election) {
    return election->elected;
}

void election_close(struct election *election) {
    election->closed = true;
}
