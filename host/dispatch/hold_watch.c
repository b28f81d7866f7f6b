/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the holds from the store again and again. */
#include "dispatch/hold_watch.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/text.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An operator who pauses a plugin sees it obeyed after this time at the latest. */
#define READ_INTERVAL_MS 2000
/* /readyz shows holds up to about so many bytes, and counts the others. */
#define RENDER_MAX ((size_t)32 << 10)

void hold_watch_init(struct hold_watch *watch, const struct hold_watch_options *options) {
    *watch = (struct hold_watch){.options = *options};
    TAILQ_INIT(&watch->changes);
    pthread_mutex_init(&watch->lock, NULL);
}

struct hold_writer {
    struct inbox_hold_change change;
    struct hold_watch *watch;
    /* The store could not take it. When it is repeated; monotonic. */
    bool failed;
    int64_t again_ms;
    /* A later change of the same hold counts, so it is not repeated. */
    bool superseded;
    TAILQ_ENTRY(hold_writer) link;
};

static void forget(struct hold_writer *writer) {
    TAILQ_REMOVE(&writer->watch->changes, writer, link);
    free(writer);
}

void hold_watch_finish(struct hold_watch *watch) {
    struct hold_writer *writer;
    while ((writer = TAILQ_FIRST(&watch->changes))) {
        forget(writer);
    }
    pthread_mutex_destroy(&watch->lock);
    free(watch->holds);
}

/* The same hold with another end counts as another one. */
static bool same_hold(const struct inbox_hold *a, const struct inbox_hold *b) {
    return a->id == b->id && a->until_ms == b->until_ms;
}

static bool contains(const struct inbox_hold *holds, size_t n_holds,
                     const struct inbox_hold *wanted) {
    for (size_t i = 0; i < n_holds; i++) {
        if (same_hold(&holds[i], wanted)) {
            return true;
        }
    }
    return false;
}

static void log_hold(const struct inbox_hold *hold, const char *message) {
    log_event(SNEK_LEVEL_INFO, message, LOG_TEXT("plugin", hold->plugin),
              LOG_TEXT("cause", inbox_hold_cause_name(hold->cause)),
              LOG_TEXT("scope", inbox_hold_scope_name(hold->scope)),
              LOG_TEXT("of", text_or_null(hold->value)), LOG_TEXT("reason", hold->reason));
}

/* Logs what the second list has and the first has not; true when there is any. */
static bool log_missing(const struct inbox_hold *known, size_t n_known,
                        const struct inbox_hold *list, size_t n_list, const char *message) {
    bool any = false;
    for (size_t i = 0; i < n_list; i++) {
        if (!contains(known, n_known, &list[i])) {
            log_hold(&list[i], message);
            any = true;
        }
    }
    return any;
}

static void count_holds(const struct hold_watch *watch) {
    uint64_t counts[METRICS_HOLDS] = {0};
    static_assert(METRICS_HOLDS == INBOX_HOLD_LOOP + 1, "one gauge a cause");
    for (size_t i = 0; i < watch->n_holds; i++) {
        counts[watch->holds[i].cause]++;
    }
    metrics_holds(counts);
}

static void on_read(struct inbox_operation *operation) {
    struct inbox_holds *read = CONTAINER_OF(operation, struct inbox_holds, operation);
    struct hold_watch *watch = CONTAINER_OF(read, struct hold_watch, reading);
    assert(watch->is_reading);
    watch->is_reading = false;
    watch->known = true;
    watch->next_ms = watch->wanted ? 0 : clock_monotonic_ms() + READ_INTERVAL_MS;
    if (operation->result < 0) {
        /* The known holds stay. Operations that must write report the store's failure. */
        return;
    }
    bool changed =
        log_missing(watch->holds, watch->n_holds, read->holds, read->n_holds, "hold_began");
    changed |= log_missing(read->holds, read->n_holds, watch->holds, watch->n_holds, "hold_ended");
    {
        SCOPED_LOCK(&watch->lock);
        free(watch->holds);
        watch->holds = STEAL(read->holds);
        watch->n_holds = read->n_holds;
    }
    if (changed) {
        count_holds(watch);
        watch->options.on_changed(watch->options.context);
    }
}

void hold_watch_want(struct hold_watch *watch) {
    watch->wanted = true;
    watch->next_ms = 0;
}

static void repeat_changes(struct hold_watch *watch, int64_t now_ms) {
    struct hold_writer *writer;
    TAILQ_FOREACH(writer, &watch->changes, link) {
        if (writer->failed && writer->again_ms <= now_ms) {
            writer->failed = false;
            inbox_submit(watch->options.inbox, &writer->change.operation);
        }
    }
}

void hold_watch_tick(struct hold_watch *watch, int64_t now_ms) {
    repeat_changes(watch, now_ms);
    if (watch->is_reading || watch->next_ms > now_ms) {
        return;
    }
    watch->reading = (struct inbox_holds){.operation = {.kind = INBOX_HOLDS,
                                                        .reply_to = watch->options.mailbox,
                                                        .on_result = on_read},
                                          .now_ms = clock_wall_ms()};
    watch->is_reading = true;
    /* A change from now on needs another read. */
    watch->wanted = false;
    inbox_submit(watch->options.inbox, &watch->reading.operation);
}

int64_t hold_watch_next_ms(const struct hold_watch *watch) {
    int64_t next_ms = watch->is_reading ? INT64_MAX : watch->next_ms;
    const struct hold_writer *writer;
    TAILQ_FOREACH(writer, &watch->changes, link) {
        if (writer->failed && writer->again_ms < next_ms) {
            next_ms = writer->again_ms;
        }
    }
    return next_ms;
}

/* ---- changes ---- */

static void on_written(struct inbox_operation *operation) {
    struct inbox_hold_change *change = CONTAINER_OF(operation, struct inbox_hold_change, operation);
    struct hold_writer *writer = CONTAINER_OF(change, struct hold_writer, change);
    hold_watch_want(writer->watch);
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "hold_failed", LOG_TEXT("plugin", change->hold.plugin),
                  LOG_TEXT("cause", inbox_hold_cause_name(change->hold.cause)),
                  LOG_TEXT("reason", operation->error.text));
        if (!writer->superseded) {
            writer->failed = true;
            writer->again_ms = clock_monotonic_ms() + READ_INTERVAL_MS;
            return;
        }
    }
    forget(writer);
}

/* A change that the inbox still has cannot be taken back. */
static void supersede(struct hold_watch *watch, const struct inbox_hold *hold) {
    struct hold_writer *writer, *next;
    TAILQ_FOREACH_SAFE(writer, &watch->changes, link, next) {
        const struct inbox_hold *of = &writer->change.hold;
        if (of->scope != hold->scope || of->cause != hold->cause ||
            strcmp(of->plugin, hold->plugin) != 0 || strcmp(of->value, hold->value) != 0) {
            continue;
        }
        if (writer->failed) {
            forget(writer);
        } else {
            writer->superseded = true;
        }
    }
}

void hold_watch_change(struct hold_watch *watch, enum inbox_kind kind,
                       const struct inbox_hold *hold) {
    supersede(watch, hold);
    struct hold_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        log_event(SNEK_LEVEL_ERROR, "hold_failed", LOG_TEXT("plugin", hold->plugin),
                  LOG_TEXT("reason", "out of memory"));
        return;
    }
    writer->watch = watch;
    writer->change = (struct inbox_hold_change){
        .operation = {.kind = kind, .reply_to = watch->options.mailbox, .on_result = on_written},
        .hold = *hold};
    writer->change.hold.since_ms = clock_wall_ms();
    TAILQ_INSERT_TAIL(&watch->changes, writer, link);
    inbox_submit(watch->options.inbox, &writer->change.operation);
}

bool hold_watch_quarantines(const struct hold_watch *watch, const char *plugin) {
    for (size_t i = 0; i < watch->n_holds; i++) {
        const struct inbox_hold *hold = &watch->holds[i];
        if (hold->scope == INBOX_HOLD_PLUGIN && hold->cause == INBOX_HOLD_QUARANTINED &&
            strcmp(hold->plugin, plugin) == 0) {
            return true;
        }
    }
    return false;
}

bool hold_watch_holds_plugin(const struct hold_watch *watch, const char *plugin) {
    for (size_t i = 0; i < watch->n_holds; i++) {
        if (watch->holds[i].scope == INBOX_HOLD_PLUGIN &&
            strcmp(watch->holds[i].plugin, plugin) == 0) {
            return true;
        }
    }
    return false;
}

const struct inbox_hold *hold_watch_find(const struct hold_watch *watch, const char *plugin,
                                         const struct inbox_run *run) {
    for (size_t i = 0; i < watch->n_holds; i++) {
        const struct inbox_hold *hold = &watch->holds[i];
        if (strcmp(hold->plugin, plugin) == 0 && inbox_hold_covers_run(hold, run)) {
            return hold;
        }
    }
    return NULL;
}

/* Anybody may read it, so it names no repository: that may be private. */
static int render_hold(const struct inbox_hold *hold, bool first, struct buffer *json) {
    int result = buffer_printf(
        json, "%s{\"cause\":\"%s\",\"scope\":\"%s\",\"reason\":", first ? ",\"holds\":[" : ",",
        inbox_hold_cause_name(hold->cause), inbox_hold_scope_name(hold->scope));
    result |= buffer_append_json_string(json, hold->reason, strlen(hold->reason));
    return result | buffer_printf(json, ",\"since_ms\":%" PRId64 ",\"until_ms\":%" PRId64 "}",
                                  hold->since_ms, hold->until_ms);
}

int hold_watch_render(struct hold_watch *watch, const char *plugin, struct buffer *json) {
    bool first = true;
    size_t more = 0;
    int result = 0;
    SCOPED_LOCK(&watch->lock);
    for (size_t i = 0; i < watch->n_holds; i++) {
        if (strcmp(watch->holds[i].plugin, plugin) != 0) {
            continue;
        }
        if (json->bytes >= RENDER_MAX) {
            more++;
            continue;
        }
        result |= render_hold(&watch->holds[i], first, json);
        first = false;
    }
    if (!first) {
        result |= buffer_append_text(json, "]");
    }
    return more == 0 ? result : result | buffer_printf(json, ",\"more_holds\":%zu", more);
}
