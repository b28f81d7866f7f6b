/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Installation tokens, narrowed by GitHub to the permissions that are asked for. Kept per
 * (installation,
 * permissions, repository) until a minute before they expire, the least recently used dropped
 * when there are too many; one request under way for each, however many wait.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_TOKENS_H
#define SNEK_BROKER_TOKENS_H

#include "broker/app.h"
#include "broker/etags.h"

#define TOKENS_KEPT 4096
#define TOKEN_MAX 4096 /* bytes; GitHub's grow, and are 520 characters and longer already */

struct tokens;
struct token;

struct token_answer {
    /* 0, or a negative enum snek_error with `error`. SNEK_E_REQUEUE: the app itself is at a limit,
     * until `until_ms` (wall). */
    int32_t outcome;
    int64_t until_ms;
    const char *text; /* the token: borrowed during the call; NULL when there is none */
    uint64_t mint;    /* which one; for tokens_drop() */
    bool fresh;       /* made within the last seconds: GitHub may not know it everywhere yet */
    bool gone;        /* rejected since the app is not installed there any more */
    const struct error *error;
};

struct token_waiter {
    const char *plugin, *installation, *permissions; /* borrowed until answered */
    const char *repository; /* "owner/name", the only one that it reaches; "": all */
    void (*answered)(struct token_waiter *waiter, const struct token_answer *answer);

    struct token *token; /* the tokens': non-NULL while it waits */
    TAILQ_ENTRY(token_waiter) link;
};

/* What `etags` keeps goes with its token. NULL: no memory. */
struct tokens *tokens_new(const struct app_way *way, struct etags *etags);
void tokens_free(struct tokens *tokens); /* takes NULL; wipes; nobody waits */

/* answered() may be called before this returns. `permissions` go to GitHub as they are. */
void tokens_get(struct tokens *tokens, struct token_waiter *waiter);
void tokens_forget(struct token_waiter *waiter); /* waiting or not */

/* GitHub did not take it any more: wipes it, unless a newer one is there already. */
void tokens_drop(struct tokens *tokens, const struct token_waiter *waiter, uint64_t mint);

#endif
