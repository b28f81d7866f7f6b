/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares what came of a step with what the scenario expects. Everything that differs is said. */
#include "scenario/stage.h"

#include "scenario/tree.h"

#include "base/clock.h"

#include <fnmatch.h>
#include <regex.h>
#include <string.h>

#define SHOWN_MAX 600
#define LOG_PATIENCE_MS 5000 /* a plugin's line may come after its run's end */

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static bool fits(const char *pattern, const char *where, size_t bytes) {
    regex_t compiled;
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)bytes};
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0) {
        return false; /* checked when the scenario was read */
    }
    bool found = regexec(&compiled, where, 1, &range, REG_STARTEND) == 0;
    regfree(&compiled);
    return found;
}

/* -- results -- */

static void judge_result(const struct stage *stage, const struct outcome *outcome,
                         struct verdict *verdict) {
    const json_t *wanted = json_object_get(stage->step, "result");
    const char *result =
        json_is_object(wanted) ? text(wanted, outcome->plugin) : json_string_value(wanted);
    const char *pattern = text(stage->step, "reason");
    result = result ? result : "done";
    if (strcmp(result, outcome->result) != 0) {
        verdict_say(verdict, "result of %s: %s was expected, and it is %s%s%s", outcome->plugin,
                    result, outcome->result, *outcome->reason ? ": " : "", outcome->reason);
    }
    if (pattern && !fits(pattern, outcome->reason, strlen(outcome->reason))) {
        verdict_say(verdict, "reason of %s: \"%s\" does not match \"%s\"", outcome->plugin,
                    outcome->reason, pattern);
    }
}

static bool has_outcome(const struct stage *stage, const char *plugin) {
    for (size_t i = 0; i < stage->n_outcomes; i++) {
        if (strcmp(stage->outcomes[i].plugin, plugin) == 0) {
            return true;
        }
    }
    return false;
}

static void judge_results(const struct stage *stage, struct verdict *verdict) {
    const json_t *wanted = json_object_get(stage->step, "result");
    const char *all = json_string_value(wanted), *plugin;
    bool none = all && strcmp(all, "none") == 0;
    json_t *one;
    for (size_t i = 0; i < stage->n_outcomes; i++) {
        judge_result(stage, &stage->outcomes[i], verdict);
    }
    if (stage->n_guids > 0 && stage->n_outcomes == 0 && !none && !json_is_object(wanted)) {
        verdict_say(verdict, "result: %s was expected, but no plugin subscribes to this",
                    all ? all : "done");
    }
    if (json_is_object(wanted)) {
        json_object_foreach((json_t *)wanted, plugin, one) {
            if (!has_outcome(stage, plugin) && strcmp(json_string_value(one), "none") != 0) {
                verdict_say(verdict, "result of %s: %s was expected, but it had no run", plugin,
                            json_string_value(one));
            }
        }
    }
}

/* A worker that dies is told of by its runs' results, unless it had none. */
static void judge_deaths(const struct stage *stage, struct verdict *verdict) {
    size_t at = stage->log_start, bytes;
    const char *line;
    if (json_object_get(stage->step, "kill") || json_object_get(stage->step, "reason")) {
        return;
    }
    while ((line = lines_next(&stage->world->host_lines, &at, &bytes)) != NULL) {
        char plugin[FIELD_MAX] = "", how[FIELD_MAX] = "";
        if (line_is(line, bytes, "msg", "worker_died") ||
            line_is(line, bytes, "msg", "plugin_quarantined")) {
            (void)line_field(line, bytes, "plugin", plugin);
            (void)line_field(line, bytes, "how", how);
            verdict_say(verdict, "the worker of %s %s", plugin, how);
        }
    }
}

/* -- requests -- */

static const char *wanted_text(const json_t *wanted) {
    return json_is_string(wanted) ? json_string_value(wanted) : text(wanted, "request");
}

static void show_request(const json_t *request, char *out, size_t bytes) {
    const char *query = text(request, "query");
    json_t *body = json_object_get(request, "body");
    char body_text[SHOWN_MAX / 2], status[24] = "dropped";
    if (json_is_integer(json_object_get(request, "status"))) {
        (void)snprintf(status, sizeof status, "%d",
                       (int)json_integer_value(json_object_get(request, "status")));
    }
    tree_show(body, body_text, sizeof body_text);
    const char *unknown = json_is_true(json_object_get(request, "unknown"))
                              ? " (the fake GitHub has no such endpoint: see [[answer]])"
                              : "";
    (void)snprintf(out, bytes, "%s %s%s%s -> %s%s%s%s", text(request, "method"),
                   text(request, "path"), query ? "?" : "", query ? query : "", status, unknown,
                   json_is_null(body) ? "" : " ", json_is_null(body) ? "" : body_text);
}

static int judge_paths(const json_t *request, const json_t *wanted, struct error *err) {
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
        if (!found || !pattern || !fits(pattern, found, strlen(found))) {
            return error_set(err, "its body's %s is \"%.300s\", which does not match \"%s\"", path,
                             found ? found : "", pattern ? pattern : "");
        }
    }
    return 0;
}

/* To the plugin a 304 is a 200: the host gives it what it kept. */
static bool status_fits(int expected, int status) {
    if (expected == 0) {
        return status / 100 == 2 || status == 304;
    }
    return expected == (status == 0 ? -1 : status) || (expected == 200 && status == 304);
}

/* 1 when it is not that request at all, -1 when it is but differs, 0 when it is as wanted. */
static int compare(const json_t *request, const json_t *wanted, struct error *err) {
    struct expected_request expected;
    char target[2 * REQUEST_PATH_MAX];
    const char *query = text(request, "query");
    const json_t *body = json_object_get(wanted, "body");
    (void)scenario_request(wanted_text(wanted), &expected, err);
    (void)snprintf(target, sizeof target, "%s%s%s", text(request, "path"),
                   query && strchr(expected.path, '?') ? "?" : "",
                   query && strchr(expected.path, '?') ? query : "");
    if (strcmp(text(request, "method"), expected.method) != 0 ||
        (strcmp(expected.path, target) != 0 && fnmatch(expected.path, target, 0) != 0)) {
        return error_set(err, "another request came"), 1;
    }
    int status = (int)json_integer_value(json_object_get(request, "status"));
    if (!status_fits(expected.status, status)) {
        return status == 0 ? error_set(err, "it was dropped")
                           : error_set(err, "its status is %d, %s", status,
                                       expected.status ? "not the expected one"
                                                       : "which nobody expected (-> says which)");
    }
    if (body && !json_equal(body, json_object_get(request, "body"))) {
        char want[SHOWN_MAX];
        tree_show(body, want, sizeof want);
        return error_set(err, "its body is not %s", want);
    }
    return judge_paths(request, wanted, err);
}

static void say_missing(const json_t *wanted, struct verdict *verdict) {
    verdict_say(verdict, "missing request: %s", wanted_text(wanted));
}

static void say_unexpected(const json_t *request, struct verdict *verdict) {
    char shown[SHOWN_MAX];
    show_request(request, shown, sizeof shown);
    verdict_say(verdict, "unexpected request: %s", shown);
}

static void say_differs(const json_t *request, const json_t *wanted, const struct error *err,
                        struct verdict *verdict) {
    char shown[SHOWN_MAX];
    show_request(request, shown, sizeof shown);
    verdict_say(verdict, "request %s: %s\n    it was: %s", wanted_text(wanted), err->text, shown);
}

static void judge_in_order(const json_t *came, const json_t *wanted, struct verdict *verdict) {
    size_t i = 0, k = 0, n_came = json_array_size(came), n_wanted = json_array_size(wanted);
    while (i < n_came && k < n_wanted) {
        struct error err;
        const json_t *request = json_array_get(came, i), *expected = json_array_get(wanted, k);
        int result = compare(request, expected, &err);
        if (result <= 0) {
            if (result < 0) {
                say_differs(request, expected, &err, verdict);
            }
            i++, k++;
            continue;
        }
        /* Is the expected one still to come? Then this one is too many, else that one is missing.
         */
        size_t later = i + 1;
        while (later < n_came && compare(json_array_get(came, later), expected, &err) > 0) {
            later++;
        }
        if (later < n_came) {
            say_unexpected(request, verdict);
            i++;
        } else {
            say_missing(expected, verdict);
            k++;
        }
    }
    for (; i < n_came; i++) {
        say_unexpected(json_array_get(came, i), verdict);
    }
    for (; k < n_wanted; k++) {
        say_missing(json_array_get(wanted, k), verdict);
    }
}

static void judge_any_order(const json_t *came, const json_t *wanted, struct verdict *verdict) {
    json_t *left = json_copy((json_t *)came), *expected, *request;
    size_t k, i;
    json_array_foreach(wanted, k, expected) {
        struct error err, ignored;
        size_t found = SIZE_MAX, near = SIZE_MAX;
        json_array_foreach(left, i, request) {
            int result = compare(request, expected, &ignored);
            if (result == 0 && found == SIZE_MAX) {
                found = i;
            } else if (result < 0) {
                near = i;
                err = ignored;
            }
        }
        if (found == SIZE_MAX && near != SIZE_MAX) {
            say_differs(json_array_get(left, near), expected, &err, verdict);
            found = near;
        } else if (found == SIZE_MAX) {
            say_missing(expected, verdict);
        }
        if (found != SIZE_MAX) {
            (void)json_array_remove(left, found);
        }
    }
    json_array_foreach(left, i, request) {
        say_unexpected(request, verdict);
    }
    json_decref(left);
}

static void judge_requests(struct stage *stage, struct verdict *verdict) {
    struct error err;
    const json_t *wanted = json_object_get(stage->step, "requests");
    if (stage_take_requests(stage, &err) < 0) {
        verdict_say(verdict, "%s", err.text);
    } else if (json_is_true(json_object_get(stage->step, "any_order"))) {
        judge_any_order(stage->requests, wanted, verdict);
    } else {
        judge_in_order(stage->requests, wanted, verdict);
    }
}

/* Is the failure that the fake still has made of `fail`? But for how often it is to be met. */
static bool is_made_of(const json_t *failure, const json_t *fail) {
    json_t *left = json_copy((json_t *)failure), *made = stage_failure(fail);
    (void)json_object_del(left, "times");
    (void)json_object_del(made, "times");
    bool same = json_equal(left, made);
    json_decref(left);
    json_decref(made);
    return same;
}

/* How many requests were to meet it in all; `left` when the step does not say. */
static json_int_t times_of(const struct stage *stage, const json_t *failure, json_int_t left) {
    const json_t *fails = json_object_get(stage->step, "fail");
    size_t n = json_is_object(fails) ? 1 : json_array_size(fails);
    for (size_t i = 0; i < n; i++) {
        const json_t *fail = json_is_object(fails) ? fails : json_array_get(fails, i);
        json_int_t times = json_integer_value(json_object_get(fail, "times"));
        if (times >= left && is_made_of(failure, fail)) {
            return times;
        }
    }
    return left;
}

static void judge_failures(struct stage *stage, struct verdict *verdict) {
    struct error err;
    json_t *answer = NULL, *failure;
    size_t i;
    if (world_ask_fake(stage->world, "GET", "fail", NULL, &answer, &err) < 0) {
        verdict_say(verdict, "%s", err.text);
        return;
    }
    json_array_foreach(json_object_get(answer, "failures"), i, failure) {
        const char *method = text(failure, "method"), *path = text(failure, "path");
        json_int_t left = json_integer_value(json_object_get(failure, "times"));
        json_int_t all = times_of(stage, failure, left);
        if (left > 0 && left < all) {
            verdict_say(verdict, "fail: of %d requests that were to fail only %d came: %s %s",
                        (int)all, (int)(all - left), method ? method : "", path ? path : "any");
        } else if (left > 0) {
            verdict_say(verdict, "fail: no request came that was to fail: %s %s",
                        method ? method : "", path ? path : "any");
        }
    }
    json_decref(answer);
    (void)world_ask_fake(stage->world, "DELETE", "fail", NULL, NULL, &err);
}

/* -- the log and the state -- */

bool stage_is_logged(const struct stage *stage, const char *pattern) {
    size_t at = stage->log_start, bytes;
    const char *line;
    while ((line = lines_next(&stage->world->host_lines, &at, &bytes)) != NULL) {
        if (fits(pattern, line, bytes)) {
            return true;
        }
    }
    return false;
}

static void judge_line(struct stage *stage, const char *pattern, struct verdict *verdict) {
    struct error ignored;
    int64_t deadline_ms = clock_monotonic_ms() + LOG_PATIENCE_MS;
    while (!stage_is_logged(stage, pattern) && clock_monotonic_ms() < deadline_ms &&
           stage->world->host && world_tick(stage->world, &ignored) == 0) {}
    if (!stage_is_logged(stage, pattern)) {
        verdict_say(verdict, "log: no line of this step matches \"%s\"", pattern);
    }
}

static void judge_log(struct stage *stage, struct verdict *verdict) {
    const json_t *patterns = json_object_get(stage->step, "log");
    size_t i;
    json_t *pattern;
    if (json_is_string(patterns)) {
        judge_line(stage, json_string_value(patterns), verdict);
    }
    json_array_foreach(patterns, i, pattern) {
        judge_line(stage, json_string_value(pattern), verdict);
    }
}

static void judge_state(struct stage *stage, struct verdict *verdict) {
    const json_t *wanted = json_object_get(stage->step, "state");
    json_t *state = NULL;
    struct error err;
    if (!wanted) {
        return;
    }
    if (world_ask_fake(stage->world, "GET", "state", NULL, &state, &err) < 0) {
        verdict_say(verdict, "%s", err.text);
    } else if (tree_contains(state, wanted, &err) < 0) {
        verdict_say(verdict, "state%s", err.text);
    }
    json_decref(state);
}

void judge_step(struct stage *stage, struct verdict *verdict) {
    judge_results(stage, verdict);
    judge_requests(stage, verdict);
    judge_failures(stage, verdict);
    judge_log(stage, verdict);
    judge_state(stage, verdict);
    judge_deaths(stage, verdict);
}

void judge_end(struct stage *stage, struct verdict *verdict) {
    judge_requests(stage, verdict);
    judge_log(stage, verdict);
    judge_state(stage, verdict);
    judge_deaths(stage, verdict);
}
