/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Installation tokens: minted, found again, expired; and who it is that calls. */
#include "fake/internal.h"

#include <gnutls/crypto.h>
#include <string.h>
#include <strings.h>

static const char prefix[] = "ghs_";

static void free_token(struct token *token) {
    json_decref(token->permissions);
    json_decref(token->repositories);
    free(token->text);
    free(token);
}

static char *random_text(size_t bytes) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char *text = malloc(bytes + 1);
    if (!text || gnutls_rnd(GNUTLS_RND_NONCE, text, bytes) < 0) {
        free(text);
        return NULL;
    }
    for (size_t i = 0; i < bytes; i++) {
        text[i] = letters[(unsigned char)text[i] % (sizeof letters - 1)];
    }
    memcpy(text, prefix, sizeof prefix - 1);
    text[bytes] = '\0';
    return text;
}

/* Tokens that nobody can use any more are forgotten, so that a long test stays small. */
static void forget_expired(struct fake *fake) {
    int64_t now_s = fake_now_s(fake);
    for (struct token **at = &fake->tokens; *at;) {
        struct token *token = *at;
        if (token->expires_s <= now_s) {
            *at = token->next;
            free_token(token);
        } else {
            at = &token->next;
        }
    }
}

const char *token_mint(struct fake *fake, json_int_t installation, json_t *permissions,
                       json_t *repositories, int64_t expires_s) {
    forget_expired(fake);
    struct token *token = calloc(1, sizeof *token);
    if (token) {
        token->text = random_text((size_t)state_setting(fake, "token_bytes"));
    }
    if (!token || !token->text) {
        free(token);
        json_decref(permissions);
        json_decref(repositories);
        return NULL;
    }
    token->serial = ++fake->tokens_minted;
    token->installation = installation;
    token->permissions = permissions;
    token->repositories = repositories;
    token->expires_s = expires_s;
    token->next = fake->tokens;
    fake->tokens = token;
    return token->text;
}

json_int_t tokens_expire(struct fake *fake, json_int_t installation) {
    json_int_t count = 0;
    for (struct token **at = &fake->tokens; *at;) {
        struct token *token = *at;
        if (installation == 0 || token->installation == installation) {
            *at = token->next;
            free_token(token);
            count++;
        } else {
            at = &token->next;
        }
    }
    return count;
}

void tokens_free(struct fake *fake) {
    (void)tokens_expire(fake, 0);
}

static void identify_installation(struct fake *fake, const char *text, struct caller *caller) {
    struct token *token = fake->tokens;
    while (token && strcmp(token->text, text) != 0) {
        token = token->next;
    }
    json_t *installation =
        token ? list_find_number(state_list(fake, "installations"), "id", token->installation)
              : NULL;
    if (!installation || token->expires_s <= fake_now_s(fake)) {
        caller->kind = CALLER_INVALID;
        (void)snprintf(caller->problem, sizeof caller->problem, "Bad credentials");
        return;
    }
    caller->kind = CALLER_INSTALLATION;
    caller->installation = json_incref(installation);
    caller->permissions = json_incref(token->permissions);
    caller->repositories = json_incref(token->repositories);
    caller->token = token->serial;
}

void caller_identify(struct http_exchange *exchange, const char *authorization) {
    struct caller *caller = &exchange->caller;
    if (!authorization) {
        return;
    }
    bool bearer = strncasecmp(authorization, "bearer ", 7) == 0;
    bool token = strncasecmp(authorization, "token ", 6) == 0;
    const char *text = authorization + (bearer ? 7 : token ? 6 : 0);
    if (bearer && strchr(text, '.')) {
        jwt_verify(exchange->fake, text, caller); /* GitHub takes a JWT with this scheme only */
    } else if (bearer || token) {
        identify_installation(exchange->fake, text, caller);
    } else {
        caller->kind = CALLER_INVALID;
        (void)snprintf(caller->problem, sizeof caller->problem, "Bad credentials");
    }
}

void caller_finish(struct caller *caller) {
    json_decref(caller->claims);
    json_decref(caller->installation);
    json_decref(caller->permissions);
    json_decref(caller->repositories);
    *caller = (struct caller){0};
}
