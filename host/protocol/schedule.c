/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parses cron's five fields, and finds slots day by day. */
#include "protocol/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
/* The 29th of February may be eight years away: 1896, 1904. */
#define DAYS_MAX (9 * 366)
#define FIELDS 5
/* Bytes of a field. */
#define FIELD_MAX 200

struct field {
    const char *name;
    unsigned least, most;
    /* Names of three letters each; the first one is `least`. NULL: none. */
    const char *names;
};

static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of the month", 1, 31, NULL},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
    /* 7 is Sunday too. */
    {"day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT"},
};

/* Reads a number or a name and moves `*at` past it. -1: there is none. */
static int read_value(const struct field *field, const char **at) {
    if (**at >= '0' && **at <= '9') {
        char *end;
        unsigned long value = strtoul(*at, &end, 10);
        bool fits = end - *at <= 2 && value >= field->least && value <= field->most;
        *at = end;
        return fits ? (int)value : -1;
    }
    for (size_t i = 0; field->names && field->names[i]; i += 3) {
        if (strncasecmp(*at, field->names + i, 3) == 0) {
            *at += 3;
            return (int)(field->least + i / 3);
        }
    }
    return -1;
}

/* "*", "3", "1-5", each perhaps with "/2". */
static int read_item(const struct field *field, const char **at, uint64_t *bits) {
    int first = (int)field->least, last = (int)field->most, step = 1;
    bool is_range = true;
    if (**at == '*') {
        (*at)++;
        last = field->most == 7 ? 6 : last;
    } else {
        first = last = read_value(field, at);
        is_range = **at == '-';
        if (is_range) {
            (*at)++;
            last = read_value(field, at);
        }
    }
    if (**at == '/') {
        char *end;
        (*at)++;
        step = **at >= '1' && **at <= '9' ? (int)strtoul(*at, &end, 10) : 0;
        if (step <= 0 || step > 60 || !is_range) {
            return -1;
        }
        *at = end;
    }
    if (first < 0 || last < first) {
        return -1;
    }
    for (int value = first; value <= last; value += step) {
        *bits |= UINT64_C(1) << (field->most == 7 ? value % 7 : value);
    }
    return 0;
}

static int read_field(const struct field *field, const char *text, uint64_t *bits) {
    const char *at = text;
    *bits = 0;
    do {
        at += at != text;
        if (read_item(field, &at, bits) < 0) {
            return -1;
        }
    } while (*at == ',');
    return *at == '\0' ? 0 : -1;
}

/* Are two of the minutes closer than the least period? Not over the hour: that of a step of 7 is
 * shorter there, and this is no harm. */
static bool is_too_often(uint64_t minutes) {
    int before = -SCHEDULE_MINUTES_MIN;
    for (int minute = 0; minute < 60; minute++) {
        if (!(minutes >> minute & 1)) {
            continue;
        }
        if (minute - before < SCHEDULE_MINUTES_MIN) {
            return true;
        }
        before = minute;
    }
    return false;
}

static int parse_cron(const char *cron, struct schedule_times *times, struct error *err) {
    uint64_t bits[FIELDS];
    bool stars[FIELDS];
    const char *at = cron;
    for (size_t i = 0; i < FIELDS; i++) {
        char text[FIELD_MAX];
        at += strspn(at, " ");
        size_t bytes = strcspn(at, " ");
        if (bytes == 0 || bytes >= sizeof text) {
            return error_set(err,
                             "\"%.100s\" must have five fields: minute, hour, day of the month, "
                             "month, day of the week",
                             cron);
        }
        memcpy(text, at, bytes);
        text[bytes] = '\0';
        at += bytes;
        if (read_field(&fields[i], text, &bits[i]) < 0) {
            return error_set(err, "\"%.100s\" has an invalid %s: \"%.40s\"", cron, fields[i].name,
                             text);
        }
        stars[i] = text[0] == '*';
    }
    if (at[strspn(at, " ")]) {
        return error_set(err, "\"%.100s\" has more than five fields", cron);
    }
    *times = (struct schedule_times){.minutes = bits[0],
                                     .hours = (uint32_t)bits[1],
                                     .days = (uint32_t)bits[2],
                                     .months = (uint32_t)bits[3],
                                     .weekdays = (uint32_t)bits[4],
                                     .any_day = stars[2],
                                     .any_weekday = stars[4]};
    if (is_too_often(times->minutes)) {
        return error_set(err, "\"%.100s\" has two slots with less than %d minutes between them",
                         cron, SCHEDULE_MINUTES_MIN);
    }
    if (schedule_next(times, 0) == SCHEDULE_NEVER) {
        return error_set(err, "\"%.100s\" names a day that does not exist", cron);
    }
    return 0;
}

int schedule_parse(uint32_t every_minutes, const char *cron, struct schedule_times *times,
                   struct error *err) {
    bool has_cron = cron && *cron;
    if ((every_minutes == 0) != has_cron) {
        return error_set(err, "it needs either .every_minutes or .cron");
    }
    if (has_cron) {
        return parse_cron(cron, times, err);
    }
    if (every_minutes < SCHEDULE_MINUTES_MIN || every_minutes > SCHEDULE_MINUTES_MAX) {
        return error_set(err, ".every_minutes is %u, and must be %d to %d", (unsigned)every_minutes,
                         SCHEDULE_MINUTES_MIN, SCHEDULE_MINUTES_MAX);
    }
    *times = (struct schedule_times){.every_minutes = every_minutes};
    return 0;
}

/* ---- slots ---- */

static int64_t floor_to(int64_t number, int64_t step) {
    int64_t rest = number % step;
    return number - rest - (rest < 0 ? step : 0);
}

/* The month and day of so many days since 1970, by the algorithm of Howard Hinnant's
 * civil_from_days(): years begin in March, so that the leap day is the last. */
static void month_and_day(int64_t days, unsigned *month, unsigned *day) {
    int64_t from_0 = days + 719468, era_days = 146097;
    unsigned of_era = (unsigned)(from_0 - floor_to(from_0, era_days));
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned from_march = (5 * of_year + 2) / 153;
    *day = of_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
}

static bool has_day(const struct schedule_times *times, int64_t days) {
    unsigned month, day;
    month_and_day(days, &month, &day);
    /* The first day of 1970 was a Thursday. */
    unsigned weekday = (unsigned)(days + 4 - floor_to(days + 4, 7));
    bool by_day = times->days >> day & 1, by_weekday = times->weekdays >> weekday & 1;
    bool either = !times->any_day && !times->any_weekday;
    return (times->months >> month & 1) && (either ? by_day || by_weekday : by_day && by_weekday);
}

static bool has_minute(const struct schedule_times *times, int minute) {
    return (times->hours >> (minute / 60) & 1) && (times->minutes >> (minute % 60) & 1);
}

int64_t schedule_last(const struct schedule_times *times, int64_t at_ms) {
    if (times->every_minutes) {
        return floor_to(at_ms, times->every_minutes * MINUTE_MS);
    }
    int64_t today = floor_to(at_ms, DAY_MS) / DAY_MS;
    for (int64_t days = today; days > today - DAYS_MAX; days--) {
        int last = days == today ? (int)((at_ms - days * DAY_MS) / MINUTE_MS) : 24 * 60 - 1;
        for (int minute = last; minute >= 0 && has_day(times, days); minute--) {
            if (has_minute(times, minute)) {
                return days * DAY_MS + minute * MINUTE_MS;
            }
        }
    }
    return SCHEDULE_NEVER;
}

int64_t schedule_next(const struct schedule_times *times, int64_t after_ms) {
    if (times->every_minutes) {
        return floor_to(after_ms, times->every_minutes * MINUTE_MS) +
               times->every_minutes * MINUTE_MS;
    }
    int64_t today = floor_to(after_ms, DAY_MS) / DAY_MS;
    for (int64_t days = today; days < today + DAYS_MAX; days++) {
        int first = days == today ? (int)((after_ms - days * DAY_MS) / MINUTE_MS) + 1 : 0;
        for (int minute = first; minute < 24 * 60 && has_day(times, days); minute++) {
            if (has_minute(times, minute)) {
                return days * DAY_MS + minute * MINUTE_MS;
            }
        }
    }
    return SCHEDULE_NEVER;
}
