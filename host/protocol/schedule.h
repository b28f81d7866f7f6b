/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The times of a schedule, which are its *slots*: every N minutes, or five cron fields. All times
 * are UTC, in milliseconds since 1970. */
#ifndef SNEK_PROTOCOL_SCHEDULE_H
#define SNEK_PROTOCOL_SCHEDULE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_MINUTES_MIN 5
/* A year. */
#define SCHEDULE_MINUTES_MAX 527040
/* There is no such slot. */
#define SCHEDULE_NEVER INT64_MIN

struct schedule_times {
    /* 0: the members below count. Slots are multiples of it. */
    uint32_t every_minutes;
    /* Bit n: the minute, hour, day, month or weekday (0 Sunday) n is in the field. */
    uint64_t minutes;
    uint32_t hours, days, months, weekdays;
    /* The field is `*`. If neither is, a day matches when one of the two fields does. */
    bool any_day, any_weekday;
};

/* Either `every_minutes` or `cron` is given; the other is 0, or "". A field has numbers, ranges
 * (1-5), steps (0-30/10, or a star with /15), lists of these, and for months and weekdays also
 * names of three letters. Slots of an hour have at least SCHEDULE_MINUTES_MIN between them. 0, or
 * -1 and the problem. */
int schedule_parse(uint32_t every_minutes, const char *cron, struct schedule_times *times,
                   struct error *err);

/* The last slot at or before this time, and the first one after it; SCHEDULE_NEVER when there is
 * none within nine years. */
int64_t schedule_last(const struct schedule_times *times, int64_t at_ms);
int64_t schedule_next(const struct schedule_times *times, int64_t after_ms);

#endif
