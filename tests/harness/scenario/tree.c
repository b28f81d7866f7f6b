/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds, changes, rewrites and compares JSON by path. */
#include "scenario/tree.h"

#include "base/buffer.h"

#include <string.h>

#define PART_MAX 128
#define TEXT_MAX (16u << 20)

struct part {
    char key[PART_MAX];
    size_t index;
    bool is_index;
};

/* Removes the next part from `*path`; false at the end, or at a malformed part. */
static bool next_part(const char **path, struct part *part) {
    const char *at = *path;
    at += *at == '.';
    *part = (struct part){.is_index = *at == '['};
    if (part->is_index) {
        char *end;
        part->index = strtoul(at + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
        return end > at + 1 && *end == ']';
    }
    size_t bytes = strcspn(at, ".[");
    *path = at + bytes;
    snprintf(part->key, sizeof part->key, "%.*s", (int)bytes, at);
    return bytes > 0 && bytes < sizeof part->key;
}

static json_t *child(json_t *value, const struct part *part) {
    return part->is_index ? json_array_get(value, part->index) : json_object_get(value, part->key);
}

json_t *tree_find(json_t *root, const char *path) {
    struct part part;
    json_t *at = root;
    while (at && *path) {
        at = next_part(&path, &part) ? child(at, &part) : NULL;
    }
    return at;
}

int tree_set(json_t *root, const char *path, json_t *value, struct error *err) {
    struct part part;
    json_t *at = root;
    const char *rest = path;
    for (;;) {
        if (!at || !next_part(&rest, &part)) {
            return error_set(err, "there is no %.*s to change %s in", (int)(rest - path), path,
                             path);
        }
        if (!*rest) {
            break;
        }
        at = child(at, &part);
    }
    int result;
    if (part.is_index) {
        result = value ? json_array_set(at, part.index, value) : json_array_remove(at, part.index);
    } else {
        result = value ? json_object_set(at, part.key, value) : json_object_del(at, part.key);
    }
    return result == 0 ? 0 : error_set(err, "%s is not there", path);
}

static int merge(json_t *root, const char *path, json_t *value, struct error *err) {
    json_t *there = tree_find(root, path);
    if (!json_is_object(there) || !json_is_object(value)) {
        return tree_set(root, path, value, err);
    }
    return tree_change(there, value, err);
}

int tree_change(json_t *root, json_t *changes, struct error *err) {
    const char *path;
    json_t *value;
    json_object_foreach(changes, path, value) {
        if (merge(root, path, value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static json_t *replace_text(const char *text, const char *from, const char *to) {
    AUTO_BUFFER struct buffer out = BUFFER_INIT(TEXT_MAX);
    size_t from_bytes = strlen(from);
    for (const char *next; (next = strstr(text, from)) != NULL; text = next + from_bytes) {
        buffer_append(&out, text, (size_t)(next - text));
        buffer_append_text(&out, to);
    }
    buffer_append_text(&out, text);
    return json_string(out.data ? out.data : "");
}

json_t *tree_replace(const json_t *value, const char *from, const char *to) {
    if (json_is_string(value)) {
        return strlen(json_string_value(value)) == json_string_length(value)
                   ? replace_text(json_string_value(value), from, to)
                   : json_deep_copy(value);
    }
    if (json_is_object(value)) {
        json_t *copy = json_object(), *item;
        const char *key;
        json_object_foreach((json_t *)value, key, item) {
            json_object_set_new(copy, key, tree_replace(item, from, to));
        }
        return copy;
    }
    if (json_is_array(value)) {
        json_t *copy = json_array(), *item;
        size_t i;
        json_array_foreach(value, i, item) {
            json_array_append_new(copy, tree_replace(item, from, to));
        }
        return copy;
    }
    return json_deep_copy(value);
}

void tree_show(const json_t *value, char *out, size_t bytes) {
    AUTO_FREE char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    snprintf(out, bytes, "%s", text ? text : "nothing");
    if (text && strlen(text) >= bytes && bytes > 4) {
        snprintf(out + bytes - 4, 4, "...");
    }
}

static int list_contains(const json_t *found, const json_t *wanted, struct error *err) {
    /* People know an item by these keys. The message then names the difference within the item. */
    static const char *const names[] = {"full_name", "login", "number", "id"};
    size_t i, k;
    json_t *item, *have;
    json_array_foreach(wanted, i, item) {
        bool there = false;
        struct error nearest = {.text = ""}, ignored;
        json_array_foreach(found, k, have) {
            bool same = false;
            for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
                const json_t *name = json_object_get(item, names[n]);
                same |= name && json_equal(name, json_object_get(have, names[n]));
            }
            there |= tree_contains(have, item, same ? &nearest : &ignored) == 0;
        }
        if (!there && *nearest.text) {
            return error_set(err, "[%zu]%s", i, nearest.text);
        }
        if (!there) {
            char shown[300], all[500];
            tree_show(item, shown, sizeof shown);
            tree_show(found, all, sizeof all);
            return error_set(err, ": nothing there is %s; there is %s", shown, all);
        }
    }
    return 0;
}

int tree_contains(const json_t *found, const json_t *wanted, struct error *err) {
    if (json_is_object(wanted) && json_is_object(found)) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)wanted, key, value) {
            struct error inner;
            if (tree_contains(json_object_get(found, key), value, &inner) < 0) {
                return error_set(err, ".%s%s", key, inner.text);
            }
        }
        return 0;
    }
    if (json_is_array(wanted) && json_is_array(found)) {
        return list_contains(found, wanted, err);
    }
    if (found && json_equal(found, wanted)) {
        return 0;
    }
    char have[300], want[300];
    tree_show(found, have, sizeof have);
    tree_show(wanted, want, sizeof want);
    return error_set(err, " is %s, not %s", have, want);
}

void tree_hide_markers(json_t *value) {
    static const char marker[] = "\n\n<!-- snekomatic:effect=";
    const char *key;
    size_t i;
    json_t *item;
    json_object_foreach(value, key, item) {
        tree_hide_markers(item);
    }
    json_array_foreach(value, i, item) {
        tree_hide_markers(item);
    }
    const char *text = json_string_value(value), *at = text ? strstr(text, marker) : NULL;
    if (at) {
        AUTO_FREE char *shown = strndup(text, (size_t)(at - text));
        json_string_set(value, shown ? shown : "");
    }
}
