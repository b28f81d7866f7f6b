/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Walks the tree, changes one member at a time, and writes the whole again. */
#include "cli/payload_variants.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 400

struct walk {
    json_t *whole;
    on_variant *callback;
    void *context;
};

static int call(const struct walk *walk, const char *before, const char *path, const char *after) {
    char what[PATH_MAX_BYTES + 20];
    AUTO_FREE char *json = json_dumps(walk->whole, JSON_COMPACT);
    if (!json) {
        return -1;
    }
    snprintf(what, sizeof what, "%s%s%s", before, path, after);
    return walk->callback(walk->context, what, json, strlen(json));
}

static int walk_into(const struct walk *walk, json_t *value, const char *path);

/* `value` stays alive by the caller's reference. */
static int vary(const struct walk *walk, json_t *object, const char *key, json_t *value,
                const char *path) {
    int result = 0;
    if (json_object_del(object, key) == 0) {
        result = call(walk, "without ", path, "");
    }
    if (result == 0 && json_object_set_new(object, key, json_null()) == 0) {
        result = json_is_null(value) ? 0 : call(walk, "with ", path, " null");
    }
    if (json_object_set(object, key, value) < 0) {
        return -1;
    }
    return result == 0 ? walk_into(walk, value, path) : result;
}

struct member {
    char *key;
    json_t *value;
};

static int walk_members(const struct walk *walk, const struct member *members, size_t count,
                        json_t *object, const char *path) {
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        char below[PATH_MAX_BYTES];
        snprintf(below, sizeof below, "%.250s%s%.100s", path, *path ? "." : "", members[i].key);
        result = vary(walk, object, members[i].key, members[i].value, below);
    }
    return result;
}

/* The members are listed first, because the walk changes the object. */
static int walk_object(const struct walk *walk, json_t *object, const char *path) {
    struct member *members = NULL;
    size_t count = 0;
    const char *key;
    json_t *value;
    int result = 0;
    json_object_foreach(object, key, value) {
        struct member *member = ARRAY_ADD(members, count);
        if (!member) {
            result = -1;
            break;
        }
        *member = (struct member){.key = strdup(key), .value = json_incref(value)};
        if (!member->key) {
            result = -1;
            break;
        }
    }
    if (result == 0) {
        result = walk_members(walk, members, count, object, path);
    }
    for (size_t i = 0; i < count; i++) {
        free(members[i].key);
        json_decref(members[i].value);
    }
    free(members);
    return result;
}

static int walk_into(const struct walk *walk, json_t *value, const char *path) {
    if (json_is_object(value)) {
        return walk_object(walk, value, path);
    }
    int result = 0;
    for (size_t i = 0; i < json_array_size(value) && result == 0; i++) {
        char below[PATH_MAX_BYTES];
        snprintf(below, sizeof below, "%.350s[%zu]", path, i);
        result = walk_into(walk, json_array_get(value, i), below);
    }
    return result;
}

int payload_variants(json_t *payload, on_variant *callback, void *context) {
    const struct walk walk = {.whole = payload, .callback = callback, .context = context};
    int result = call(&walk, "", "", "");
    return result == 0 ? walk_into(&walk, payload, "") : result;
}
