/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rate limits of an installation: the times until which GitHub accepts no requests. Every host
 * of the store obeys them, also after a restart. */
#ifndef SNEK_INBOX_RATE_LIMITS_H
#define SNEK_INBOX_RATE_LIMITS_H

#include "inbox/operation.h"

#include <stdint.h>

enum inbox_rate_limit_resource {
    /* All requests of the installation. No queued run of the installation is due before this time,
     * also none that is stored later. So no host claims one. The other resources are stored for the
     * broker alone. */
    INBOX_RATE_LIMIT_ALL,
    INBOX_RATE_LIMIT_SEARCH,
    INBOX_RATE_LIMIT_GRAPHQL,
    /* Their number. */
    INBOX_RATE_LIMIT_RESOURCES,
};

struct inbox_rate_limit {
    struct inbox_operation operation;
    const char *installation;
    /* Wall clock; 0 for none. PUT stores the times, unless the store has later ones. GET returns
     * them. Result: 0. */
    int64_t until_ms[INBOX_RATE_LIMIT_RESOURCES];
    /* GET returns when an operator released the installation last, wall clock; 0 never. What a host
     * learned from GitHub before that counts no more. */
    int64_t released_ms;
};

#endif
