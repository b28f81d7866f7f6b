/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares a recorded request with an expected one, and shows it to people. */
#include "scenario/request.h"

#include "fake/request_pattern.h"
#include "scenario/scenario.h"
#include "scenario/tree.h"

#include "base/buffer.h"

#include <fnmatch.h>
#include <regex.h>
#include <string.h>

#define SHOWN_MAX 600

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* -- whose it is -- */

bool request_is_of_host(const json_t *request) {
    const char *path = text(request, "path");
    return path && (strcmp(path, "/app") == 0 || strncmp(path, "/app/", 5) == 0 ||
                    strcmp(path, "/installation/repositories") == 0);
}

bool request_is_lookup(const json_t *request) {
    static const struct {
        const char *path;
        /* NULL: none. */
        const char *query;
    } lookups[] = {{"/users/*%5Bbot%5D", NULL},
                   {"/repos/*/*/collaborators/*/permission", NULL},
                   {"/orgs/*/members/*", NULL},
                   {"/repos/*/comments", "per_page=100&page=*&since=*"},
                   {"/repos/*/commits/*/check-runs", "filter=all&check_name=*&per_page=100&page=*"},
                   {"/repos/*/commits/*/comments", "per_page=100&page=*"}};
    const char *path = text(request, "path"), *query = text(request, "query");
    if (!path || strcmp(text(request, "method"), "GET") != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
        bool same_query =
            lookups[i].query ? query && fnmatch(lookups[i].query, query, 0) == 0 : query == NULL;
        if (same_query && fnmatch(lookups[i].path, path, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* -- as text -- */

/* GitHub's message, and what is wrong with which field. */
static void put_reason(const json_t *response, struct buffer *out) {
    const char *message = text(response, "message");
    size_t i;
    json_t *one;
    buffer_printf(out, " %.300s", message ? message : "");
    json_array_foreach(json_object_get(response, "errors"), i, one) {
        const char *resource = text(one, "resource"), *field = text(one, "field");
        const char *code = text(one, "code"), *why = text(one, "message");
        why = why ? why : json_string_value(one);
        buffer_append_text(out, i ? "; " : ": ");
        if (resource) {
            buffer_printf(out, "%.100s%s%.100s: ", resource, field ? "." : "", field ? field : "");
        }
        if (code) {
            buffer_printf(out, "%.100s%s", code, why ? ", " : "");
        }
        buffer_printf(out, "%.300s", why ? why : "");
    }
}

void request_show(const json_t *request, char *out, size_t bytes) {
    AUTO_BUFFER struct buffer shown = BUFFER_INIT(16384);
    const char *query = text(request, "query");
    const json_t *status = json_object_get(request, "status");
    const json_t *body = json_object_get(request, "body");
    const json_t *response = json_object_get(request, "response");
    buffer_printf(&shown, "%s %.4000s%s%.4000s -> ", text(request, "method"), text(request, "path"),
                  query ? "?" : "", query ? query : "");
    if (json_is_integer(status)) {
        buffer_printf(&shown, "%d", (int)json_integer_value(status));
    } else {
        buffer_append_text(&shown, "dropped");
    }
    if (json_is_true(json_object_get(request, "injected"))) {
        buffer_append_text(&shown, " (scripted)");
    }
    if (json_is_true(json_object_get(request, "unknown"))) {
        buffer_append_text(&shown, " (the fake GitHub has no such endpoint: see [[response]])");
    } else if (response) {
        put_reason(response, &shown);
    }
    if (body && !json_is_null(body)) {
        char body_text[SHOWN_MAX / 2];
        tree_show(body, body_text, sizeof body_text);
        buffer_printf(&shown, " %s", body_text);
    }
    snprintf(out, bytes, "%.*s", (int)shown.bytes, shown.data ? shown.data : "");
}

/* -- the expected one -- */

bool request_text_fits(const char *pattern, const char *where, size_t bytes) {
    regex_t compiled;
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)bytes};
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0) {
        /* Checked when the scenario was read. */
        return false;
    }
    bool found = regexec(&compiled, where, 1, &range, REG_STARTEND) == 0;
    regfree(&compiled);
    return found;
}

const char *request_wanted(const json_t *wanted) {
    return json_is_string(wanted) ? json_string_value(wanted) : text(wanted, "request");
}

static int verify_paths(const json_t *request, const json_t *wanted, struct error *err) {
    json_t *body = json_object_get(request, "body"), *value;
    const char *path;
    json_object_foreach(json_object_get(wanted, "has"), path, value) {
        json_t *found = tree_find(body, path);
        if (!found || !json_equal(found, value)) {
            char have[300], want[300];
            tree_show(found, have, sizeof have);
            tree_show(value, want, sizeof want);
            return error_set(err, "its body's %s is %s, not %s", path, have, want);
        }
    }
    json_object_foreach(json_object_get(wanted, "matches"), path, value) {
        const char *found = json_string_value(tree_find(body, path));
        const char *pattern = json_string_value(value);
        if (!found || !pattern || !request_text_fits(pattern, found, strlen(found))) {
            return error_set(err, "its body's %s is \"%.300s\", which does not match \"%s\"", path,
                             found ? found : "", pattern ? pattern : "");
        }
    }
    return 0;
}

/* The plugin sees a 304 as a 200: the host has the response in its cache. */
static bool status_fits(int expected, int status) {
    if (expected == 0) {
        return status / 100 == 2 || status == 304;
    }
    return expected == (status == 0 ? -1 : status) || (expected == 200 && status == 304);
}

int request_compare(const json_t *request, const json_t *wanted, struct error *err) {
    struct expected_request expected;
    const char *query = text(request, "query");
    const json_t *body = json_object_get(wanted, "body");
    scenario_request(request_wanted(wanted), &expected, err);
    if (strcmp(text(request, "method"), expected.method) != 0 ||
        !request_pattern_fits(expected.path, text(request, "path"), query) ||
        !request_query_has(query, json_object_get(wanted, "query"))) {
        error_set(err, "another request came");
        return 1;
    }
    int status = (int)json_integer_value(json_object_get(request, "status"));
    if (!status_fits(expected.status, status)) {
        if (status == 0) {
            return error_set(err, "it was dropped");
        }
        return error_set(err,
                         expected.status
                             ? "its status is %d, not the expected one"
                             : "its status is %d, which the scenario does not expect (write -> %d)",
                         status, status);
    }
    if (body && !json_equal(body, json_object_get(request, "body"))) {
        char want[SHOWN_MAX];
        tree_show(body, want, sizeof want);
        return error_set(err, "its body is not %s", want);
    }
    return verify_paths(request, wanted, err);
}
