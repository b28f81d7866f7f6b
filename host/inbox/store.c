/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What stores share: the bounds of what they are given, and the lists that they return. */
#include "inbox/store.h"

#include <stdlib.h>
#include <string.h>

static int check_put(const struct inbox_put *put, struct error *err) {
    const struct {
        const char *what, *text;
        size_t max;
    } texts[] = {{"GUID", put->guid, INBOX_GUID_MAX},
                 {"event", put->event, INBOX_NAME_MAX},
                 {"action", put->action, INBOX_NAME_MAX},
                 {"installation", put->installation, INBOX_NAME_MAX}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strlen(texts[i].text) > texts[i].max) {
            return error_set(err, "storing a delivery: its %s is longer than %zu bytes",
                             texts[i].what, texts[i].max);
        }
    }
    for (size_t i = 0; i < put->n_runs; i++) {
        if (strlen(put->runs[i].plugin) > INBOX_NAME_MAX) {
            return error_set(err, "storing a delivery: a plugin's name is longer than %d bytes",
                             INBOX_NAME_MAX);
        }
    }
    return 0;
}

int store_check(const struct inbox_operation *operation, struct error *err) {
    return operation->kind == INBOX_PUT
               ? check_put(CONTAINER_OF(operation, const struct inbox_put, operation), err)
               : 0;
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

struct inbox_run *store_add_run(struct inbox_claim *claim) {
    bool full = (claim->n_runs & (claim->n_runs - 1)) == 0; /* 0 and the powers of two */
    if (full) {
        size_t room = claim->n_runs ? claim->n_runs * 2 : 1;
        struct inbox_run *runs = reallocarray(claim->runs, room, sizeof *runs);
        if (!runs) {
            return NULL;
        }
        claim->runs = runs;
    }
    struct inbox_run *run = &claim->runs[claim->n_runs++];
    *run = (struct inbox_run){.id = 0};
    return run;
}

struct inbox_entry *store_add_entry(struct inbox_list *list) {
    bool full = (list->n_entries & (list->n_entries - 1)) == 0; /* 0 and the powers of two */
    if (full) {
        size_t room = list->n_entries ? list->n_entries * 2 : 1;
        struct inbox_entry *entries = reallocarray(list->entries, room, sizeof *entries);
        if (!entries) {
            return NULL;
        }
        list->entries = entries;
    }
    struct inbox_entry *entry = &list->entries[list->n_entries++];
    *entry = (struct inbox_entry){.delivery = 0};
    return entry;
}

bool store_gives(const struct inbox_put *put) {
    static const char *const actions[] = {"created", "unsuspend", "new_permissions_accepted"};
    bool given = false;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        given = given || strcmp(put->action, actions[i]) == 0;
    }
    return given && strcmp(put->event, "installation") == 0 && put->installation[0];
}
