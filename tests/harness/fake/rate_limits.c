/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The primary rate limits: a number of requests in a window, for each caller and each of GitHub's
 * resources.
 */
#include "fake/rate_limits.h"

#include "fake/handlers.h"
#include "fake/response.h"
#include "fake/state.h"

#include <string.h>

static const struct {
    const char *name, *setting;
    json_int_t window_s;
} resources[] = {[RESOURCE_CORE] = {"core", "rate_limit", 3600},
                 [RESOURCE_SEARCH] = {"search", "search_rate_limit", 60},
                 [RESOURCE_GRAPHQL] = {"graphql", "graphql_rate_limit", 3600}};

void rate_limits_init(struct fake *fake) {
    fake->rates = json_object();
}

void rate_limits_finish(struct fake *fake) {
    json_decref(fake->rates);
}

static json_t *callers_rate(struct http_exchange *exchange, enum rate_resource resource) {
    struct fake *fake = exchange->fake;
    char key[64];
    snprintf(key, sizeof key, "%s %" JSON_INTEGER_FORMAT, resources[resource].name,
             exchange->caller.installation ? number_of(exchange->caller.installation, "id") : 0);
    json_t *rate = json_object_get(fake->rates, key);
    if (!rate || number_of(rate, "reset") <= fake_now_s(fake)) {
        json_int_t most_s = state_setting(fake, "rate_window_s");
        json_int_t window_s =
            resources[resource].window_s < most_s ? resources[resource].window_s : most_s;
        rate = json_pack("{s:i, s:I}", "used", 0, "reset", (json_int_t)fake_now_s(fake) + window_s);
        json_object_set_new(fake->rates, key, rate);
    }
    return rate;
}

static void respond_limit(struct http_exchange *exchange, enum rate_resource resource) {
    char message[96] = "API rate limit exceeded";
    if (exchange->caller.installation) {
        snprintf(message, sizeof message,
                 "API rate limit exceeded for installation ID %" JSON_INTEGER_FORMAT ".",
                 number_of(exchange->caller.installation, "id"));
    }
    if (resource == RESOURCE_GRAPHQL) {
        respond_json(
            exchange, 200,
            json_pack("{s:[{s:s, s:s}]}", "errors", "type", "RATE_LIMITED", "message", message));
    } else {
        respond_error(exchange, 403, message);
    }
}

bool rate_limit_allows(struct http_exchange *exchange, enum rate_resource resource) {
    json_t *rate = callers_rate(exchange, resource);
    json_int_t used = number_of(rate, "used");
    if (used >= state_setting(exchange->fake, resources[resource].setting)) {
        respond_limit(exchange, resource);
        return false;
    }
    json_object_set_new(rate, "used", json_integer(used + 1));
    return true;
}

void rate_limit_give_back(struct http_exchange *exchange, enum rate_resource resource) {
    json_t *rate = callers_rate(exchange, resource);
    json_int_t used = number_of(rate, "used");
    json_object_set_new(rate, "used", json_integer(used > 0 ? used - 1 : 0));
}

void rate_limit_headers(struct http_exchange *exchange, enum rate_resource resource) {
    json_t *rate = callers_rate(exchange, resource);
    json_int_t limit = state_setting(exchange->fake, resources[resource].setting);
    json_int_t used = number_of(rate, "used");
    const struct {
        const char *name;
        json_int_t value;
    } headers[] = {{"x-ratelimit-limit", limit},
                   {"x-ratelimit-remaining", used < limit ? limit - used : 0},
                   {"x-ratelimit-used", used},
                   {"x-ratelimit-reset", number_of(rate, "reset")}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, headers[i].value);
        response_header(exchange, headers[i].name, text);
    }
    response_header(exchange, "x-ratelimit-resource", resources[resource].name);
}

static json_t *rate_shape(struct http_exchange *exchange, enum rate_resource resource) {
    json_t *rate = callers_rate(exchange, resource);
    json_int_t limit = state_setting(exchange->fake, resources[resource].setting);
    json_int_t used = number_of(rate, "used");
    return json_pack("{s:I, s:I, s:I, s:I, s:s}", "limit", limit, "used", used, "remaining",
                     used < limit ? limit - used : 0, "reset", number_of(rate, "reset"), "resource",
                     resources[resource].name);
}

void handle_rate_limit(struct http_exchange *exchange) {
    json_t *shown = json_object();
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        json_object_set_new(shown, resources[i].name, rate_shape(exchange, (enum rate_resource)i));
    }
    respond_json(
        exchange, 200,
        json_pack("{s:o, s:o}", "resources", shown, "rate", rate_shape(exchange, RESOURCE_CORE)));
}

void rate_limits_apply(struct fake *fake, const json_t *settings) {
    bool changed = json_object_get(settings, "rate_window_s") != NULL;
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        changed = changed || json_object_get(settings, resources[i].setting);
    }
    if (changed) {
        json_object_clear(fake->rates);
    }
}
