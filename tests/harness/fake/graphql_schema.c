/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema as text, and what the fake reads of it. */
#include "fake/graphql_schema.h"

#include "fake/graphql_parser.h"
#include "fake/state.h"

#include <assert.h>
#include <string.h>

#define PAGES "(after: String, before: String, first: Int, last: Int)"
/* What all kinds of items and comments have. */
#define TEXT_OF                                                                                    \
    "id: ID! body: String! url: URI! author: Actor createdAt: DateTime! updatedAt: DateTime! "
#define ITEM TEXT_OF "databaseId: Int number: Int! title: String! locked: Boolean! "
#define PAYLOAD "clientMutationId: String "

const char graphql_schema_text[] =
    "scalar Base64String scalar Boolean scalar DateTime scalar GitObjectID scalar ID scalar Int "
    "scalar String scalar URI "

    "type Query { node(id: ID!): Node organization(login: String!): Organization "
    "repository(followRenames: Boolean, name: String!, owner: String!): Repository }"

    "type Mutation {"
    " addDiscussionComment(input: AddDiscussionCommentInput!): AddDiscussionCommentPayload"
    " addProjectV2ItemById(input: AddProjectV2ItemByIdInput!): AddProjectV2ItemByIdPayload"
    " addReaction(input: AddReactionInput!): AddReactionPayload"
    " createCommitOnBranch(input: CreateCommitOnBranchInput!): CreateCommitOnBranchPayload }"

    "interface Actor { login: String! url: URI! }"
    "interface GitObject { id: ID! oid: GitObjectID! abbreviatedOid: String! }"
    "interface Node { id: ID! }"
    "interface Reactable { id: ID! databaseId: Int }"
    "union IssueOrPullRequest = Issue | PullRequest "
    "union ProjectV2ItemContent = Issue | PullRequest "
    "type Bot implements Actor & Node { id: ID! login: String! url: URI! databaseId: Int }"
    "type User implements Actor & Node { id: ID! login: String! url: URI! databaseId: Int }"
    "type PageInfo { endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean!"
    " startCursor: String }"

    "type Organization implements Actor & Node { id: ID! databaseId: Int login: String! url: URI!"
    " projectV2(number: Int!): ProjectV2 }"
    "type ProjectV2 implements Node { id: ID! number: Int! title: String! closed: Boolean! url: "
    "URI!"
    " items" PAGES ": ProjectV2ItemConnection! }"
    "type ProjectV2Item implements Node { id: ID! type: ProjectV2ItemType! isArchived: Boolean!"
    " createdAt: DateTime! content: ProjectV2ItemContent project: ProjectV2! }"
    "type ProjectV2ItemConnection { nodes: [ProjectV2Item] pageInfo: PageInfo! totalCount: Int! }"
    "enum ProjectV2ItemType { ISSUE PULL_REQUEST }"

    "type Repository implements Node { id: ID! databaseId: Int name: String! nameWithOwner: String!"
    " isArchived: Boolean! isPrivate: Boolean! url: URI! defaultBranchRef: Ref"
    " ref(qualifiedName: String!): Ref discussion(number: Int!): Discussion"
    " issue(number: Int!): Issue pullRequest(number: Int!): PullRequest"
    " issueOrPullRequest(number: Int!): IssueOrPullRequest }"
    "type Ref implements Node { id: ID! name: String! prefix: String! target: GitObject }"
    "type Commit implements GitObject & Node { id: ID! oid: GitObjectID! abbreviatedOid: String!"
    " message: String! messageHeadline: String! messageBody: String! url: URI!"
    " committedDate: DateTime! history" PAGES ": CommitHistoryConnection! parents" PAGES
    ": CommitConnection! }"
    "type CommitHistoryConnection { nodes: [Commit] pageInfo: PageInfo! totalCount: Int! }"
    "type CommitConnection { nodes: [Commit] pageInfo: PageInfo! totalCount: Int! }"

    "type Issue implements Node & Reactable { " ITEM
    "closed: Boolean! state: IssueState! repository: Repository! }"
    "enum IssueState { CLOSED OPEN }"
    "type PullRequest implements Node & Reactable { " ITEM
    "closed: Boolean! state: PullRequestState! isDraft: Boolean! merged: Boolean!"
    " headRefName: String! headRefOid: GitObjectID! baseRefName: String! baseRefOid: GitObjectID!"
    " repository: Repository! }"
    "enum PullRequestState { CLOSED MERGED OPEN }"
    "type IssueComment implements Node & Reactable { " TEXT_OF "databaseId: Int }"
    "type PullRequestReview implements Node & Reactable { " TEXT_OF "databaseId: Int }"
    "type PullRequestReviewComment implements Node & Reactable { " TEXT_OF "databaseId: Int }"

    "type Discussion implements Node & Reactable { " ITEM
    "category: DiscussionCategory! comments" PAGES ": DiscussionCommentConnection!"
    " repository: Repository! }"
    "type DiscussionCategory implements Node { id: ID! name: String! slug: String! emoji: String!"
    " isAnswerable: Boolean! }"
    "type DiscussionComment implements Node & Reactable { " TEXT_OF
    "databaseId: Int isAnswer: Boolean! replyTo: DiscussionComment discussion: Discussion"
    " replies" PAGES ": DiscussionCommentConnection! }"
    "type DiscussionCommentConnection { nodes: [DiscussionComment] pageInfo: PageInfo!"
    " totalCount: Int! }"
    "type Reaction implements Node { id: ID! databaseId: Int content: ReactionContent!"
    " createdAt: DateTime! }"
    "enum ReactionContent { CONFUSED EYES HEART HOORAY LAUGH ROCKET THUMBS_DOWN THUMBS_UP }"

    "input AddDiscussionCommentInput { " PAYLOAD "body: String! discussionId: ID! replyToId: ID }"
    "type AddDiscussionCommentPayload { " PAYLOAD "comment: DiscussionComment }"
    "input AddProjectV2ItemByIdInput { " PAYLOAD "contentId: ID! projectId: ID! }"
    "type AddProjectV2ItemByIdPayload { " PAYLOAD "item: ProjectV2Item }"
    "input AddReactionInput { " PAYLOAD "content: ReactionContent! subjectId: ID! }"
    "type AddReactionPayload { " PAYLOAD "reaction: Reaction subject: Reactable }"
    "input CreateCommitOnBranchInput { " PAYLOAD
    "branch: CommittableBranch! expectedHeadOid: GitObjectID! fileChanges: FileChanges"
    " message: CommitMessage! }"
    "input CommittableBranch { branchName: String id: ID repositoryNameWithOwner: String }"
    "input CommitMessage { body: String headline: String! }"
    "input FileChanges { additions: [FileAddition!] deletions: [FileDeletion!] }"
    "input FileAddition { contents: Base64String! path: String! }"
    "input FileDeletion { path: String! }"
    "type CreateCommitOnBranchPayload { " PAYLOAD "commit: Commit ref: Ref }";

/* ---- the schema's language ---- */

/* The text of our own is whole, so what a function reads is there. */
static json_t *take_name(struct graphql_parser *parser) {
    json_t *name = graphql_name(parser);
    assert(name);
    return name;
}

static void take(struct graphql_parser *parser, char sign) {
    bool is_there = graphql_expect(parser, sign);
    assert(is_there);
}

/* NAME: TYPE */
static void take_typed(struct graphql_parser *parser, json_t *into) {
    json_t *name = take_name(parser);
    take(parser, ':');
    json_object_set_new(into, json_string_value(name), graphql_type(parser));
    json_decref(name);
}

static json_t *take_fields(struct graphql_parser *parser) {
    json_t *fields = json_object();
    while (!graphql_skip(parser, '}')) {
        json_t *name = take_name(parser), *arguments = json_object();
        if (graphql_skip(parser, '(')) {
            while (!graphql_skip(parser, ')')) {
                take_typed(parser, arguments);
            }
        }
        take(parser, ':');
        json_object_set_new(
            fields, json_string_value(name),
            json_pack("{s:o, s:o}", "type", graphql_type(parser), "arguments", arguments));
        json_decref(name);
    }
    return fields;
}

static void take_names(struct graphql_parser *parser, json_t *list, char separator) {
    do {
        json_array_append_new(list, take_name(parser));
    } while (graphql_skip(parser, separator));
}

static void take_definition(struct graphql_parser *parser, json_t *schema) {
    json_t *kind = take_name(parser), *name = take_name(parser), *of = json_array();
    json_t *fields = NULL;
    if (graphql_skip(parser, '=')) {
        take_names(parser, of, '|');
    } else if (graphql_is_word(parser, "implements")) {
        graphql_advance(parser);
        take_names(parser, of, '&');
    }
    if (graphql_skip(parser, '{')) {
        if (strcmp(json_string_value(kind), "enum") == 0) {
            while (!graphql_skip(parser, '}')) {
                json_array_append_new(of, take_name(parser));
            }
        } else {
            fields = take_fields(parser);
        }
    }
    json_object_set_new(
        schema, json_string_value(name),
        json_pack("{s:O, s:o, s:o, s:o*}", "name", name, "kind", kind, "of", of, "fields", fields));
    json_decref(name);
}

json_t *graphql_schema_load(void) {
    struct graphql_parser parser;
    json_t *schema = json_object();
    graphql_begin(&parser, graphql_schema_text);
    while (parser.token != GRAPHQL_END) {
        take_definition(&parser, schema);
    }
    return schema;
}

/* ---- questions ---- */

const json_t *graphql_schema_find(const json_t *schema, const char *type) {
    char name[GRAPHQL_NAME_MAX];
    const char *start = type + strspn(type, "[");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "]!"), start);
    return json_object_get(schema, name);
}

bool graphql_schema_is_kind(const json_t *definition, const char *kind) {
    const char *given = text_of(definition, "kind");
    return given && strcmp(given, kind) == 0;
}

bool graphql_schema_is_leaf(const json_t *definition) {
    return graphql_schema_is_kind(definition, "scalar") ||
           graphql_schema_is_kind(definition, "enum");
}

bool graphql_schema_lists(const json_t *list, const char *text) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

bool graphql_schema_includes(const json_t *schema, const char *wanted, const char *name) {
    const json_t *definition = json_object_get(schema, wanted);
    if (strcmp(wanted, name) == 0) {
        return true;
    }
    if (graphql_schema_is_kind(definition, "union")) {
        return graphql_schema_lists(json_object_get(definition, "of"), name);
    }
    return graphql_schema_lists(json_object_get(json_object_get(schema, name), "of"), wanted);
}

bool graphql_schema_overlaps(const json_t *schema, const char *one, const char *other) {
    const char *name;
    json_t *definition;
    json_object_foreach((json_t *)schema, name, definition) {
        if (graphql_schema_is_kind(definition, "type") &&
            graphql_schema_includes(schema, one, name) &&
            graphql_schema_includes(schema, other, name)) {
            return true;
        }
    }
    return false;
}
