/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One throttle for each plugin; those used least recently are forgotten. */
#include "broker/rejection_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/throttle.h"
#include "inbox/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGINS_MAX 256

struct plugin_lines {
    struct lru_entry entry;
    char plugin[INBOX_NAME_MAX + 1];
    struct throttle throttle;
};

static struct plugin_lines *lines_of(struct lru_entry *entry) {
    return CONTAINER_OF(entry, struct plugin_lines, entry);
}

/* `now_ms` INT64_MAX: also those of the current second. */
static void report(struct plugin_lines *lines, int64_t now_ms) {
    unsigned withheld = throttle_take(&lines->throttle, now_ms);
    if (withheld > 0) {
        log_event(SNEK_LEVEL_WARNING, "request", LOG_TEXT("plugin", lines->plugin),
                  LOG_NUMBER("more", withheld),
                  LOG_TEXT("reason", "too many rejected requests in a second to log each"));
    }
}

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    report(lines_of(entry), INT64_MAX);
    free(lines_of(entry));
}

void rejection_log_init(struct rejection_log *log) {
    lru_map_init(&log->plugins,
                 &(struct lru_map_options){.entries_max = PLUGINS_MAX, .on_evict = on_evict});
}

void rejection_log_finish(struct rejection_log *log) {
    lru_map_finish(&log->plugins);
}

bool rejection_log_passes(struct rejection_log *log, const char *plugin) {
    const char *name = plugin ? plugin : "";
    struct lru_entry *found = lru_map_find(&log->plugins, name, strlen(name));
    struct plugin_lines *lines = found ? lines_of(found) : calloc(1, sizeof *lines);
    if (!lines) {
        return false;
    }
    if (!found) {
        snprintf(lines->plugin, sizeof lines->plugin, "%s", name);
        if (lru_map_put(&log->plugins, &lines->entry, name, strlen(name), 0) < 0) {
            free(lines);
            return false;
        }
    }
    int64_t now_ms = clock_monotonic_ms();
    report(lines, now_ms);
    return throttle_pass(&lines->throttle, now_ms, REJECTION_LOG_A_SECOND);
}

int rejection_log_wait_ms(const struct rejection_log *log, int most_ms) {
    int64_t now_ms = clock_monotonic_ms(), wait_ms = most_ms;
    for (struct lru_entry *entry = lru_map_first(&log->plugins); entry;
         entry = lru_map_next(entry)) {
        int64_t due_ms = throttle_due_ms(&lines_of(entry)->throttle);
        if (due_ms != INT64_MAX && due_ms - now_ms < wait_ms) {
            wait_ms = due_ms - now_ms;
        }
    }
    return wait_ms < 0 ? 0 : (int)wait_ms;
}

void rejection_log_handle(struct rejection_log *log) {
    int64_t now_ms = clock_monotonic_ms();
    for (struct lru_entry *entry = lru_map_first(&log->plugins); entry;
         entry = lru_map_next(entry)) {
        report(lines_of(entry), now_ms);
    }
}
