/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "maintenance/private.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define WAIT_MAX_MS 60000

static void mail_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    (void)mailbox_drain(&CONTAINER_OF(source, struct maintenance, mail_source)->mailbox);
}

int maintenance_new(const struct maintenance_options *options, struct maintenance **maintenance,
                    struct error *err) {
    struct maintenance *made = calloc(1, sizeof *made);
    if (!made || mailbox_init(&made->mailbox) < 0) {
        free(made);
        return error_set(err, "maintenance: out of memory or descriptors");
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
        return error_set(err, "maintenance: cannot watch a mailbox: %s", strerror(errno));
    }
    *maintenance = made;
    return 0;
}

static int64_t earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int maintenance_tick(struct maintenance *maintenance) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = earliest(elect_tick(maintenance, now_ms), prune_tick(maintenance, now_ms));
    wait_ms = earliest(wait_ms, recovery_tick(maintenance, now_ms)) - now_ms;
    return wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
}

bool maintenance_status(void *context, struct buffer *json) {
    struct maintenance *maintenance = context;
    return recovery_status(&maintenance->recovery, json) == 0;
}

void maintenance_free(struct maintenance *maintenance) {
    if (maintenance) {
        maintenance->elect.closed = true;
        maintenance->prune.closed = true;
        maintenance->recovery.closed = maintenance->recovery.pass.closed = true;
        (void)mailbox_drain(&maintenance->mailbox);
        loop_remove(maintenance->options.loop, &maintenance->mail_source);
        mailbox_finish(&maintenance->mailbox);
        recover_finish(&maintenance->recovery.pass);
        (void)pthread_mutex_destroy(&maintenance->recovery.lock);
        free(maintenance);
    }
}
