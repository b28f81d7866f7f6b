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
    made->mail_source = (struct loop_source){made->mailbox.event_fd, mail_ready};
    if (loop_add(options->loop, &made->mail_source, EPOLLIN) < 0) {
        mailbox_finish(&made->mailbox);
        free(made);
        return error_set(err, "upkeep: cannot watch a mailbox: %s", strerror(errno));
    }
    *upkeep = made;
    return 0;
}

int upkeep_tick(struct upkeep *upkeep) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = prune_tick(upkeep, now_ms) - now_ms;
    return wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
}

void upkeep_free(struct upkeep *upkeep) {
    if (upkeep) {
        upkeep->prune.closed = true;
        (void)mailbox_open(&upkeep->mailbox);
        loop_remove(upkeep->options.loop, &upkeep->mail_source);
        mailbox_finish(&upkeep->mailbox);
        free(upkeep);
    }
}
