/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Failures that a test asks for: which request is meant, and which response it gets instead. */
#include "fake/failures.h"

#include "fake/request_pattern.h"
#include "fake/response.h"
#include "fake/state.h"

#include "base/log.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define DELAY_MAX_MS 600000

/* Responses of GitHub, and of what may stand before it, that a test asks for by name. `body` is
 * JSON, or a text that is sent as it is. */
static const struct known_failure {
    const char *name;
    unsigned status;
    const char *body;
} known_failures[] = {
    {"abuse_detection", 403,
     "{\"message\":\"You have triggered an abuse detection mechanism. Please wait a few minutes "
     "before you try again.\",\"documentation_url\":\"https://docs.github.com/rest/overview/"
     "resources-in-the-rest-api#abuse-rate-limits\"}"},
    {"secondary_limit", 403,
     "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before "
     "you "
     "try again.\",\"documentation_url\":\"https://docs.github.com/rest/overview/"
     "rate-limits-for-the-rest-api#about-secondary-rate-limits\"}"},
    {"submitted_too_quickly", 422,
     "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"IssueComment\",\"code\":"
     "\"custom\",\"field\":\"body\",\"message\":\"was submitted too quickly\"}]}"},
    {"suspended", 403, "{\"message\":\"This installation has been suspended\"}"},
    {"archived", 403, "{\"message\":\"Repository was archived so is read-only.\"}"},
    {"locked", 403, "{\"message\":\"Unable to create comment because issue is locked.\"}"},
    {"blocked", 422,
     "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"IssueComment\",\"code\":"
     "\"unprocessable\",\"field\":\"data\",\"message\":\"User is blocked\"}]}"},
    {"deleted", 410, "{\"message\":\"This issue was deleted\"}"},
    {"proxy_404", 404,
     "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not "
     "Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"},
    {"sign_in_page", 200,
     "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Sign in</title></head><body><form "
     "action=\"/session\" method=\"post\"></form></body></html>\n"},
};

static const struct known_failure *find_known_failure(const char *name) {
    for (size_t i = 0; i < sizeof known_failures / sizeof *known_failures; i++) {
        if (strcmp(known_failures[i].name, name) == 0) {
            return &known_failures[i];
        }
    }
    return NULL;
}

static bool is_meant(const json_t *failure, const struct http_exchange *exchange) {
    const char *method = text_of(failure, "method");
    const char *path = text_of(failure, "path");
    const char *target = text_of(failure, "target");
    if (method && strcasecmp(method, exchange->method) != 0) {
        return false;
    }
    if (!request_query_has(exchange->query, json_object_get(failure, "query"))) {
        return false;
    }
    if (target) {
        return request_pattern_fits(target, exchange->path, exchange->query);
    }
    if (!path) {
        return true;
    }
    if (!strpbrk(path, "*?[")) {
        return strncmp(path, exchange->path, strlen(path)) == 0;
    }
    AUTO_FREE char *whole = NULL;
    if (exchange->query && asprintf(&whole, "%s?%s", exchange->path, exchange->query) < 0) {
        whole = NULL;
    }
    return fnmatch(path, exchange->path, 0) == 0 || (whole && fnmatch(path, whole, 0) == 0);
}

void failures_init(struct fake *fake) {
    fake->failures = json_array();
}

void failures_finish(struct fake *fake) {
    json_decref(fake->failures);
}

json_t *failures_list(const struct fake *fake) {
    return fake->failures;
}

void failures_clear(struct fake *fake) {
    json_array_clear(fake->failures);
}

json_t *failure_take(struct fake *fake, const struct http_exchange *exchange, bool breaks) {
    size_t i;
    json_t *failure;
    json_array_foreach(fake->failures, i, failure) {
        if ((breaks && !failure_breaks(failure)) || !is_meant(failure, exchange)) {
            continue;
        }
        json_t *copy = json_deep_copy(failure);
        json_int_t times = number_of(failure, "times");
        if (times == 1) {
            json_array_remove(fake->failures, i);
        } else if (times > 1) {
            json_object_set_new(failure, "times", json_integer(times - 1));
        }
        return copy;
    }
    return NULL;
}

static int check(struct fake *fake, const json_t *failure, struct error *err) {
    const char *method = NULL, *path = NULL, *like = NULL;
    json_int_t times = 1, status = 200, delay_ms = 0;
    int drop = 0, after = 0, checked = 0;
    json_t *body = NULL, *headers = NULL, *query = NULL, *state = NULL;
    const char *target = NULL;
    json_error_t problem;
    if (json_unpack_ex((json_t *)failure, &problem, 0,
                       "{s?s, s?s, s?s, s?s, s?o, s?I, s?I, s?I, s?b, s?b, s?b, s?o, s?o, s?o !}",
                       "like", &like, "method", &method, "path", &path, "target", &target, "query",
                       &query, "times", &times, "status", &status, "delay_ms", &delay_ms, "drop",
                       &drop, "after", &after, "checked", &checked, "body", &body, "headers",
                       &headers, "state", &state) < 0) {
        return error_set(err, "%s", problem.text);
    }
    if (query && !json_is_object(query)) {
        return error_set(err, "query is not an object");
    }
    if (state && state_patch_check(fake, state, err) < 0) {
        return error_wrap(err, "state");
    }
    if (like && !find_known_failure(like)) {
        return error_set(err, "like: no failure is called %s; fake-github.md lists them", like);
    }
    if (status < 200 || status > 599) {
        return error_set(err, "status is a number from 200 to 599");
    }
    if (times == 0 || times < -1) {
        return error_set(err, "times is a positive number, or -1 for always");
    }
    if (delay_ms < 0 || delay_ms > DELAY_MAX_MS) {
        return error_set(err, "delay_ms is a number from 0 to %d", DELAY_MAX_MS);
    }
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value) {
        if (!json_is_string(value)) {
            return error_set(err, "headers: %s is not a text", name);
        }
    }
    return headers && !json_is_object(headers) ? error_set(err, "headers is not an object") : 0;
}

int failures_add(struct fake *fake, json_t *failure, struct error *err) {
    if (check(fake, failure, err) < 0) {
        json_decref(failure);
        return -1;
    }
    if (!json_object_get(failure, "times")) {
        json_object_set_new(failure, "times", json_integer(1));
    }
    json_array_append_new(fake->failures, failure);
    return 0;
}

void failure_change_state(struct fake *fake, const json_t *failure) {
    const json_t *changes = json_object_get(failure, "state");
    struct error err;
    if (changes && state_patch(fake, changes, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "state_not_changed", LOG_TEXT("reason", err.text));
    }
}

bool failure_breaks(const json_t *failure) {
    return json_is_true(json_object_get(failure, "drop")) || json_object_get(failure, "status") ||
           json_object_get(failure, "like");
}

/* The failure's status and body; those of the known failure that it names, unless it has its own.
 */
static void respond_with(struct http_exchange *exchange, const json_t *failure) {
    const char *like = text_of(failure, "like");
    const struct known_failure *known = like ? find_known_failure(like) : NULL;
    unsigned status = (unsigned)number_of(failure, "status");
    json_t *body = json_incref(json_object_get(failure, "body"));
    if (known) {
        status = status ? status : known->status;
        if (!body) {
            body =
                *known->body == '{' ? json_loads(known->body, 0, NULL) : json_string(known->body);
        }
    }
    if (json_is_string(body)) {
        respond_empty(exchange, status);
        exchange->response_text = strdup(json_string_value(body));
    } else if (body) {
        respond_json(exchange, status, json_incref(body));
    } else {
        respond_error(exchange, status, "The test asked for this failure");
    }
    json_decref(body);
}

void failure_respond(struct http_exchange *exchange, const json_t *failure) {
    if (json_is_true(json_object_get(failure, "drop"))) {
        exchange->drop = true;
        return;
    }
    respond_with(exchange, failure);
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(failure, "headers"), name, value) {
        response_header(exchange, name, json_string_value(value));
    }
}
