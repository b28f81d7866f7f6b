/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The events whose payloads the fake makes. The state then agrees with the event:
 * the check run exists, the branch has moved. */
#include "fake/payloads.h"

#include "fake/branches.h"
#include "fake/checks.h"
#include "fake/fields.h"
#include "fake/items.h"
#include "fake/node_ids.h"
#include "fake/payload_values.h"
#include "fake/shapes.h"
#include "fake/shapes_pulls.h"
#include "fake/state.h"
#include "fake/state_fill.h"

#include <ctype.h>
#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT

/* ---- checks ---- */

/* The check run that is named by its id, or by its name and commit. */
static json_t *find_check_run(struct payload_build *build, const char *sha) {
    const char *name = text_of(build->values, "name");
    json_int_t id = number_of(build->values, "id");
    json_t *list = json_object_get(build->exchange->repository, "check_runs"), *run;
    size_t i;
    if (id) {
        run = list_find_number(list, "id", id);
        if (!run) {
            error_set(build->err, "id: there is no check run " NUMBER, id);
        }
        return run;
    }
    if (!name) {
        error_set(build->err, "a check run needs a name, or the id of one that exists");
        return NULL;
    }
    json_array_foreach(list, i, run) {
        if (strcmp(text_of(run, "name"), name) == 0 && strcmp(text_of(run, "head_sha"), sha) == 0) {
            return run;
        }
    }
    const char *app = text_of(build->values, "app");
    return check_run_add(build->exchange, name, sha, app ? app : build->exchange->fake->app_slug);
}

static void end_check_run(struct payload_build *build, json_t *run) {
    static const char *const same[] = {"external_id", "output", "details_url"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *value = json_object_get(build->values, same[i]);
        json_object_set(run, same[i], value ? value : json_object_get(run, same[i]));
    }
    json_t *conclusion = json_object_get(build->values, "conclusion");
    if (conclusion) {
        json_object_set(run, "conclusion", conclusion);
    }
    if (json_is_string(json_object_get(run, "conclusion"))) {
        json_object_set_new(run, "status", json_string("completed"));
        json_object_set_new(run, "completed_at", fake_now(build->exchange->fake));
    }
}

/* A check run has a part of its suite. */
static void put_suite(struct payload_build *build, const json_t *run, json_t *shape) {
    static const char *const parts[] = {
        "id",     "node_id", "head_branch",   "head_sha", "status",     "conclusion", "url",
        "before", "after",   "pull_requests", "app",      "created_at", "updated_at"};
    json_t *suite = check_suite_of(build->exchange, text_of(run, "head_sha"), text_of(run, "app"));
    json_t *whole = shape_check_suite(build->exchange, suite), *part = json_object();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_object_set(part, parts[i], json_object_get(whole, parts[i]));
    }
    json_object_set_new(shape, "check_suite", part);
    json_decref(whole);
}

static int fill_check_run(struct payload_build *build) {
    const char *sha = payload_sha(build), *identifier = text_of(build->values, "identifier");
    bool wants_identifier = strcmp(build->action, "requested_action") == 0;
    json_t *run = sha ? find_check_run(build, sha) : NULL;
    if (!run) {
        return -1;
    }
    end_check_run(build, run);
    if (strcmp(build->action, "completed") == 0 &&
        !json_is_string(json_object_get(run, "conclusion"))) {
        return error_set(build->err, "a check run that is completed needs a conclusion");
    }
    if (wants_identifier != (identifier != NULL)) {
        return error_set(build->err, "requested_action, and no other action, needs the identifier "
                                     "of the button");
    }
    json_t *shape = shape_check_run(build->exchange, run);
    put_suite(build, run, shape);
    json_object_set_new(build->payload, "check_run", shape);
    if (identifier) {
        json_object_set_new(build->payload, "requested_action",
                            json_pack("{s:s}", "identifier", identifier));
    }
    return 0;
}

static int fill_check_suite(struct payload_build *build) {
    const char *sha = payload_sha(build), *app = text_of(build->values, "app");
    json_t *conclusion = json_object_get(build->values, "conclusion");
    if (!sha) {
        return -1;
    }
    json_t *suite =
        check_suite_of(build->exchange, sha, app ? app : build->exchange->fake->app_slug);
    json_t *shape = shape_check_suite(build->exchange, suite);
    json_object_del(shape, "repository");
    if (conclusion) {
        json_object_set(shape, "conclusion", conclusion);
        json_object_set_new(shape, "status", json_string("completed"));
    } else if (strcmp(build->action, "completed") == 0 &&
               !json_is_string(json_object_get(shape, "conclusion"))) {
        json_decref(shape);
        return error_set(build->err, "a check suite that is completed needs a conclusion, or check "
                                     "runs that are completed");
    }
    json_object_set_new(build->payload, "check_suite", shape);
    return 0;
}

/* ---- commits ---- */

static int fill_status(struct payload_build *build) {
    struct fake *fake = build->exchange->fake;
    const char *sha = payload_sha(build), *context = text_of(build->values, "context");
    if (!sha) {
        return -1;
    }
    if (!json_object_get(build->values, "state")) {
        return error_set(build->err, "with needs the state of the status");
    }
    json_t *now = fake_now(fake);
    json_t *status = list_add(json_object_get(build->exchange->repository, "statuses"),
                              json_pack("{s:I, s:s, s:O, s:s, s:s?, s:s?, s:s, s:O, s:O}", "id",
                                        state_new_id(fake), "sha", sha, "state",
                                        json_object_get(build->values, "state"), "context",
                                        context ? context : "default", "description",
                                        text_of(build->values, "description"), "target_url",
                                        text_of(build->values, "target_url"), "creator", build->by,
                                        "created_at", now, "updated_at", now));
    json_decref(now);
    json_object_update(build->payload, status);
    json_object_del(build->payload, "creator");
    json_object_set(build->payload, "name",
                    json_object_get(json_object_get(build->payload, "repository"), "full_name"));
    json_t *commit = payload_commit(build, sha);
    json_object_set_new(build->payload, "commit",
                        shape_commit(fake, build->exchange->repository, commit));
    json_decref(commit);
    json_object_set_new(build->payload, "branches", payload_branches(build, sha));
    return 0;
}

static int fill_push(struct payload_build *build) {
    static const char *const changed[] = {"added", "removed", "modified"};
    const char *branch = text_of(build->values, "branch"),
               *message = text_of(build->values, "message");
    json_t *repository = build->exchange->repository;
    branch = branch ? branch : text_of(repository, "default_branch");
    AUTO_FREE char *before = payload_copy(branch_head(repository, branch));
    if (!before) {
        return error_set(build->err, "branch: there is no branch %s", branch);
    }
    const json_t *made = branch_commit(build->exchange->fake, repository, branch,
                                       message ? message : "Change a file", build->by);
    const char *after = text_of(made, "sha");
    json_t *commit = payload_simple_commit(build, after, text_of(made, "message"));
    json_object_set_new(commit, "distinct", json_true());
    json_object_set_new(
        commit, "url",
        json_sprintf("https://github.com/%s/commit/%s", text_of(repository, "full_name"), after));
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        json_t *files = json_object_get(build->values, changed[i]);
        json_object_set_new(commit, changed[i], files ? json_incref(files) : json_array());
    }
    json_t *more =
        json_pack("{s:o, s:s, s:s, s:b, s:b, s:b, s:n, s:o, s:[O], s:O, s:{s:s, s:s}}", "ref",
                  json_sprintf("refs/heads/%s", branch), "before", before, "after", after,
                  "created", 0, "deleted", 0, "forced", 0, "base_ref", "compare",
                  json_sprintf("https://github.com/%s/compare/%.12s...%.12s",
                               text_of(repository, "full_name"), before, after),
                  "commits", commit, "head_commit", commit, "pusher", "name", build->by, "email",
                  "author@example.org");
    json_object_update(build->payload, more);
    json_decref(more);
    json_decref(commit);
    return 0;
}

/* GitHub's branch for a group has the pull request and the base in its name. */
static int fill_merge_group(struct payload_build *build) {
    json_t *repository = build->exchange->repository, *pull = payload_pull(build);
    if (!pull) {
        return -1;
    }
    const char *base = text_of(json_object_get(pull, "base"), "ref"),
               *reason = text_of(build->values, "reason");
    const char *base_sha = branch_head(repository, base);
    char ref[300], sha[FAKE_SHA_BYTES];
    base_sha = base_sha ? base_sha : text_of(json_object_get(pull, "base"), "sha");
    snprintf(ref, sizeof ref, "refs/heads/gh-readonly-queue/%.100s/pr-" NUMBER "-%.40s", base,
             number_of(pull, "number"), base_sha);
    fake_sha(ref, sha);
    json_object_set_new(build->payload, "merge_group",
                        json_pack("{s:s, s:s, s:s, s:o, s:o}", "head_sha", sha, "head_ref", ref,
                                  "base_sha", base_sha, "base_ref",
                                  json_sprintf("refs/heads/%s", base), "head_commit",
                                  payload_simple_commit(build, sha, "Merge a pull request")));
    if (strcmp(build->action, "destroyed") == 0) {
        json_object_set_new(build->payload, "reason", json_string(reason ? reason : "merged"));
    }
    return 0;
}

/* ---- others ---- */

static int fill_installation(struct payload_build *build) {
    struct fake *fake = build->exchange->fake;
    json_t *repositories = json_array(), *repository;
    const char *action = build->action;
    size_t i;
    if (strcmp(action, "suspend") == 0 || strcmp(action, "unsuspend") == 0) {
        json_object_set_new(build->installation, "suspended", json_boolean(*action == 's'));
    }
    json_array_foreach(state_list(fake, "repositories"), i, repository) {
        json_t *shape = shape_repository(fake, repository);
        static const char *const parts[] = {"id", "node_id", "name", "full_name", "private"};
        json_t *part = json_object();
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            json_object_set(part, parts[k], json_object_get(shape, parts[k]));
        }
        json_decref(shape);
        json_array_append_new(repositories, part);
    }
    json_object_set_new(build->payload, "installation",
                        shape_installation(fake, build->installation));
    json_object_set_new(build->payload, "repositories", repositories);
    json_object_set_new(build->payload, "requester", json_null());
    json_object_del(build->payload, "repository");
    json_object_del(build->payload, "organization");
    return 0;
}

static int fill_discussion(struct payload_build *build) {
    json_t *repository = build->exchange->repository;
    json_t *list = json_object_get(repository, "discussions");
    json_int_t number = number_of(build->values, "number");
    json_t *discussion = list_find_number(list, "number", number);
    if (number < 1) {
        return error_set(build->err, "with needs the number of the discussion");
    }
    if (!discussion) {
        discussion = list_add(list, json_pack("{s:I, s:s}", "number", number, "user", build->by));
    }
    static const char *const same[] = {"title", "body", "category"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *value = json_object_get(build->values, same[i]);
        if (value) {
            json_object_set(discussion, same[i], value);
        }
    }
    state_fill_repository(build->exchange->fake, repository);
    json_object_set_new(build->payload, "discussion", payload_discussion(build, discussion));
    if (strcmp(build->action, "edited") == 0) {
        json_object_set_new(build->payload, "changes",
                            json_pack("{s:{s:s}}", "body", "from", "As it was"));
    }
    return 0;
}

static json_t *find_review(struct payload_build *build, json_t *pull) {
    const char *state = text_of(build->values, "state"), *body = text_of(build->values, "body");
    json_t *list = json_object_get(pull, "reviews");
    json_int_t id = number_of(build->values, "id");
    json_t *review = id ? list_find_number(list, "id", id) : NULL;
    char upper[32];
    snprintf(upper, sizeof upper, "%s", state ? state : "commented");
    for (char *at = upper; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    if (!review) {
        review = list_add(list, json_pack("{s:s, s:s, s:s}", "user", build->by, "state", upper,
                                          "body", body ? body : ""));
    }
    if (strcmp(build->action, "dismissed") == 0) {
        json_object_set_new(review, "state", json_string("DISMISSED"));
    }
    state_fill_repository(build->exchange->fake, build->exchange->repository);
    return review;
}

static int fill_review(struct payload_build *build) {
    struct fake *fake = build->exchange->fake;
    json_t *repository = build->exchange->repository, *pull = payload_pull(build);
    if (!pull) {
        return -1;
    }
    const json_t *review = find_review(build, pull);
    json_t *shape = shape_review(fake, repository, pull, review);
    char lower[32];
    snprintf(lower, sizeof lower, "%s", text_of(review, "state"));
    for (char *at = lower; *at; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    json_object_set_new(shape, "state", json_string(lower));
    json_object_set_new(build->payload, "review", shape);
    json_object_set_new(build->payload, "pull_request", shape_pull_simple(fake, repository, pull));
    if (strcmp(build->action, "edited") == 0) {
        json_object_set_new(build->payload, "changes",
                            json_pack("{s:{s:s}}", "body", "from", "As it was"));
    }
    return 0;
}

/* ---- pull requests ---- */

/* The label comes to the pull request, or goes. */
static int change_label(struct payload_build *build, json_t *pull) {
    const char *label = text_of(build->values, "label");
    json_t *names = json_object_get(pull, "labels");
    if (!label) {
        return error_set(build->err, "with needs the label");
    }
    if (strcmp(build->action, "labeled") == 0) {
        names_add(names, label);
    } else if (names_find(names, label) != SIZE_MAX) {
        json_array_remove(names, names_find(names, label));
    }
    struct fake *fake = build->exchange->fake;
    state_fill_repository(fake, build->exchange->repository);
    json_object_set_new(build->payload, "label",
                        shape_label(fake, build->exchange->repository, label));
    return 0;
}

/* Somebody pushes a commit to the head branch. */
static int push_to(struct payload_build *build, json_t *pull) {
    json_t *repository = build->exchange->repository, *head = json_object_get(pull, "head");
    if (!branch_head(repository, text_of(head, "ref"))) {
        return error_set(build->err, "pull: the pull request is closed, and its branch is gone");
    }
    json_object_set(build->payload, "before", json_object_get(head, "sha"));
    const json_t *commit = branch_commit(build->exchange->fake, repository, text_of(head, "ref"),
                                         "Change a file", build->by);
    json_object_set(build->payload, "after", json_object_get(commit, "sha"));
    return 0;
}

static int fill_pull_request(struct payload_build *build) {
    struct fake *fake = build->exchange->fake;
    json_t *pull = payload_pull(build);
    const char *action = build->action;
    int result = 0;
    if (!pull) {
        return -1;
    }
    if (strcmp(action, "labeled") == 0 || strcmp(action, "unlabeled") == 0) {
        result = change_label(build, pull);
    } else if (strcmp(action, "synchronize") == 0) {
        result = push_to(build, pull);
    } else {
        bool closes = strcmp(action, "closed") == 0;
        json_object_set_new(pull, "state", json_string(closes ? "closed" : "open"));
        json_object_set_new(pull, "closed_at", closes ? fake_now(fake) : json_null());
    }
    if (result == 0) {
        json_object_set(build->payload, "number", json_object_get(pull, "number"));
        json_object_set_new(build->payload, "pull_request",
                            shape_pull(fake, build->exchange->repository, pull));
    }
    return result;
}

/* ---- all ---- */

static const struct payload_event {
    const char *name, *actions, *values;
    int (*fill)(struct payload_build *build);
} events[] = {
    {"check_run", "created completed rerequested requested_action",
     "pull sha branch id name app conclusion external_id output details_url identifier",
     fill_check_run},
    {"check_suite", "completed requested rerequested", "pull sha branch app conclusion",
     fill_check_suite},
    {"status", "", "pull sha branch state context description target_url", fill_status},
    {"push", "", "branch message added modified removed", fill_push},
    {"merge_group", "checks_requested destroyed", "pull reason", fill_merge_group},
    {"installation", "created deleted suspend unsuspend new_permissions_accepted", "",
     fill_installation},
    {"discussion", "created edited deleted closed reopened", "number title body category",
     fill_discussion},
    {"pull_request", "opened synchronize reopened closed labeled unlabeled", "pull label",
     fill_pull_request},
    {"pull_request_review", "submitted edited dismissed", "pull id state body", fill_review}};

/* Is the word one of those, which spaces separate? */
static bool has_word(const char *words, const char *word) {
    size_t bytes = strlen(word);
    for (const char *at = words; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        if (strcspn(at, " ") == bytes && strncmp(at, word, bytes) == 0) {
            return true;
        }
    }
    return *words == '\0' && bytes == 0;
}

static const struct payload_event *find_event(const char *name) {
    size_t bytes = strcspn(name, ".");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (strlen(events[i].name) == bytes && strncmp(events[i].name, name, bytes) == 0) {
            return &events[i];
        }
    }
    return NULL;
}

bool payload_is_made(const char *name) {
    return find_event(name) != NULL;
}

void payload_list_events(char *out, size_t bytes) {
    *out = '\0';
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        size_t used = strlen(out);
        snprintf(out + used, bytes - used, "%s%s", used ? ", " : "", events[i].name);
    }
}

/* NULL with the reason. */
static const struct payload_event *choose_event(const char *name, const char *action,
                                                struct error *err) {
    const struct payload_event *event = find_event(name);
    char names[300];
    payload_list_events(names, sizeof names);
    if (!event) {
        error_set(err, "the harness makes no payload of %s; it makes those of %s", name, names);
    } else if (!has_word(event->actions, action)) {
        error_set(err, "the action of %s is %s, not \"%s\"", event->name,
                  *event->actions ? event->actions : "absent", action);
    } else {
        return event;
    }
    return NULL;
}

json_t *payload_build(struct http_exchange *exchange, const char *name, const json_t *values,
                      struct error *err) {
    const char *dot = strchr(name, '.'), *action = dot ? dot + 1 : "", *key;
    const struct payload_event *event = choose_event(name, action, err);
    json_t *value;
    if (!event) {
        return NULL;
    }
    json_object_foreach((json_t *)values, key, value) {
        if (!has_word(event->values, key) && !has_word("by repository", key)) {
            error_set(err, "with: %s has no %s; it has by, repository%s%s", event->name, key,
                      *event->values ? " " : "", event->values);
            return NULL;
        }
    }
    struct payload_build build = {
        .exchange = exchange, .action = action, .values = values, .err = err};
    if (payload_begin(&build) < 0 || event->fill(&build) < 0) {
        json_decref(build.payload);
        return NULL;
    }
    return build.payload;
}
