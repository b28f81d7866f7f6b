/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The timers that an attempt sets and cancels. They are stored with the completion of a run that
 * ends well, so a failed attempt sets none. Threads: the loop's. */
#ifndef SNEK_DISPATCH_TIMER_LIST_H
#define SNEK_DISPATCH_TIMER_LIST_H

#include "inbox/timers.h"
#include "protocol/frames.h"

#include <stdbool.h>

struct timer_list {
    /* In the order of the calls. Their texts belong to the list. */
    struct inbox_timer_change *changes;
    size_t n_changes;
    uint64_t bytes;
};

/* `payload` is empty to cancel the timer. False when the list is full, or memory is short. */
bool timer_list_add(struct timer_list *list, int64_t delay_ms, struct frame_text key,
                    struct frame_text payload);
void timer_list_finish(struct timer_list *list);

#endif
