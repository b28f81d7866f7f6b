/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commit": commits through GraphQL's createCommitOnBranch. GitHub compares the head of the
 * branch, so a repeated request makes no second commit. */
#include "base/buffer.h"
#include "base/text.h"
#include "protocol/frames.h"
#include "worker/json_body.h"
#include "worker/run.h"
#include "worker/services.h"

#include <snekomatic/convenience_item.h>

#include <string.h>

#define COMMIT_BYTES_1_0 (offsetof(struct snek_commit, oid) + sizeof(const char **))
#define HEADS "refs/heads/"
/* How far back a lost commit is looked for. The header names this number. */
#define COMMITS_LOOKED_AT "50"

static const char mutation_commit[] =
    "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { "
    "oid } } }";
static const char query_head[] =
    "query($owner: String!, $name: String!, $ref: String!) { repository(owner: $owner, name: "
    "$name) { ref(qualifiedName: $ref) { target { oid } } } }";
static const char query_history[] =
    "query($owner: String!, $name: String!, $ref: String!) { repository(owner: $owner, name: "
    "$name) { ref(qualifiedName: $ref) { target { ... on Commit { history(first: " COMMITS_LOOKED_AT
    ") { nodes { oid message parents(first: 1) { nodes { oid } } } } } } } } }";

/* ---- the arguments ---- */

static const char *file_problem(const struct snek_commit *commit) {
    for (uint32_t i = 0; i < commit->files_count; i++) {
        const char *path = commit->files[i].path;
        if (!path || !*path || *path == '/' || !text_is_utf8(path, strlen(path))) {
            return "each file needs a path from the root of the repository, such as docs/list.md";
        }
    }
    return NULL;
}

static const char *problem_of(const struct snek_commit *commit) {
    if (!commit->message || !*commit->message || *commit->message == '\n' ||
        !text_is_utf8(commit->message, strlen(commit->message))) {
        return "it has no message in UTF-8 that begins with a headline";
    }
    if (commit->files_count > 0 && !commit->files) {
        return "its files are NULL";
    }
    return file_problem(commit);
}

/* Fills in the repository, and shortens the name of the branch. */
static int32_t complete_branch(struct run *run, struct snek_commit *commit) {
    int32_t unbuilt = run_take_text_failure(run);
    if (unbuilt < 0) {
        return unbuilt;
    }
    if (!commit->branch || !*commit->branch) {
        return run_fail(run, SNEK_E_INVALID, "the commit has no branch");
    }
    if (strncmp(commit->branch, HEADS, strlen(HEADS)) == 0) {
        commit->branch += strlen(HEADS);
    }
    if (!commit->repository) {
        commit->repository = run_find_text(run, "repository.full_name");
    }
    if (!commit->repository) {
        return run_fail(run, SNEK_E_NO_TARGET,
                        "the event %s has no repository: give the commit one", run_event(run));
    }
    return strchr(commit->repository, '/')
               ? 0
               : run_fail(run, SNEK_E_INVALID, "the commit's repository is not \"owner/name\"");
}

/* Copies what the plugin's headers have of `given`, and fills in what the event gives. */
static int32_t complete(struct run *run, const struct snek_commit *given,
                        struct snek_commit *commit) {
    if (!given || given->bytes < COMMIT_BYTES_1_0) {
        return run_fail(run, SNEK_E_INVALID,
                        "the commit is NULL, or its bytes are not sizeof(struct snek_commit)");
    }
    memset(commit, 0, sizeof *commit);
    memcpy(commit, given, given->bytes < sizeof *commit ? given->bytes : sizeof *commit);
    const char *problem = problem_of(commit);
    if (problem) {
        return run_fail(run, SNEK_E_INVALID, "the commit cannot be made: %s", problem);
    }
    return complete_branch(run, commit);
}

/* ---- its JSON ---- */

static int append_base64(struct buffer *json, const char *data, size_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int failed = bytes / 3 >= json->max / 4;
    for (size_t at = 0; at < bytes && !failed; at += 3) {
        uint32_t group = 0;
        char text[4];
        size_t left = bytes - at;
        for (size_t i = 0; i < 3; i++) {
            group = group << 8 | (i < left ? (unsigned char)data[at + i] : 0);
        }
        for (size_t i = 0; i < 4; i++) {
            text[i] = digits[group >> (18 - 6 * i) & 63];
        }
        memset(text + 4 - (left < 3 ? 3 - left : 0), '=', left < 3 ? 3 - left : 0);
        failed = buffer_append(json, text, sizeof text);
    }
    return failed ? -1 : 0;
}

static int append_string(struct buffer *json, const char *before, const char *text, size_t bytes) {
    int failed = buffer_append_text(json, before);
    failed |= buffer_append_json_string(json, text, bytes);
    return failed;
}

/* The files that the commit deletes, or those that it writes, separated by commas. */
static int append_files(struct buffer *json, const struct snek_commit *commit, bool deleted) {
    const char *comma = "";
    int failed = 0;
    for (uint32_t i = 0; i < commit->files_count && !failed; i++) {
        const struct snek_file *file = &commit->files[i];
        if (deleted != !file->contents.data) {
            continue;
        }
        failed |= buffer_append_text(json, comma);
        failed |= append_string(json, "{\"path\":", file->path, strlen(file->path));
        if (!deleted) {
            failed |= buffer_append_text(json, ",\"contents\":\"");
            failed |= append_base64(json, file->contents.data, file->contents.bytes);
            failed |= buffer_append_text(json, "\"");
        }
        failed |= buffer_append_text(json, "}");
        comma = ",";
    }
    return failed;
}

static int append_input(struct buffer *json, const struct snek_commit *commit) {
    size_t headline_bytes = strcspn(commit->message, "\r\n");
    const char *body = commit->message + headline_bytes;
    body += strspn(body, "\r\n");
    int failed = append_string(json, "{\"input\":{\"branch\":{\"repositoryNameWithOwner\":",
                               commit->repository, strlen(commit->repository));
    failed |= append_string(json, ",\"branchName\":", commit->branch, strlen(commit->branch));
    failed |= append_string(json, "},\"message\":{\"headline\":", commit->message, headline_bytes);
    failed |= append_string(json, ",\"body\":", body, strlen(body));
    failed |= append_string(json, "},\"expectedHeadOid\":", commit->expected_head,
                            strlen(commit->expected_head));
    failed |= buffer_append_text(json, ",\"fileChanges\":{\"additions\":[");
    failed |= append_files(json, commit, false);
    failed |= buffer_append_text(json, "],\"deletions\":[");
    failed |= append_files(json, commit, true);
    failed |= buffer_append_text(json, "]}}}");
    return failed;
}

/* ---- the branch ---- */

static int32_t ask_branch(struct run *run, const struct snek_commit *commit, const char *query,
                          struct snek_response **response) {
    struct snek_run *shown = run_shown(run);
    const char *name = strchr(commit->repository, '/') + 1;
    const char *owner =
        snek_print(shown, "%.*s", (int)(name - 1 - commit->repository), commit->repository);
    const char *variables = snek_json(shown, "{'owner':'%s','name':'%s','ref':'" HEADS "%s'}",
                                      owner, name, commit->branch);
    return snek_graphql(shown, query, .variables = variables, .response = response);
}

static int32_t read_head(struct run *run, struct snek_commit *commit) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    int32_t result = ask_branch(run, commit, query_head, &response);
    const char *head =
        result < 0 ? NULL : snek_response_string(shown, response, "data.repository.ref.target.oid");
    if (head) {
        commit->expected_head = snek_print(shown, "%s", head);
    }
    snek_free_response(shown, response);
    if (result < 0) {
        return result;
    }
    if (!head) {
        return run_fail(run, SNEK_E_NOT_FOUND, "the repository %s has no branch %.200s",
                        commit->repository, commit->branch);
    }
    return commit->expected_head ? 0 : run_take_text_failure(run);
}

/* Compares without white space, of which GitHub removes some. */
static bool is_same_message(const char *one, const char *other) {
    for (;;) {
        one += strspn(one, " \t\r\n");
        other += strspn(other, " \t\r\n");
        if (!*one || *one != *other) {
            return *one == *other;
        }
        one++;
        other++;
    }
}

/* 0 and the commit's hash in `*oid`, NULL when the branch does not have it; or a negative error. */
static int32_t look(struct run *run, const struct snek_commit *commit, const char **oid) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    static const char nodes[] = "data.repository.ref.target.history.nodes";
    int32_t result = ask_branch(run, commit, query_history, &response);
    uint32_t count = result < 0 ? 0 : snek_response_count(shown, response, nodes);
    *oid = NULL;
    for (uint32_t i = 0; i < count && !*oid; i++) {
        const char *parent = snek_response_string(
            shown, response, snek_print(shown, "%s[%u].parents.nodes[0].oid", nodes, i));
        const char *message =
            snek_response_string(shown, response, snek_print(shown, "%s[%u].message", nodes, i));
        const char *found =
            snek_response_string(shown, response, snek_print(shown, "%s[%u].oid", nodes, i));
        if (parent && message && found && strcmp(parent, commit->expected_head) == 0 &&
            is_same_message(message, commit->message)) {
            *oid = snek_print(shown, "%s", found);
        }
    }
    snek_free_response(shown, response);
    return result < 0 ? result : run_take_text_failure(run);
}

/* ---- making it ---- */

static int32_t send(struct run *run, const struct snek_commit *commit, const char *variables,
                    uint32_t flags, const char **oid) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    int32_t result = snek_graphql(shown, mutation_commit, .variables = variables,
                                  .once = commit->once, .flags = flags, .response = &response);
    const char *made =
        result < 0 ? NULL
                   : snek_response_string(shown, response, "data.createCommitOnBranch.commit.oid");
    *oid = made ? snek_print(shown, "%s", made) : NULL;
    snek_free_response(shown, response);
    return result;
}

/* An earlier attempt may have made it, and lost the response. The host replays what that attempt
 * read before, so `expected_head` is the same, and makes this look anew. GitHub may still be
 * carrying out the lost request: then only one of the two requests makes a commit, and the second
 * look finds which. */
static int32_t send_after_doubt(struct run *run, const struct snek_commit *commit,
                                const char *variables, const char **oid) {
    int32_t result = look(run, commit, oid);
    if (result < 0 || *oid) {
        return result;
    }
    result = send(run, commit, variables, SNEK_REQUEST_REPEATABLE, oid);
    if (result != SNEK_E_MOVED) {
        return result;
    }
    result = look(run, commit, oid);
    return result < 0 || *oid ? result : SNEK_E_MOVED;
}

/* When the event names the expected head, a retry would expect the same one. */
static int32_t fail_moved(struct run *run, const struct snek_commit *commit) {
    struct snek_text payload = run_payload(run);
    size_t bytes = strlen(commit->expected_head);
    run_fail(run, SNEK_E_MOVED,
             "the branch %.100s of %s is not at %.64s any more, so nothing was committed: read the "
             "files at its new head, and commit on top of that",
             commit->branch, commit->repository, commit->expected_head);
    if (bytes > 0 && memmem(payload.data, payload.bytes, commit->expected_head, bytes)) {
        run_mark_permanent(run, SNEK_E_MOVED);
    }
    return SNEK_E_MOVED;
}

static int32_t commit_create(struct snek_run *shown, const struct snek_commit *given) {
    struct snek_commit commit;
    const char *oid = NULL;
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = complete(run, given, &commit);
    if (result == 0 && !commit.expected_head) {
        result = read_head(run, &commit);
    }
    if (result < 0) {
        return result;
    }
    AUTO_BUFFER struct buffer json = BUFFER_INIT(FRAME_TO_HOST_MAX);
    if (append_input(&json, &commit) != 0) {
        return json_body_too_large(run);
    }
    result = send(run, &commit, json.data, 0, &oid);
    if (result == SNEK_E_IN_DOUBT) {
        result = send_after_doubt(run, &commit, json.data, &oid);
    }
    if (result == SNEK_E_MOVED) {
        return fail_moved(run, &commit);
    }
    if (result == 0 && commit.oid) {
        *commit.oid = oid;
    }
    return result;
}

static int32_t commit_head(struct snek_run *shown, const char *repository, const char *branch,
                           const char **oid) {
    struct snek_commit commit = {.branch = branch, .repository = repository};
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!oid) {
        return run_fail_null(run, "head() needs a place for the hash, and got NULL");
    }
    int32_t result = complete_branch(run, &commit);
    result = result < 0 ? result : read_head(run, &commit);
    if (result == 0) {
        *oid = commit.expected_head;
    }
    return result;
}

const struct snek_commit_service service_commit = {
    .bytes = sizeof(struct snek_commit_service),
    .commit_bytes = sizeof(struct snek_commit),
    .create = commit_create,
    .head = commit_head,
};
