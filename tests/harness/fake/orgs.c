/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Organisations' members and invitations. */
#include "fake/handlers.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

static json_t *organization_of(const struct http_exchange *exchange) {
    return list_find(state_list(exchange->fake, "organizations"), "login", exchange->parameters[0]);
}

static json_t *member_of(const struct http_exchange *exchange) {
    return list_find(json_object_get(organization_of(exchange), "members"), "login",
                     exchange->parameters[1]);
}

void handle_membership_get(struct http_exchange *exchange) {
    json_t *member = member_of(exchange);
    if (!member) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    respond_json(exchange, 200,
                 shape_membership(exchange->fake, organization_of(exchange), member));
}

void handle_membership_put(struct http_exchange *exchange) {
    static const char *const allowed[] = {"role", NULL};
    json_t *body = exchange_body(exchange, "OrganizationMembership", allowed);
    if (!body) {
        return;
    }
    json_t *given = json_object_get(body, "role");
    char role[8] = "member";
    bool sound = !given || (json_is_string(given) && json_string_length(given) < sizeof role);
    if (given && sound) {
        snprintf(role, sizeof role, "%s", json_string_value(given));
        sound = strcmp(role, "member") == 0 || strcmp(role, "admin") == 0;
    }
    json_decref(body);
    if (!sound) {
        respond_invalid(exchange, "OrganizationMembership", "role", "invalid",
                        "role must be one of: admin, member");
        return;
    }
    json_t *user = state_user(exchange->fake, exchange->parameters[1]);
    if (!user) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    json_t *organization = organization_of(exchange);
    json_t *member = member_of(exchange);
    if (!member) {
        member = list_add(json_object_get(organization, "members"),
                          json_pack("{s:s, s:s, s:s}", "login", text_of(user, "login"), "role",
                                    role, "state", "pending"));
    }
    json_object_set_new(member, "role", json_string(role));
    respond_json(exchange, 200, shape_membership(exchange->fake, organization, member));
}

void handle_membership_delete(struct http_exchange *exchange) {
    json_t *members = json_object_get(organization_of(exchange), "members");
    size_t i;
    json_t *member;
    json_array_foreach(members, i, member) {
        if (strcasecmp(text_of(member, "login"), exchange->parameters[1]) == 0) {
            json_array_remove(members, i);
            respond_empty(exchange, 204);
            return;
        }
    }
    respond_error(exchange, 404, "Not Found");
}

static void respond_member(struct http_exchange *exchange, bool is_member) {
    if (is_member) {
        respond_empty(exchange, 204);
    } else {
        respond_error(exchange, 404, "User does not exist or is not a member of the organization");
    }
}

void handle_member_get(struct http_exchange *exchange) {
    const char *state = text_of(member_of(exchange), "state");
    respond_member(exchange, state && strcmp(state, "active") == 0);
}

/* A member is private until the member says otherwise. */
void handle_public_member_get(struct http_exchange *exchange) {
    const json_t *member = member_of(exchange);
    const char *state = text_of(member, "state");
    respond_member(exchange, state && strcmp(state, "active") == 0 &&
                                 json_is_true(json_object_get(member, "public")));
}
