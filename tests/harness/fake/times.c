/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads and moves the times of the state. */
#include "fake/times.h"

#include "fake/state.h"

#include "base/time_text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PAST_MAX 1000000

/* "-8 d": so long before now. */
static int read_past(const char *text, int64_t now_ms, int64_t *time_ms) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    if (text[0] != '-' || !isdigit((unsigned char)text[1])) {
        return -1;
    }
    errno = 0;
    long long number = strtoll(text + 1, &end, 10);
    if (errno != 0 || number > PAST_MAX) {
        return -1;
    }
    end += *end == ' ';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *time_ms = now_ms - number * units[i].ms;
            return 0;
        }
    }
    return -1;
}

int times_read(const struct fake *fake, const char *text, char out[FAKE_TIME_MAX]) {
    int64_t now_ms = fake_now_s(fake) * 1000, time_ms;
    bool dated = strlen(text) >= 10 && text[4] == '-' && text[7] == '-';
    if (read_past(text, now_ms, &time_ms) < 0 &&
        (!dated || time_text_read(text, now_ms, &time_ms) < 0)) {
        return -1;
    }
    fake_time_text(time_ms / 1000, out);
    return 0;
}

static bool is_time(const char *key) {
    static const char *const times[] = {"created_at", "updated_at",   "merged_at",    "closed_at",
                                        "started_at", "completed_at", "submitted_at", "due_on"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (strcmp(key, times[i]) == 0) {
            return true;
        }
    }
    return false;
}

int times_rewrite(const struct fake *fake, json_t *value, struct error *err) {
    const char *key;
    json_t *item;
    size_t i;
    json_object_foreach(value, key, item) {
        char text[FAKE_TIME_MAX];
        if (!is_time(key) || !json_is_string(item)) {
            if (times_rewrite(fake, item, err) < 0) {
                return error_wrap(err, "%s", key);
            }
        } else if (times_read(fake, json_string_value(item), text) < 0) {
            return error_set(err,
                             "%s: \"%s\" is no time; write \"2025-01-31T23:59:59Z\", or \"-8 d\" "
                             "for 8 days ago (ms, s, min, h or d)",
                             key, json_string_value(item));
        } else {
            json_string_set(item, text);
        }
    }
    json_array_foreach(value, i, item) {
        if (times_rewrite(fake, item, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void times_touch(const struct fake *fake, json_t *issue) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(fake), now);
    json_object_set_new(issue, "updated_at", json_string(now));
}

static void follow(json_t *repository, const json_t *changes, const json_t *change) {
    const json_t *comment =
        list_find_number(json_object_get(repository, "comments"), "id", number_of(change, "id"));
    json_int_t number = number_of(comment ? comment : change, "issue");
    json_t *issue = list_find_number(json_object_get(repository, "issues"), "number", number);
    const json_t *given = list_find_number(json_object_get(changes, "issues"), "number", number);
    const char *at = text_of(change, "updated_at");
    at = at ? at : text_of(change, "created_at");
    const char *before = text_of(issue, "updated_at");
    if (at && before && !json_object_get(given, "updated_at") && strcmp(at, before) > 0) {
        json_object_set_new(issue, "updated_at", json_string(at));
    }
}

void times_follow_comments(json_t *state, const json_t *changes) {
    size_t i, k;
    json_t *repository, *comment;
    json_array_foreach(json_object_get(changes, "repositories"), i, repository) {
        const char *name = text_of(repository, "full_name");
        json_t *merged =
            name ? list_find(json_object_get(state, "repositories"), "full_name", name) : NULL;
        json_array_foreach(json_object_get(repository, "comments"), k, comment) {
            follow(merged, repository, comment);
        }
    }
}
