/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one origin that requests may leave for. What is sent is put together from the configured
 * origin and the path and query of what was asked for, so that no trick in a URL can choose the
 * host. libcurl's URL API does the parsing. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_URL_H
#define SNEK_BROKER_URL_H

#include "base/error.h"
#include "broker/answer.h"

#include <stdbool.h>
#include <stdint.h>

#define URL_MAX 8192 /* bytes */

struct origin {
    char *root; /* scheme://host[:port] */
    char *scheme, *host, *port;
    char *prefix; /* the path that every request lies below: "" or "/api/v3" */
};

/* 0, or -1 and what is wrong with `api_url`; then nothing is to be finished. */
int origin_init(struct origin *origin, const char *api_url, struct error *err);
void origin_finish(struct origin *origin);

struct target {
    char *url;      /* whole; what is sent */
    char *path;     /* below the API's root, without the query: for people */
    bool as_app;    /* only the app itself may ask for it: "/app", below it, "…/installation" */
    bool of_tokens; /* makes or revokes an installation's token, which only the host does */
};

/* "/path" below the API's root, or a whole URL of it; "/graphql" is the URL of GraphQL, which at
 * an Enterprise server is beside /api/v3. 0 and `target`; or a negative enum
 * snek_error, SNEK_E_FOREIGN_ORIGIN whenever the URL is to blame, and a sentence. */
int32_t origin_resolve(const struct origin *origin, const char *url, struct target *target,
                       struct error *err);
/* Where a redirect from `target` leads: its Location may be relative. Likewise. */
int32_t origin_redirect(const struct origin *origin, const struct target *from,
                        const char *location, struct target *target, struct error *err);
void target_finish(struct target *target);

/* For people: bounded, and without what comes before a host that names a user, and without query
 * and fragment, for these are where secrets are put. */
void url_show(char out[ANSWER_URL_SHOWN + 1], const char *url);

#endif
