/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Installation tokens. */
#ifndef SNEK_HARNESS_FAKE_TOKENS_H
#define SNEK_HARNESS_FAKE_TOKENS_H

#include "fake/instance.h"

struct token {
    TAILQ_ENTRY(token) link;
    char *text;
    json_int_t installation;
    json_t *permissions;
    /* Full names; NULL: all of the account's. */
    json_t *repositories;
    uint64_t serial;
    int64_t expires_s;
};

/* A new token's text, borrowed; NULL: out of memory. Steals both lists. */
const char *token_mint(struct fake *fake, json_int_t installation, json_t *permissions,
                       json_t *repositories, int64_t expires_s);
/* The token with this text, whether it has expired or not; NULL: there is none. */
const struct token *token_find(const struct fake *fake, const char *text);
/* Expires the tokens of one installation, or of all (0). Their number. */
json_int_t tokens_expire(struct fake *fake, json_int_t installation);
/* All tokens as JSON, the caller's. */
json_t *tokens_list(const struct fake *fake);
void tokens_init(struct fake *fake);
void tokens_finish(struct fake *fake);

#endif
