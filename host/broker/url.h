/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one origin that requests may leave for. The URL that is sent is made of the configured origin
 * and the path and query of the requested URL, so that no trick in a URL can choose the host.
 * libcurl's URL API parses. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_URL_H
#define SNEK_BROKER_URL_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define URL_MAX 8192 /* bytes */
/* Bytes of a URL or path in a sentence. */
#define URL_SHOWN 200

struct origin {
    /* scheme://host[:port] */
    char *root;
    char *scheme, *host, *port;
    /* The path that every request lies below: "" or "/api/v3". */
    char *prefix;
};

/* 0, or -1 and the fault of `api_url`; then there is nothing to finish. */
int origin_init(struct origin *origin, const char *api_url, struct error *err);
void origin_finish(struct origin *origin);

struct target {
    /* The whole URL that is sent. */
    char *url;
    /* Below the API's root, without the query. */
    char *path;
    /* Only the app itself may request it: "/app", below it, "…/installation". */
    bool as_app;
    /* It creates or revokes an installation's token, which only the host does. */
    bool of_tokens;
};

/* "/path" below the API's root, or a whole URL of it; "/graphql" is the URL of GraphQL, which an
 * Enterprise server has beside /api/v3. 0 and `target`; or a negative enum snek_error and a
 * sentence: SNEK_E_FOREIGN_ORIGIN whenever the URL is at fault. */
int32_t origin_resolve(const struct origin *origin, const char *url, struct target *target,
                       struct error *err);
/* The target of a redirect from `from`, whose Location may be relative. Likewise. */
int32_t origin_redirect(const struct origin *origin, const struct target *from,
                        const char *location, struct target *target, struct error *err);
void target_finish(struct target *target);

/* A URL for people: bounded, and without user, query and fragment, where secrets are put. */
void url_show(char out[URL_SHOWN + 1], const char *url);

#endif
