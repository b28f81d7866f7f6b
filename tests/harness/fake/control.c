/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The control API below /_fake/: tests read the fake's state and script its behaviour. Calls need
 * no authentication and are not recorded. */
#include "fake/control.h"

#include "fake/failures.h"
#include "fake/graphql_schema.h"
#include "fake/payloads.h"
#include "fake/permission_rules.h"
#include "fake/permissions.h"
#include "fake/rate_limits.h"
#include "fake/requests.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/tokens.h"
#include "fake/webhooks.h"

#include <string.h>

static void respond_problem(struct http_exchange *exchange, const struct error *err) {
    respond_json(exchange, 422, json_pack("{s:s}", "message", err->text));
}

/* The body as an object, the caller's; NULL when it responded with an error. */
static json_t *control_body(struct http_exchange *exchange) {
    json_error_t problem;
    json_t *body = json_loadb(exchange->body.data ? exchange->body.data : "", exchange->body.bytes,
                              JSON_REJECT_DUPLICATES, &problem);
    if (!body) {
        respond_json(exchange, 400, json_pack("{s:s}", "message", problem.text));
    } else if (!json_is_object(body)) {
        json_decref(body);
        body = NULL;
        respond_json(exchange, 400, json_pack("{s:s}", "message", "the body is not an object"));
    }
    return body;
}

static void get_requests(struct http_exchange *exchange) {
    respond_json(exchange, 200,
                 json_pack("{s:O, s:I}", "requests", requests_list(exchange->fake), "forgotten",
                           requests_forgotten(exchange->fake)));
}

static void delete_requests(struct http_exchange *exchange) {
    requests_forget(exchange->fake);
    respond_empty(exchange, 204);
}

static void get_state(struct http_exchange *exchange) {
    respond_json(exchange, 200, json_incref(state_whole(exchange->fake)));
}

static void put_state(struct http_exchange *exchange) {
    json_t *state = control_body(exchange);
    struct error err = {0};
    if (!state) {
        return;
    }
    if (!json_object_get(state, "settings")) {
        json_object_set(state, "settings", state_settings(exchange->fake));
    }
    if (state_replace(exchange->fake, state, &err) < 0) {
        respond_problem(exchange, &err);
    } else {
        get_state(exchange);
    }
}

static void patch_state(struct http_exchange *exchange) {
    json_t *changes = control_body(exchange);
    struct error err = {0};
    if (!changes) {
        return;
    }
    if (state_patch(exchange->fake, changes, &err) < 0) {
        respond_problem(exchange, &err);
    } else {
        get_state(exchange);
    }
    json_decref(changes);
}

static void get_failures(struct http_exchange *exchange) {
    respond_json(exchange, 200, json_pack("{s:O}", "failures", failures_list(exchange->fake)));
}

static void post_failure(struct http_exchange *exchange) {
    json_t *failure = control_body(exchange);
    struct error err = {0};
    if (!failure) {
        return;
    }
    if (failures_add(exchange->fake, json_incref(failure), &err) < 0) {
        respond_problem(exchange, &err);
    } else {
        respond_json(exchange, 201, json_deep_copy(failure));
    }
    json_decref(failure);
}

static void delete_failures(struct http_exchange *exchange) {
    failures_clear(exchange->fake);
    respond_empty(exchange, 204);
}

static void post_release(struct http_exchange *exchange) {
    fake_release_delays(exchange->fake);
    respond_empty(exchange, 204);
}

static void post_expire(struct http_exchange *exchange) {
    json_t *body = exchange->body.bytes > 0 ? control_body(exchange) : json_object();
    if (body) {
        json_int_t count = tokens_expire(exchange->fake, number_of(body, "installation"));
        json_decref(body);
        respond_json(exchange, 200, json_pack("{s:I}", "expired", count));
    }
}

static void get_tokens(struct http_exchange *exchange) {
    respond_json(exchange, 200, json_pack("{s:o}", "tokens", tokens_list(exchange->fake)));
}

static void get_settings(struct http_exchange *exchange) {
    respond_json(exchange, 200, json_incref(state_settings(exchange->fake)));
}

static void post_settings(struct http_exchange *exchange) {
    json_t *changes = control_body(exchange);
    if (!changes) {
        return;
    }
    struct error err = {0};
    const char *via = text_of(changes, "webhook_via"), *url = text_of(changes, "webhook_url");
    url = url ? url : text_of(state_settings(exchange->fake), "webhook_url");
    if (via && *via && webhooks_lead_nowhere(url)) {
        error_set(&err,
                  "webhook_via would have no effect: the App's webhook URL is under .invalid, "
                  "so GitHub reaches nobody and the bot fetches its events. Set webhook_url "
                  "too, and let the bot receive webhooks");
        respond_problem(exchange, &err);
    } else if (state_change_settings(exchange->fake, changes, &err) < 0) {
        respond_problem(exchange, &err);
    } else {
        rate_limits_apply(exchange->fake, changes);
        get_settings(exchange);
    }
    json_decref(changes);
}

static void with_body(struct http_exchange *exchange,
                      void (*handle)(struct http_exchange *exchange, json_t *body)) {
    json_t *body = control_body(exchange);
    if (body) {
        handle(exchange, body);
        json_decref(body);
    }
}

/* Puts `new` in the place of each text that equals `old`. */
static void replace_text(json_t *value, const char *old, const char *new) {
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(value) && strcmp(json_string_value(value), old) == 0) {
        (void)json_string_set(value, new);
    }
    json_object_foreach(value, key, member) {
        replace_text(member, old, new);
    }
    json_array_foreach(value, i, member) {
        replace_text(member, old, new);
    }
}

/* Somebody renames the app: its bot user has another login, and the same id. */
static void rename_app(struct http_exchange *exchange, json_t *body) {
    struct fake *fake = exchange->fake;
    const char *slug = text_of(body, "slug");
    if (!slug || !*slug || strlen(slug) > FAKE_SLUG_MAX) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", "slug must be a text"));
        return;
    }
    json_t *old = app_login(fake);
    (void)snprintf(fake->app_slug, sizeof fake->app_slug, "%s", slug);
    json_t *new = app_login(fake);
    replace_text(state_whole(fake), json_string_value(old), json_string_value(new));
    json_decref(old);
    json_decref(new);
    respond_empty(exchange, 204);
}

static void post_app(struct http_exchange *exchange) {
    with_body(exchange, rename_app);
}

static void post_deliver(struct http_exchange *exchange) {
    with_body(exchange, control_deliver);
}

static void post_redeliver(struct http_exchange *exchange) {
    with_body(exchange, control_redeliver);
}

static void post_payload(struct http_exchange *exchange) {
    with_body(exchange, control_payload);
}

static void post_age(struct http_exchange *exchange) {
    with_body(exchange, control_age);
}

/* Which permission does GitHub ask for? {}: the fake does not know; a null name: none. */
static void get_permission(struct http_exchange *exchange) {
    AUTO_FREE char *method = exchange_query(exchange, "method");
    AUTO_FREE char *path = exchange_query(exchange, "path");
    char *segments[EXCHANGE_SEGMENTS_MAX], *rest = path && *path == '/' ? path + 1 : path;
    size_t n = 0;
    for (char *segment; n < EXCHANGE_SEGMENTS_MAX && (segment = strsep(&rest, "/")) != NULL;) {
        segments[n++] = segment;
    }
    struct permission_need need;
    if (!method || !permission_rule_find(method, segments, n, &need)) {
        respond_json(exchange, 200, json_object());
        return;
    }
    respond_json(exchange, 200,
                 json_pack("{s:s?, s:s?, s:s}", "name", need.name, "or_else", need.or_else, "level",
                           need.level));
}

static void get_permissions(struct http_exchange *exchange) {
    respond_json(exchange, 200, permissions_list());
}

static void build_payload(struct http_exchange *exchange, json_t *body) {
    const char *name = text_of(body, "name");
    struct error err = {0};
    json_t *payload =
        payload_build(exchange, name ? name : "", json_object_get(body, "with"), &err);
    if (payload) {
        respond_json(exchange, 200, payload);
    } else {
        respond_json(exchange, 422, json_pack("{s:s}", "message", err.text));
    }
}

static void post_build(struct http_exchange *exchange) {
    with_body(exchange, build_payload);
}

static void get_graphql(struct http_exchange *exchange) {
    respond_json(exchange, 200, graphql_schema_load());
}

static const struct {
    const char *method, *path;
    void (*handle)(struct http_exchange *exchange);
} controls[] = {{"GET", "/_fake/requests", get_requests},
                {"DELETE", "/_fake/requests", delete_requests},
                {"GET", "/_fake/state", get_state},
                {"PUT", "/_fake/state", put_state},
                {"PATCH", "/_fake/state", patch_state},
                {"GET", "/_fake/fail", get_failures},
                {"POST", "/_fake/fail", post_failure},
                {"DELETE", "/_fake/fail", delete_failures},
                {"POST", "/_fake/release", post_release},
                {"GET", "/_fake/permission", get_permission},
                {"GET", "/_fake/permissions", get_permissions},
                {"GET", "/_fake/graphql", get_graphql},
                {"POST", "/_fake/payload", post_build},
                {"GET", "/_fake/tokens", get_tokens},
                {"POST", "/_fake/tokens/expire", post_expire},
                {"POST", "/_fake/app", post_app},
                {"POST", "/_fake/deliver", post_deliver},
                {"GET", "/_fake/deliveries", control_deliveries},
                {"POST", "/_fake/deliveries/age", post_age},
                {"POST", "/_fake/deliveries/payload", post_payload},
                {"POST", "/_fake/deliveries/redeliver", post_redeliver},
                {"GET", "/_fake/settings", get_settings},
                {"POST", "/_fake/settings", post_settings}};

void control_exchange(struct http_exchange *exchange) {
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        if (strcmp(controls[i].method, exchange->method) == 0 &&
            strcmp(controls[i].path, exchange->path) == 0) {
            controls[i].handle(exchange);
            return;
        }
    }
    respond_json(exchange, 404,
                 json_pack("{s:s}", "message",
                           "/_fake/ has requests, state, fail, release, permission, permissions, "
                           "graphql, payload, "
                           "tokens, "
                           "tokens/expire, "
                           "app, deliver, deliveries, deliveries/age, deliveries/payload, "
                           "deliveries/redeliver, settings; their "
                           "methods are in fake-github.md"));
}
