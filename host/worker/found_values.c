/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Knows a value again by its place in the JSON. */
#include "worker/found_values.h"

#include "base/json.h"
#include "base/lock.h"
#include "worker/value.h"

struct found_value {
    TAILQ_ENTRY(found_value) entry;
    /* Where it stands in the JSON. */
    const char *raw;
    struct snek_value value;
};

void found_values_init(struct found_values *values, size_t max_bytes) {
    pthread_mutex_init(&values->lock, NULL);
    arena_init(&values->arena, max_bytes);
    TAILQ_INIT(&values->list);
}

void found_values_finish(struct found_values *values) {
    arena_finish(&values->arena);
    pthread_mutex_destroy(&values->lock);
}

/* Under the lock. NULL when memory is short. */
static const struct found_value *keep(struct found_values *values, const char *json, size_t bytes,
                                      const char *raw, const char *path) {
    struct found_value *found;
    TAILQ_FOREACH(found, &values->list, entry) {
        if (found->raw == raw) {
            return found;
        }
    }
    found = arena_alloc(&values->arena, sizeof *found);
    if (!found || value_find(&values->arena, json, bytes, path, &found->value) == SNEK_ABSENT) {
        return NULL;
    }
    found->raw = raw;
    TAILQ_INSERT_HEAD(&values->list, found, entry);
    return found;
}

uint32_t found_values_find(struct found_values *values, const char *json, size_t bytes,
                           const char *path, struct snek_value *value) {
    struct json_value at;
    if (!value) {
        return value_find(&values->arena, json, bytes, path, NULL);
    }
    *value = (struct snek_value){.kind = SNEK_ABSENT};
    if (!path || !json_find(json, bytes, path, &at)) {
        return SNEK_ABSENT;
    }
    SCOPED_LOCK(&values->lock);
    const struct found_value *found = keep(values, json, bytes, at.raw, path);
    if (found) {
        *value = found->value;
    }
    return value->kind;
}
