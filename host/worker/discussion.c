/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The GraphQL documents for discussions. A thread has two levels only: GitHub rejects a reply to a
 * reply, so the reply goes to the comment that the thread starts with. */
#include "worker/discussion.h"

#include "worker/comment_targets.h"
#include "worker/reactions.h"
#include "worker/response.h"
#include "worker/run.h"

#include <snekomatic/convenience.h>

#include <assert.h>
#include <string.h>

static const char query_parent[] =
    "query($id: ID!) { node(id: $id) { ... on DiscussionComment { replyTo { id } } } }";
static const char mutation_reply[] =
    "mutation($discussion: ID!, $body: String!, $parent: ID) { addDiscussionComment(input: "
    "{discussionId: $discussion, body: $body, replyToId: $parent}) { comment { databaseId } } }";
static const char mutation_react[] =
    "mutation($subject: ID!, $content: ReactionContent!) { addReaction(input: {subjectId: "
    "$subject, content: $content}) { reaction { content } } }";

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
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    struct snek_value value;
    int32_t result =
        snek_graphql(shown, query_parent, .variables = snek_json(shown, "{'id':'%s'}", node),
                     .response = &response);
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

int32_t discussion_reply(struct run *run, const struct comment_target *target, const char *markdown,
                         const char *once, int64_t *id) {
    const char *discussion = run_find_text(run, target->discussion_node);
    const char *node = run_find_text(run, target->node), *thread = NULL;
    if (!discussion || !node) {
        return no_node(run);
    }
    int32_t result = target->parent_id ? find_thread(run, target, node, &thread) : 0;
    if (result < 0) {
        return result;
    }
    struct snek_run *shown = run_shown(run);
    const char *parent = thread ? snek_json(shown, "'%s'", thread) : "null";
    const char *variables = snek_json(shown, "{'discussion':'%s','body':'%s','parent':%s}",
                                      discussion, markdown, parent);
    struct snek_response *response = NULL;
    result = snek_graphql(shown, mutation_reply, .variables = variables, .once = once,
                          .response = id ? &response : NULL);
    if (result == 0 && id) {
        *id = snek_response_integer(shown, response, "data.addDiscussionComment.comment.databaseId",
                                    0);
    }
    response_free(response);
    return result;
}

int32_t discussion_react(struct run *run, const struct comment_target *target,
                         const char *reaction) {
    const char *node = run_find_text(run, target->node), *content = reaction_graphql_name(reaction);
    assert(content);
    if (!node) {
        return no_node(run);
    }
    struct snek_run *shown = run_shown(run);
    return snek_graphql(shown, mutation_react,
                        .variables =
                            snek_json(shown, "{'subject':'%s','content':'%s'}", node, content),
                        .flags = SNEK_REQUEST_REPEATABLE);
}
