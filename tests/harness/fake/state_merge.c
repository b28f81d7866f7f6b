/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PATCH of the state. Objects are merged key by key. An item of a list is found by its name and
 * merged; a new one is appended; one with "_remove" is removed. */
#include "fake/state_merge.h"

#include "fake/instance.h"
#include "fake/state.h"

#include <string.h>

/* The keys that name an item, in this order. */
static const char *const names[] = {"full_name", "login", "slug", "number", "id"};

/* Items of these lists have another name. */
static const struct {
    const char *list, *name;
} other_names[] = {{"labels", "name"},
                   {"branches", "name"},
                   {"contents", "path"},
                   {"files", "filename"},
                   {"commits", "sha"}};

static json_t *find_item(const char *key, const json_t *list, const json_t *item) {
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        const char *name = text_of(item, other_names[i].name);
        if (name && strcmp(key, other_names[i].list) == 0) {
            return list_find(list, other_names[i].name, name);
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *name = json_object_get(item, names[i]);
        if (json_is_string(name)) {
            return list_find(list, names[i], json_string_value(name));
        }
        if (json_is_integer(name)) {
            return list_find_number(list, names[i], json_integer_value(name));
        }
    }
    return NULL;
}

static int merge_list(const char *key, json_t *into, const json_t *changes, struct error *err) {
    size_t i;
    json_t *change;
    json_array_foreach(changes, i, change) {
        json_t *item = find_item(key, into, change);
        if (json_is_true(json_object_get(change, "_remove"))) {
            if (!item) {
                return error_set(err, "there is no such item to remove");
            }
            list_remove(into, item);
        } else if (item) {
            if (state_merge(item, change, err) < 0) {
                return -1;
            }
        } else {
            json_array_append_new(into, json_deep_copy(change));
        }
    }
    return 0;
}

int state_merge(json_t *into, const json_t *changes, struct error *err) {
    const char *key;
    json_t *change;
    json_object_foreach((json_t *)changes, key, change) {
        json_t *old = json_object_get(into, key);
        /* A list of texts (auto_create) has no names, so it is replaced. */
        bool lists = json_is_array(old) && json_is_array(change) &&
                     !json_is_string(json_array_get(change, 0)) && json_array_size(change) > 0;
        int result = 0;
        if (json_is_null(change)) {
            json_object_del(into, key);
        } else if (lists) {
            result = merge_list(key, old, change, err);
        } else if (json_is_object(old) && json_is_object(change)) {
            result = state_merge(old, change, err);
        } else {
            result = json_object_set_new(into, key, json_deep_copy(change));
        }
        if (result < 0) {
            return error_wrap(err, "%s", key);
        }
    }
    return 0;
}
