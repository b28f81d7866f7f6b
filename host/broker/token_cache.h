/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Installation tokens, which GitHub narrowed to the permissions that were asked for. Cached per
 * (installation, permissions, optional ones, repository) until a minute before they expire; the
 * least recently used ones leave when there are too many. If the installation does not grant all
 * the optional permissions, the cache reads what it grants (GET /app/installations/ID), and the
 * token has those. It lives ten minutes then, so that a permission that an owner grants is there
 * soon. The tokens of other plugins in that time use what was read (granted_cache.h). One token
 * request is in progress for each, however many wait.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_TOKEN_CACHE_H
#define SNEK_BROKER_TOKEN_CACHE_H

#include "broker/app_client.h"
#include "broker/etag_cache.h"
#include "broker/slug_cache.h"

#define TOKEN_CACHE_MAX 4096
/* Bytes. GitHub's tokens grow: some have 520 characters and more already. */
#define TOKEN_MAX 4096

struct token_cache;
struct token;

struct token_result {
    /* 0, or a negative enum snek_error with `error`. SNEK_E_REQUEUE: GitHub may be asked again at
     * `until_ms` (wall), because the app itself is at a limit. With `only_this` the reason is this
     * token's alone: GitHub has said lately that the installation is suspended, or the plugin has
     * used its budget for tokens of one repository. */
    int32_t outcome;
    bool only_this;
    int64_t until_ms;
    /* The token, borrowed during the call; NULL when there is none. */
    const char *text;
    /* Its permissions, a JSON object; borrowed likewise. */
    const char *granted;
    /* Identifies it for token_cache_drop(). */
    uint64_t token_id;
    /* Created within the last seconds: not all of GitHub may know it yet. */
    bool fresh;
    /* Denied because the app is not installed there any more: GitHub said so, and GET /app has
     * shown that it is GitHub and knows our app. */
    bool gone;
    const struct error *error;
};

struct token_waiter {
    /* Borrowed until on_token(). */
    const char *plugin, *installation, *permissions;
    /* A JSON object of further permissions; "": none. */
    const char *optional;
    /* "owner/name", the only repository that the token reaches; "": all. */
    const char *repository;
    void (*on_token)(struct token_waiter *waiter, const struct token_result *result);

    /* The cache's: not NULL while it waits. */
    struct token *token;
    TAILQ_ENTRY(token_waiter) link;
};

/* When a token leaves, its entries leave `etags`. NULL: no memory. */
struct token_cache *token_cache_new(const struct app_client *client, struct etag_cache *etags,
                                    struct slug_cache *slug);
/* Takes NULL. Wipes. No waiter may be left. */
void token_cache_free(struct token_cache *cache);

/* on_token() may be called before this returns. `permissions` go to GitHub unchanged. */
void token_cache_get(struct token_cache *cache, struct token_waiter *waiter);
/* Waiting or not. */
void token_cache_forget(struct token_waiter *waiter);

/* GitHub rejected the token: wipes it, unless a newer one is cached already. */
void token_cache_drop(struct token_cache *cache, const struct token_waiter *waiter,
                      uint64_t token_id);

#endif
