/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes a step's webhook: a bundled payload, a file of the scenario's, or a comment. */
#include "scenario/payload.h"

#include "scenario/tree.h"
#include "scenario/warnings.h"

#include "fake/payloads.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define API "https://api.github.com"
#define COMMENT_TEMPLATE "issue_comment.created"
#define TEMPLATE_ISSUE "/issues/12"
#define TEMPLATE_COMMENT "40101"
/* Ids of the comments that scenarios make. */
#define FIRST_COMMENT 900001

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* The bundled payloads' names, for the error that one does not exist. */
static void list_bundled(const char *folder, char *out, size_t bytes) {
    DIR *directory = opendir(folder);
    *out = '\0';
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        size_t name_bytes = strlen(entry->d_name), used = strlen(out);
        if (name_bytes > 5 && strcmp(entry->d_name + name_bytes - 5, ".json") == 0 &&
            strcmp(entry->d_name, "github.json") != 0) {
            snprintf(out + used, bytes - used, "%s%.*s", used ? ", " : "", (int)(name_bytes - 5),
                     entry->d_name);
        }
    }
    if (directory) {
        closedir(directory);
    }
}

static bool is_own_file(const char *name) {
    size_t bytes = strlen(name);
    return strchr(name, '/') || (bytes > 5 && strcmp(name + bytes - 5, ".json") == 0);
}

static json_t *load(const struct environment *environment, const char *name, struct error *err) {
    char path[PATH_MAX], bundled[800], made[300];
    bool own = is_own_file(name);
    if (own) {
        snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : environment->scenario->directory,
                 *name == '/' ? "" : "/", name);
    } else {
        snprintf(path, sizeof path, "%s/%s.json", environment->options->payloads, name);
    }
    json_error_t problem;
    json_t *payload = json_load_file(path, 0, &problem);
    if (!payload && !own && access(path, R_OK) != 0) {
        list_bundled(environment->options->payloads, bundled, sizeof bundled);
        payload_list_events(made, sizeof made);
        error_set(
            err,
            "there is no bundled payload %s: change the action of another one, as in change = "
            "{ action = \"edited\" }, or name a file of yours, which ends with .json; there are "
            "%s; and the harness makes those of %s",
            name, bundled, made);
    } else if (!payload) {
        error_set(err, "%s:%d: %s", path, problem.line, problem.text);
    }
    return payload;
}

/* "issues" of "path/issues.opened.json". */
static void event_of(const char *name, char *out, size_t bytes) {
    const char *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    snprintf(out, bytes, "%.*s", (int)strcspn(name, "."), name);
}

static const json_t *find_item(const json_t *list, const char *key, const json_t *wanted) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const json_t *value = json_object_get(item, key);
        if (json_is_string(value) && json_is_string(wanted)
                ? strcasecmp(json_string_value(value), json_string_value(wanted)) == 0
                : json_equal(value, wanted)) {
            return item;
        }
    }
    return NULL;
}

static void set(json_t *root, const char *path, json_t *value) {
    /* Paths of the template, which are there. */
    struct error ignored;
    tree_set(root, path, value, &ignored);
    json_decref(value);
}

static const char *association(const json_t *state, const char *organization, const json_t *login) {
    json_t *name = json_string(organization);
    const json_t *found = find_item(json_object_get(state, "organizations"), "login", name);
    json_decref(name);
    const json_t *member = find_item(json_object_get(found, "members"), "login", login);
    const char *membership = text(member, "state");
    if (!membership || strcmp(membership, "active") != 0) {
        return "NONE";
    }
    /* GitHub shows nobody that a person is a private member. */
    return json_is_true(json_object_get(member, "public")) ? "MEMBER" : "CONTRIBUTOR";
}

/* The comment's author, as far as the fake knows the user. */
static int set_author(json_t *payload, const json_t *state, const char *by, struct error *err) {
    json_t *login = json_string(by);
    const json_t *user = find_item(json_object_get(state, "users"), "login", login);
    if (!user) {
        json_decref(login);
        return error_set(err, "by: GitHub has no user %s; [github] users can make one", by);
    }
    const char *organization = text(json_object_get(payload, "organization"), "login");
    set(payload, "comment.author_association",
        json_string(association(state, organization ? organization : "", login)));
    static const char *const places[] = {"comment.user", "sender"};
    for (size_t i = 0; i < 2; i++) {
        json_t *place = tree_find(payload, places[i]);
        json_object_set(place, "login", login);
        json_object_set(place, "id", json_object_get(user, "id"));
        json_object_set(place, "type", json_object_get(user, "type"));
    }
    json_decref(login);
    return 0;
}

/* The issue's labels in GitHub's shape, as far as the fake knows them. */
static json_t *labels_of(const json_t *issue, const char *repository) {
    json_t *shapes = json_array(), *name;
    size_t i;
    json_array_foreach(json_object_get(issue, "labels"), i, name) {
        const char *label = json_string_value(name);
        json_array_append_new(
            shapes, json_pack("{s:o, s:O, s:s, s:b, s:n}", "url",
                              json_sprintf(API "/repos/%s/labels/%s", repository, label), "name",
                              name, "color", "ededed", "default", 0, "description"));
    }
    return shapes;
}

/* Makes the template's issue the one with the comment. */
static int set_issue(json_t *payload, const json_t *state, json_int_t number, struct error *err) {
    json_t *name = tree_find(payload, "repository.full_name"), *wanted = json_integer(number);
    const json_t *repository = find_item(json_object_get(state, "repositories"), "full_name", name);
    const json_t *issue = find_item(json_object_get(repository, "issues"), "number", wanted);
    json_decref(wanted);
    if (!issue) {
        return error_set(err, "on: %s has no issue or pull request %" JSON_INTEGER_FORMAT,
                         json_string_value(name), number);
    }
    json_t *user = json_string(text(issue, "user"));
    const json_t *author = find_item(json_object_get(state, "users"), "login", user);
    json_t *place = tree_find(payload, "issue");
    json_object_set_new(place, "number", json_integer(number));
    json_object_set(place, "id", json_object_get(issue, "id"));
    static const char *const same[] = {"title", "body", "state", "locked", "created_at"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(place, same[i], json_object_get(issue, same[i]));
    }
    json_object_set_new(place, "labels", labels_of(issue, json_string_value(name)));
    if (json_is_true(json_object_get(issue, "pull_request"))) {
        json_object_set_new(place, "pull_request",
                            json_pack("{s:o}", "url",
                                      json_sprintf(API "/repos/%s/pulls/%" JSON_INTEGER_FORMAT,
                                                   json_string_value(name), number)));
    }
    if (author) {
        set(payload, "issue.user.login", json_incref(user));
        set(payload, "issue.user.id", json_incref(json_object_get(author, "id")));
    }
    json_decref(user);
    return 0;
}

/* A new comment, at the fake, so that a reaction finds it, and as a payload. */
static json_t *make_comment(struct environment *environment, const json_t *step,
                            struct error *err) {
    static json_int_t last = FIRST_COMMENT - 1;
    json_t *template = load(environment, COMMENT_TEMPLATE, err), *state = NULL;
    const char *by = text(step, "by"), *words = text(step, "comment");
    json_t *on = json_object_get(step, "on");
    json_int_t number = on ? json_integer_value(on) : 12;
    char issue_path[40], id[24];
    if (!template || environment_call_fake(environment, "GET", "state", NULL, &state, err) < 0) {
        json_decref(template);
        return NULL;
    }
    snprintf(issue_path, sizeof issue_path, "/issues/%" JSON_INTEGER_FORMAT, number);
    snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT, ++last);
    json_t *moved = tree_replace(template, TEMPLATE_ISSUE, issue_path);
    json_t *payload = tree_replace(moved, TEMPLATE_COMMENT, id);
    json_decref(template);
    json_decref(moved);
    set(payload, "comment.id", json_integer(last));
    set(payload, "comment.body", json_string(words));
    by = by ? by : "viper-vik";
    int result = set_author(payload, state, by, err);
    result = result < 0 ? result : set_issue(payload, state, number, err);
    json_decref(state);
    char now[32];
    time_t now_s = time(NULL);
    strftime(now, sizeof now, "%FT%TZ", gmtime(&now_s));
    json_t *change =
        json_pack("{s:[{s:O, s:[{s:I, s:I, s:s, s:s, s:s, s:s}]}]}", "repositories", "full_name",
                  tree_find(payload, "repository.full_name"), "comments", "id", last, "issue",
                  number, "user", by, "body", words, "created_at", now, "updated_at", now);
    result = result < 0 ? result
                        : environment_call_fake(environment, "PATCH", "state", change, NULL, err);
    json_decref(change);
    if (result < 0) {
        json_decref(payload);
        return NULL;
    }
    return payload;
}

/* Is there such a bundled payload? */
static bool is_bundled(const struct environment *environment, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.json", environment->options->payloads, name);
    return strchr(name, '/') || access(path, R_OK) == 0;
}

/* The fake makes a payload of its state for `with`, and for an event without a bundled one. */
static json_t *build(struct environment *environment, const json_t *step, struct error *err) {
    json_t *payload = NULL;
    json_t *request = json_pack("{s:O, s:O*}", "name", json_object_get(step, "deliver"), "with",
                                json_object_get(step, "with"));
    int result = environment_call_fake(environment, "POST", "payload", request, &payload, err);
    json_decref(request);
    return result < 0 ? NULL : payload;
}

/* The payload as a file, a comment or the fake has it. */
static json_t *make(struct environment *environment, const json_t *step, struct error *err) {
    const char *name = text(step, "deliver");
    if (!name) {
        return make_comment(environment, step, err);
    }
    size_t bytes = strlen(name);
    bool is_file = bytes > 5 && strcmp(name + bytes - 5, ".json") == 0;
    bool is_made = payload_is_made(name) && !is_bundled(environment, name);
    if (!is_file && (json_object_get(step, "with") || is_made)) {
        return build(environment, step, err);
    }
    return load(environment, name, err);
}

static int set_each(json_t *payload, const json_t *paths, json_t *value, struct error *err) {
    size_t i;
    json_t *path;
    json_array_foreach(paths, i, path) {
        if (tree_set(payload, json_string_value(path), value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A file of the author's has paths of his own; another payload those that the step changes. */
static void warn_of_paths(const struct environment *environment, const json_t *step,
                          const char *event, const json_t *payload) {
    static const char *const lists[] = {"null", "remove"};
    struct warnings *warnings = environment->options->warnings;
    const char *name = text(step, "deliver"), *key;
    json_t *value;
    size_t i;
    if (name && is_own_file(name)) {
        warnings_check_payload(warnings, event, "", payload);
        return;
    }
    json_object_foreach(json_object_get(step, "change"), key, value) {
        warnings_check_payload(warnings, event, key, value);
    }
    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(step, lists[k]), i, value) {
            warnings_check_payload(warnings, event, json_string_value(value), NULL);
        }
    }
}

int payload_make(struct environment *environment, const json_t *step, struct payload *payload,
                 struct error *err) {
    const char *name = text(step, "deliver"), *event = text(step, "event");
    json_t *json = make(environment, step, err), *rewritten;
    if (!json) {
        return -1;
    }
    if (event) {
        snprintf(payload->event, sizeof payload->event, "%s", event);
    } else {
        event_of(name ? name : COMMENT_TEMPLATE, payload->event, sizeof payload->event);
    }
    if (tree_change(json, json_object_get(step, "change"), err) < 0 ||
        set_each(json, json_object_get(step, "null"), json_null(), err) < 0 ||
        set_each(json, json_object_get(step, "remove"), NULL, err) < 0) {
        json_decref(json);
        return -1;
    }
    warn_of_paths(environment, step, payload->event, json);
    rewritten = tree_replace(json, API, environment->fake_url);
    payload->body = json_dumps(rewritten, JSON_COMPACT);
    payload->body_bytes = payload->body ? strlen(payload->body) : 0;
    json_decref(json);
    json_decref(rewritten);
    return payload->body ? 0 : error_set(err, "out of memory");
}
