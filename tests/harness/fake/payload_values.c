/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Values of a scenario for payloads, and the parts that payloads share. */
#include "fake/payload_values.h"

#include "fake/branches.h"
#include "fake/fields.h"
#include "fake/node_ids.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/state_schema.h"

#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
#define SENDER "viper-vik"

#define TEXT SCHEMA_TEXT
static const struct schema_key keys[] = {{"by", TEXT, NULL, false},
                                         {"repository", TEXT, NULL, false},
                                         {"pull", SCHEMA_NUMBER, NULL, false},
                                         {"sha", TEXT, NULL, false},
                                         {"branch", TEXT, NULL, false},
                                         {"id", SCHEMA_NUMBER, NULL, false},
                                         {"name", TEXT, NULL, false},
                                         {"app", TEXT, NULL, false},
                                         {"conclusion", TEXT, NULL, false},
                                         {"external_id", TEXT, NULL, false},
                                         {"output", SCHEMA_TABLE, NULL, false},
                                         {"details_url", TEXT, NULL, false},
                                         {"identifier", TEXT, NULL, false},
                                         {"label", TEXT, NULL, false},
                                         {"state", TEXT, NULL, false},
                                         {"context", TEXT, NULL, false},
                                         {"description", TEXT, NULL, false},
                                         {"target_url", TEXT, NULL, false},
                                         {"message", TEXT, NULL, false},
                                         {"added", SCHEMA_NAMES, NULL, false},
                                         {"modified", SCHEMA_NAMES, NULL, false},
                                         {"removed", SCHEMA_NAMES, NULL, false},
                                         {"reason", TEXT, NULL, false},
                                         {"number", SCHEMA_NUMBER, NULL, false},
                                         {"title", TEXT, NULL, false},
                                         {"body", TEXT, NULL, false},
                                         {"category", TEXT, NULL, false},
                                         {0}};
static const struct schema values_schema = {"with", keys};

char *payload_copy(const char *text) {
    return text ? strdup(text) : NULL;
}

/* The repository that is named, else the first one. */
static int find_repository(struct payload_build *build) {
    const char *name = text_of(build->values, "repository");
    json_t *list = state_list(build->exchange->fake, "repositories");
    build->exchange->repository =
        name ? list_find(list, "full_name", name) : json_array_get(list, 0);
    if (build->exchange->repository) {
        return 0;
    }
    return error_set(build->err, "repository: GitHub has no repository %s", name ? name : "");
}

static void put_account(struct payload_build *build, const char *owner) {
    struct fake *fake = build->exchange->fake;
    json_t *installations = state_list(fake, "installations");
    json_t *organization = list_find(state_list(fake, "organizations"), "login", owner);
    build->installation = list_find(installations, "account", owner);
    json_int_t id = number_of(build->installation, "id");
    json_object_set_new(build->payload, "installation",
                        json_pack("{s:I, s:o}", "id", id, "node_id", node_id("MDIzOk", id)));
    if (organization) {
        json_object_set_new(build->payload, "organization", shape_organization(fake, organization));
    }
}

int payload_begin(struct payload_build *build) {
    struct fake *fake = build->exchange->fake;
    const char *by = text_of(build->values, "by");
    build->by = by ? by : SENDER;
    if ((build->values && schema_check(build->values, &values_schema, build->err) < 0) ||
        find_repository(build) < 0) {
        return -1;
    }
    if (!list_find(state_list(fake, "users"), "login", build->by)) {
        return error_set(build->err, "by: GitHub has no user %s; [github] users can make one",
                         build->by);
    }
    const char *full_name = text_of(build->exchange->repository, "full_name");
    AUTO_FREE char *owner = strndup(full_name, strcspn(full_name, "/"));
    build->payload =
        json_pack("{s:o, s:o}", "repository", shape_repository(fake, build->exchange->repository),
                  "sender", shape_user(fake, build->by));
    if (*build->action) {
        json_object_set_new(build->payload, "action", json_string(build->action));
    }
    put_account(build, owner ? owner : "");
    if (build->installation) {
        return 0;
    }
    return error_set(build->err, "the App has no installation on %s", owner ? owner : "");
}

json_t *payload_pull(struct payload_build *build) {
    json_int_t number = number_of(build->values, "pull");
    json_t *issues = json_object_get(build->exchange->repository, "issues");
    json_t *pull = list_find_number(issues, "number", number);
    if (pull && json_is_true(json_object_get(pull, "pull_request"))) {
        return pull;
    }
    if (number) {
        error_set(build->err, "pull: there is no pull request " NUMBER, number);
    } else {
        error_set(build->err, "with needs pull, the number of a pull request");
    }
    return NULL;
}

const char *payload_sha(struct payload_build *build) {
    const char *sha = text_of(build->values, "sha"), *branch = text_of(build->values, "branch");
    const json_t *repository = build->exchange->repository;
    if (sha) {
        return sha;
    }
    if (json_object_get(build->values, "pull")) {
        return text_of(json_object_get(payload_pull(build), "head"), "sha");
    }
    branch = branch ? branch : text_of(repository, "default_branch");
    sha = branch_head(repository, branch);
    if (!sha) {
        error_set(build->err, "branch: there is no branch %s", branch);
    }
    return sha;
}

json_t *payload_commit(const struct payload_build *build, const char *sha) {
    json_t *list = json_object_get(build->exchange->repository, "commits");
    json_t *known = list_find(list, "sha", sha);
    return known ? json_incref(known)
                 : json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:[]}", "sha", sha, "message",
                             "A commit", "author", "name", build->by, "email", "author@example.org",
                             "date", "2025-01-01T00:00:00Z", "login", build->by, "parents");
}

json_t *payload_simple_commit(const struct payload_build *build, const char *sha,
                              const char *message) {
    char tree[FAKE_SHA_BYTES];
    fake_sha(sha, tree);
    json_t *person = json_pack("{s:s, s:s, s:s}", "name", build->by, "email", "author@example.org",
                               "username", build->by);
    json_t *commit = json_pack("{s:s, s:s, s:s, s:o, s:O, s:O}", "id", sha, "tree_id", tree,
                               "message", message, "timestamp", fake_now(build->exchange->fake),
                               "author", person, "committer", person);
    json_decref(person);
    return commit;
}

json_t *payload_branches(const struct payload_build *build, const char *sha) {
    const json_t *repository = build->exchange->repository;
    json_t *shapes = json_array(), *branch;
    size_t i;
    json_array_foreach(json_object_get(repository, "branches"), i, branch) {
        if (strcmp(text_of(branch, "sha"), sha) == 0) {
            json_array_append_new(
                shapes,
                json_pack("{s:O, s:{s:s, s:o}, s:b}", "name", json_object_get(branch, "name"),
                          "commit", "sha", sha, "url",
                          json_sprintf("%s/repos/%s/commits/%s", build->exchange->fake->origin,
                                       text_of(repository, "full_name"), sha),
                          "protected", 0));
        }
    }
    return shapes;
}

static json_t *shape_category(const struct payload_build *build, const char *name) {
    json_int_t id = name_id(name);
    return json_pack("{s:I, s:o, s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", id, "node_id",
                     node_id("DIC", id), "repository_id",
                     json_object_get(build->exchange->repository, "id"), "emoji",
                     ":speech_balloon:", "name", name, "description", "", "created_at",
                     "2025-01-01T00:00:00Z", "updated_at", "2025-01-01T00:00:00Z", "slug",
                     "general", "is_answerable", 0);
}

json_t *payload_discussion(const struct payload_build *build, const json_t *discussion) {
    struct fake *fake = build->exchange->fake;
    const json_t *repository = build->exchange->repository;
    static const char *const same[] = {"id",     "number",     "title",     "body",
                                       "locked", "created_at", "updated_at"};
    bool closed = strcmp(build->action, "closed") == 0;
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(discussion, "number");
    int comments = 0;
    size_t i;
    json_t *comment;
    json_array_foreach(json_object_get(repository, "discussion_comments"), i, comment) {
        comments += number_of(comment, "discussion") == number;
    }
    json_t *shape = json_pack(
        "{s:o, s:o, s:n, s:n, s:n, s:o, s:o, s:o, s:s, s:s?, s:i, s:s, s:n, s:o}", "repository_url",
        json_sprintf("%s/repos/%s", fake->origin, full_name), "category",
        shape_category(build, text_of(discussion, "category")), "answer_html_url",
        "answer_chosen_at", "answer_chosen_by", "html_url",
        json_sprintf("https://github.com/%s/discussions/" NUMBER, full_name, number), "node_id",
        node_id("D", number_of(discussion, "id")), "user",
        shape_user(fake, text_of(discussion, "user")), "state", closed ? "closed" : "open",
        "state_reason", closed ? "resolved" : NULL, "comments", comments, "author_association",
        "NONE", "active_lock_reason", "timeline_url",
        json_sprintf("%s/repos/%s/discussions/" NUMBER "/timeline", fake->origin, full_name,
                     number));
    for (i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(discussion, same[i]));
    }
    return shape;
}
