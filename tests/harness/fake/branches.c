/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Branches: those of the state's list, and the heads of the open pull requests. */
#include "fake/branches.h"

#include "fake/fields.h"
#include "fake/state.h"

#include <assert.h>
#include <string.h>

#define PREFIX "refs/heads/"

const char *branch_name(const char *ref) {
    size_t bytes = strlen(PREFIX);
    return strncmp(ref, PREFIX, bytes) == 0 ? ref + bytes : ref;
}

static json_t *find_branch(const json_t *repository, const char *name) {
    size_t i;
    json_t *branch;
    json_array_foreach(json_object_get(repository, "branches"), i, branch) {
        if (strcmp(text_of(branch, "name"), name) == 0) {
            return branch;
        }
    }
    return NULL;
}

static bool is_head_of(const json_t *pull, const char *name) {
    const char *ref = text_of(json_object_get(pull, "head"), "ref");
    return ref && strcmp(ref, name) == 0 && strcmp(text_of(pull, "state"), "open") == 0;
}

const char *branch_head(const json_t *repository, const char *ref) {
    const char *name = branch_name(ref);
    const json_t *branch = find_branch(repository, name);
    size_t i;
    json_t *pull;
    if (branch) {
        return text_of(branch, "sha");
    }
    json_array_foreach(json_object_get(repository, "issues"), i, pull) {
        if (is_head_of(pull, name)) {
            return text_of(json_object_get(pull, "head"), "sha");
        }
    }
    return NULL;
}

/* The pull request's commits end with its head. */
static void move_pull(json_t *pull, const json_t *commit) {
    json_object_set(json_object_get(pull, "head"), "sha", json_object_get(commit, "sha"));
    json_array_append_new(json_object_get(pull, "commits"), json_deep_copy(commit));
}

static void move_branch(json_t *repository, const char *name, const json_t *commit) {
    json_t *branch = find_branch(repository, name), *pull;
    size_t i;
    if (branch) {
        json_object_set(branch, "sha", json_object_get(commit, "sha"));
    } else {
        list_add(json_object_get(repository, "branches"),
                 json_pack("{s:s, s:O}", "name", name, "sha", json_object_get(commit, "sha")));
    }
    json_array_foreach(json_object_get(repository, "issues"), i, pull) {
        if (is_head_of(pull, name)) {
            move_pull(pull, commit);
        }
    }
}

json_t *branch_commit(struct fake *fake, json_t *repository, const char *ref, const char *message,
                      const char *login) {
    const char *name = branch_name(ref), *parent = branch_head(repository, name);
    char seed[400], sha[FAKE_SHA_BYTES];
    assert(parent);
    snprintf(seed, sizeof seed, "%.300s %" JSON_INTEGER_FORMAT, name, state_new_id(fake));
    fake_sha(seed, sha);
    json_t *author = login ? json_string(login) : json_sprintf("%s[bot]", fake->app_slug);
    json_t *commit =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:o, s:o}, s:[s]}", "sha", sha, "message", message,
                  "author", "name", login ? login : fake->app_slug, "email", "bot@example.org",
                  "date", fake_now(fake), "login", author, "parents", parent);
    list_add(json_object_get(repository, "commits"), commit);
    move_branch(repository, name, commit);
    return commit;
}
