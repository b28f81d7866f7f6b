/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Organisations' members and invitations. */
#include "fake/internal.h"

#include <string.h>
#include <strings.h>

static json_t *organization_of(const struct call *call) {
    return list_find(state_list(call->fake, "organizations"), "login", call->parameters[0]);
}

static json_t *member_of(const struct call *call) {
    return list_find(json_object_get(organization_of(call), "members"), "login",
                     call->parameters[1]);
}

void handle_membership_get(struct call *call) {
    json_t *member = member_of(call);
    if (!member) {
        answer_error(call, 404, "Not Found");
        return;
    }
    answer_json(call, 200, shape_membership(call->fake, organization_of(call), member));
}

void handle_membership_put(struct call *call) {
    static const char *const allowed[] = {"role", NULL};
    json_t *body = call_body(call, "OrganizationMembership", allowed);
    if (!body) {
        return;
    }
    json_t *given = json_object_get(body, "role");
    char role[8] = "member";
    bool sound = !given || (json_is_string(given) && json_string_length(given) < sizeof role);
    if (given && sound) {
        (void)snprintf(role, sizeof role, "%s", json_string_value(given));
        sound = strcmp(role, "member") == 0 || strcmp(role, "admin") == 0;
    }
    json_decref(body);
    if (!sound) {
        answer_invalid(call, "OrganizationMembership", "role", "invalid",
                       "role must be one of: admin, member");
        return;
    }
    json_t *user = state_user(call->fake, call->parameters[1]);
    if (!user) {
        answer_error(call, 404, "Not Found");
        return;
    }
    json_t *organization = organization_of(call);
    json_t *member = member_of(call);
    if (!member) {
        member = list_add(json_object_get(organization, "members"),
                          json_pack("{s:s, s:s, s:s}", "login", text_of(user, "login"), "role",
                                    role, "state", "pending"));
    }
    (void)json_object_set_new(member, "role", json_string(role));
    answer_json(call, 200, shape_membership(call->fake, organization, member));
}

void handle_membership_delete(struct call *call) {
    json_t *members = json_object_get(organization_of(call), "members");
    size_t i;
    json_t *member;
    json_array_foreach(members, i, member) {
        if (strcasecmp(text_of(member, "login"), call->parameters[1]) == 0) {
            (void)json_array_remove(members, i);
            answer_empty(call, 204);
            return;
        }
    }
    answer_error(call, 404, "Not Found");
}

void handle_member_get(struct call *call) {
    const char *state = text_of(member_of(call), "state");
    if (state && strcmp(state, "active") == 0) {
        answer_empty(call, 204);
    } else {
        answer_error(call, 404, "User does not exist or is not a member of the organization");
    }
}
