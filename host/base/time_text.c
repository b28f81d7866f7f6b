/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formats and parses times. */
#include "base/time_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void time_text(int64_t time_ms, char text[TIME_TEXT_MAX]) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int read_duration(const char *text, int64_t *duration_ms) {
    static const struct {
        char unit;
        int64_t unit_ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno != 0 || number < 0 || number > 1000000 || !end[0] || end[1]) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == *end) {
            *duration_ms = number * units[i].unit_ms;
            return 0;
        }
    }
    return -1;
}

/* "Z", "+01:00", "-0730", or nothing. */
static int read_offset(const char *text, int64_t *offset_s) {
    int hours, minutes, used = 0;
    *offset_s = 0;
    if (!text[0] || strcmp(text, "Z") == 0) {
        return 0;
    }
    if ((text[0] != '+' && text[0] != '-') ||
        (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 &&
         sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &used) != 2) ||
        text[1 + used] || hours < 0 || hours > 14 || minutes < 0 || minutes > 59) {
        return -1;
    }
    *offset_s = (text[0] == '-' ? -60 : 60) * (hours * INT64_C(60) + minutes);
    return 0;
}

int time_text_read(const char *text, int64_t now_ms, int64_t *time_ms) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    int64_t duration_ms, offset_s;
    if (read_duration(text, &duration_ms) == 0) {
        *time_ms = now_ms - duration_ms;
        return 0;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm utc = {0};
        const char *rest = strptime(text, forms[i], &utc);
        if (rest && read_offset(rest, &offset_s) == 0) {
            *time_ms = ((int64_t)timegm(&utc) - offset_s) * 1000;
            return 0;
        }
    }
    return -1;
}
