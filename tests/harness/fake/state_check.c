/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a state as a whole: its form by the table of state_schema.c, then what a table cannot say.
 */
#include "fake/state_check.h"

#include "fake/collaborators.h"
#include "fake/graphql.h"
#include "fake/permissions.h"
#include "fake/state.h"
#include "fake/state_schema.h"

#include <string.h>

#define TOKEN_BYTES_MIN 40
#define TOKEN_BYTES_MAX 4096

static bool is_one_of(const char *text, const char *first, const char *second) {
    return strcmp(text, first) == 0 || strcmp(text, second) == 0;
}

static int check_organization(json_t *organization, struct error *err) {
    const char *base_role = text_of(organization, "base_role");
    if (base_role && strcmp(base_role, "none") != 0 && !collaborators_role_exists(base_role)) {
        return error_set(err, "base_role is none, read, write or admin, not %s", base_role);
    }
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(organization, "members"), i, member) {
        const char *role = text_of(member, "role"), *state = text_of(member, "state");
        if ((role && !is_one_of(role, "member", "admin")) ||
            (state && !is_one_of(state, "active", "pending"))) {
            return error_set(err, "members[%zu]: role is member or admin, state active or pending",
                             i);
        }
    }
    return 0;
}

static bool is_full_name(const char *text) {
    const char *slash = text ? strchr(text, '/') : NULL;
    return slash && slash > text && slash[1] && !strchr(slash + 1, '/');
}

static int check_repository(json_t *repository, struct error *err) {
    const char *full_name = text_of(repository, "full_name");
    size_t i;
    json_t *name;
    if (!is_full_name(full_name)) {
        return error_set(err, "full_name is OWNER/NAME, not %s", full_name);
    }
    json_array_foreach(json_object_get(repository, "former_names"), i, name) {
        if (!is_full_name(json_string_value(name))) {
            return error_set(err, "former_names is a list of OWNER/NAME");
        }
    }
    return collaborators_check(json_object_get(repository, "collaborators"),
                               json_object_get(repository, "teams"), err);
}

static int check_permissions(const json_t *permissions, struct error *err) {
    const char *name;
    json_t *level;
    json_object_foreach((json_t *)permissions, name, level) {
        if (!json_is_string(level) || !permission_has_level(name, json_string_value(level))) {
            return error_set(err, "permissions: %s is not a permission with that level", name);
        }
    }
    return 0;
}

static int check_installation(json_t *installation, struct error *err) {
    return check_permissions(json_object_get(installation, "permissions"), err);
}

int state_check_settings(const json_t *settings, struct error *err) {
    json_int_t lifetime_s = 3600, bytes = TOKEN_BYTES_MIN, skew_s, rate_limit = 0, searches = 0,
               graphql = 0, window_s = 1;
    const char *url = "", *secret = "", *type = "json", *insecure = "0", *via = "";
    int active = 1, manifest_secret = 1;
    json_t *auto_create = NULL, *item;
    json_error_t problem;
    if (json_unpack_ex(
            (json_t *)settings, &problem, 0,
            "{s?I, s?I, s?I, s?I, s?I, s?I, s?I, s?s, s?s, s?s, s?s, s?b, s?s, s?b, s?o !}",
            "token_lifetime_s", &lifetime_s, "token_bytes", &bytes, "clock_skew_s", &skew_s,
            "rate_limit", &rate_limit, "search_rate_limit", &searches, "graphql_rate_limit",
            &graphql, "rate_window_s", &window_s, "webhook_url", &url, "webhook_secret", &secret,
            "webhook_content_type", &type, "webhook_insecure_ssl", &insecure, "webhook_active",
            &active, "webhook_via", &via, "manifest_secret", &manifest_secret, "auto_create",
            &auto_create) < 0) {
        return error_set(err, "settings: %s", problem.text);
    }
    if (bytes < TOKEN_BYTES_MIN || bytes > TOKEN_BYTES_MAX) {
        return error_set(err, "settings: token_bytes is from %d to %d", TOKEN_BYTES_MIN,
                         TOKEN_BYTES_MAX);
    }
    if (lifetime_s < 0 || rate_limit < 0 || searches < 0 || graphql < 0) {
        return error_set(err, "settings: token_lifetime_s and the rate limits are not negative");
    }
    if (!is_one_of(type, "json", "form") || !is_one_of(insecure, "0", "1")) {
        return error_set(err, "settings: webhook_content_type is json or form, and "
                              "webhook_insecure_ssl is \"0\" or \"1\"");
    }
    if (window_s < 1) {
        return error_set(err, "settings: rate_window_s is a positive number");
    }
    size_t i;
    json_array_foreach(auto_create, i, item) {
        const char *text = json_string_value(item);
        if (!text ||
            (!is_one_of(text, "users", "repositories") && !is_one_of(text, "issues", "comments"))) {
            return error_set(err, "settings: auto_create lists users, repositories, issues, "
                                  "comments");
        }
    }
    return !auto_create || json_is_array(auto_create)
               ? 0
               : error_set(err, "settings: auto_create is not a list");
}

static const struct kind {
    const char *name;
    /* The key that is unique; NULL: none. */
    const char *key;
    int (*check)(json_t *item, struct error *err);
} kinds[] = {{"users", "login", NULL},
             {"organizations", "login", check_organization},
             {"repositories", "full_name", check_repository},
             {"installations", "id", check_installation},
             {"graphql", NULL, graphql_check}};

static int check_kind(const struct kind *kind, const json_t *list, struct error *err) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (kind->check && kind->check(item, err) < 0) {
            return error_wrap(err, "%s[%zu]", kind->name, i);
        }
        if (!kind->key) {
            continue;
        }
        const char *text = text_of(item, kind->key);
        json_t *first = text ? list_find(list, kind->key, text)
                             : list_find_number(list, kind->key, number_of(item, kind->key));
        if (first != item) {
            return error_set(err, "%s[%zu]: its %s is there twice", kind->name, i, kind->key);
        }
    }
    return 0;
}

int state_check(const json_t *state, struct error *err) {
    const json_t *settings = json_object_get(state, "settings");
    const json_t *app = json_object_get(state, "app");
    if (schema_check(state, &state_schema, err) < 0 ||
        (settings && state_check_settings(settings, err) < 0)) {
        return -1;
    }
    if (app && check_permissions(json_object_get(app, "permissions"), err) < 0) {
        return error_wrap(err, "app");
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (check_kind(&kinds[k], json_object_get(state, kinds[k].name), err) < 0) {
            return -1;
        }
    }
    return 0;
}
