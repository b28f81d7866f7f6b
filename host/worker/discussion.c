/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The GraphQL documents for discussions. A thread has two levels only: GitHub rejects a reply to a
 * reply, so the reply goes to the comment that the thread starts with. */
#include "worker/discussion.h"

#include "worker/comment_targets.h"
#include "worker/reactions.h"
#include "worker/response.h"
#include "worker/run.h"
#include "worker/services.h"

#include <snekomatic/github.h>

#include <assert.h>
#include <string.h>

static const char query_parent[] =
    "query($id: ID!) { node(id: $id) { ... on DiscussionComment { replyTo { id } } } }";
static const char mutation_reply[] =
    "mutation($discussion: ID!, $body: String!, $parent: ID) { addDiscussionComment(input: "
    "{discussionId: $discussion, body: $body, replyToId: $parent}) { comment { id } } }";
static const char mutation_react[] =
    "mutation($subject: ID!, $content: ReactionContent!) { addReaction(input: {subjectId: "
    "$subject, content: $content}) { reaction { content } } }";

static int32_t send(struct run *run, const char *document, uint32_t flags,
                    const struct snek_field *variables, uint32_t count,
                    struct snek_response **response) {
    const struct snek_graphql graphql = {.bytes = sizeof graphql,
                                         .flags = flags,
                                         .query = document,
                                         .variables = variables,
                                         .variables_count = count};
    return service_github.graphql(run_shown(run), &graphql, response);
}

static struct snek_field text_field(const char *name, const char *text) {
    return (struct snek_field){.name = name, .text = text, .kind = SNEK_FIELD_TEXT};
}

static int32_t no_node(struct run *run) {
    return run_fail(run, SNEK_E_NO_TARGET, "the event %s names no discussion to respond to",
                    run_event(run));
}

/* 0 and the id of the comment that the thread starts with; or a negative error. */
static int32_t find_thread(struct run *run, const struct comment_target *target, const char *node,
                           const char **thread) {
    if (run_find(run, target->parent_id, NULL) <= SNEK_NULL) {
        *thread = node;
        return 0;
    }
    const struct snek_field id = text_field("id", node);
    struct snek_response *response = NULL;
    struct snek_value value;
    int32_t result = send(run, query_parent, 0, &id, 1, &response);
    if (result == 0 && response_find(response, "data.node.replyTo.id", &value) == SNEK_STRING) {
        *thread = arena_text(run_arena(run), value.text.data, value.text.bytes);
        result = *thread ? 0 : run_fail(run, SNEK_E_FAILED, "the run's memory is used up");
    } else if (result == 0) {
        result = run_fail(run, SNEK_E_NOT_FOUND,
                          "the comment of the discussion does not exist any "
                          "more");
    }
    response_free(response);
    return result;
}

int32_t discussion_reply(struct run *run, const struct comment_target *target,
                         const char *markdown) {
    const char *discussion = run_find_text(run, target->discussion_node);
    const char *node = run_find_text(run, target->node), *thread = NULL;
    if (!discussion || !node) {
        return no_node(run);
    }
    int32_t result = target->parent_id ? find_thread(run, target, node, &thread) : 0;
    struct snek_field variables[] = {text_field("discussion", discussion),
                                     text_field("body", markdown), text_field("parent", thread)};
    if (!thread) {
        variables[2] =
            (struct snek_field){.name = "parent", .text = "null", .kind = SNEK_FIELD_JSON};
    }
    return result < 0 ? result : send(run, mutation_reply, 0, variables, 3, NULL);
}

int32_t discussion_react(struct run *run, const struct comment_target *target,
                         const char *reaction) {
    const char *node = run_find_text(run, target->node), *content = reaction_graphql_name(reaction);
    assert(content);
    if (!node) {
        return no_node(run);
    }
    const struct snek_field variables[] = {text_field("subject", node),
                                           text_field("content", content)};
    return send(run, mutation_react, SNEK_REQUEST_REPEATABLE, variables, 2, NULL);
}
