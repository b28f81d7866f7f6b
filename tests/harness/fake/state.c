/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state: one JSON tree, replaced and patched as a whole, and what other modules read of it. */
#include "fake/state.h"

#include "fake/state_check.h"
#include "fake/state_fill.h"
#include "fake/state_merge.h"
#include "fake/times.h"

#include <string.h>
#include <strings.h>

#define FIRST_ID 1000000

const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

json_int_t number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

json_t *list_find(const json_t *list, const char *key, const char *text) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *value = text_of(item, key);
        if (value && strcasecmp(value, text) == 0) {
            return item;
        }
    }
    return NULL;
}

json_t *list_find_number(const json_t *list, const char *key, json_int_t number) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        json_t *value = json_object_get(item, key);
        if (json_is_integer(value) && json_integer_value(value) == number) {
            return item;
        }
    }
    return NULL;
}

json_t *list_add(json_t *list, json_t *item) {
    return json_array_append_new(list, item) == 0 ? item : NULL;
}

void list_remove(json_t *list, const json_t *item) {
    size_t i;
    json_t *at;
    json_array_foreach(list, i, at) {
        if (at == item) {
            json_array_remove(list, i);
            return;
        }
    }
}

json_t *state_whole(const struct fake *fake) {
    return fake->state;
}

json_t *state_settings(const struct fake *fake) {
    return json_object_get(fake->state, "settings");
}

json_t *state_list(const struct fake *fake, const char *name) {
    return json_object_get(fake->state, name);
}

json_int_t state_setting(const struct fake *fake, const char *name) {
    return number_of(state_settings(fake), name);
}

bool state_creates(const struct fake *fake, const char *what) {
    json_t *list = json_object_get(state_settings(fake), "auto_create");
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (strcmp(json_string_value(item), what) == 0) {
            return true;
        }
    }
    return false;
}

json_int_t state_new_id(struct fake *fake) {
    return ++fake->last_id;
}

json_t *state_new_user(struct fake *fake, const char *login, json_t *id) {
    return json_pack("{s:s, s:o, s:s}", "login", login, "id",
                     id ? json_incref(id) : json_integer(state_new_id(fake)), "type", "User");
}

json_t *state_user(struct fake *fake, const char *login) {
    json_t *users = state_list(fake, "users");
    json_t *user = list_find(users, "login", login);
    return user || !state_creates(fake, "users")
               ? user
               : list_add(users, state_new_user(fake, login, NULL));
}

static void raise_last_id(struct fake *fake, const json_t *value) {
    const char *key;
    size_t i;
    json_t *item;
    json_object_foreach((json_t *)value, key, item) {
        if (strcmp(key, "id") == 0 && json_integer_value(item) > fake->last_id) {
            fake->last_id = json_integer_value(item);
        }
        raise_last_id(fake, item);
    }
    json_array_foreach(value, i, item) {
        raise_last_id(fake, item);
    }
}

static int complete(struct fake *fake, json_t *state, struct error *err) {
    if (state_check(state, err) < 0) {
        return -1;
    }
    if (times_rewrite(fake, json_object_get(state, "repositories"), err) < 0) {
        return error_wrap(err, "repositories");
    }
    if (times_rewrite(fake, json_object_get(state, "installations"), err) < 0) {
        return error_wrap(err, "installations");
    }
    fake->last_id = fake->last_id < FIRST_ID ? FIRST_ID : fake->last_id;
    raise_last_id(fake, state);
    state_fill(fake, state);
    return 0;
}

int state_load(struct fake *fake, const char *file, struct error *err) {
    if (!file) {
        return state_replace(fake, json_object(), err);
    }
    json_error_t problem;
    json_t *state = json_load_file(file, JSON_REJECT_DUPLICATES, &problem);
    if (!state) {
        return error_set(err, "%s:%d: %s", file, problem.line, problem.text);
    }
    return state_replace(fake, state, err) < 0 ? error_wrap(err, "%s", file) : 0;
}

void state_finish(struct fake *fake) {
    json_decref(fake->state);
}

int state_replace(struct fake *fake, json_t *state, struct error *err) {
    if (complete(fake, state, err) < 0) {
        json_decref(state);
        return -1;
    }
    json_decref(fake->state);
    fake->state = state;
    return 0;
}

/* The whole state with the changes, not yet completed; NULL with the reason. */
static json_t *patched(const struct fake *fake, const json_t *changes, struct error *err) {
    json_t *state = json_deep_copy(fake->state), *copy = json_deep_copy(changes);
    json_t *repositories = json_object_get(copy, "repositories");
    int result = times_rewrite(fake, repositories, err);
    result = result < 0 ? error_wrap(err, "repositories") : state_merge(state, copy, err);
    if (result < 0) {
        json_decref(state);
        state = NULL;
    } else {
        times_follow_comments(state, copy);
    }
    json_decref(copy);
    return state;
}

int state_patch(struct fake *fake, const json_t *changes, struct error *err) {
    json_t *state = patched(fake, changes, err);
    return state ? state_replace(fake, state, err) : -1;
}

int state_patch_check(struct fake *fake, const json_t *changes, struct error *err) {
    json_t *state = patched(fake, changes, err);
    int result = state ? complete(fake, state, err) : -1;
    json_decref(state);
    return result;
}

int state_change_settings(struct fake *fake, const json_t *changes, struct error *err) {
    if (state_check_settings(changes, err) < 0) {
        return -1;
    }
    json_object_update(state_settings(fake), (json_t *)changes);
    return 0;
}
