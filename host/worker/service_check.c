/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "check": finds the plugin's check run at a commit, and makes or updates it. */
#include "base/array.h"
#include "base/hash.h"
#include "base/json.h"
#include "worker/item.h"
#include "worker/json_body.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/store_call.h"

#include <snekomatic/convenience_item.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHECK_BYTES_1_0 (offsetof(struct snek_check, id) + sizeof(int64_t *))
#define CHECKS_URL "/repos/{owner}/{repo}/check-runs"
/* The most in one request, by GitHub's documentation of check runs. */
#define ANNOTATIONS_MAX 50

/* A check run that GitHub has. */
struct found {
    /* 0: none. */
    int64_t id;
    bool annotated;
};

static const char *head_of(struct run *run) {
    static const char *const paths[] = {"pull_request.head.sha", "check_run.head_sha",
                                        "check_suite.head_sha", "merge_group.head_sha", "after"};
    const char *sha = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(paths) && !sha; i++) {
        sha = run_find_text(run, paths[i]);
    }
    return sha;
}

/* A check run must have JSON in this member, unless it is NULL. */
static int32_t check_array(struct run *run, const char *member, const char *json) {
    const char *why;
    size_t at;
    if (!json || json_check(json, strlen(json), &why, &at) == 0) {
        return 0;
    }
    return run_fail(run, SNEK_E_INVALID, "the %s of the check are not JSON: %s at byte %zu", member,
                    why, at);
}

/* Copies what the plugin's headers have of `check`, and fills in what the event gives. */
static int32_t complete(struct run *run, const struct snek_check *check, struct snek_check *copy) {
    if (!check || check->bytes < CHECK_BYTES_1_0) {
        return run_fail(run, SNEK_E_INVALID,
                        "the check is NULL, or its bytes are not sizeof(struct snek_check)");
    }
    memset(copy, 0, sizeof *copy);
    memcpy(copy, check, check->bytes < sizeof *copy ? check->bytes : sizeof *copy);
    int32_t unbuilt = run_take_text_failure(run);
    if (unbuilt < 0) {
        return unbuilt;
    }
    if (!copy->name || !*copy->name) {
        return run_fail(run, SNEK_E_INVALID, "the check has no name");
    }
    int32_t result = check_array(run, "actions", copy->actions);
    result = result < 0 ? result : check_array(run, "annotations", copy->annotations);
    if (result < 0) {
        return result;
    }
    copy->external_id = copy->external_id ? copy->external_id : copy->name;
    copy->head_sha = copy->head_sha ? copy->head_sha : head_of(run);
    return copy->head_sha
               ? 0
               : run_fail(run, SNEK_E_NO_TARGET,
                          "the event %s has no commit: give the check a head_sha", run_event(run));
}

/* ---- finding it ---- */

static bool is_ours(struct run *run, struct snek_pages *list, const struct snek_check *check) {
    struct snek_run *shown = run_shown(run);
    const char *id = snek_item_text(shown, list, "app.id");
    const char *client = snek_item_string(shown, list, "app.client_id");
    const char *external = snek_item_string(shown, list, "external_id");
    bool app = (id && strcmp(id, run_app(run)) == 0) || (client && !strcmp(client, run_app(run)));
    return app && external && strcmp(external, check->external_id) == 0;
}

/* The newest check run of the app, the name and the external id at the commit. */
static int32_t find(struct run *run, const struct snek_check *check, struct found *found) {
    struct snek_run *shown = run_shown(run);
    struct snek_pages *list =
        snek_list(shown, "/repos/{owner}/{repo}/commits/{sha}/check-runs",
                  .parameters = {{"sha", check->head_sha}},
                  .query = {{"check_name", check->name}, {"filter", "all"}}, .list = "check_runs");
    int32_t more;
    *found = (struct found){0};
    while ((more = snek_next(shown, list)) > 0) {
        int64_t id = snek_item_integer(shown, list, "id", 0);
        if (id > found->id && is_ours(run, list, check)) {
            found->id = id;
            found->annotated = snek_item_integer(shown, list, "output.annotations_count", 0) > 0;
        }
    }
    snek_free_pages(shown, list);
    return more;
}

/* ---- its JSON ---- */

/* The annotations from `*at` on that fit into one request, as a JSON array; "[]" after the last.
 * NULL when they are no array, or memory is short. */
static const char *next_annotations(struct run *run, struct json_reader *reader, unsigned *count) {
    struct snek_run *shown = run_shown(run);
    struct snek_builder array = SNEK_EMPTY_ARRAY;
    enum json_token token;
    for (*count = 0; *count < ANNOTATIONS_MAX; ++*count) {
        if ((token = json_next(reader)) == JSON_ARRAY_END) {
            break;
        }
        const char *begin = reader->text;
        if (token != JSON_OBJECT_BEGIN || json_skip(reader, token) < 0) {
            run_fail_text(run, SNEK_E_INVALID, "the annotations of the check are no objects");
            return NULL;
        }
        snek_append_json(shown, &array, "%s",
                         snek_print(shown, "%.*s", (int)(reader->at - begin), begin));
    }
    return array.text;
}

static void append_text(struct run *run, struct snek_builder *json, const char *name,
                        const char *text) {
    struct snek_run *shown = run_shown(run);
    if (text) {
        snek_append(shown, json, ",%s", snek_json(shown, "'%s'", name));
        snek_append(shown, json, ":%s", snek_json(shown, "'%s'", text));
    }
}

/* GitHub takes an output only with a title and a summary. */
static const char *output_json(struct run *run, const struct snek_check *check,
                               const char *annotations) {
    struct snek_run *shown = run_shown(run);
    struct snek_builder json = SNEK_EMPTY_TEXT;
    const char *title = check->title ? check->title : check->name;
    snek_append(shown, &json, "{\"title\":%s", snek_json(shown, "'%s'", title));
    append_text(run, &json, "summary", check->summary ? check->summary : "");
    append_text(run, &json, "text", check->text);
    if (strcmp(annotations, "[]") != 0) {
        snek_append(shown, &json, ",\"annotations\":%s", annotations);
    }
    snek_append(shown, &json, "}");
    return json.text;
}

static const char *check_json(struct run *run, const struct snek_check *check,
                              const char *annotations, bool with_head) {
    struct snek_run *shown = run_shown(run);
    struct snek_builder json = SNEK_EMPTY_TEXT;
    snek_append(shown, &json, "{\"name\":%s", snek_json(shown, "'%s'", check->name));
    append_text(run, &json, "head_sha", with_head ? check->head_sha : NULL);
    append_text(run, &json, "external_id", check->external_id);
    append_text(run, &json, "details_url", check->details_url);
    append_text(run, &json, "status", check->conclusion ? "completed" : "in_progress");
    append_text(run, &json, "conclusion", check->conclusion);
    if (check->title || check->summary || strcmp(annotations, "[]") != 0) {
        snek_append(shown, &json, ",\"output\":%s", output_json(run, check, annotations));
    }
    if (check->actions) {
        snek_append(shown, &json, ",\"actions\":%s", snek_json(shown, "%s", check->actions));
    }
    snek_append(shown, &json, "}");
    return json.text;
}

/* ---- making and updating it ---- */

static int32_t patch(struct run *run, int64_t id, const char *json, uint32_t flags) {
    struct snek_run *shown = run_shown(run);
    return snek_request(shown, "PATCH", CHECKS_URL "/{id}",
                        .parameters = {{"id", snek_print(shown, "%" PRId64, id)}}, .json = json,
                        .flags = flags);
}

/* For a request that adds something, after a look that did not find it. */
#define AFTER_LOOK (SNEK_REQUEST_REPEATABLE | SNEK_REQUEST_ADDS)

/* Repeatable: the check run is the plugin's own, and shows the same again. */
static int32_t update(struct run *run, int64_t id, const char *json) {
    return patch(run, id, json, SNEK_REQUEST_REPEATABLE);
}

/* How many annotations the check run has at GitHub. */
static int32_t count_annotations(struct run *run, int64_t id, int64_t *count) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    int32_t result = snek_request(shown, "GET", CHECKS_URL "/{id}",
                                  .parameters = {{"id", snek_print(shown, "%" PRId64, id)}},
                                  .response = &response);
    *count =
        result == 0 ? snek_response_integer(shown, response, "output.annotations_count", 0) : 0;
    snek_free_response(shown, response);
    return result;
}

/* Updates with annotations; then the check run has `count_after`. An earlier attempt may have sent
 * them, and lost the response. The host replays what that attempt saw before, and makes this look
 * anew. `without`: what is left to send then, or NULL. */
static int32_t annotate(struct run *run, int64_t id, const char *json, const char *without,
                        int64_t count_after) {
    int64_t count;
    int32_t result = patch(run, id, json, SNEK_REQUEST_ADDS);
    if (result != SNEK_E_IN_DOUBT) {
        return result;
    }
    result = count_annotations(run, id, &count);
    if (result < 0) {
        return result;
    }
    if (count < count_after) {
        return patch(run, id, json, AFTER_LOOK);
    }
    return without ? update(run, id, without) : 0;
}

static int32_t show(struct run *run, const struct snek_check *check, const char *annotations,
                    unsigned count, int64_t id) {
    const char *json = check_json(run, check, annotations, false);
    return count == 0 ? update(run, id, json)
                      : annotate(run, id, json, check_json(run, check, "[]", false), count);
}

static int32_t post(struct run *run, const char *json, uint32_t flags, int64_t *id) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    int32_t result = snek_request(shown, "POST", CHECKS_URL, .json = json, .flags = flags,
                                  .response = &response);
    *id = result == 0 ? snek_response_integer(shown, response, "id", 0) : 0;
    snek_free_response(shown, response);
    return result;
}

/* Must this show be a new check run? GitHub adds to the annotations that a check run has. */
static bool must_make(const struct found *found, unsigned annotations_count) {
    return found->id == 0 || (found->annotated && annotations_count > 0);
}

/* An earlier attempt may have made it, and lost the response. The host replays what that attempt
 * saw before, and makes this look anew. A check run that is newer than `before` is the lost one,
 * with its annotations: only this run may make one now. */
static int32_t make_after_doubt(struct run *run, const struct snek_check *check, const char *json,
                                struct found before, int64_t *id) {
    struct found now;
    int32_t result = find(run, check, &now);
    if (result < 0) {
        return result;
    }
    if (now.id <= before.id) {
        return post(run, json, AFTER_LOOK, id);
    }
    *id = now.id;
    return show(run, check, "[]", 0, now.id);
}

/* Only one run may go on from here. Another one may have made it just before, so this looks
 * again. */
static int32_t make(struct run *run, const struct snek_check *check, const char *annotations,
                    unsigned count, int64_t *id) {
    char name[sizeof STORE_RESERVED + 32];
    struct found found;
    uint64_t hash = hash_text(hash_text(HASH_BEGIN, check->head_sha), check->name);
    snprintf(name, sizeof name, STORE_RESERVED "check %016" PRIx64,
             hash_text(hash, check->external_id));
    int32_t result = item_reserve(run, name, "the same check run");
    result = result < 0 ? result : find(run, check, &found);
    if (result < 0) {
        return result;
    }
    if (must_make(&found, count)) {
        const char *json = check_json(run, check, annotations, true);
        result = post(run, json, SNEK_REQUEST_ADDS, id);
        return result == SNEK_E_IN_DOUBT ? make_after_doubt(run, check, json, found, id) : result;
    }
    *id = found.id;
    return show(run, check, annotations, count, found.id);
}

/* Sends the annotations that did not fit into the first request. */
static int32_t send_more(struct run *run, const struct snek_check *check, int64_t id,
                         struct json_reader *reader) {
    struct snek_run *shown = run_shown(run);
    unsigned count = ANNOTATIONS_MAX;
    int64_t sent = ANNOTATIONS_MAX;
    int32_t result = 0;
    while (result == 0 && count == ANNOTATIONS_MAX) {
        const char *annotations = next_annotations(run, reader, &count);
        if (!annotations) {
            return run_take_text_failure(run);
        }
        if (count > 0) {
            const char *output = output_json(run, check, annotations);
            sent += count;
            result = annotate(run, id, snek_json(shown, "{'output':%s}", output), NULL, sent);
        }
    }
    return result;
}

static int32_t check_set(struct snek_run *shown, const struct snek_check *given) {
    struct snek_check check;
    struct json_reader reader;
    struct found found;
    unsigned count = 0;
    int64_t id = 0;
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = complete(run, given, &check);
    if (result < 0) {
        return result;
    }
    const char *all = check.annotations ? check.annotations : "[]";
    result = json_body_check(run, all, strlen(all));
    if (result < 0) {
        return result;
    }
    json_init(&reader, all, strlen(all));
    const char *first =
        json_next(&reader) == JSON_ARRAY_BEGIN ? next_annotations(run, &reader, &count) : NULL;
    if (!first) {
        return run_fail_null(run, "the annotations of the check are no JSON array");
    }
    result = find(run, &check, &found);
    if (result < 0) {
        return result;
    }
    if (must_make(&found, count)) {
        result = make(run, &check, first, count, &id);
    } else {
        id = found.id;
        result = show(run, &check, first, count, id);
    }
    if (result == 0 && check.id) {
        *check.id = id;
    }
    return result == 0 && count == ANNOTATIONS_MAX ? send_more(run, &check, id, &reader) : result;
}

const struct snek_check_service service_check = {
    .bytes = sizeof(struct snek_check_service),
    .check_bytes = sizeof(struct snek_check),
    .set = check_set,
};
