/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Computes the effective permission of a user, as GitHub does: the strongest of all grants. */
#include "fake/collaborators.h"

#include "fake/handlers.h"
#include "fake/instance.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

/* From the weakest to the strongest. A custom role has the rank of the one it is based on. */
static const struct {
    const char *name;
    /* The value of `permission`, which knows fewer roles. */
    const char *permission;
    const char *flag;
} roles[] = {
    {"none", "none", NULL},     {"read", "read", "pull"},          {"triage", "read", "triage"},
    {"write", "write", "push"}, {"maintain", "write", "maintain"}, {"admin", "admin", "admin"}};
#define N_ROLES (sizeof roles / sizeof *roles)
#define READ 1
#define ADMIN (N_ROLES - 1)

struct grant {
    size_t rank;
    /* "none", one of GitHub's, or a custom role. Borrowed. */
    const char *role_name;
};

/* 0 for an unknown role too. */
static size_t rank_of(const char *role) {
    for (size_t i = 0; role && i < N_ROLES; i++) {
        if (strcmp(roles[i].name, role) == 0) {
            return i;
        }
    }
    return 0;
}

bool collaborators_role_exists(const char *role) {
    return rank_of(role) >= READ;
}

/* -- the state -- */

/* A custom role says in `base` what it is based on. */
static int check_role(const char *role, const char *base, struct error *err) {
    if (base ? rank_of(base) >= READ && rank_of(role) == 0 : rank_of(role) >= READ) {
        return 0;
    }
    return error_set(
        err,
        "%s is not read, triage, write, maintain or admin; a custom role has a `base`, "
        "which is one of these",
        base ? base : role);
}

int collaborators_check(const json_t *collaborators, const json_t *teams, struct error *err) {
    const char *login, *slug, *role, *base = NULL;
    json_t *item, *members, *member;
    json_error_t problem;
    size_t i, k;
    json_array_foreach(collaborators, i, item) {
        base = NULL;
        if (json_unpack_ex(item, &problem, 0, "{s:s, s:s, s?s !}", "login", &login, "role", &role,
                           "base", &base) < 0) {
            return error_set(err, "collaborators[%zu]: %s", i, problem.text);
        }
        if (check_role(role, base, err) < 0) {
            return error_wrap(err, "collaborators[%zu]", i);
        }
    }
    json_array_foreach(teams, i, item) {
        base = NULL;
        if (json_unpack_ex(item, &problem, 0, "{s:s, s:s, s?s, s:o !}", "slug", &slug, "role",
                           &role, "base", &base, "members", &members) < 0) {
            return error_set(err, "teams[%zu]: %s", i, problem.text);
        }
        if (check_role(role, base, err) < 0) {
            return error_wrap(err, "teams[%zu]", i);
        }
        json_array_foreach(members, k, member) {
            if (!json_is_string(member)) {
                return error_set(err, "teams[%zu]: members is a list of logins", i);
            }
        }
    }
    return 0;
}

/* -- the effective permission -- */

static void consider(struct grant *grant, const char *role, const char *base) {
    size_t rank = rank_of(base ? base : role);
    if (rank > grant->rank) {
        *grant = (struct grant){.rank = rank, .role_name = role};
    }
}

static void consider_teams(struct grant *grant, const json_t *repository, const char *login) {
    size_t i, k;
    json_t *team, *member;
    json_array_foreach(json_object_get(repository, "teams"), i, team) {
        json_array_foreach(json_object_get(team, "members"), k, member) {
            if (strcasecmp(json_string_value(member), login) == 0) {
                consider(grant, text_of(team, "role"), text_of(team, "base"));
            }
        }
    }
}

/* The owners of an organization are admins of its repositories; its other members have its base
 * permission. A personal repository has one owner. */
static void consider_owner(struct fake *fake, struct grant *grant, const json_t *repository,
                           const char *login) {
    const char *full_name = text_of(repository, "full_name");
    char owner[256];
    snprintf(owner, sizeof owner, "%.*s", (int)strcspn(full_name, "/"), full_name);
    const json_t *organization = list_find(state_list(fake, "organizations"), "login", owner);
    const json_t *member = list_find(json_object_get(organization, "members"), "login", login);
    const char *state = text_of(member, "state");
    if (strcasecmp(owner, login) == 0) {
        consider(grant, "admin", NULL);
    }
    if (state && strcmp(state, "active") == 0) {
        bool is_owner = strcmp(text_of(member, "role"), "admin") == 0;
        consider(grant, is_owner ? "admin" : text_of(organization, "base_role"), NULL);
    }
}

static struct grant effective_grant(struct fake *fake, const json_t *repository,
                                    const char *login) {
    struct grant grant = {.rank = 0, .role_name = "none"};
    const json_t *direct = list_find(json_object_get(repository, "collaborators"), "login", login);
    if (!json_is_true(json_object_get(repository, "private"))) {
        consider(&grant, "read", NULL);
    }
    consider_owner(fake, &grant, repository, login);
    consider_teams(&grant, repository, login);
    consider(&grant, text_of(direct, "role"), text_of(direct, "base"));
    return grant;
}

bool collaborators_may_be_assigned(struct fake *fake, const json_t *repository, const char *login) {
    struct grant grant = {.rank = 0, .role_name = "none"};
    const json_t *direct = list_find(json_object_get(repository, "collaborators"), "login", login);
    consider_owner(fake, &grant, repository, login);
    consider_teams(&grant, repository, login);
    consider(&grant, text_of(direct, "role"), text_of(direct, "base"));
    return grant.rank >= READ;
}

void handle_collaborator_permission(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    const json_t *user = list_find(state_list(fake, "users"), "login", exchange->parameters[2]);
    if (!user || strcmp(text_of(user, "type"), "User") != 0) {
        char message[300];
        snprintf(message, sizeof message, "%.200s is not a user", exchange->parameters[2]);
        respond_error(exchange, 404, message);
        return;
    }
    const char *login = text_of(user, "login");
    struct grant grant = effective_grant(fake, exchange->repository, login);
    json_t *shape = shape_user(fake, login), *flags = json_object();
    for (size_t i = READ; i < N_ROLES; i++) {
        json_object_set_new(flags, roles[i].flag, json_boolean(i <= grant.rank));
    }
    json_object_set_new(shape, "permissions", flags);
    json_object_set_new(shape, "role_name", json_string(grant.role_name));
    respond_json(exchange, 200,
                 json_pack("{s:s, s:o, s:s}", "permission", roles[grant.rank].permission, "user",
                           shape, "role_name", grant.role_name));
}
