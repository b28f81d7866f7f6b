/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's slug: asked for once with GET /app, then kept for the life of the process.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_SLUG_H
#define SNEK_BROKER_SLUG_H

#include "broker/app.h"

struct slug_source;

struct slug_waiter {
    /* `slug` is borrowed; NULL when there is none, then `asking` tells why. */
    void (*answered)(struct slug_waiter *waiter, const char *slug,
                     const struct app_request *asking);

    struct slug_source *source; /* the source's: non-NULL while it waits */
    TAILQ_ENTRY(slug_waiter) link;
};

struct slug_source *slug_new(const struct app_way *way); /* NULL: no memory */
void slug_free(struct slug_source *source);              /* takes NULL; nobody waits */

/* answered() may be called before this returns. */
void slug_get(struct slug_source *source, struct slug_waiter *waiter);
void slug_forget(struct slug_waiter *waiter); /* waiting or not */

#endif
