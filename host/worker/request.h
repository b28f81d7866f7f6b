/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From struct snek_request, and struct snek_graphql, to what goes to the host. */
#ifndef SNEK_WORKER_REQUEST_H
#define SNEK_WORKER_REQUEST_H

#include "worker/worker.h"

#include <snekomatic/github.h>

/* A request that was checked. Texts are never NULL; "" is none. */
struct outgoing {
    bool repeatable;
    const char *method, *accept, *content_type, *repository; /* the plugin's */
    const char *body;                                        /* the plugin's, or in `json` */
    size_t body_bytes;
    struct buffer url, headers, json;
};

void outgoing_init(struct outgoing *outgoing);
void outgoing_finish(struct outgoing *outgoing);
#define AUTO_OUTGOING CLEANUP(outgoing_finish)

/* Checks `request` (any pointer of a plugin's) and fills in `outgoing`, which was initialised and
 * borrows from it. 0, or SNEK_E_INVALID or SNEK_E_TOO_LARGE, with a reason left. */
int32_t request_build(struct run *run, const struct snek_request *request,
                      struct outgoing *outgoing);

/* `{"query":...,"variables":{...}}` into outgoing->json, without the last two braces when `open`:
 * then ",\"cursor\":..." can follow. Likewise. */
int32_t request_build_graphql(struct run *run, const struct snek_graphql *query, bool open,
                              struct outgoing *outgoing);

/* request_body.c: fields as the members of a JSON object, without its braces. */
int32_t request_append_fields(struct run *run, const struct snek_field *fields, uint32_t count,
                              struct buffer *body);
int32_t request_check_json(struct run *run, const char *body, size_t bytes);
int32_t request_too_large(struct run *run);

/* NULL, or what is wrong with `count` fields at `fields`. */
const char *request_wrong_fields(const struct snek_field *fields, uint32_t count);

#endif
