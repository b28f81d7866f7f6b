/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How busy something was in the last second: a window that slides over two counters. */
#ifndef SNEK_INBOX_COMMON_LOAD_H
#define SNEK_INBOX_COMMON_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_WINDOW_US INT64_C(1000000)

/* All times are the monotonic clock's, in microseconds, and never go back. Zeroed: never busy. */
struct load {
    /* The start of the present window. */
    int64_t window_us;
    /* Busy microseconds of the window before, and of the present one up to `counted_us`. */
    int64_t before_us, present_us;
    bool busy;
    /* While it is busy. */
    int64_t counted_us;
};

/* The busy time begins or ends. Neither may follow itself. */
void load_begin(struct load *load, int64_t now_us);
void load_end(struct load *load, int64_t now_us);

/* The busy part of the last second in percent, 0 to 100. Within the present window, the window
 * before counts with the part of it that lies in the last second, as if it had been evenly busy. */
unsigned load_percent(struct load *load, int64_t now_us);

#endif
