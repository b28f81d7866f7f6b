/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Installation tokens: minted, found again, listed, expired. */
#include "fake/tokens.h"

#include "fake/instance.h"
#include "fake/state.h"

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

void tokens_init(struct fake *fake) {
    TAILQ_INIT(&fake->tokens);
}

static void remove_token(struct fake *fake, struct token *token) {
    TAILQ_REMOVE(&fake->tokens, token, link);
    free_token(token);
}

/* Keeps a long test small: nobody can use an expired token any more. */
static void forget_expired(struct fake *fake) {
    int64_t now_s = fake_now_s(fake);
    struct token *token, *next;
    TAILQ_FOREACH_SAFE(token, &fake->tokens, link, next) {
        if (token->expires_s <= now_s) {
            remove_token(fake, token);
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
    TAILQ_INSERT_HEAD(&fake->tokens, token, link);
    return token->text;
}

json_int_t tokens_expire(struct fake *fake, json_int_t installation) {
    json_int_t count = 0;
    struct token *token, *next;
    TAILQ_FOREACH_SAFE(token, &fake->tokens, link, next) {
        if (installation == 0 || token->installation == installation) {
            remove_token(fake, token);
            count++;
        }
    }
    return count;
}

void tokens_finish(struct fake *fake) {
    tokens_expire(fake, 0);
}

const struct token *token_find(const struct fake *fake, const char *text) {
    struct token *token;
    TAILQ_FOREACH(token, &fake->tokens, link) {
        if (strcmp(token->text, text) == 0) {
            return token;
        }
    }
    return NULL;
}

json_t *tokens_list(const struct fake *fake) {
    json_t *list = json_array();
    struct token *token;
    TAILQ_FOREACH(token, &fake->tokens, link) {
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:O}", "token", token->text, "installation",
                                        token->installation, "permissions", token->permissions));
    }
    return list;
}
