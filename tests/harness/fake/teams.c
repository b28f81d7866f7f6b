/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Teams of an organization and their members. */
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/node_ids.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT

static json_t *find_organization(const struct http_exchange *exchange) {
    return list_find(state_list(exchange->fake, "organizations"), "login", exchange->parameters[0]);
}

/* NULL when it responded with 404. */
static json_t *find_team(struct http_exchange *exchange) {
    const json_t *organization = find_organization(exchange);
    json_t *team =
        list_find(json_object_get(organization, "teams"), "slug", exchange->parameters[1]);
    if (!team) {
        respond_error(exchange, 404, "Not Found");
    }
    return team;
}

static json_t *shape_team(const struct fake *fake, const json_t *organization, const json_t *team) {
    const char *slug = text_of(team, "slug"), *name = text_of(team, "name");
    const char *login = text_of(organization, "login"), *description = text_of(team, "description");
    json_int_t id = name_id(slug);
    json_t *url = json_sprintf("%s/organizations/" NUMBER "/team/" NUMBER, fake->origin,
                               number_of(organization, "id"), id);
    json_t *shape = json_pack(
        "{s:I, s:o, s:s, s:s, s:s?, s:s, s:s, s:s, s:O, s:o, s:o, s:o, s:n}", "id", id, "node_id",
        node_id("T", id), "name", name ? name : slug, "slug", slug, "description", description,
        "privacy", "closed", "notification_setting", "notifications_enabled", "permission", "pull",
        "url", url, "html_url", json_sprintf("https://github.com/orgs/%s/teams/%s", login, slug),
        "members_url", json_sprintf("%s/members{/member}", json_string_value(url)),
        "repositories_url", json_sprintf("%s/repos", json_string_value(url)), "parent");
    json_decref(url);
    return shape;
}

void handle_teams_get(struct http_exchange *exchange) {
    const json_t *organization = find_organization(exchange);
    json_t *all = json_array(), *team;
    size_t i;
    json_array_foreach(json_object_get(organization, "teams"), i, team) {
        json_array_append_new(all, shape_team(exchange->fake, organization, team));
    }
    respond_page(exchange, all);
}

void handle_team_members_get(struct http_exchange *exchange) {
    static const char *const roles[] = {"maintainers", "members"};
    const json_t *team = find_team(exchange);
    json_t *all = json_array(), *login;
    size_t i;
    for (size_t k = 0; team && k < 2; k++) {
        json_array_foreach(json_object_get(team, roles[k]), i, login) {
            json_array_append_new(all, shape_user(exchange->fake, json_string_value(login)));
        }
    }
    if (team) {
        respond_page(exchange, all);
    } else {
        json_decref(all);
    }
}

void handle_team_membership_get(struct http_exchange *exchange) {
    const json_t *team = find_team(exchange);
    const char *login = exchange->parameters[2];
    if (!team) {
        return;
    }
    bool maintains = names_find(json_object_get(team, "maintainers"), login) != SIZE_MAX;
    if (!maintains && names_find(json_object_get(team, "members"), login) == SIZE_MAX) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    respond_json(
        exchange, 200,
        json_pack("{s:s, s:s, s:o}", "role", maintains ? "maintainer" : "member", "state", "active",
                  "url",
                  json_sprintf("%s/organizations/" NUMBER "/team/" NUMBER "/memberships/%s",
                               exchange->fake->origin, number_of(find_organization(exchange), "id"),
                               name_id(text_of(team, "slug")), login)));
}
