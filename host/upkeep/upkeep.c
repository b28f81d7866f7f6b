/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "upkeep/private.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define WAIT_MAX_MS 60000

static void mail_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    (void)mailbox_open(&CONTAINER_OF(source, struct upkeep, mail_source)->mailbox);
}

int upkeep_new(const struct upkeep_options *options, struct upkeep **upkeep, struct error *err) {
    struct upkeep *made = calloc(1, sizeof *made);
    if (!made || mailbox_init(&made->mailbox) < 0) {
        free(made);
        return error_set(err, "upkeep: out of memory or descriptors");
    }
    made->options = *options;
    arc4random_buf(&made->elect.lease, sizeof made->elect.lease);
    made->elect.lease &= INT64_MAX;
    made->recovery.interval_ms = (int64_t)options->config->github.recover_interval_minutes * 60000;
    (void)pthread_mutex_init(&made->recovery.lock, NULL);
    made->mail_source = (struct loop_source){made->mailbox.event_fd, mail_ready};
    if (loop_add(options->loop, &made->mail_source, EPOLLIN) < 0) {
        (void)pthread_mutex_destroy(&made->recovery.lock);
        mailbox_finish(&made->mailbox);
        free(made);
        return error_set(err, "upkeep: cannot watch a mailbox: %s", strerror(errno));
    }
    *upkeep = made;
    return 0;
}

static int64_t earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int upkeep_tick(struct upkeep *upkeep) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = earliest(elect_tick(upkeep, now_ms), prune_tick(upkeep, now_ms));
    wait_ms = earliest(wait_ms, recovery_tick(upkeep, now_ms)) - now_ms;
    return wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
}

bool upkeep_status(void *context, struct buffer *json) {
    struct upkeep *upkeep = context;
    return recovery_status(&upkeep->recovery, json) == 0;
}

void upkeep_free(struct upkeep *upkeep) {
    if (upkeep) {
        upkeep->elect.closed = true;
        upkeep->prune.closed = true;
        upkeep->recovery.closed = upkeep->recovery.pass.closed = true;
        (void)mailbox_open(&upkeep->mailbox);
        loop_remove(upkeep->options.loop, &upkeep->mail_source);
        mailbox_finish(&upkeep->mailbox);
        recover_finish(&upkeep->recovery.pass);
        (void)pthread_mutex_destroy(&upkeep->recovery.lock);
        free(upkeep);
    }
}
