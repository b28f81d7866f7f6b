/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The time that the console may take while webhooks keep the store busy: a small share of the wall
 * clock, with a burst. All pages share one budget.
 *
 * A page that took X is followed by a wait of (CONSOLE_PARTS_OF_TIME - 1) * X, less what the burst
 * has left. The wall time of a page bounds all that the page takes from others: the processor of
 * this host and of PostgreSQL's server, disks and locks. */
#ifndef SNEK_CONSOLE_BUDGET_H
#define SNEK_CONSOLE_BUDGET_H

#include <stdint.h>

/* Webhooks keep the store busy when their transactions took this part of the last second. */
#define CONSOLE_BUSY_PERCENT 25
/* The console gets one of so many parts of the time. */
#define CONSOLE_PARTS_OF_TIME 32
/* Pages may take so long at once after a pause. */
#define CONSOLE_BURST_US INT64_C(100000)
/* One page never makes the next one wait longer. */
#define CONSOLE_WAIT_MAX_US INT64_C(2000000)

/* Zeroed: the whole burst is there. */
struct console_budget {
    /* Monotonic: all pages so far are paid for then. */
    int64_t paid_us;
};

/* How long the next page has to wait; 0: not at all. */
int64_t console_budget_wait_us(const struct console_budget *budget, int64_t now_us);
/* A page ended at `now_us`, and took so long. */
void console_budget_spend(struct console_budget *budget, int64_t took_us, int64_t now_us);

#endif
