/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutations, which change the state. */
#include "fake/graphql_calls.h"

#include "fake/branches.h"
#include "fake/comments.h"
#include "fake/contents.h"
#include "fake/fields.h"
#include "fake/node_ids.h"
#include "fake/permissions.h"
#include "fake/reactions.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/times.h"

#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
#define WORKFLOWS ".github/workflows/"

/* ---- addProjectV2ItemById ---- */

/* An item is on a board once. */
static json_t *add_project_item(struct graphql_call *call, const json_t *input) {
    struct graphql_node project =
        graphql_node_of(call, text_of(input, "projectId"), "ProjectV2", "write");
    if (!project.type) {
        return NULL;
    }
    struct graphql_node content = graphql_node_of(call, text_of(input, "contentId"), NULL, "read");
    if (!content.type) {
        return NULL;
    }
    if (strcmp(content.type, "Issue") != 0 && strcmp(content.type, "PullRequest") != 0) {
        return graphql_fail(call, "UNPROCESSABLE", "The item must be an issue or a pull request");
    }
    const char *full_name = text_of(content.repository, "full_name");
    json_int_t number = number_of(content.item, "number");
    json_t *items = json_object_get(project.item, "items"), *item, *found = NULL;
    size_t i;
    json_array_foreach(items, i, item) {
        if (number_of(item, "number") == number &&
            strcmp(text_of(item, "repository"), full_name) == 0) {
            found = item;
        }
    }
    if (!found) {
        struct fake *fake = call->exchange->fake;
        found = list_add(items,
                         json_pack("{s:I, s:s, s:I, s:o}", "id", state_new_id(fake), "repository",
                                   full_name, "number", number, "created_at", fake_now(fake)));
    }
    struct graphql_node node = {"ProjectV2Item", found, NULL, project.organization};
    return json_pack("{s:o}", "item", graphql_node_object(call->exchange, &node));
}

/* ---- addReaction ---- */

static const char *reaction_of(const char *content) {
    static const char *const names[][2] = {
        {"THUMBS_UP", "+1"}, {"THUMBS_DOWN", "-1"}, {"LAUGH", "laugh"},   {"CONFUSED", "confused"},
        {"HEART", "heart"},  {"HOORAY", "hooray"},  {"ROCKET", "rocket"}, {"EYES", "eyes"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], content) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static json_t *add_reaction(struct graphql_call *call, const json_t *input) {
    struct graphql_node subject = graphql_node_of(call, text_of(input, "subjectId"), NULL, "write");
    if (!subject.type) {
        return NULL;
    }
    if (!json_object_get(subject.item, "reactions")) {
        return graphql_fail(call, "NOT_FOUND",
                            "Could not resolve to Reactable node with the global id of '%s'",
                            text_of(input, "subjectId"));
    }
    const char *content = text_of(input, "content");
    bool is_new;
    json_t *reaction =
        reaction_add(call->exchange->fake, subject.item, reaction_of(content), &is_new);
    return json_pack("{s:{s:s, s:o, s:O, s:s, s:O}, s:o}", "reaction", "__typename", "Reaction",
                     "id", node_id("REA", number_of(reaction, "id")), "databaseId",
                     json_object_get(reaction, "id"), "content", content, "createdAt",
                     json_object_get(reaction, "created_at"), "subject",
                     graphql_node_object(call->exchange, &subject));
}

/* ---- addDiscussionComment ---- */

/* The comment that is replied to: it stands at the top of the same discussion. 0: none is named.
 * -1 with the error. */
static json_int_t find_replied(struct graphql_call *call, const json_t *input,
                               const struct graphql_node *discussion) {
    const char *id = text_of(input, "replyToId");
    struct graphql_node comment =
        id ? graphql_node_of(call, id, "DiscussionComment", "write") : (struct graphql_node){0};
    if (!id) {
        return 0;
    }
    if (!comment.type) {
        return -1;
    }
    if (comment.repository != discussion->repository ||
        number_of(comment.item, "discussion") != number_of(discussion->item, "number")) {
        graphql_fail(call, "UNPROCESSABLE", "Parent comment is not in this discussion");
        return -1;
    }
    if (number_of(comment.item, "reply_to") != 0) {
        graphql_fail(call, "UNPROCESSABLE",
                     "Parent comment is already in a thread, cannot reply to it");
        return -1;
    }
    return number_of(comment.item, "id");
}

static bool text_is_sound(struct graphql_call *call, const json_t *text) {
    size_t printed, characters = count_characters(text, &printed);
    if (printed == 0) {
        graphql_fail(call, "UNPROCESSABLE", "Body can't be blank");
    } else if (characters > BODY_CHARACTERS_MAX) {
        graphql_fail(call, "UNPROCESSABLE", "Body is too long (maximum is 65536 characters)");
    }
    return printed > 0 && characters <= BODY_CHARACTERS_MAX;
}

static json_t *add_discussion_comment(struct graphql_call *call, const json_t *input) {
    struct fake *fake = call->exchange->fake;
    struct graphql_node discussion =
        graphql_node_of(call, text_of(input, "discussionId"), "Discussion", "write");
    json_t *body = json_object_get(input, "body");
    json_int_t reply_to = discussion.type ? find_replied(call, input, &discussion) : -1;
    if (reply_to < 0) {
        return NULL;
    }
    if (json_is_true(json_object_get(discussion.item, "locked"))) {
        return graphql_fail(call, "FORBIDDEN",
                            "Unable to create comment because discussion is locked.");
    }
    if (!text_is_sound(call, body)) {
        return NULL;
    }
    json_t *comment = list_add(
        json_object_get(discussion.repository, "discussion_comments"),
        json_pack("{s:I, s:O, s:o, s:o, s:O, s:o, s:o, s:[]}", "id", state_new_id(fake),
                  "discussion", json_object_get(discussion.item, "number"), "reply_to",
                  reply_to ? json_integer(reply_to) : json_null(), "user", app_login(fake), "body",
                  body, "created_at", fake_now(fake), "updated_at", fake_now(fake), "reactions"));
    times_touch(fake, discussion.item);
    struct graphql_node node = {"DiscussionComment", comment, discussion.repository, NULL};
    return json_pack("{s:o}", "comment", graphql_node_object(call->exchange, &node));
}

/* ---- createCommitOnBranch ---- */

/* The repository and branch that `branch` names: by an id, or by both names. */
static json_t *find_branch(struct graphql_call *call, const json_t *branch, json_t **name) {
    const char *id = text_of(branch, "id"), *full_name = text_of(branch, "repositoryNameWithOwner");
    size_t i, k;
    json_t *repository, *head;
    if (!id && full_name && json_object_get(branch, "branchName")) {
        *name = json_object_get(branch, "branchName");
        return graphql_repository_of(call, full_name);
    }
    json_array_foreach(state_list(call->exchange->fake, "repositories"), i, repository) {
        json_array_foreach(json_object_get(repository, "branches"), k, head) {
            json_t *ref = graphql_ref_object(repository, text_of(head, "name"));
            bool found = id && strcmp(text_of(ref, "id"), id) == 0;
            json_decref(ref);
            if (found) {
                *name = json_object_get(head, "name");
                return graphql_repository_of(call, text_of(repository, "full_name"));
            }
        }
    }
    graphql_fail(call, id ? "NOT_FOUND" : "UNPROCESSABLE",
                 id ? "Could not resolve to a node with the global id of '%s'"
                    : "branch needs an id, or repositoryNameWithOwner and branchName%s",
                 id ? id : "");
    return NULL;
}

static bool touches_workflows(const json_t *changes, const char *list) {
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(changes, list), i, change) {
        if (strncmp(text_of(change, "path"), WORKFLOWS, strlen(WORKFLOWS)) == 0) {
            return true;
        }
    }
    return false;
}

static bool may_commit(struct graphql_call *call, const json_t *changes) {
    struct graphql_need contents = {.name = "contents"}, workflows = {.name = "workflows"};
    bool of_workflows =
        touches_workflows(changes, "additions") || touches_workflows(changes, "deletions");
    return graphql_may(call, contents, "write") &&
           (!of_workflows || graphql_may(call, workflows, "write"));
}

/* Everything is checked before anything changes. */
static bool changes_are_sound(struct graphql_call *call, const json_t *repository,
                              const char *branch, const json_t *changes) {
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(changes, "deletions"), i, change) {
        if (!contents_find(repository, text_of(change, "path"), branch)) {
            graphql_fail(call, "UNPROCESSABLE",
                         "A path was requested for deletion which does not exist as of commit oid "
                         "`%s`",
                         branch_head(repository, branch));
            return false;
        }
    }
    json_array_foreach(json_object_get(changes, "additions"), i, change) {
        char *text = contents_decode(text_of(change, "contents"));
        bool is_base64 = text != NULL;
        free(text);
        if (!is_base64 || !*text_of(change, "path")) {
            graphql_fail(call, "UNPROCESSABLE", "The addition of \"%s\" needs a path, and Base64",
                         text_of(change, "path"));
            return false;
        }
    }
    return true;
}

static void change_files(json_t *repository, const char *branch, const json_t *changes) {
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(changes, "deletions"), i, change) {
        contents_remove(repository, contents_find(repository, text_of(change, "path"), branch));
    }
    json_array_foreach(json_object_get(changes, "additions"), i, change) {
        char *text = contents_decode(text_of(change, "contents"));
        contents_put(repository, text_of(change, "path"), branch, text);
        free(text);
    }
}

/* The head of the branch is the expected commit, and the repository takes commits. */
static bool branch_is_current(struct graphql_call *call, const json_t *repository,
                              const char *branch, const char *expected) {
    const char *head = branch_head(repository, branch);
    if (json_is_true(json_object_get(repository, "archived"))) {
        graphql_fail(call, "UNPROCESSABLE", "Repository was archived so is read-only.");
    } else if (!head) {
        graphql_fail(call, "NOT_FOUND", "Could not resolve to a Ref with the name '%s'.", branch);
    } else if (strcmp(head, expected) != 0) {
        graphql_fail(call, "STALE_DATA",
                     "Expected branch to point to \"%s\" but it did not.  Pull and try again.",
                     expected);
    } else {
        return true;
    }
    return false;
}

static json_t *commit(struct graphql_call *call, json_t *repository, const char *branch,
                      const json_t *message) {
    const char *headline = text_of(message, "headline"), *body = text_of(message, "body");
    bool has_body = body && *body;
    json_t *text = json_sprintf("%s%s%s", headline, has_body ? "\n\n" : "", has_body ? body : "");
    const json_t *made =
        branch_commit(call->exchange->fake, repository, branch, json_string_value(text), NULL);
    json_decref(text);
    return json_pack("{s:o, s:o}", "commit",
                     graphql_commit_object(repository, text_of(made, "sha")), "ref",
                     graphql_ref_object(repository, branch));
}

static json_t *create_commit(struct graphql_call *call, const json_t *input) {
    const json_t *changes = json_object_get(input, "fileChanges");
    const json_t *message = json_object_get(input, "message");
    json_t *name = NULL, *repository = find_branch(call, json_object_get(input, "branch"), &name);
    const char *branch = branch_name(name ? json_string_value(name) : "");
    if (!repository || !may_commit(call, changes) ||
        !branch_is_current(call, repository, branch, text_of(input, "expectedHeadOid")) ||
        !changes_are_sound(call, repository, branch, changes)) {
        return NULL;
    }
    if (!*text_of(message, "headline")) {
        return graphql_fail(call, "UNPROCESSABLE", "The commit message needs a headline");
    }
    change_files(repository, branch, changes);
    return commit(call, repository, branch, message);
}

/* ---- all ---- */

json_t *graphql_mutation(struct graphql_call *call) {
    static const struct {
        const char *name;
        const char *payload;
        json_t *(*change)(struct graphql_call *call, const json_t *input);
    } mutations[] = {
        {"addProjectV2ItemById", "AddProjectV2ItemByIdPayload", add_project_item},
        {"addReaction", "AddReactionPayload", add_reaction},
        {"addDiscussionComment", "AddDiscussionCommentPayload", add_discussion_comment},
        {"createCommitOnBranch", "CreateCommitOnBranchPayload", create_commit}};
    const json_t *input = json_object_get(call->arguments, "input");
    json_t *id = json_object_get(input, "clientMutationId"), *payload = NULL;
    const char *type = NULL;
    for (size_t i = 0; i < sizeof mutations / sizeof *mutations; i++) {
        if (strcmp(mutations[i].name, text_of(call->field, "field")) == 0) {
            payload = mutations[i].change(call, input);
            type = mutations[i].payload;
        }
    }
    if (payload) {
        json_object_set_new(payload, "__typename", json_string(type));
        json_object_set(payload, "clientMutationId", id ? id : json_null());
    }
    return payload;
}
