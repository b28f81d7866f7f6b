/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Commit statuses: each context's latest counts. */
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/node_ids.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
#define TEXT SCHEMA_TEXT
#define STATUSES_MAX 1000

static json_t *shape_status(struct http_exchange *exchange, const json_t *status, bool simple) {
    struct fake *fake = exchange->fake;
    json_int_t id = number_of(status, "id");
    static const char *const same[] = {"id",      "state",      "description", "target_url",
                                       "context", "created_at", "updated_at"};
    json_t *shape =
        json_pack("{s:o, s:o, s:o}", "url",
                  json_sprintf("%s/repos/%s/statuses/%s", fake->origin,
                               text_of(exchange->repository, "full_name"), text_of(status, "sha")),
                  "node_id", node_id("SC", id), "avatar_url",
                  json_string("https://avatars.githubusercontent.com/in/1?v=4"));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(status, same[i]));
    }
    if (!simple) {
        json_object_set_new(shape, "creator", shape_user(fake, text_of(status, "creator")));
    }
    return shape;
}

void handle_statuses_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"state", TEXT, true, "error failure pending success"},
                                          {"target_url", TEXT | SCHEMA_NULL, false, NULL},
                                          {"description", TEXT | SCHEMA_NULL, false, NULL},
                                          {"context", TEXT, false, NULL},
                                          {0}};
    struct fake *fake = exchange->fake;
    json_t *list = json_object_get(exchange->repository, "statuses");
    json_t *body = exchange_fields(exchange, "Status", fields);
    if (!body) {
        return;
    }
    const char *context = text_of(body, "context"), *description = text_of(body, "description");
    if (description && strlen(description) > 140) {
        respond_invalid(exchange, "Status", "description", "custom",
                        "description is too long (maximum is 140 characters)");
    } else if (json_array_size(list) >= STATUSES_MAX) {
        respond_invalid(exchange, "Status", "base", "custom",
                        "This SHA and context has reached the maximum number of statuses.");
    } else {
        json_t *now = fake_now(fake);
        json_t *status =
            json_pack("{s:I, s:s, s:s, s:s, s:s?, s:s?, s:o, s:O, s:O}", "id", state_new_id(fake),
                      "sha", exchange->parameters[2], "state", text_of(body, "state"), "context",
                      context ? context : "default", "description", description, "target_url",
                      text_of(body, "target_url"), "creator", app_login(fake), "created_at", now,
                      "updated_at", now);
        json_decref(now);
        list_add(list, status);
        respond_json(exchange, 201, shape_status(exchange, status, false));
    }
    json_decref(body);
}

void handle_commit_statuses(struct http_exchange *exchange) {
    const char *sha = commit_of_ref(exchange->repository, exchange->parameters[2]);
    json_t *all = json_array(), *status;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "statuses"), i, status) {
        if (strcmp(text_of(status, "sha"), sha) == 0) {
            json_array_insert_new(all, 0, shape_status(exchange, status, false));
        }
    }
    respond_page(exchange, all);
}

static bool is_replaced(const json_t *list, size_t at) {
    const json_t *status = json_array_get(list, at);
    for (size_t i = at + 1; i < json_array_size(list); i++) {
        const json_t *later = json_array_get(list, i);
        if (strcmp(text_of(later, "context"), text_of(status, "context")) == 0 &&
            strcmp(text_of(later, "sha"), text_of(status, "sha")) == 0) {
            return true;
        }
    }
    return false;
}

void handle_commit_status(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    const char *sha = commit_of_ref(exchange->repository, exchange->parameters[2]);
    const char *full_name = text_of(exchange->repository, "full_name");
    json_t *list = json_object_get(exchange->repository, "statuses"), *status, *all = json_array();
    size_t i;
    int failed = 0, pending = 0;
    json_array_foreach(list, i, status) {
        if (strcmp(text_of(status, "sha"), sha) != 0 || is_replaced(list, i)) {
            continue;
        }
        const char *state = text_of(status, "state");
        failed += strcmp(state, "failure") == 0 || strcmp(state, "error") == 0;
        pending += strcmp(state, "pending") == 0;
        json_array_append_new(all, shape_status(exchange, status, true));
    }
    const char *combined = pending > 0 || json_array_size(all) == 0 ? "pending" : "success";
    json_t *whole =
        json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "state", failed > 0 ? "failure" : combined,
                  "sha", sha, "total_count", (int)json_array_size(all), "repository",
                  shape_repository(fake, exchange->repository), "commit_url",
                  json_sprintf("%s/repos/%s/commits/%s", fake->origin, full_name, sha), "url",
                  json_sprintf("%s/repos/%s/commits/%s/status", fake->origin, full_name, sha));
    respond_page_in(exchange, whole, "statuses", all);
}
