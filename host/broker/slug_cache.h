/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's slug: read with GET /app, then cached for an hour, or until somebody needs the present
 * one. A slug proves that github.api_url leads to GitHub's API, and that the key belongs to the
 * configured app.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_SLUG_CACHE_H
#define SNEK_BROKER_SLUG_CACHE_H

#include "broker/app_client.h"

struct slug_cache;

struct slug_waiter {
    /* `slug` is borrowed; NULL when there is none, then `request` holds the reason. */
    void (*on_slug)(struct slug_waiter *waiter, const char *slug,
                    const struct app_request *request);

    /* The cache's: not NULL while it waits. */
    struct slug_cache *cache;
    TAILQ_ENTRY(slug_waiter) link;
};

/* `app_id` is the configured one, borrowed; NULL: any. NULL: no memory. */
struct slug_cache *slug_cache_new(const struct app_client *client, const char *app_id);
/* Takes NULL. No waiter may be left. */
void slug_cache_free(struct slug_cache *cache);

/* on_slug() may be called before this returns. */
void slug_cache_get(struct slug_cache *cache, struct slug_waiter *waiter);
/* The next slug_cache_get() asks GitHub. */
void slug_cache_reset(struct slug_cache *cache);
/* Waiting or not. */
void slug_cache_forget(struct slug_waiter *waiter);

#endif
