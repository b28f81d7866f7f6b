/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Builds an HTTP call from a plugin's struct snek_request or struct snek_graphql, after checking
 * every part of it. */
#ifndef SNEK_WORKER_HTTP_CALL_H
#define SNEK_WORKER_HTTP_CALL_H

#include "base/buffer.h"
#include "base/cleanup.h"

#include <snekomatic/github.h>

#include <stdbool.h>

struct run;

/* Texts are never NULL; "" is none. */
struct http_call {
    bool repeatable, adds, no_follow;
    /* The plugin's texts, borrowed. */
    const char *method, *accept, *content_type, *repository, *once;
    /* The plugin's, or in `json`. */
    const char *body;
    size_t body_bytes;
    /* Where the plugin wants the response, NULL there until it comes; NULL: nowhere. */
    struct snek_response **response;
    struct buffer url, headers, json;
};

void http_call_init(struct http_call *call);
void http_call_finish(struct http_call *call);
#define AUTO_HTTP_CALL CLEANUP(http_call_finish)

/* Checks `request`, which may be any pointer of a plugin's, and fills in `call`, which was
 * initialised and borrows from it. 0, or SNEK_E_INVALID or SNEK_E_TOO_LARGE with a reason left. */
int32_t http_call_build(struct run *run, const struct snek_request *request,
                        struct http_call *call);

/* `{"query":...,"variables":{...}}` into call->json, without the last two braces when `open`: then
 * a member such as ",\"cursor\":..." can follow. Results as above. */
int32_t http_call_build_graphql(struct run *run, const struct snek_graphql *query, bool open,
                                struct http_call *call);

#endif
