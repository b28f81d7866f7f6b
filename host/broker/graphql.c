/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the document of a GraphQL request and its operations, and judges a response, whose errors
 * come with status 200. */
#include "broker/graphql.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "broker/broker.h"
#include "broker/response.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

/* ---- the request ---- */

/* The document contains the word `mutation`, wherever it stands: in a string, in a comment, as a
 * field. Lexers disagree about where a string or a comment ends, and a mutation that counts as a
 * read would be sent twice; a query that counts as a mutation costs a second. */
static bool has_mutation(const char *document) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char word[] = "mutation";
    for (const char *at = document; (at = strstr(at, word)); at += sizeof word - 1) {
        /* A digit before it does not extend a name for certain: "5mutation" may be two tokens. */
        bool begins = at == document || !strchr(letters, at[-1]);
        char next = at[sizeof word - 1];
        bool ends = next == '\0' || !(strchr(letters, next) || (next >= '0' && next <= '9'));
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

/* Comments, reviews, issues, pull requests and discussions notify people. */
static bool mutation_notifies(const char *document) {
    static const char *const notifying[] = {
        "omment",           "eview",  "createIssue", "createPullRequest", "createDiscussion",
        "mergePullRequest", "ssignee"};
    for (size_t i = 0; i < sizeof notifying / sizeof *notifying; i++) {
        if (strstr(document, notifying[i])) {
            return true;
        }
    }
    return false;
}

/* The document of a request; the caller frees it. NULL when there is none, when memory is short, or
 * when the key occurs twice, for parsers differ in which one counts. */
static char *document_of(const char *body, size_t body_bytes) {
    struct json_reader reader;
    struct json_value query;
    unsigned count = 0;
    json_init(&reader, body, body_bytes);
    if (json_next(&reader) != JSON_OBJECT_BEGIN) {
        return NULL;
    }
    while (json_next(&reader) == JSON_KEY) {
        count += json_text_is(reader.text, reader.text_bytes, "query", 5);
        if (json_skip(&reader, json_next(&reader)) < 0) {
            return NULL;
        }
    }
    if (count != 1 || !json_find(body, body_bytes, "query", &query) || query.type != JSON_STRING) {
        return NULL;
    }
    char *document = malloc(query.raw_bytes);
    if (document) {
        size_t bytes = json_unescape(query.raw + 1, query.raw_bytes - 2, document);
        document[bytes] = '\0';
        /* The text behind a NUL would not be searched. */
        if (strlen(document) != bytes) {
            free(STEAL(document));
        }
    }
    return document;
}

struct request_class graphql_classify(const char *body, size_t body_bytes) {
    struct request_class class = {.resource = RESOURCE_GRAPHQL, .graphql = true};
    AUTO_FREE char *document = document_of(body ? body : "", body ? body_bytes : 0);
    if (!document) {
        class.mutation = true;
        class.pace = PACE_NOTIFY;
        return class;
    }
    class.mutation = has_mutation(document);
    if (class.mutation) {
        class.pace = mutation_notifies(document) ? PACE_NOTIFY : PACE_WRITE;
    }
    return class;
}

bool broker_graphql_reads(const char *body, size_t body_bytes) {
    return !graphql_classify(body, body_bytes).mutation;
}

/* ---- the response ---- */

static int32_t outcome_of_type(const char *type, const char *message) {
    static const struct {
        const char *type;
        int32_t outcome;
    } types[] = {{"RATE_LIMITED", SNEK_E_RATE_LIMITED}, {"RATE_LIMIT", SNEK_E_RATE_LIMITED},
                 {"NOT_FOUND", SNEK_E_NOT_FOUND},       {"FORBIDDEN", SNEK_E_FORBIDDEN},
                 {"STALE_DATA", SNEK_E_MOVED},          {"INSUFFICIENT_SCOPES", SNEK_E_FORBIDDEN},
                 {"INTERNAL", SNEK_E_SERVER},           {"SERVICE_UNAVAILABLE", SNEK_E_SERVER}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].type, type) == 0) {
            return types[i].outcome;
        }
    }
    if (strcasestr(message, "secondary rate limit") || strcasestr(message, "abuse detection") ||
        strcasestr(message, "submitted too quickly")) {
        return SNEK_E_RATE_LIMITED;
    }
    return strncmp(message, "Something went wrong while executing", 36) == 0 ? SNEK_E_SERVER
                                                                             : SNEK_E_VALIDATION;
}

bool broker_graphql_did(const char *body, size_t body_bytes) {
    struct json_value data;
    struct json_reader reader;
    enum json_token token;
    if (!json_find(body, body_bytes, "data", &data) || data.type != JSON_OBJECT_BEGIN) {
        return false;
    }
    json_init(&reader, data.raw, data.raw_bytes);
    json_next(&reader); /* the opening brace */
    while ((token = json_next(&reader)) == JSON_KEY) {
        token = json_next(&reader);
        if (token != JSON_NULL) {
            return true;
        }
    }
    return false;
}

int32_t graphql_judge(const struct buffer *body, struct error *err) {
    struct json_value errors, first;
    const char *json = body->data ? body->data : "";
    bool listed = json_find(json, body->bytes, "errors", &errors) && errors.type != JSON_NULL;
    if (listed && errors.type != JSON_ARRAY_BEGIN) {
        error_set(err, "POST /graphql answered with errors that are no list");
        return SNEK_E_SERVER;
    }
    if (!listed || !json_find(errors.raw, errors.raw_bytes, "[0]", &first)) {
        if (json_find(json, body->bytes, "data", &first) && first.type != JSON_NULL) {
            return 0;
        }
        error_set(err, "POST /graphql answered without data");
        return SNEK_E_SERVER;
    }
    char type[64] = "", message[RESPONSE_MESSAGE_SHOWN + 1] = "";
    AUTO_BUFFER struct buffer sentence = BUFFER_INIT(RESPONSE_SENTENCE_MAX);
    response_find_text(first.raw, first.raw_bytes, "type", type, sizeof type);
    response_find_text(first.raw, first.raw_bytes, "message", message, sizeof message);
    buffer_append_text(&sentence, "POST /graphql answered with errors");
    response_describe_errors(body, &sentence);
    error_set(err, "%s", sentence.data ? sentence.data : "no memory");
    return outcome_of_type(type, message);
}
