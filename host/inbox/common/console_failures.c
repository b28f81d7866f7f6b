/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Groups failed runs by their reason. */
#include "inbox/common/console_parts.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/hash.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hexadecimal digits of an id. */
#define ID_LEAST 8
/* Digits of a number that is an id wherever it stands. */
#define NUMBER_LEAST 4

static bool is_id_part(char c) {
    return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
           c == '-';
}

/* The length of the id at `at`, which begins a word; 0: it is none. */
static size_t id_length(const char *at) {
    size_t length = 0;
    bool digit = false;
    while (is_id_part(at[length])) {
        digit = digit || isdigit((unsigned char)at[length]);
        length++;
    }
    while (length > 0 && at[length - 1] == '-') {
        length--;
    }
    bool ends = !isalnum((unsigned char)at[length]) && at[length] != '_';
    return digit && ends && length >= ID_LEAST && at[0] != '-' ? length : 0;
}

/* The length of the number at `at`, which follows `before`; 0: it stays. */
static size_t number_length(const char *at, char before) {
    size_t length = 0;
    while (isdigit((unsigned char)at[length])) {
        length++;
    }
    bool path = (before == '#' || before == '/') && !isalpha((unsigned char)at[length]);
    return path || length >= NUMBER_LEAST ? length : 0;
}

void inbox_failure_reason(char *reason) {
    const char *from = reason;
    char *to = reason, before = '\0';
    while (*from) {
        bool word = !isalnum((unsigned char)before) && before != '_';
        size_t length = word ? id_length(from) : 0;
        if (length == 0 && !isdigit((unsigned char)before)) {
            length = number_length(from, before);
        }
        if (length == 0) {
            before = *from;
            *to++ = *from++;
            continue;
        }
        before = from[length - 1];
        from += length;
        /* "#12" becomes "#". */
        if (to == reason || to[-1] != '#') {
            *to++ = '#';
        }
    }
    *to = '\0';
}

/* ---- groups ---- */

#define WHAT "grouping failures"
/* A power of two, more than twice the number of groups. */
#define SLOTS 65536

struct grouping {
    struct inbox_failures *failures;
    /* The delivery of the last run of each group. */
    int64_t *deliveries;
    size_t n_deliveries;
    /* Index of a group plus 1, by the hash of the group; 0: free. */
    uint32_t *slots;
    size_t runs;
};

static void grouping_finish(struct grouping *grouping) {
    free(grouping->deliveries);
    free(grouping->slots);
}

static size_t hash_of(const char *const texts[4]) {
    uint64_t hash = HASH_BEGIN;
    for (int i = 0; i < 4; i++) {
        hash = hash_text(hash, texts[i]);
    }
    return (size_t)(hash ^ (hash >> 32));
}

static bool is_group(const struct inbox_failure_group *group, const char *const texts[4]) {
    return strcmp(group->state, texts[0]) == 0 && strcmp(group->plugin, texts[1]) == 0 &&
           strcmp(group->label, texts[2]) == 0 && strcmp(group->reason, texts[3]) == 0;
}

/* A new group; NULL: out of memory. */
static struct inbox_failure_group *add_group(struct grouping *grouping,
                                             const char *const texts[4]) {
    struct inbox_failures *failures = grouping->failures;
    struct inbox_failure_group *group = ARRAY_ADD(failures->groups, failures->n_groups);
    if (!group || !ARRAY_ADD(grouping->deliveries, grouping->n_deliveries)) {
        return NULL;
    }
    snprintf(group->state, sizeof group->state, "%s", texts[0]);
    snprintf(group->plugin, sizeof group->plugin, "%s", texts[1]);
    group->label = strdup(texts[2]);
    group->reason = strdup(texts[3]);
    group->first_ms = INT64_MAX;
    group->last_ms = INT64_MIN;
    return group->label && group->reason ? group : NULL;
}

/* state, plugin, label, reason, time, delivery. */
static int on_failure(void *context, const struct console_row *row) {
    struct grouping *grouping = context;
    AUTO_FREE char *reason = console_duplicate(row, 3);
    AUTO_FREE char *shown = console_duplicate(row, 3);
    if (grouping->runs++ == INBOX_FAILURES_MAX) {
        grouping->failures->cut = true;
        return 1;
    }
    if (!reason || !shown) {
        return -1;
    }
    inbox_failure_reason(reason);
    const char *const texts[] = {console_text(row, 0), console_text(row, 1), console_text(row, 2),
                                 reason};
    size_t slot = hash_of(texts) % SLOTS;
    while (grouping->slots[slot] != 0 &&
           !is_group(&grouping->failures->groups[grouping->slots[slot] - 1], texts)) {
        slot = (slot + 1) % SLOTS;
    }
    if (grouping->slots[slot] == 0) {
        if (!add_group(grouping, texts)) {
            return -1;
        }
        grouping->slots[slot] = (uint32_t)grouping->failures->n_groups;
    }
    size_t index = grouping->slots[slot] - 1;
    struct inbox_failure_group *group = &grouping->failures->groups[index];
    int64_t at_ms = console_number(row, 4);
    group->runs++;
    group->first_ms = at_ms < group->first_ms ? at_ms : group->first_ms;
    if (at_ms > group->last_ms) {
        group->last_ms = at_ms;
        free(group->last_reason);
        group->last_reason = shown;
        shown = NULL;
        grouping->deliveries[index] = console_number(row, 5);
    }
    return 0;
}

static int by_last_seen(const void *a, const void *b) {
    const struct inbox_failure_group *left = a, *right = b;
    return (left->last_ms < right->last_ms) - (left->last_ms > right->last_ms);
}

/* Keeps the groups that were seen last. */
static void cut_groups(struct inbox_failures *failures) {
    while (failures->n_groups > INBOX_FAILURE_GROUPS_MAX) {
        struct inbox_failure_group *last = &failures->groups[--failures->n_groups];
        free(last->label);
        free(last->reason);
        free(last->last_reason);
        failures->cut = true;
    }
}

static int group_runs(struct console_store *store, struct grouping *grouping, struct error *err) {
    static const enum console_sql all[] = {CONSOLE_FAILURES_DEAD, CONSOLE_FAILURES_PARKED};
    static const enum console_sql of_plugin[] = {CONSOLE_FAILURES_DEAD_OF,
                                                 CONSOLE_FAILURES_PARKED_OF};
    struct inbox_failures *failures = grouping->failures;
    const struct console_value plugin = console_value_text(failures->plugin);
    const enum console_sql *parts = failures->plugin ? of_plugin : all;
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        grouping->runs = 0;
        if (store->methods->ask(store, parts[i], &plugin, failures->plugin ? 1 : 0, on_failure,
                                grouping, err, WHAT) < 0) {
            return -1;
        }
    }
    /* The index of a group finds its delivery until the groups are sorted. */
    for (size_t i = 0; i < failures->n_groups; i++) {
        snprintf(failures->groups[i].guid, sizeof failures->groups[i].guid, "%lld",
                 (long long)grouping->deliveries[i]);
    }
    return 0;
}

/* ---- the last delivery of each group ---- */

/* A number and a comma. */
#define ID_BYTES 21

struct naming {
    struct inbox_failures *failures;
    int64_t deliveries[INBOX_FAILURE_GROUPS_MAX];
};

/* id, guid. */
static int on_guid(void *context, const struct console_row *row) {
    struct naming *naming = context;
    for (size_t i = 0; i < naming->failures->n_groups; i++) {
        struct inbox_failure_group *group = &naming->failures->groups[i];
        if (naming->deliveries[i] == console_number(row, 0)) {
            console_copy(row, 1, group->guid, sizeof group->guid);
        }
    }
    return 0;
}

static int name_deliveries(struct console_store *store, struct inbox_failures *failures,
                           struct error *err) {
    AUTO_BUFFER struct buffer ids = BUFFER_INIT(INBOX_FAILURE_GROUPS_MAX * ID_BYTES);
    struct naming naming = {.failures = failures};
    assert(failures->n_groups <= INBOX_FAILURE_GROUPS_MAX);
    for (size_t i = 0; i < failures->n_groups; i++) {
        struct inbox_failure_group *group = &failures->groups[i];
        naming.deliveries[i] = strtoll(group->guid, NULL, 10);
        if (buffer_printf(&ids, "%s%s", i > 0 ? "," : "", group->guid) < 0) {
            return store->methods->no_memory(store, err, WHAT);
        }
        group->guid[0] = '\0';
    }
    const struct console_value list = console_value_text(ids.data);
    return failures->n_groups == 0 ? 0
                                   : store->methods->ask(store, CONSOLE_GUIDS_OF, &list, 1, on_guid,
                                                         &naming, err, WHAT);
}

int console_failures(struct console_store *store, struct inbox_failures *failures,
                     struct error *err) {
    CLEANUP(grouping_finish)
    struct grouping grouping = {.failures = failures, .slots = calloc(SLOTS, sizeof(uint32_t))};
    if (!grouping.slots) {
        return store->methods->no_memory(store, err, WHAT);
    }
    if (group_runs(store, &grouping, err) < 0) {
        return -1;
    }
    if (failures->n_groups > 0) {
        qsort(failures->groups, failures->n_groups, sizeof *failures->groups, by_last_seen);
    }
    cut_groups(failures);
    return name_deliveries(store, failures, err);
}

void inbox_failures_free(struct inbox_failure_group *groups, size_t n_groups) {
    for (size_t i = 0; groups && i < n_groups; i++) {
        free(groups[i].label);
        free(groups[i].reason);
        free(groups[i].last_reason);
    }
    free(groups);
}
