/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Identifies the caller of a request by its header Authorization. */
#include "fake/caller.h"

#include "fake/jwt.h"
#include "fake/state.h"
#include "fake/tokens.h"

#include <string.h>
#include <strings.h>

static void identify_installation(struct fake *fake, const char *text, struct caller *caller) {
    const struct token *token = token_find(fake, text);
    json_t *installation =
        token ? list_find_number(state_list(fake, "installations"), "id", token->installation)
              : NULL;
    if (!installation || token->expires_s <= fake_now_s(fake)) {
        caller->kind = CALLER_INVALID;
        snprintf(caller->problem, sizeof caller->problem, "Bad credentials");
        return;
    }
    caller->kind = CALLER_INSTALLATION;
    caller->installation = json_incref(installation);
    caller->permissions = json_incref(token->permissions);
    caller->repositories = json_incref(token->repositories);
    caller->token = token->serial;
}

void caller_identify(struct fake *fake, const char *authorization, struct caller *caller) {
    if (!authorization) {
        return;
    }
    bool bearer = strncasecmp(authorization, "bearer ", 7) == 0;
    bool token = strncasecmp(authorization, "token ", 6) == 0;
    if (!bearer && !token) {
        caller->kind = CALLER_INVALID;
        snprintf(caller->problem, sizeof caller->problem, "Bad credentials");
        return;
    }
    const char *text = authorization + (bearer ? sizeof "bearer" : sizeof "token");
    if (bearer && strchr(text, '.')) {
        /* GitHub takes a JWT with this scheme only. */
        jwt_verify(fake, text, caller);
    } else {
        identify_installation(fake, text, caller);
    }
}

void caller_finish(struct caller *caller) {
    json_decref(caller->claims);
    json_decref(caller->installation);
    json_decref(caller->permissions);
    json_decref(caller->repositories);
    *caller = (struct caller){0};
}
