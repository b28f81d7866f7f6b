/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the console's operations, and the rows that several of them read. */
#include "inbox/common/console.h"

#include "base/list.h"
#include "inbox/common/console_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int64_t console_number(const struct console_row *row, int column) {
    return row->methods->number(row, column);
}

bool console_boolean(const struct console_row *row, int column) {
    return row->methods->boolean(row, column);
}

const char *console_text(const struct console_row *row, int column) {
    return row->methods->text(row, column);
}

void console_copy(const struct console_row *row, int column, char *out, size_t room) {
    snprintf(out, room, "%s", console_text(row, column));
}

char *console_duplicate(const struct console_row *row, int column) {
    return strdup(console_text(row, column));
}

int console_entry(const struct console_row *row, struct inbox_entry *entry) {
    int64_t leased_until = console_number(row, 16);
    entry->delivery = console_number(row, 0);
    console_copy(row, 1, entry->guid, sizeof entry->guid);
    console_copy(row, 2, entry->event, sizeof entry->event);
    console_copy(row, 3, entry->action, sizeof entry->action);
    console_copy(row, 4, entry->installation, sizeof entry->installation);
    entry->repository = console_duplicate(row, 5);
    entry->sender = console_duplicate(row, 6);
    entry->received_ms = console_number(row, 7);
    entry->body_bytes = console_number(row, 8);
    entry->run = console_number(row, 9);
    console_copy(row, 10, entry->plugin, sizeof entry->plugin);
    console_copy(row, 11, entry->state, sizeof entry->state);
    entry->attempt = console_number(row, 12);
    entry->crashes = console_number(row, 13);
    entry->suspect = console_boolean(row, 14);
    entry->due_ms = console_number(row, 15);
    entry->lease_until_ms = leased_until ? row->methods->lease_ms(leased_until) : 0;
    entry->finished_ms = console_number(row, 17);
    entry->label = console_duplicate(row, 18);
    entry->reason = console_duplicate(row, 19);
    console_copy(row, 20, entry->item, sizeof entry->item);
    console_copy(row, 21, entry->order_key, sizeof entry->order_key);
    entry->outside = console_boolean(row, 22);
    console_copy(row, 23, entry->behind, sizeof entry->behind);
    return entry->repository && entry->sender && entry->label && entry->reason ? 0 : -1;
}

int console_audit_entry(const struct console_row *row, struct inbox_audit_entry *entry) {
    *entry = (struct inbox_audit_entry){
        .at_ms = console_number(row, 0),
        .plugin = console_duplicate(row, 1),
        .installation = console_duplicate(row, 2),
        .sender = console_duplicate(row, 3),
        .item = console_duplicate(row, 4),
        .method = console_duplicate(row, 5),
        .url = console_duplicate(row, 6),
        .state = console_duplicate(row, 7),
        .status = (int32_t)console_number(row, 8),
        .request_id = console_duplicate(row, 9),
    };
    return entry->plugin && entry->installation && entry->sender && entry->item && entry->method &&
                   entry->url && entry->state && entry->request_id
               ? 0
               : -1;
}

int console_perform(struct console_store *store, struct inbox_operation *operation,
                    struct error *err) {
    switch (operation->kind) {
    case INBOX_SEARCH:
        return console_search(store, CONTAINER_OF(operation, struct inbox_search, operation), err);
    case INBOX_SHOW:
        return console_show(store, CONTAINER_OF(operation, struct inbox_show, operation), err);
    case INBOX_TIMELINE:
        return console_timeline(store, CONTAINER_OF(operation, struct inbox_timeline, operation),
                                err);
    case INBOX_FAILURES:
        return console_failures(store, CONTAINER_OF(operation, struct inbox_failures, operation),
                                err);
    case INBOX_SERIES:
        return console_series(store, CONTAINER_OF(operation, struct inbox_series, operation), err);
    case INBOX_DIGEST:
        return console_digest(store, CONTAINER_OF(operation, struct inbox_digest, operation), err);
    case INBOX_PLUGINS:
        return console_plugins(store, CONTAINER_OF(operation, struct inbox_plugins, operation),
                               err);
    case INBOX_RECOVERY:
        return console_recovery(store, CONTAINER_OF(operation, struct inbox_recovery, operation),
                                err);
    case INBOX_ACTION_PUT:
        return console_action_put(store,
                                  CONTAINER_OF(operation, struct inbox_action_put, operation), err);
    case INBOX_ACTIONS:
        return console_actions(store, CONTAINER_OF(operation, struct inbox_actions, operation),
                               err);
    default:
        assert(false);
        return -1;
    }
}
