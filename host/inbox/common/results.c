/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Code that both stores share: texts of the journal, lists of numbers, and functions that free
 * results. */
#include "base/array.h"
#include "base/buffer.h"
#include "inbox/admin.h"
#include "inbox/common/codec.h"
#include "inbox/common/store.h"
#include "inbox/timers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    [INBOX_READ] = "read", [INBOX_EFFECT] = "effect", [INBOX_CHANGE] = "change"};
static const char *const states[] = {
    [INBOX_INTENDED] = "intended", [INBOX_COMPLETED] = "completed", [INBOX_UNSENT] = "unsent"};

const char *store_record_kind_text(enum inbox_record_kind kind) {
    return kinds[kind];
}

const char *store_record_state_text(enum inbox_record_state state) {
    return states[state];
}

static size_t index_of(const char *const *names, size_t count, const char *text) {
    size_t i = 0;
    while (i + 1 < count && strcmp(names[i], text) != 0) {
        i++;
    }
    return i;
}

enum inbox_record_kind store_record_kind(const char *text) {
    return (enum inbox_record_kind)index_of(kinds, ARRAY_LENGTH(kinds), text);
}

enum inbox_record_state store_record_state(const char *text) {
    return (enum inbox_record_state)index_of(states, ARRAY_LENGTH(states), text);
}

void inbox_order_key(const struct inbox_put *put, enum inbox_order order,
                     char key[INBOX_ORDER_KEY_MAX + 1]) {
    static const char *const names[] = {[INBOX_ORDER_ITEM] = "item",
                                        [INBOX_ORDER_REPOSITORY] = "repository",
                                        [INBOX_ORDER_INSTALLATION] = "installation"};
    const char *const values[] = {[INBOX_ORDER_NONE] = "",
                                  [INBOX_ORDER_ITEM] = put->item,
                                  [INBOX_ORDER_REPOSITORY] = put->repository_id,
                                  [INBOX_ORDER_INSTALLATION] = put->installation};
    key[0] = '\0';
    if (values[order][0]) {
        snprintf(key, INBOX_ORDER_KEY_MAX + 1, "%s %s", names[order], values[order]);
    }
}

bool store_uninstalls(const struct inbox_put *put) {
    return strcmp(put->event, "installation") == 0 && strcmp(put->action, "deleted") == 0 &&
           put->installation[0];
}

bool store_grants(const struct inbox_put *put) {
    static const char *const actions[] = {"created", "unsuspend", "new_permissions_accepted"};
    bool grants = false;
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        grants = grants || strcmp(put->action, actions[i]) == 0;
    }
    return grants && strcmp(put->event, "installation") == 0 && put->installation[0];
}

char *store_list_numbers(const char brackets[2], const int64_t *numbers, size_t n) {
    struct buffer list = BUFFER_INIT(n * 24 + 2);
    int result = buffer_printf(&list, "%c", brackets[0]);
    for (size_t i = 0; i < n; i++) {
        result |= buffer_printf(&list, i > 0 ? ",%lld" : "%lld", (long long)numbers[i]);
    }
    result |= buffer_printf(&list, "%c", brackets[1]);
    char *text = result == 0 ? buffer_steal(&list) : NULL;
    buffer_finish(&list);
    return text;
}

static int64_t text_bytes(const char *text) {
    return text ? (int64_t)strlen(text) : 0;
}

int64_t store_item_bytes(const struct inbox_plugin_state *state) {
    return INBOX_PLUGIN_STATE_ITEM_BYTES + text_bytes(state->scope) + text_bytes(state->set) +
           text_bytes(state->name) + (int64_t)state->value_in_bytes;
}

int inbox_run_unpack(struct inbox_run *run, struct error *err) {
    struct payload *body = NULL;
    int result = codec_unpack(run->payload_codec, run->payload, run->payload_bytes, &body, err);
    if (result == 0) {
        payload_unref(run->payload);
        run->payload = body;
        run->payload_codec = CODEC_RAW;
    }
    return result;
}

void inbox_record_finish(struct inbox_record *record) {
    free(record->method);
    free(record->url);
    free(record->message);
    buffer_finish(&record->headers);
    buffer_finish(&record->body);
}

void inbox_records_free(struct inbox_record *records, size_t n_records) {
    for (size_t i = 0; records && i < n_records; i++) {
        inbox_record_finish(&records[i]);
    }
    free(records);
}

const char *inbox_audit_state_name(enum inbox_audit_state state) {
    static const char *const names[] = {[INBOX_AUDIT_INTENDED] = "intended",
                                        [INBOX_AUDIT_COMPLETED] = "completed",
                                        [INBOX_AUDIT_UNSENT] = "unsent",
                                        [INBOX_AUDIT_FOUND] = "found",
                                        [INBOX_AUDIT_DRY] = "dry"};
    return names[state];
}

enum inbox_audit_state store_audit_state(const struct inbox_record *record) {
    if (record->dry) {
        return INBOX_AUDIT_DRY;
    }
    return record->state == INBOX_INTENDED ? INBOX_AUDIT_INTENDED : INBOX_AUDIT_FOUND;
}

void inbox_due_timers_free(struct inbox_due_timer *timers, size_t n_timers) {
    for (size_t i = 0; i < n_timers; i++) {
        buffer_finish(&timers[i].body);
    }
    free(timers);
}

void store_split_waiting(struct inbox_stats *stats, int64_t of_queued, int64_t of_blocked) {
    /* Each count ends at a limit. */
    stats->queued -= of_queued < stats->queued ? of_queued : stats->queued;
    stats->blocked -= of_blocked < stats->blocked ? of_blocked : stats->blocked;
    stats->waiting = of_queued + of_blocked;
}

int64_t store_loop_wait_ms(int64_t at_ms, int64_t began_ms, int64_t wait_ms) {
    bool recent = wait_ms > 0 && at_ms - (began_ms + wait_ms) < INBOX_LOOP_MEMORY_MS;
    if (!recent) {
        return INBOX_LOOP_WAIT_MS;
    }
    return 2 * wait_ms < INBOX_LOOP_WAIT_MAX_MS ? 2 * wait_ms : INBOX_LOOP_WAIT_MAX_MS;
}

void store_fill_loop_hold(const struct inbox_effect *effect, int64_t at_ms, int64_t wait_ms,
                          struct inbox_hold *hold) {
    *hold = (struct inbox_hold){.scope = INBOX_HOLD_ITEM,
                                .cause = INBOX_HOLD_LOOP,
                                .since_ms = at_ms,
                                .until_ms = at_ms + wait_ms};
    snprintf(hold->plugin, sizeof hold->plugin, "%s", effect->plugin);
    snprintf(hold->value, sizeof hold->value, "%s", effect->item);
    snprintf(hold->reason, sizeof hold->reason,
             "it made %d effects there in 10 minutes; if that is right, end the hold by "
             "`snekomatic plugins release`",
             INBOX_ITEM_EFFECTS_MAX);
}

void inbox_audit_entry_finish(struct inbox_audit_entry *entry) {
    char *const texts[] = {entry->plugin, entry->installation, entry->sender, entry->item,
                           entry->method, entry->url,          entry->state,  entry->request_id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
}

void inbox_audit_free(struct inbox_audit_entry *entries, size_t n_entries) {
    for (size_t i = 0; entries && i < n_entries; i++) {
        inbox_audit_entry_finish(&entries[i]);
    }
    free(entries);
}

void inbox_run_finish(struct inbox_run *run) {
    free(run->sender);
    free(run->repository);
    run->sender = run->repository = NULL;
    run->payload = payload_unref(run->payload);
    inbox_records_free(run->journal, run->n_journal);
    run->journal = NULL;
    run->n_journal = 0;
}

void inbox_runs_free(struct inbox_run *runs, size_t n_runs) {
    for (size_t i = 0; runs && i < n_runs; i++) {
        inbox_run_finish(&runs[i]);
    }
    free(runs);
}

void inbox_put_finish(struct inbox_put *put) {
    free(put->superseded);
    put->superseded = NULL;
    put->n_superseded = 0;
}

void inbox_entries_free(struct inbox_entry *entries, size_t n_entries) {
    for (size_t i = 0; entries && i < n_entries; i++) {
        free(entries[i].repository);
        free(entries[i].sender);
        free(entries[i].label);
        free(entries[i].reason);
    }
    free(entries);
}

const char *store_attempt_how(enum inbox_finish_how how) {
    static const char *const names[] = {
        [INBOX_DONE] = NULL,   [INBOX_RETRY] = "retry", [INBOX_REQUEUE] = NULL,
        [INBOX_WAIT] = "wait", [INBOX_DEAD] = "dead",   [INBOX_PARK] = "park"};
    return names[how];
}

const char *store_preview_action(bool discards) {
    return discards ? "discard" : "retry";
}
