/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Check runs and check suites. A suite has the check runs of one commit and app, and is made with
 * the first of them. */
#include "fake/checks.h"

#include "fake/branches.h"
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/node_ids.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/shapes_pulls.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
#define TEXT SCHEMA_TEXT
#define ANNOTATIONS_MAX 50
#define ACTIONS_MAX 3
#define CONCLUSIONS "success failure neutral cancelled skipped timed_out action_required"

/* The commit of a branch or pull request, or the text itself. Borrowed. */
const char *commit_of_ref(const json_t *repository, const char *ref) {
    size_t i;
    json_t *issue;
    const char *of_branch = branch_head(repository, ref);
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        const json_t *head = json_object_get(issue, "head");
        const char *name = text_of(head, "ref");
        if (!of_branch && name && strcmp(name, ref) == 0) {
            return text_of(head, "sha");
        }
    }
    return of_branch ? of_branch : ref;
}

json_t *check_suite_of(struct http_exchange *exchange, const char *sha, const char *app) {
    json_t *list = json_object_get(exchange->repository, "check_suites"), *suite;
    size_t i;
    json_array_foreach(list, i, suite) {
        if (strcmp(text_of(suite, "head_sha"), sha) == 0 &&
            strcmp(text_of(suite, "app"), app) == 0) {
            return suite;
        }
    }
    return list_add(list, json_pack("{s:I, s:s, s:n, s:s, s:o}", "id", state_new_id(exchange->fake),
                                    "head_sha", sha, "head_branch", "app", app, "created_at",
                                    fake_now(exchange->fake)));
}

json_t *shape_pulls_at(struct http_exchange *exchange, const char *sha) {
    json_t *pulls = json_array(), *issue;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "issues"), i, issue) {
        const char *head = text_of(json_object_get(issue, "head"), "sha");
        if (head && strcmp(head, sha) == 0 && strcmp(text_of(issue, "state"), "open") == 0) {
            json_array_append_new(pulls,
                                  shape_pull_minimal(exchange->fake, exchange->repository, issue));
        }
    }
    return pulls;
}

/* Another app's has its slug. */
static json_t *app_of(struct fake *fake, const json_t *run) {
    json_t *app = shape_app(fake);
    const char *slug = text_of(run, "app");
    if (strcmp(slug, fake->app_slug) != 0) {
        json_object_set_new(app, "slug", json_string(slug));
        json_object_set_new(app, "name", json_string(slug));
        json_object_set_new(app, "id", json_integer(1));
    }
    return app;
}

static json_t *shape_output(const json_t *run, const char *url) {
    const json_t *output = json_object_get(run, "output");
    json_t *shape = json_pack("{s:i, s:o}", "annotations_count",
                              (int)json_array_size(json_object_get(output, "annotations")),
                              "annotations_url", json_sprintf("%s/annotations", url));
    static const char *const same[] = {"title", "summary", "text"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *value = json_object_get(output, same[i]);
        json_object_set(shape, same[i], value ? value : json_null());
    }
    return shape;
}

json_t *shape_check_run(struct http_exchange *exchange, json_t *run) {
    struct fake *fake = exchange->fake;
    const char *full_name = text_of(exchange->repository, "full_name");
    const char *sha = text_of(run, "head_sha");
    json_int_t id = number_of(run, "id");
    static const char *const same[] = {"id",         "name",       "head_sha",     "status",
                                       "conclusion", "started_at", "completed_at", "external_id"};
    json_t *shape = json_object();
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(run, same[i]));
    }
    char url[400];
    snprintf(url, sizeof url, "%s/repos/%s/check-runs/" NUMBER, fake->origin, full_name, id);
    const json_t *suite = check_suite_of(exchange, sha, text_of(run, "app"));
    json_t *html = json_sprintf("https://github.com/%s/runs/" NUMBER, full_name, id);
    json_t *details = json_object_get(run, "details_url");
    json_object_set(shape, "details_url", json_is_string(details) ? details : html);
    json_t *more =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:O}, s:o}", "url", url, "html_url", html,
                  "node_id", node_id("CR", id), "app", app_of(fake, run), "output",
                  shape_output(run, url), "check_suite", "id", json_object_get(suite, "id"),
                  "pull_requests", shape_pulls_at(exchange, sha));
    json_object_update(shape, more);
    json_decref(more);
    return shape;
}

/* -- bodies -- */

static const struct field create_fields[] = {
    {"name", TEXT, true, NULL},
    {"head_sha", TEXT, true, NULL},
    {"details_url", TEXT, false, NULL},
    {"external_id", TEXT, false, NULL},
    {"status", TEXT, false, "queued in_progress completed waiting requested pending"},
    {"started_at", TEXT, false, NULL},
    {"conclusion", TEXT, false, CONCLUSIONS},
    {"completed_at", TEXT, false, NULL},
    {"output", SCHEMA_TABLE, false, NULL},
    {"actions", SCHEMA_TABLES, false, NULL},
    {0}};

static bool reject(struct http_exchange *exchange, const char *field, const char *message) {
    respond_invalid(exchange, "CheckRun", field, "invalid", message);
    return false;
}

static bool actions_are_sound(struct http_exchange *exchange, const json_t *actions) {
    static const struct {
        const char *key;
        size_t most;
    } limits[] = {{"label", 20}, {"description", 40}, {"identifier", 20}};
    size_t i;
    json_t *action;
    if (json_array_size(actions) > ACTIONS_MAX) {
        return reject(exchange, "actions", "there are at most 3 actions");
    }
    json_array_foreach(actions, i, action) {
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
            const char *text = text_of(action, limits[k].key);
            if (!text || !*text || strlen(text) > limits[k].most) {
                return reject(exchange, "actions",
                              "an action has a label (20 characters), a description (40) and an "
                              "identifier (20)");
            }
        }
    }
    return true;
}

static bool annotation_is_sound(const json_t *one) {
    static const char *const levels[] = {"notice", "warning", "failure"};
    const char *path = text_of(one, "path"), *message = text_of(one, "message"),
               *level = text_of(one, "annotation_level");
    bool known = false;
    for (size_t i = 0; level && i < sizeof levels / sizeof *levels; i++) {
        known = known || strcmp(level, levels[i]) == 0;
    }
    return known && path && *path && message && *message &&
           json_is_integer(json_object_get(one, "start_line")) &&
           json_is_integer(json_object_get(one, "end_line"));
}

static bool annotations_are_sound(struct http_exchange *exchange, const json_t *annotations) {
    size_t i;
    json_t *one;
    if (json_array_size(annotations) > ANNOTATIONS_MAX) {
        return reject(exchange, "annotations", "there are at most 50 annotations in a request");
    }
    json_array_foreach(annotations, i, one) {
        if (!annotation_is_sound(one)) {
            return reject(exchange, "annotations",
                          "an annotation has a path, a start_line, an end_line, an "
                          "annotation_level (notice, warning or failure) and a message");
        }
    }
    return true;
}

static bool body_is_sound(struct http_exchange *exchange, const json_t *body, bool with_title) {
    const char *status = text_of(body, "status");
    const json_t *output = json_object_get(body, "output");
    if (status && strcmp(status, "completed") == 0 && !text_of(body, "conclusion")) {
        return reject(exchange, "conclusion", "a completed check run has a conclusion");
    }
    if (output && (!text_of(output, "summary") || (with_title && !text_of(output, "title")))) {
        return reject(exchange, "output", "output has a title and a summary");
    }
    if (!annotations_are_sound(exchange, json_object_get(output, "annotations"))) {
        return false;
    }
    return actions_are_sound(exchange, json_object_get(body, "actions"));
}

/* Annotations are added to those that are there; all else is replaced. */
static void set_output(json_t *run, json_t *output) {
    json_t *old = json_object_get(json_object_get(run, "output"), "annotations");
    json_t *all = old ? json_copy(old) : json_array(),
           *new = json_object_get(output, "annotations");
    if (new) {
        json_array_extend(all, new);
    }
    json_object_set(run, "output", output);
    json_object_set_new(json_object_get(run, "output"), "annotations", all);
}

static void change_run(struct http_exchange *exchange, json_t *run, const json_t *body) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)body, key, value) {
        if (strcmp(key, "output") == 0) {
            set_output(run, value);
        } else {
            json_object_set(run, key, value);
        }
    }
    if (json_object_get(body, "conclusion")) {
        json_object_set_new(run, "status", json_string("completed"));
        if (!json_object_get(body, "completed_at")) {
            json_object_set_new(run, "completed_at", fake_now(exchange->fake));
        }
    } else if (json_object_get(body, "status")) {
        json_object_set_new(run, "conclusion", json_null());
        json_object_set_new(run, "completed_at", json_null());
    }
}

/* -- check runs -- */

json_t *check_run_add(struct http_exchange *exchange, const char *name, const char *sha,
                      const char *app) {
    return list_add(json_object_get(exchange->repository, "check_runs"),
                    json_pack("{s:I, s:s, s:s, s:s, s:n, s:s, s:n, s:o, s:n, s:{}, s:[], s:s}",
                              "id", state_new_id(exchange->fake), "name", name, "head_sha", sha,
                              "status", "queued", "conclusion", "external_id", "", "details_url",
                              "started_at", fake_now(exchange->fake), "completed_at", "output",
                              "actions", "app", app));
}

void handle_check_runs_post(struct http_exchange *exchange) {
    json_t *body = exchange_fields(exchange, "CheckRun", create_fields);
    if (!body) {
        return;
    }
    if (body_is_sound(exchange, body, true)) {
        json_t *run = check_run_add(exchange, text_of(body, "name"), text_of(body, "head_sha"),
                                    exchange->fake->app_slug);
        change_run(exchange, run, body);
        respond_json(exchange, 201, shape_check_run(exchange, run));
    }
    json_decref(body);
}

static json_t *find_run(struct http_exchange *exchange) {
    json_int_t id;
    json_t *list = json_object_get(exchange->repository, "check_runs");
    json_t *run =
        parse_number(exchange->parameters[2], &id) ? list_find_number(list, "id", id) : NULL;
    if (!run) {
        respond_error(exchange, 404, "Not Found");
    }
    return run;
}

void handle_check_run_get(struct http_exchange *exchange) {
    json_t *run = find_run(exchange);
    if (run) {
        respond_json(exchange, 200, shape_check_run(exchange, run));
    }
}

/* Only the app that made it may change it. */
static bool is_own(struct http_exchange *exchange, const json_t *run) {
    bool own = strcmp(text_of(run, "app"), exchange->fake->app_slug) == 0;
    if (!own) {
        respond_error(exchange, 403,
                      "Invalid app_id `1` - check run can only be modified by the "
                      "GitHub App that created it.");
    }
    return own;
}

void handle_check_run_patch(struct http_exchange *exchange) {
    struct field fields[sizeof create_fields / sizeof *create_fields];
    memcpy(fields, create_fields, sizeof fields);
    fields[0].required = fields[1].required = false;
    json_t *run = find_run(exchange);
    json_t *body =
        run && is_own(exchange, run) ? exchange_fields(exchange, "CheckRun", fields) : NULL;
    if (!body) {
        return;
    }
    if (body_is_sound(exchange, body, false)) {
        json_object_del(body, "head_sha");
        change_run(exchange, run, body);
        respond_json(exchange, 200, shape_check_run(exchange, run));
    }
    json_decref(body);
}

void handle_check_run_annotations(struct http_exchange *exchange) {
    json_t *run = find_run(exchange), *all = json_array(), *one;
    size_t i;
    if (!run) {
        json_decref(all);
        return;
    }
    json_array_foreach(json_object_get(json_object_get(run, "output"), "annotations"), i, one) {
        json_t *shape = json_copy(one);
        static const char *const may_lack[] = {"start_column", "end_column", "title",
                                               "raw_details"};
        for (size_t k = 0; k < sizeof may_lack / sizeof *may_lack; k++) {
            if (!json_object_get(shape, may_lack[k])) {
                json_object_set_new(shape, may_lack[k], json_null());
            }
        }
        json_object_set_new(shape, "blob_href",
                            json_sprintf("https://github.com/%s/blob/%s/%s",
                                         text_of(exchange->repository, "full_name"),
                                         text_of(run, "head_sha"), text_of(one, "path")));
        json_array_append_new(all, shape);
    }
    respond_page(exchange, all);
}

void handle_check_run_rerequest(struct http_exchange *exchange) {
    json_t *run = find_run(exchange);
    if (run && is_own(exchange, run)) {
        json_object_set_new(run, "status", json_string("queued"));
        json_object_set_new(run, "conclusion", json_null());
        respond_json(exchange, 201, json_object());
    }
}

/* Is there a later run of the same name, commit and app? */
static bool is_replaced(const json_t *list, size_t at) {
    const json_t *run = json_array_get(list, at);
    for (size_t i = at + 1; i < json_array_size(list); i++) {
        const json_t *later = json_array_get(list, i);
        if (strcmp(text_of(later, "name"), text_of(run, "name")) == 0 &&
            strcmp(text_of(later, "head_sha"), text_of(run, "head_sha")) == 0 &&
            strcmp(text_of(later, "app"), text_of(run, "app")) == 0) {
            return true;
        }
    }
    return false;
}

/* The check runs of a commit, and of one app unless it is NULL. */
static void respond_runs(struct http_exchange *exchange, const char *sha, const char *app) {
    AUTO_FREE char *name = exchange_query(exchange, "check_name");
    AUTO_FREE char *status = exchange_query(exchange, "status");
    AUTO_FREE char *filter = exchange_query(exchange, "filter");
    bool latest = !filter || strcmp(filter, "all") != 0;
    json_t *list = json_object_get(exchange->repository, "check_runs"), *run, *all = json_array();
    size_t i;
    json_array_foreach(list, i, run) {
        if (strcmp(text_of(run, "head_sha"), sha) == 0 &&
            (!app || strcmp(text_of(run, "app"), app) == 0) &&
            (!name || strcmp(text_of(run, "name"), name) == 0) &&
            (!status || strcmp(text_of(run, "status"), status) == 0) &&
            (!latest || !is_replaced(list, i))) {
            json_array_append_new(all, shape_check_run(exchange, run));
        }
    }
    json_t *whole = json_pack("{s:i}", "total_count", (int)json_array_size(all));
    respond_page_in(exchange, whole, "check_runs", all);
}

void handle_commit_check_runs(struct http_exchange *exchange) {
    respond_runs(exchange, commit_of_ref(exchange->repository, exchange->parameters[2]), NULL);
}

/* -- suites -- */

/* The status of all its runs: the first that has not ended, else the worst conclusion. */
static void sum_up(struct http_exchange *exchange, const json_t *suite, json_t *shape) {
    const char *status = "completed", *conclusion = "success";
    json_t *list = json_object_get(exchange->repository, "check_runs"), *run;
    size_t i;
    int count = 0;
    json_array_foreach(list, i, run) {
        if (strcmp(text_of(run, "head_sha"), text_of(suite, "head_sha")) != 0 ||
            strcmp(text_of(run, "app"), text_of(suite, "app")) != 0 || is_replaced(list, i)) {
            continue;
        }
        const char *of_run = text_of(run, "conclusion");
        count++;
        if (!of_run) {
            status = "in_progress";
        } else if (strcmp(of_run, "success") != 0 && strcmp(of_run, "neutral") != 0 &&
                   strcmp(of_run, "skipped") != 0) {
            conclusion = of_run;
        }
    }
    bool ended = count > 0 && strcmp(status, "completed") == 0;
    json_object_set_new(shape, "status", json_string(count > 0 ? status : "queued"));
    json_object_set_new(shape, "conclusion", ended ? json_string(conclusion) : json_null());
    json_object_set_new(shape, "latest_check_runs_count", json_integer(count));
}

json_t *shape_head_commit(const char *sha, json_t *timestamp) {
    char tree[FAKE_SHA_BYTES];
    fake_sha(sha, tree);
    json_t *person = json_pack("{s:s, s:s}", "name", "A. Author", "email", "author@example.org");
    json_t *commit =
        json_pack("{s:s, s:s, s:s, s:O, s:O, s:O}", "id", sha, "tree_id", tree, "message",
                  "A commit", "timestamp", timestamp, "author", person, "committer", person);
    json_decref(person);
    return commit;
}

json_t *shape_check_suite(struct http_exchange *exchange, json_t *suite) {
    struct fake *fake = exchange->fake;
    const char *sha = text_of(suite, "head_sha");
    json_int_t id = number_of(suite, "id");
    char url[400];
    snprintf(url, sizeof url, "%s/repos/%s/check-suites/" NUMBER, fake->origin,
             text_of(exchange->repository, "full_name"), id);
    json_t *shape = json_pack("{s:I, s:o, s:O, s:s, s:s, s:n, s:n, s:O, s:O, s:o, s:o, s:o, s:o}",
                              "id", id, "node_id", node_id("CS", id), "head_branch",
                              json_object_get(suite, "head_branch"), "head_sha", sha, "url", url,
                              "before", "after", "created_at", json_object_get(suite, "created_at"),
                              "updated_at", json_object_get(suite, "created_at"), "app",
                              app_of(fake, suite), "pull_requests", shape_pulls_at(exchange, sha),
                              "repository", shape_repository(fake, exchange->repository),
                              "check_runs_url", json_sprintf("%s/check-runs", url));
    json_object_set_new(shape, "head_commit",
                        shape_head_commit(sha, json_object_get(suite, "created_at")));
    sum_up(exchange, suite, shape);
    return shape;
}

void handle_commit_check_suites(struct http_exchange *exchange) {
    const char *sha = commit_of_ref(exchange->repository, exchange->parameters[2]);
    json_t *all = json_array(), *suite;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "check_suites"), i, suite) {
        if (strcmp(text_of(suite, "head_sha"), sha) == 0) {
            json_array_append_new(all, shape_check_suite(exchange, suite));
        }
    }
    json_t *whole = json_pack("{s:i}", "total_count", (int)json_array_size(all));
    respond_page_in(exchange, whole, "check_suites", all);
}

static json_t *find_suite_of_path(struct http_exchange *exchange) {
    json_int_t id;
    json_t *list = json_object_get(exchange->repository, "check_suites");
    json_t *suite =
        parse_number(exchange->parameters[2], &id) ? list_find_number(list, "id", id) : NULL;
    if (!suite) {
        respond_error(exchange, 404, "Not Found");
    }
    return suite;
}

void handle_check_suite_get(struct http_exchange *exchange) {
    json_t *suite = find_suite_of_path(exchange);
    if (suite) {
        respond_json(exchange, 200, shape_check_suite(exchange, suite));
    }
}

void handle_check_suite_runs(struct http_exchange *exchange) {
    const json_t *suite = find_suite_of_path(exchange);
    if (suite) {
        respond_runs(exchange, text_of(suite, "head_sha"), text_of(suite, "app"));
    }
}

void handle_check_suite_rerequest(struct http_exchange *exchange) {
    if (find_suite_of_path(exchange)) {
        respond_json(exchange, 201, json_object());
    }
}
