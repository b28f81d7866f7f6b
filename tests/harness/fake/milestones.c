/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Milestones. An issue names its one by number. */
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>

#define TEXT SCHEMA_TEXT

void handle_milestones_get(struct http_exchange *exchange) {
    AUTO_FREE char *state = exchange_query(exchange, "state");
    const char *wanted = state ? state : "open";
    json_t *all = json_array(), *milestone;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "milestones"), i, milestone) {
        if (strcmp(wanted, "all") == 0 || strcmp(wanted, text_of(milestone, "state")) == 0) {
            json_array_append_new(all,
                                  shape_milestone(exchange->fake, exchange->repository, milestone));
        }
    }
    respond_page(exchange, all);
}

static json_t *find_milestone(struct http_exchange *exchange) {
    json_int_t number;
    json_t *list = json_object_get(exchange->repository, "milestones");
    json_t *milestone = parse_number(exchange->parameters[2], &number)
                            ? list_find_number(list, "number", number)
                            : NULL;
    if (!milestone) {
        respond_error(exchange, 404, "Not Found");
    }
    return milestone;
}

static void respond_milestone(struct http_exchange *exchange, unsigned status, json_t *milestone) {
    respond_json(exchange, status,
                 shape_milestone(exchange->fake, exchange->repository, milestone));
}

void handle_milestone_get(struct http_exchange *exchange) {
    json_t *milestone = find_milestone(exchange);
    if (milestone) {
        respond_milestone(exchange, 200, milestone);
    }
}

static void change_milestone(struct http_exchange *exchange, json_t *milestone,
                             const json_t *body) {
    json_object_update(milestone, (json_t *)body);
    bool is_open = strcmp(text_of(milestone, "state"), "open") == 0;
    json_object_set_new(milestone, "closed_at", is_open ? json_null() : fake_now(exchange->fake));
    json_object_set_new(milestone, "updated_at", fake_now(exchange->fake));
}

#define OTHER_FIELDS                                                                               \
    {"state", TEXT, false, "open closed"}, {"description", TEXT | SCHEMA_NULL, false, NULL},       \
        {"due_on", TEXT | SCHEMA_NULL, false, NULL}, {                                             \
        0                                                                                          \
    }

void handle_milestones_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"title", TEXT, true, NULL}, OTHER_FIELDS};
    struct fake *fake = exchange->fake;
    json_t *list = json_object_get(exchange->repository, "milestones"), *milestone;
    json_t *body = exchange_fields(exchange, "Milestone", fields);
    json_int_t number = 0;
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(list, i, milestone) {
        number = number_of(milestone, "number") > number ? number_of(milestone, "number") : number;
    }
    if (list_find(list, "title", text_of(body, "title"))) {
        respond_invalid(exchange, "Milestone", "title", "already_exists", NULL);
    } else {
        milestone = json_pack("{s:I, s:I, s:s, s:n, s:n, s:o, s:o}", "number", number + 1, "id",
                              state_new_id(fake), "state", "open", "description", "due_on",
                              "creator", app_login(fake), "created_at", fake_now(fake));
        change_milestone(exchange, milestone, body);
        list_add(list, milestone);
        respond_milestone(exchange, 201, milestone);
    }
    json_decref(body);
}

void handle_milestone_patch(struct http_exchange *exchange) {
    static const struct field fields[] = {{"title", TEXT, false, NULL}, OTHER_FIELDS};
    json_t *milestone = find_milestone(exchange);
    json_t *body = milestone ? exchange_fields(exchange, "Milestone", fields) : NULL;
    if (body) {
        change_milestone(exchange, milestone, body);
        json_decref(body);
        respond_milestone(exchange, 200, milestone);
    }
}

void handle_milestone_delete(struct http_exchange *exchange) {
    json_t *milestone = find_milestone(exchange), *issue;
    size_t i;
    if (!milestone) {
        return;
    }
    json_array_foreach(json_object_get(exchange->repository, "issues"), i, issue) {
        if (number_of(issue, "milestone") == number_of(milestone, "number")) {
            json_object_set_new(issue, "milestone", json_null());
        }
    }
    list_remove(json_object_get(exchange->repository, "milestones"), milestone);
    respond_empty(exchange, 204);
}
