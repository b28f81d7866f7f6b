/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests of the app as itself: its data, its installations and their tokens. */
#include "fake/handlers.h"
#include "fake/node_ids.h"
#include "fake/pagination.h"
#include "fake/permissions.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Each installation has accepted what the app asks for, unless the state says otherwise. */
static json_t *permissions_of_app(struct fake *fake) {
    json_t *given = json_object_get(json_object_get(state_whole(fake), "app"), "permissions");
    json_t *all = given ? json_deep_copy(given) : json_object(), *installation, *level;
    const char *name;
    size_t i;
    json_array_foreach(state_list(fake, "installations"), i, installation) {
        json_object_foreach(json_object_get(installation, "permissions"), name, level) {
            if (!given && !permission_covers(all, name, json_string_value(level))) {
                json_object_set(all, name, level);
            }
        }
    }
    return all;
}

/* Without a list: the events that commands are in. */
static json_t *events_of_app(struct fake *fake) {
    json_t *given = json_object_get(json_object_get(state_whole(fake), "app"), "events");
    return given ? json_deep_copy(given)
                 : json_pack("[s, s, s, s, s]", "issues", "issue_comment", "pull_request",
                             "pull_request_review", "pull_request_review_comment");
}

json_t *shape_app(struct fake *fake) {
    const char *owner = text_of(json_object_get(state_whole(fake), "app"), "owner");
    return json_pack("{s:I, s:s, s:o, s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:i}", "id",
                     (json_int_t)fake->app_id, "slug", fake->app_slug, "node_id",
                     node_id("A", (json_int_t)fake->app_id), "name", fake->app_slug, "owner",
                     shape_account(fake, owner ? owner : "owner-of-the-app"), "description",
                     "The app under test", "client_id", "Iv1.0000000000000000", "external_url",
                     "https://example.org", "html_url",
                     json_sprintf("%s/apps/%s", fake->web_origin, fake->app_slug), "created_at",
                     "2025-01-01T00:00:00Z", "updated_at", "2025-01-01T00:00:00Z", "permissions",
                     permissions_of_app(fake), "events", events_of_app(fake), "installations_count",
                     (int)json_array_size(state_list(fake, "installations")));
}

void handle_app(struct http_exchange *exchange) {
    respond_json(exchange, 200, shape_app(exchange->fake));
}

static json_t *find_installation(struct http_exchange *exchange) {
    char *end;
    errno = 0;
    long long id = strtoll(exchange->parameters[0], &end, 10);
    return errno == 0 && *end == '\0'
               ? list_find_number(state_list(exchange->fake, "installations"), "id", id)
               : NULL;
}

json_t *shape_installation(struct fake *fake, json_t *installation) {
    json_int_t id = number_of(installation, "id");
    const char *account = text_of(installation, "account");
    const char *created_at = text_of(installation, "created_at");
    bool suspended = json_is_true(json_object_get(installation, "suspended"));
    json_t *shape = json_pack(
        "{s:I, s:o, s:s, s:o, s:o, s:o, s:o?, s:I, s:s, s:O, s:[], s:s, s:s, s:n, s:b, s:[]}", "id",
        id, "account", shape_account(fake, account), "repository_selection", "all",
        "access_tokens_url",
        json_sprintf("%s/app/installations/%" JSON_INTEGER_FORMAT "/access_tokens", fake->origin,
                     id),
        "repositories_url", json_sprintf("%s/installation/repositories", fake->origin), "html_url",
        json_sprintf("%s/organizations/%s/settings/installations/%" JSON_INTEGER_FORMAT,
                     fake->web_origin, account, id),
        "target_id",
        json_incref(
            json_object_get(list_find(state_list(fake, "organizations"), "login", account), "id")),
        "app_id", (json_int_t)fake->app_id, "target_type", "Organization", "permissions",
        json_object_get(installation, "permissions"), "events", "created_at",
        created_at ? created_at : "2025-01-01T00:00:00Z", "updated_at", "2025-01-01T00:00:00Z",
        "single_file_name", "has_multiple_single_files", 0, "single_file_paths");
    json_object_set_new(shape, "app_slug", json_string(fake->app_slug));
    json_object_set_new(shape, "suspended_at",
                        suspended ? json_string("2025-01-02T00:00:00Z") : json_null());
    json_object_set_new(shape, "suspended_by",
                        suspended ? shape_user(fake, "owner-of-the-app") : json_null());
    return shape;
}

void handle_installations_get(struct http_exchange *exchange) {
    json_t *all = json_array(), *installation;
    size_t i;
    json_array_foreach(state_list(exchange->fake, "installations"), i, installation) {
        json_array_append_new(all, shape_installation(exchange->fake, installation));
    }
    respond_page(exchange, all);
}

void handle_installation_get(struct http_exchange *exchange) {
    json_t *installation = find_installation(exchange);
    if (installation) {
        respond_json(exchange, 200, shape_installation(exchange->fake, installation));
    } else {
        respond_error(exchange, 404, "Not Found");
    }
}

/* A user, an organization, or the app's own bot. */
void handle_user_get(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    const char *login = exchange->parameters[0];
    json_t *own = app_login(fake);
    bool known = strcasecmp(login, json_string_value(own)) == 0 ||
                 list_find(state_list(fake, "organizations"), "login", login) ||
                 state_user(fake, login);
    json_decref(own);
    if (known) {
        respond_json(exchange, 200, shape_account(fake, login));
    } else {
        respond_error(exchange, 404, "Not Found");
    }
}

static json_t *with_metadata(const json_t *permissions) {
    json_t *all = json_deep_copy(permissions);
    const char *name;
    json_t *level;
    bool of_repositories = false;
    json_object_foreach((json_t *)permissions, name, level) {
        of_repositories = of_repositories || permission_is_of_repositories(name);
    }
    if (of_repositories && !json_object_get(all, "metadata")) {
        json_object_set_new(all, "metadata", json_string("read"));
    }
    return all;
}

/* The token's permissions, the caller's; NULL when it responded with an error. */
static json_t *wanted_permissions(struct http_exchange *exchange, const json_t *granted,
                                  const json_t *wanted) {
    if (!wanted) {
        return with_metadata(granted);
    }
    if (!json_is_object(wanted)) {
        respond_invalid(exchange, "Installation", "permissions", "invalid",
                        "permissions is not an object");
        return NULL;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)wanted, name, value) {
        const char *level = json_string_value(value);
        char message[160];
        if (!permission_exists(name)) {
            snprintf(message, sizeof message, "\"%.100s\" is not a permission", name);
            respond_invalid(exchange, "Installation", "permissions", "invalid", message);
            return NULL;
        }
        if (!level || !permission_has_level(name, level)) {
            snprintf(message, sizeof message, "%s has no such level", name);
            respond_invalid(exchange, "Installation", "permissions", "invalid", message);
            return NULL;
        }
        bool metadata = strcmp(name, "metadata") == 0 && strcmp(level, "read") == 0;
        if (!metadata && !permission_covers(granted, name, level)) {
            respond_error(exchange, 422,
                          "The permissions requested are not granted to this installation.");
            return NULL;
        }
    }
    return with_metadata(wanted);
}

/* Finds the repository by `wanted`, a name or an id. */
static json_t *wanted_repository(struct http_exchange *exchange, const char *account,
                                 const json_t *wanted) {
    json_t *list = state_list(exchange->fake, "repositories");
    json_t *found = NULL;
    if (json_is_string(wanted)) {
        char full_name[256];
        snprintf(full_name, sizeof full_name, "%s/%s", account, json_string_value(wanted));
        found = list_find(list, "full_name", full_name);
    } else if (json_is_integer(wanted)) {
        found = list_find_number(list, "id", json_integer_value(wanted));
    }
    const char *full_name = text_of(found, "full_name");
    size_t bytes = strlen(account);
    return full_name && strncasecmp(full_name, account, bytes) == 0 && full_name[bytes] == '/'
               ? found
               : NULL;
}

/* 0 and the full names in `*names` (NULL: all), or -1 when it responded with an error. */
static int wanted_repositories(struct http_exchange *exchange, const char *account,
                               const json_t *body, json_t **names) {
    static const char *const keys[] = {"repositories", "repository_ids"};
    json_t *chosen = NULL;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        json_t *list = json_object_get(body, keys[k]);
        if (list && !chosen) {
            chosen = json_array();
        }
        bool sound = !list || json_is_array(list);
        size_t i;
        json_t *wanted;
        json_array_foreach(list, i, wanted) {
            json_t *repository = wanted_repository(exchange, account, wanted);
            sound = sound && repository;
            json_array_append(chosen, json_object_get(repository, "full_name"));
        }
        if (!sound) {
            json_decref(chosen);
            respond_error(exchange, 422,
                          "There is at least one repository that does not exist or is not "
                          "accessible to the parent installation.");
            return -1;
        }
    }
    *names = chosen;
    return 0;
}

void handle_access_tokens(struct http_exchange *exchange) {
    static const char *const allowed[] = {"permissions", "repositories", "repository_ids", NULL};
    struct fake *fake = exchange->fake;
    json_t *installation = find_installation(exchange);
    if (!installation) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    if (json_is_true(json_object_get(installation, "suspended"))) {
        respond_error(exchange, 403, "This installation has been suspended");
        return;
    }
    json_t *body = exchange_body(exchange, "Installation", allowed);
    if (!body) {
        return;
    }
    json_t *repositories = NULL;
    json_t *permissions = wanted_permissions(exchange, json_object_get(installation, "permissions"),
                                             json_object_get(body, "permissions"));
    if (!permissions ||
        wanted_repositories(exchange, text_of(installation, "account"), body, &repositories) < 0) {
        json_decref(permissions);
        json_decref(body);
        return;
    }
    json_decref(body);
    int64_t expires_s = fake_now_s(fake) + state_setting(fake, "token_lifetime_s");
    char expires[FAKE_TIME_MAX];
    fake_time_text(expires_s, expires);
    json_t *response =
        json_pack("{s:s, s:O, s:s}", "expires_at", expires, "permissions", permissions,
                  "repository_selection", repositories ? "selected" : "all");
    const char *token =
        token_mint(fake, number_of(installation, "id"), permissions, repositories, expires_s);
    json_object_set_new(response, "token", json_string(token));
    respond_json(exchange, 201, response);
}
