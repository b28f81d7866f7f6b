/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs of Actions' workflows: lists them, runs them again, cancels them. The fake has no
 * runner: the state says how a run ends. */
#include "fake/checks.h"
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/node_ids.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
/* The app that reports workflows as check suites. */
#define ACTIONS_APP "github-actions"

static json_t *suite_of(struct http_exchange *exchange, const json_t *run) {
    return check_suite_of(exchange, text_of(run, "head_sha"), ACTIONS_APP);
}

static void put_urls(const struct http_exchange *exchange, const json_t *run, json_t *shape) {
    static const char *const parts[][2] = {
        {"jobs_url", "jobs"},     {"logs_url", "logs"},   {"artifacts_url", "artifacts"},
        {"cancel_url", "cancel"}, {"rerun_url", "rerun"},
    };
    const char *origin = exchange->fake->origin,
               *full_name = text_of(exchange->repository, "full_name");
    json_int_t id = number_of(run, "id");
    char url[400];
    snprintf(url, sizeof url, "%s/repos/%s/actions/runs/" NUMBER, origin, full_name, id);
    json_object_set_new(shape, "url", json_string(url));
    json_object_set_new(shape, "html_url",
                        json_sprintf("https://github.com/%s/actions/runs/" NUMBER, full_name, id));
    json_object_set_new(shape, "workflow_url",
                        json_sprintf("%s/repos/%s/actions/workflows/" NUMBER, origin, full_name,
                                     name_id(text_of(run, "path"))));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_object_set_new(shape, parts[i][0], json_sprintf("%s/%s", url, parts[i][1]));
    }
}

static json_t *shape_run(struct http_exchange *exchange, const json_t *run, bool with_pulls) {
    static const char *const same[] = {
        "id",         "name",       "path",           "head_sha",     "head_branch",
        "event",      "status",     "conclusion",     "run_number",   "run_attempt",
        "created_at", "updated_at", "run_started_at", "display_title"};
    struct fake *fake = exchange->fake;
    const char *sha = text_of(run, "head_sha");
    json_t *suite = suite_of(exchange, run), *shape = json_object();
    json_int_t suite_id = number_of(suite, "id");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(run, same[i]));
    }
    json_t *more =
        json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:n, s:[]}", "node_id",
                  node_id("WFR", number_of(run, "id")), "workflow_id",
                  name_id(text_of(run, "path")), "check_suite_id", suite_id, "check_suite_node_id",
                  node_id("CS", suite_id), "check_suite_url",
                  json_sprintf("%s/repos/%s/check-suites/" NUMBER, fake->origin,
                               text_of(exchange->repository, "full_name"), suite_id),
                  "head_commit", shape_head_commit(sha, json_object_get(run, "created_at")),
                  "repository", shape_repository(fake, exchange->repository), "head_repository",
                  shape_repository(fake, exchange->repository), "pull_requests",
                  with_pulls ? shape_pulls_at(exchange, sha) : json_array(), "previous_attempt_url",
                  "referenced_workflows");
    json_object_update(shape, more);
    json_decref(more);
    if (text_of(run, "actor")) {
        json_t *actor = shape_user(fake, text_of(run, "actor"));
        json_object_set(shape, "actor", actor);
        json_object_set_new(shape, "triggering_actor", actor);
    }
    put_urls(exchange, run, shape);
    return shape;
}

/* -- the list -- */

struct run_filter {
    char *branch, *event, *status, *sha, *actor;
    json_int_t suite;
};

static bool fits(const char *wanted, const json_t *run, const char *key) {
    const char *value = text_of(run, key);
    return !wanted || (value && strcmp(value, wanted) == 0);
}

static bool passes(struct http_exchange *exchange, const struct run_filter *filter,
                   const json_t *run) {
    return fits(filter->branch, run, "head_branch") && fits(filter->event, run, "event") &&
           fits(filter->sha, run, "head_sha") && fits(filter->actor, run, "actor") &&
           (fits(filter->status, run, "status") || fits(filter->status, run, "conclusion")) &&
           (!filter->suite || number_of(suite_of(exchange, run), "id") == filter->suite);
}

static void respond_runs(struct http_exchange *exchange, const struct run_filter *filter,
                         bool with_pulls) {
    json_t *list = json_object_get(exchange->repository, "workflow_runs"), *all = json_array();
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *run = json_array_get(list, i);
        if (passes(exchange, filter, run)) {
            json_array_append_new(all, shape_run(exchange, run, with_pulls));
        }
    }
    json_t *whole = json_pack("{s:i}", "total_count", (int)json_array_size(all));
    respond_page_in(exchange, whole, "workflow_runs", all);
}

void handle_workflow_runs_get(struct http_exchange *exchange) {
    AUTO_FREE char *branch = exchange_query(exchange, "branch");
    AUTO_FREE char *event = exchange_query(exchange, "event");
    AUTO_FREE char *status = exchange_query(exchange, "status");
    AUTO_FREE char *sha = exchange_query(exchange, "head_sha");
    AUTO_FREE char *actor = exchange_query(exchange, "actor");
    AUTO_FREE char *suite = exchange_query(exchange, "check_suite_id");
    AUTO_FREE char *created = exchange_query(exchange, "created");
    AUTO_FREE char *no_pulls = exchange_query(exchange, "exclude_pull_requests");
    struct run_filter filter = {
        .branch = branch, .event = event, .status = status, .sha = sha, .actor = actor};
    if (created) {
        respond_invalid(exchange, "WorkflowRun", "created", "invalid",
                        "the fake GitHub does not filter by created");
    } else if (suite && !parse_number(suite, &filter.suite)) {
        respond_invalid(exchange, "WorkflowRun", "check_suite_id", "invalid", NULL);
    } else {
        respond_runs(exchange, &filter, !no_pulls || strcmp(no_pulls, "true") != 0);
    }
}

/* -- one run -- */

static json_t *find_run(struct http_exchange *exchange) {
    json_int_t id;
    json_t *list = json_object_get(exchange->repository, "workflow_runs");
    json_t *run =
        parse_number(exchange->parameters[2], &id) ? list_find_number(list, "id", id) : NULL;
    if (!run) {
        respond_error(exchange, 404, "Not Found");
    }
    return run;
}

void handle_workflow_run_get(struct http_exchange *exchange) {
    const json_t *run = find_run(exchange);
    if (run) {
        respond_json(exchange, 200, shape_run(exchange, run, true));
    }
}

static bool has_failed(const json_t *run) {
    const char *conclusion = text_of(run, "conclusion");
    return conclusion && strcmp(conclusion, "success") != 0 && strcmp(conclusion, "skipped") != 0;
}

/* A run that has ended starts again, as the next attempt. */
static void run_again(struct http_exchange *exchange, bool failed_only) {
    static const struct field fields[] = {{"enable_debug_logging", SCHEMA_YES, false, NULL}, {0}};
    json_t *run = find_run(exchange);
    if (!run) {
        return;
    }
    json_t *body = exchange_fields(exchange, "WorkflowRun", fields);
    if (!body) {
        return;
    }
    json_decref(body);
    if (strcmp(text_of(run, "status"), "completed") != 0) {
        respond_error(exchange, 403, "This workflow is already running");
    } else if (failed_only && !has_failed(run)) {
        respond_error(exchange, 403, "This workflow run has no failed jobs");
    } else {
        json_object_set_new(run, "run_attempt", json_integer(number_of(run, "run_attempt") + 1));
        json_object_set_new(run, "status", json_string("queued"));
        json_object_set_new(run, "conclusion", json_null());
        json_object_set_new(run, "run_started_at", fake_now(exchange->fake));
        json_object_set_new(run, "updated_at", fake_now(exchange->fake));
        respond_json(exchange, 201, json_object());
    }
}

void handle_workflow_rerun(struct http_exchange *exchange) {
    run_again(exchange, false);
}

void handle_workflow_rerun_failed(struct http_exchange *exchange) {
    run_again(exchange, true);
}

void handle_workflow_cancel(struct http_exchange *exchange) {
    json_t *run = find_run(exchange);
    if (!run) {
        return;
    }
    if (strcmp(text_of(run, "status"), "completed") == 0) {
        respond_error(exchange, 409, "Cannot cancel a workflow run that is completed.");
        return;
    }
    json_object_set_new(run, "status", json_string("completed"));
    json_object_set_new(run, "conclusion", json_string("cancelled"));
    json_object_set_new(run, "updated_at", fake_now(exchange->fake));
    respond_json(exchange, 202, json_object());
}
