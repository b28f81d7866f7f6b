/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares results, requests, log and state of a step with what the scenario expects, and reports
 * every difference. */
#include "scenario/verify.h"

#include "scenario/request.h"
#include "scenario/step_runner.h"
#include "scenario/tree.h"

#include "base/clock.h"

#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX 600
/* A plugin's line may come after its run's end. */
#define LOG_PATIENCE_MS 5000

void differences_add(struct differences *differences, const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_printf(&differences->text, "%s\n", line);
}

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* -- results -- */

static void verify_result(const struct step_runner *runner, const struct outcome *outcome,
                          struct differences *differences) {
    const json_t *wanted = json_object_get(runner->step, "result");
    const char *result =
        json_is_object(wanted) ? text(wanted, outcome->plugin) : json_string_value(wanted);
    const char *pattern = text(runner->step, "reason");
    result = result ? result : "done";
    if (strcmp(result, outcome->result) != 0) {
        differences_add(differences, "result of %s: %s was expected, and it is %s%s%s",
                        outcome->plugin, result, outcome->result, *outcome->reason ? ": " : "",
                        outcome->reason);
    }
    if (pattern && !request_text_fits(pattern, outcome->reason, strlen(outcome->reason))) {
        differences_add(differences, "reason of %s: \"%s\" does not match \"%s\"", outcome->plugin,
                        outcome->reason, pattern);
    }
}

static bool has_outcome(const struct step_runner *runner, const char *plugin) {
    for (size_t i = 0; i < runner->n_outcomes; i++) {
        if (strcmp(runner->outcomes[i].plugin, plugin) == 0) {
            return true;
        }
    }
    return false;
}

static void verify_results(const struct step_runner *runner, struct differences *differences) {
    const json_t *wanted = json_object_get(runner->step, "result");
    const char *all = json_string_value(wanted), *plugin;
    bool none = all && strcmp(all, "none") == 0;
    json_t *one;
    for (size_t i = 0; i < runner->n_outcomes; i++) {
        verify_result(runner, &runner->outcomes[i], differences);
    }
    if (runner->n_guids > 0 && runner->n_outcomes == 0 && !none && !json_is_object(wanted)) {
        differences_add(differences, "result: %s was expected, but no plugin subscribes to this",
                        all ? all : "done");
    }
    if (json_is_object(wanted)) {
        json_object_foreach((json_t *)wanted, plugin, one) {
            if (!has_outcome(runner, plugin) && strcmp(json_string_value(one), "none") != 0) {
                differences_add(differences, "result of %s: %s was expected, but it had no run",
                                plugin, json_string_value(one));
            }
        }
    }
}

/* The results of its runs report a worker's death; this reports a worker that had no run. */
static void verify_deaths(const struct step_runner *runner, struct differences *differences) {
    size_t at = runner->log_start, bytes;
    const char *line;
    if (json_object_get(runner->step, "kill") || json_object_get(runner->step, "reason")) {
        return;
    }
    while ((line = lines_next(&runner->environment->host_lines, &at, &bytes)) != NULL) {
        char plugin[FIELD_MAX] = "", how[FIELD_MAX] = "";
        if (line_is(line, bytes, "msg", "worker_died")) {
            line_field(line, bytes, "plugin", plugin);
            line_field(line, bytes, "how", how);
            differences_add(differences, "the worker of %s %s", plugin, how);
        } else if (line_is(line, bytes, "msg", "plugin_quarantined")) {
            line_field(line, bytes, "plugin", plugin);
            line_field(line, bytes, "reason", how);
            differences_add(differences, "the plugin %s is quarantined: %s", plugin, how);
        }
    }
}

/* -- requests -- */

static void add_missing(const json_t *wanted, struct differences *differences) {
    differences_add(differences, "missing request: %s", request_wanted(wanted));
}

/* A lookup of the host is never too many. */
static void add_unexpected(const json_t *request, struct differences *differences) {
    char shown[SHOWN_MAX];
    if (request_is_lookup(request)) {
        return;
    }
    request_show(request, shown, sizeof shown);
    differences_add(differences, "unexpected request: %s", shown);
}

static void add_differs(const json_t *request, const json_t *wanted, const struct error *err,
                        struct differences *differences) {
    char shown[SHOWN_MAX];
    request_show(request, shown, sizeof shown);
    differences_add(differences, "request %s: %s\n    it was: %s", request_wanted(wanted),
                    err->text, shown);
}

static void verify_in_order(const json_t *came, const json_t *wanted,
                            struct differences *differences) {
    size_t i = 0, k = 0, n_came = json_array_size(came), n_wanted = json_array_size(wanted);
    while (i < n_came && k < n_wanted) {
        struct error err;
        const json_t *request = json_array_get(came, i), *expected = json_array_get(wanted, k);
        int result = request_compare(request, expected, &err);
        if (result <= 0) {
            if (result < 0) {
                add_differs(request, expected, &err, differences);
            }
            i++, k++;
            continue;
        }
        /* Is the expected one still to come? Then this one is too many, else that one is missing.
         */
        size_t later = i + 1;
        while (later < n_came && request_compare(json_array_get(came, later), expected, &err) > 0) {
            later++;
        }
        if (later < n_came) {
            add_unexpected(request, differences);
            i++;
        } else {
            add_missing(expected, differences);
            k++;
        }
    }
    for (; i < n_came; i++) {
        add_unexpected(json_array_get(came, i), differences);
    }
    for (; k < n_wanted; k++) {
        add_missing(json_array_get(wanted, k), differences);
    }
}

static void verify_any_order(const json_t *came, const json_t *wanted,
                             struct differences *differences) {
    json_t *left = json_copy((json_t *)came), *expected, *request;
    size_t k, i;
    json_array_foreach(wanted, k, expected) {
        struct error err, ignored;
        size_t found = SIZE_MAX, near = SIZE_MAX;
        json_array_foreach(left, i, request) {
            int result = request_compare(request, expected, &ignored);
            if (result == 0 && found == SIZE_MAX) {
                found = i;
            } else if (result < 0) {
                near = i;
                err = ignored;
            }
        }
        if (found == SIZE_MAX && near != SIZE_MAX) {
            add_differs(json_array_get(left, near), expected, &err, differences);
            found = near;
        } else if (found == SIZE_MAX) {
            add_missing(expected, differences);
        }
        if (found != SIZE_MAX) {
            json_array_remove(left, found);
        }
    }
    json_array_foreach(left, i, request) {
        add_unexpected(request, differences);
    }
    json_decref(left);
}

static void verify_requests(struct step_runner *runner, struct differences *differences) {
    struct error err;
    const json_t *wanted = json_object_get(runner->step, "requests");
    if (step_runner_take_requests(runner, &err) < 0) {
        differences_add(differences, "%s", err.text);
    } else if (json_is_true(json_object_get(runner->step, "any_order"))) {
        verify_any_order(runner->requests, wanted, differences);
    } else {
        verify_in_order(runner->requests, wanted, differences);
    }
}

/* Is the failure that the fake still has made of `fail`? The number of times may differ. */
static bool is_made_of(const json_t *failure, const json_t *fail) {
    json_t *left = json_copy((json_t *)failure), *made = step_runner_failure(fail);
    json_object_del(left, "times");
    json_object_del(made, "times");
    bool same = json_equal(left, made);
    json_decref(left);
    json_decref(made);
    return same;
}

/* The number of requests that should meet it; `left` when the step has no number. */
static json_int_t times_of(const struct step_runner *runner, const json_t *failure,
                           json_int_t left) {
    const json_t *fails = json_object_get(runner->step, "fail");
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

static void verify_failures(struct step_runner *runner, struct differences *differences) {
    struct error err;
    json_t *response = NULL, *failure;
    size_t i;
    if (environment_call_fake(runner->environment, "GET", "fail", NULL, &response, &err) < 0) {
        differences_add(differences, "%s", err.text);
        return;
    }
    json_array_foreach(json_object_get(response, "failures"), i, failure) {
        const char *method = text(failure, "method"), *path = text(failure, "target");
        json_int_t left = json_integer_value(json_object_get(failure, "times"));
        json_int_t all = times_of(runner, failure, left);
        if (left > 0 && left < all) {
            differences_add(differences,
                            "fail: of %d requests that were to fail only %d came: %s %s", (int)all,
                            (int)(all - left), method ? method : "", path ? path : "any");
        } else if (left > 0) {
            differences_add(differences, "fail: no request came that was to fail: %s %s",
                            method ? method : "", path ? path : "any");
        }
    }
    json_decref(response);
    environment_call_fake(runner->environment, "DELETE", "fail", NULL, NULL, &err);
}

/* -- the log and the state -- */

bool verify_is_logged(const struct step_runner *runner, const char *pattern) {
    size_t at = runner->log_start, bytes;
    const char *line;
    while ((line = lines_next(&runner->environment->host_lines, &at, &bytes)) != NULL) {
        if (request_text_fits(pattern, line, bytes)) {
            return true;
        }
    }
    return false;
}

static void verify_line(struct step_runner *runner, const char *pattern,
                        struct differences *differences) {
    struct error ignored;
    int64_t deadline_ms = clock_monotonic_ms() + LOG_PATIENCE_MS;
    while (!verify_is_logged(runner, pattern) && clock_monotonic_ms() < deadline_ms &&
           runner->environment->host && environment_tick(runner->environment, &ignored) == 0) {}
    if (!verify_is_logged(runner, pattern)) {
        differences_add(differences, "log: no line of this step matches \"%s\"", pattern);
    }
}

static void verify_log(struct step_runner *runner, struct differences *differences) {
    const json_t *patterns = json_object_get(runner->step, "log");
    size_t i;
    json_t *pattern;
    if (json_is_string(patterns)) {
        verify_line(runner, json_string_value(patterns), differences);
    }
    json_array_foreach(patterns, i, pattern) {
        verify_line(runner, json_string_value(pattern), differences);
    }
}

static void verify_state(struct step_runner *runner, struct differences *differences) {
    const json_t *wanted = json_object_get(runner->step, "state");
    json_t *state = NULL;
    struct error err;
    if (!wanted) {
        return;
    }
    if (environment_call_fake(runner->environment, "GET", "state", NULL, &state, &err) < 0) {
        differences_add(differences, "%s", err.text);
    } else if (tree_contains(state, wanted, &err) < 0) {
        differences_add(differences, "state%s", err.text);
    }
    json_decref(state);
}

void verify_step(struct step_runner *runner, struct differences *differences) {
    verify_results(runner, differences);
    verify_requests(runner, differences);
    verify_failures(runner, differences);
    verify_log(runner, differences);
    verify_state(runner, differences);
    verify_deaths(runner, differences);
}

void verify_end(struct step_runner *runner, struct differences *differences) {
    verify_requests(runner, differences);
    verify_log(runner, differences);
    verify_state(runner, differences);
    verify_deaths(runner, differences);
}
