/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state: checks a JSON tree as a whole and fills in optional parts, so that all other modules
 * can rely on it. */
#include "fake/state.h"

#include "fake/collaborators.h"
#include "fake/graphql.h"
#include "fake/instance.h"
#include "fake/permissions.h"
#include "fake/state_merge.h"
#include "fake/times.h"

#include <string.h>
#include <strings.h>

#define FIRST_ID 1000000
#define TOKEN_BYTES_MIN 40
#define TOKEN_BYTES_MAX 4096
#define LONG_AGO "2025-01-01T00:00:00Z"

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

static json_t *new_user(struct fake *fake, const char *login, json_t *id) {
    return json_pack("{s:s, s:o, s:s}", "login", login, "id",
                     id ? json_incref(id) : json_integer(state_new_id(fake)), "type", "User");
}

json_t *state_user(struct fake *fake, const char *login) {
    json_t *users = state_list(fake, "users");
    json_t *user = list_find(users, "login", login);
    return user || !state_creates(fake, "users") ? user
                                                 : list_add(users, new_user(fake, login, NULL));
}

/* -- the checks; an unknown key is an error -- */

static int check_reactions(const json_t *list, struct error *err) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        json_int_t id;
        const char *user, *content, *created_at;
        json_error_t problem;
        if (json_unpack_ex(item, &problem, 0, "{s?I, s:s, s:s, s?s !}", "id", &id, "user", &user,
                           "content", &content, "created_at", &created_at) < 0) {
            return error_set(err, "reactions[%zu]: %s", i, problem.text);
        }
    }
    return 0;
}

static int check_user(json_t *user, struct error *err) {
    json_int_t id;
    const char *login, *type;
    json_error_t problem;
    return json_unpack_ex(user, &problem, 0, "{s:s, s?I, s?s !}", "login", &login, "id", &id,
                          "type", &type) < 0
               ? error_set(err, "%s", problem.text)
               : 0;
}

static bool is_one_of(const char *text, const char *first, const char *second) {
    return strcmp(text, first) == 0 || strcmp(text, second) == 0;
}

static int check_organization(json_t *organization, struct error *err) {
    json_int_t id;
    const char *login, *base_role = "read";
    json_t *members = NULL;
    json_error_t problem;
    if (json_unpack_ex(organization, &problem, 0, "{s:s, s?I, s?o, s?s !}", "login", &login, "id",
                       &id, "members", &members, "base_role", &base_role) < 0) {
        return error_set(err, "%s", problem.text);
    }
    if (strcmp(base_role, "none") != 0 && !collaborators_role_exists(base_role)) {
        return error_set(err, "base_role is none, read, write or admin, not %s", base_role);
    }
    size_t i;
    json_t *member;
    json_array_foreach(members, i, member) {
        const char *role = "member", *state = "active";
        int is_public;
        if (json_unpack_ex(member, &problem, 0, "{s:s, s?I, s?s, s?s, s?b !}", "login", &login,
                           "id", &id, "role", &role, "state", &state, "public", &is_public) < 0) {
            return error_set(err, "members[%zu]: %s", i, problem.text);
        }
        if (!is_one_of(role, "member", "admin") || !is_one_of(state, "active", "pending")) {
            return error_set(err, "members[%zu]: role is member or admin, state active or pending",
                             i);
        }
    }
    return 0;
}

static int check_issues(const json_t *issues, struct error *err) {
    size_t i;
    json_t *issue;
    json_array_foreach(issues, i, issue) {
        json_int_t number, id;
        const char *title, *state, *created_at, *updated_at;
        int locked, pull_request, deleted;
        json_t *user, *body, *merged_at, *labels = NULL, *reactions = NULL, *label;
        size_t k;
        json_error_t problem;
        if (json_unpack_ex(
                issue, &problem, 0,
                "{s:I, s?I, s?s, s?o, s?o, s?s, s?b, s?b, s?b, s?s, s?s, s?o, s?o, s?o !}",
                "number", &number, "id", &id, "title", &title, "body", &body, "user", &user,
                "state", &state, "locked", &locked, "deleted", &deleted, "pull_request",
                &pull_request, "created_at", &created_at, "updated_at", &updated_at, "merged_at",
                &merged_at, "labels", &labels, "reactions", &reactions) < 0) {
            return error_set(err, "issues[%zu]: %s", i, problem.text);
        }
        json_array_foreach(labels, k, label) {
            if (!json_is_string(label)) {
                return error_set(err, "issues[%zu]: labels is a list of names", i);
            }
        }
        if (check_reactions(reactions, err) < 0) {
            return error_wrap(err, "issues[%zu]", i);
        }
    }
    return 0;
}

static int check_comments(const char *name, const char *of, const json_t *comments,
                          struct error *err) {
    size_t i;
    json_t *comment;
    json_array_foreach(comments, i, comment) {
        json_int_t id, number, in_reply_to_id;
        const char *created_at, *updated_at, *body;
        json_t *user, *reactions = NULL;
        json_error_t problem;
        if (json_unpack_ex(comment, &problem, 0, "{s?I, s?I, s?I, s?s, s?o, s?s, s?s, s?o !}", "id",
                           &id, of, &number, "in_reply_to_id", &in_reply_to_id, "body", &body,
                           "user", &user, "created_at", &created_at, "updated_at", &updated_at,
                           "reactions", &reactions) < 0) {
            return error_set(err, "%s[%zu]: %s", name, i, problem.text);
        }
        if (check_reactions(reactions, err) < 0) {
            return error_wrap(err, "%s[%zu]", name, i);
        }
    }
    return 0;
}

static bool is_full_name(const char *text) {
    const char *slash = text ? strchr(text, '/') : NULL;
    return slash && slash > text && slash[1] && !strchr(slash + 1, '/');
}

static int check_repository(json_t *repository, struct error *err) {
    const char *full_name;
    json_int_t id;
    int is_private, is_archived;
    json_t *issues = NULL, *comments = NULL, *review_comments = NULL, *former = NULL, *name,
           *collaborators = NULL, *teams = NULL;
    json_error_t problem;
    size_t i;
    if (json_unpack_ex(
            repository, &problem, 0, "{s:s, s?I, s?b, s?b, s?o, s?o, s?o, s?o, s?o, s?o !}",
            "full_name", &full_name, "id", &id, "private", &is_private, "archived", &is_archived,
            "issues", &issues, "comments", &comments, "review_comments", &review_comments,
            "former_names", &former, "collaborators", &collaborators, "teams", &teams) < 0) {
        return error_set(err, "%s", problem.text);
    }
    if (!is_full_name(full_name)) {
        return error_set(err, "full_name is OWNER/NAME, not %s", full_name);
    }
    json_array_foreach(former, i, name) {
        if (!is_full_name(json_string_value(name))) {
            return error_set(err, "former_names is a list of OWNER/NAME");
        }
    }
    return collaborators_check(collaborators, teams, err) < 0 || check_issues(issues, err) < 0 ||
                   check_comments("comments", "issue", comments, err) < 0 ||
                   check_comments("review_comments", "pull", review_comments, err) < 0
               ? -1
               : 0;
}

static int check_permissions(const json_t *permissions, struct error *err) {
    const char *name;
    json_t *level;
    json_object_foreach((json_t *)permissions, name, level) {
        if (!json_is_string(level) || !permission_has_level(name, json_string_value(level))) {
            return error_set(err, "permissions: %s is not a permission with that level", name);
        }
    }
    return json_is_object(permissions) ? 0 : error_set(err, "permissions is not an object");
}

static int check_app(json_t *app, struct error *err) {
    const char *owner;
    json_t *permissions = NULL, *events = NULL, *name;
    json_error_t problem;
    size_t i;
    if (json_unpack_ex(app, &problem, 0, "{s?s, s?o, s?o !}", "owner", &owner, "permissions",
                       &permissions, "events", &events) < 0) {
        return error_set(err, "%s", problem.text);
    }
    json_array_foreach(events, i, name) {
        if (!json_is_string(name)) {
            return error_set(err, "events is a list of names");
        }
    }
    if (events && !json_is_array(events)) {
        return error_set(err, "events is not a list");
    }
    return permissions ? check_permissions(permissions, err) : 0;
}

static int check_installation(json_t *installation, struct error *err) {
    json_int_t id;
    const char *account, *created_at;
    int suspended;
    json_t *permissions;
    json_error_t problem;
    if (json_unpack_ex(installation, &problem, 0, "{s:I, s:s, s:o, s?b, s?s !}", "id", &id,
                       "account", &account, "permissions", &permissions, "suspended", &suspended,
                       "created_at", &created_at) < 0) {
        return error_set(err, "%s", problem.text);
    }
    return check_permissions(permissions, err);
}

static int check_settings(const json_t *settings, struct error *err) {
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
} kinds[] = {{"users", "login", check_user},
             {"organizations", "login", check_organization},
             {"repositories", "full_name", check_repository},
             {"installations", "id", check_installation},
             {"graphql", NULL, graphql_check}};

static int check_kind(const struct kind *kind, const json_t *list, struct error *err) {
    if (list && !json_is_array(list)) {
        return error_set(err, "%s is not a list", kind->name);
    }
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (kind->check(item, err) < 0) {
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

/* -- filling in -- */

static void fill(json_t *object, const char *key, json_t *value) {
    if (json_object_get(object, key)) {
        json_decref(value);
    } else {
        json_object_set_new(object, key, value);
    }
}

static json_t *filled_list(json_t *object, const char *key) {
    fill(object, key, json_array());
    return json_object_get(object, key);
}

static void fill_id(struct fake *fake, json_t *object) {
    if (!json_object_get(object, "id")) {
        json_object_set_new(object, "id", json_integer(state_new_id(fake)));
    }
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

static void fill_reactions(struct fake *fake, json_t *subject) {
    size_t i;
    json_t *reaction;
    json_array_foreach(filled_list(subject, "reactions"), i, reaction) {
        fill_id(fake, reaction);
        fill(reaction, "created_at", json_string(LONG_AGO));
    }
}

static void fill_comments(struct fake *fake, json_t *list) {
    size_t i;
    json_t *comment;
    json_array_foreach(list, i, comment) {
        fill_id(fake, comment);
        fill(comment, "user", json_null());
        fill(comment, "body", json_string(""));
        fill(comment, "created_at", json_string(LONG_AGO));
        fill(comment, "updated_at", json_incref(json_object_get(comment, "created_at")));
        fill_reactions(fake, comment);
    }
}

/* Absent: when it was made, or last got or changed a comment. */
static void fill_updated_at(const json_t *repository, json_t *issue) {
    const char *latest = text_of(issue, "created_at");
    size_t i;
    json_t *comment;
    json_array_foreach(json_object_get(repository, "comments"), i, comment) {
        const char *at = text_of(comment, "updated_at");
        bool is_its = number_of(comment, "issue") == number_of(issue, "number");
        latest = is_its && strcmp(at, latest) > 0 ? at : latest;
    }
    fill(issue, "updated_at", json_string(latest));
}

static void fill_repository(struct fake *fake, json_t *repository) {
    fill_id(fake, repository);
    fill(repository, "private", json_false());
    fill(repository, "archived", json_false());
    filled_list(repository, "former_names");
    size_t i;
    json_t *issue;
    json_array_foreach(filled_list(repository, "issues"), i, issue) {
        fill_id(fake, issue);
        fill(issue, "title", json_string("Untitled"));
        fill(issue, "body", json_null());
        fill(issue, "user", json_null());
        fill(issue, "state", json_string("open"));
        fill(issue, "locked", json_false());
        fill(issue, "deleted", json_false());
        fill(issue, "pull_request", json_false());
        fill(issue, "created_at", json_string(LONG_AGO));
        fill(issue, "merged_at", json_null());
        filled_list(issue, "labels");
        fill_reactions(fake, issue);
    }
    fill_comments(fake, filled_list(repository, "comments"));
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        fill_updated_at(repository, issue);
    }
    fill_comments(fake, filled_list(repository, "review_comments"));
}

static void fill_user(struct fake *fake, json_t *users, const char *login, json_t *id) {
    if (!list_find(users, "login", login)) {
        list_add(users, new_user(fake, login, id));
    }
}

/* Whoever has a permission is a user. */
static void fill_collaborators(struct fake *fake, json_t *repository, json_t *users) {
    size_t i, k;
    json_t *item, *member;
    json_array_foreach(filled_list(repository, "collaborators"), i, item) {
        fill_user(fake, users, text_of(item, "login"), NULL);
    }
    json_array_foreach(filled_list(repository, "teams"), i, item) {
        json_array_foreach(json_object_get(item, "members"), k, member) {
            fill_user(fake, users, json_string_value(member), NULL);
        }
    }
}

static void fill_organization(struct fake *fake, json_t *organization, json_t *users) {
    fill_id(fake, organization);
    fill(organization, "base_role", json_string("read"));
    size_t i;
    json_t *member;
    json_array_foreach(filled_list(organization, "members"), i, member) {
        fill(member, "role", json_string("member"));
        fill(member, "state", json_string("active"));
        fill(member, "public", json_false());
        fill_user(fake, users, text_of(member, "login"), json_object_get(member, "id"));
    }
}

static void fill_state(struct fake *fake, json_t *state) {
    fill(state, "settings", json_object());
    json_t *settings = json_object_get(state, "settings");
    fill(settings, "token_lifetime_s", json_integer(3600));
    fill(settings, "token_bytes", json_integer(TOKEN_BYTES_MIN));
    fill(settings, "clock_skew_s", json_integer(0));
    fill(settings, "rate_limit", json_integer(5000));
    fill(settings, "search_rate_limit", json_integer(30));
    fill(settings, "graphql_rate_limit", json_integer(5000));
    fill(settings, "rate_window_s", json_integer(3600));
    fill(settings, "webhook_url", json_string(""));
    fill(settings, "webhook_secret", json_string(""));
    fill(settings, "webhook_content_type", json_string("json"));
    fill(settings, "webhook_insecure_ssl", json_string("0"));
    fill(settings, "webhook_active", json_true());
    fill(settings, "webhook_via", json_string(""));
    fill(settings, "manifest_secret", json_true());
    fill(settings, "auto_create", json_array());
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        filled_list(state, kinds[k].name);
    }
    size_t i;
    json_t *item, *users = json_object_get(state, "users");
    json_array_foreach(users, i, item) {
        fill_id(fake, item);
        fill(item, "type", json_string("User"));
    }
    json_array_foreach(json_object_get(state, "organizations"), i, item) {
        fill_organization(fake, item, users);
    }
    json_array_foreach(json_object_get(state, "repositories"), i, item) {
        fill_repository(fake, item);
        fill_collaborators(fake, item, users);
    }
    json_array_foreach(json_object_get(state, "installations"), i, item) {
        fill(item, "suspended", json_false());
    }
    fill(state, "app", json_object());
}

static int complete(struct fake *fake, json_t *state, struct error *err) {
    if (!json_is_object(state)) {
        return error_set(err, "the state is not an object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(state, key, value) {
        bool known = is_one_of(key, "settings", "app");
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            known = known || strcmp(key, kinds[k].name) == 0;
        }
        if (!known) {
            return error_set(err,
                             "%s is not known; there are settings, app, users, organizations, "
                             "repositories, installations, graphql",
                             key);
        }
    }
    value = json_object_get(state, "settings");
    if (value && check_settings(value, err) < 0) {
        return -1;
    }
    value = json_object_get(state, "app");
    if (value && check_app(value, err) < 0) {
        return error_wrap(err, "app");
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (check_kind(&kinds[k], json_object_get(state, kinds[k].name), err) < 0) {
            return -1;
        }
    }
    if (times_rewrite(fake, json_object_get(state, "repositories"), err) < 0) {
        return error_wrap(err, "repositories");
    }
    if (times_rewrite(fake, json_object_get(state, "installations"), err) < 0) {
        return error_wrap(err, "installations");
    }
    fake->last_id = fake->last_id < FIRST_ID ? FIRST_ID : fake->last_id;
    raise_last_id(fake, state);
    fill_state(fake, state);
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

int state_patch(struct fake *fake, const json_t *changes, struct error *err) {
    json_t *state = json_deep_copy(fake->state), *copy = json_deep_copy(changes);
    json_t *repositories = json_object_get(copy, "repositories");
    int result = times_rewrite(fake, repositories, err);
    result = result < 0 ? error_wrap(err, "repositories") : state_merge(state, copy, err);
    if (result < 0) {
        json_decref(state);
    } else {
        times_follow_comments(state, copy);
        result = state_replace(fake, state, err);
    }
    json_decref(copy);
    return result;
}

int state_change_settings(struct fake *fake, const json_t *changes, struct error *err) {
    if (check_settings(changes, err) < 0) {
        return -1;
    }
    json_object_update(state_settings(fake), (json_t *)changes);
    return 0;
}
