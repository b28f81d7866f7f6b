/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Repositories: finds the one that a path means, by its name, a former name or its number, and
 * lists them. */
#include "fake/repositories.h"

#include "fake/handlers.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/state_fill.h"

#include <string.h>
#include <strings.h>

static bool is_in(const json_t *names, const char *full_name) {
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) {
        if (strcasecmp(json_string_value(name), full_name) == 0) {
            return true;
        }
    }
    return false;
}

bool repository_is_reached(const struct http_exchange *exchange, const json_t *repository) {
    const char *account = text_of(exchange->caller.installation, "account");
    const char *full_name = text_of(repository, "full_name");
    const json_t *chosen = exchange->caller.repositories;
    size_t bytes = strlen(account);
    return strncasecmp(full_name, account, bytes) == 0 && full_name[bytes] == '/' &&
           (!chosen || is_in(chosen, full_name));
}

static json_t *find_formerly(const json_t *list, const char *full_name) {
    size_t i;
    json_t *repository;
    json_array_foreach(list, i, repository) {
        if (is_in(json_object_get(repository, "former_names"), full_name)) {
            return repository;
        }
    }
    return NULL;
}

static json_t *create_repository(struct http_exchange *exchange, const char *full_name) {
    json_t *repository = json_pack("{s:s}", "full_name", full_name);
    state_fill_repository(exchange->fake, repository);
    return list_add(state_list(exchange->fake, "repositories"), repository);
}

enum reach reach_repository(struct http_exchange *exchange) {
    const char *account = text_of(exchange->caller.installation, "account");
    char full_name[256];
    if (exchange->n_segments < 3) {
        return REACH_NOTHING;
    }
    snprintf(full_name, sizeof full_name, "%s/%s", exchange->segments[1], exchange->segments[2]);
    json_t *list = state_list(exchange->fake, "repositories");
    json_t *found = list_find(list, "full_name", full_name);
    json_t *moved = found ? NULL : find_formerly(list, full_name);
    if (!found && !moved && strcasecmp(account, exchange->segments[1]) == 0 &&
        state_creates(exchange->fake, "repositories")) {
        found = create_repository(exchange, full_name);
    }
    exchange->repository = found ? found : moved;
    if (!exchange->repository || !repository_is_reached(exchange, exchange->repository)) {
        return REACH_NOTHING;
    }
    return moved ? REACH_ELSEWHERE : REACH_HERE;
}

/* 307 keeps the method. GitHub redirects GET and HEAD with 301. */
void respond_moved(struct http_exchange *exchange) {
    bool reads = strcmp(exchange->method, "GET") == 0 || strcmp(exchange->method, "HEAD") == 0;
    const char *rest = exchange->path;
    for (int slashes = 0; slashes < 3 && rest; slashes++) { /* behind /repos/OWNER/NAME */
        rest = strchr(rest + 1, '/');
    }
    const char *query = exchange->query ? exchange->query : "";
    json_t *url = json_sprintf("%s/repositories/%" JSON_INTEGER_FORMAT "%s%s%s",
                               exchange->fake->origin, number_of(exchange->repository, "id"),
                               rest ? rest : "", *query ? "?" : "", query);
    respond_json(exchange, reads ? 301 : 307,
                 json_pack("{s:s, s:O, s:s}", "message", "Moved Permanently", "url", url,
                           "documentation_url",
                           "https://docs.github.com/rest/guides/"
                           "best-practices-for-using-the-rest-api#follow-redirects"));
    response_header(exchange, "Location", json_string_value(url));
    json_decref(url);
}

void find_by_number(struct http_exchange *exchange) {
    if (exchange->n_segments == SIZE_MAX || exchange->n_segments < 2 ||
        exchange->n_segments == EXCHANGE_SEGMENTS_MAX ||
        strcmp(exchange->segments[0], "repositories") != 0) {
        return;
    }
    json_t *list = state_list(exchange->fake, "repositories");
    char *end, *id = exchange->segments[1];
    json_int_t number = strtoll(id, &end, 10);
    const json_t *repository =
        *id >= '1' && *id <= '9' && !*end ? list_find_number(list, "id", number) : NULL;
    /* No repository is called ?/?: the route is known, the repository is not. */
    exchange->resolved = strdup(repository ? text_of(repository, "full_name") : "?/?");
    if (!exchange->resolved) {
        return;
    }
    memmove(exchange->segments + 3, exchange->segments + 2,
            (exchange->n_segments - 2) * sizeof *exchange->segments);
    static char repos[] = "repos";
    char *slash = strchr(exchange->resolved, '/');
    *slash = '\0';
    exchange->segments[0] = repos;
    exchange->segments[1] = exchange->resolved;
    exchange->segments[2] = slash + 1;
    exchange->n_segments++;
}

void handle_repository_get(struct http_exchange *exchange) {
    respond_json(exchange, 200, shape_repository(exchange->fake, exchange->repository));
}

void handle_installation_repositories(struct http_exchange *exchange) {
    json_t *all = json_array(), *repository;
    size_t i;
    json_array_foreach(state_list(exchange->fake, "repositories"), i, repository) {
        if (repository_is_reached(exchange, repository)) {
            json_array_append_new(all, shape_repository(exchange->fake, repository));
        }
    }
    json_t *whole =
        json_pack("{s:i, s:s}", "total_count", (int)json_array_size(all), "repository_selection",
                  exchange->caller.repositories ? "selected" : "all");
    respond_page_in(exchange, whole, "repositories", all);
}
