/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reactions to issues and comments. */
#include "fake/reactions.h"

#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>

static bool is_reaction(const char *content) {
    static const char *const known[] = {"+1",    "-1",     "laugh",  "confused",
                                        "heart", "hooray", "rocket", "eyes"};
    for (size_t i = 0; content && i < sizeof known / sizeof *known; i++) {
        if (strcmp(content, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *find_own(const json_t *reactions, const char *login, const char *content) {
    size_t i;
    json_t *reaction;
    json_array_foreach(reactions, i, reaction) {
        const char *user = text_of(reaction, "user");
        if (user && strcmp(user, login) == 0 &&
            strcmp(text_of(reaction, "content"), content) == 0) {
            return reaction;
        }
    }
    return NULL;
}

json_t *reaction_add(struct fake *fake, json_t *subject, const char *content, bool *is_new) {
    json_t *reactions = json_object_get(subject, "reactions"), *login = app_login(fake);
    json_t *reaction = find_own(reactions, json_string_value(login), content);
    *is_new = !reaction;
    if (!reaction) {
        reaction =
            list_add(reactions, json_pack("{s:I, s:O, s:s, s:o}", "id", state_new_id(fake), "user",
                                          login, "content", content, "created_at", fake_now(fake)));
    }
    json_decref(login);
    return reaction;
}

/* Reacts to `subject`, an issue or a comment in the state; NULL when it responded with 404. */
static void react(struct http_exchange *exchange, json_t *subject) {
    static const char *const allowed[] = {"content", NULL};
    json_t *body = subject ? exchange_body(exchange, "Reaction", allowed) : NULL;
    if (!body) {
        return;
    }
    const char *content = text_of(body, "content");
    if (!is_reaction(content)) {
        respond_invalid(exchange, "Reaction", "content", content ? "invalid" : "missing_field",
                        "content must be one of: +1, -1, laugh, confused, heart, hooray, rocket, "
                        "eyes");
        json_decref(body);
        return;
    }
    bool is_new;
    json_t *reaction = reaction_add(exchange->fake, subject, content, &is_new);
    json_decref(body);
    respond_json(exchange, is_new ? 201 : 200, shape_reaction(exchange->fake, reaction));
}

void handle_issue_reactions_post(struct http_exchange *exchange) {
    react(exchange, find_issue(exchange, false));
}

void handle_comment_reactions_post(struct http_exchange *exchange) {
    react(exchange, find_comment(exchange, "comments", exchange->parameters[2]));
}

void handle_review_comment_reactions_post(struct http_exchange *exchange) {
    react(exchange, find_comment(exchange, "review_comments", exchange->parameters[2]));
}
