/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What routing needs from a delivery's body: found in one pass over its bytes, which also says
 * whether they are JSON. No tree, no copy, no allocation, whatever a stranger sends. */
#ifndef SNEK_INGEST_BODY_H
#define SNEK_INGEST_BODY_H

#include "base/error.h"
#include "inbox/inbox.h"

#include <stddef.h>

#define BODY_REPOSITORY_MAX 200 /* bytes; GitHub's are at most 39 + 1 + 100 */
#define BODY_SENDER_MAX 100

/* Each "" when the body has none. */
struct body_routing {
    char action[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1]; /* the id's text: opaque, a number or a string */
    char repository[BODY_REPOSITORY_MAX + 1];
    char sender[BODY_SENDER_MAX + 1];
};

/* Finds the field `payload` of a form (application/x-www-form-urlencoded) and decodes it where it
 * stands. 0 with the place of the JSON inside `form`, or -1 with what is wrong. */
int body_decode_form(char *form, size_t bytes, char **json, size_t *json_bytes, struct error *err);

/* 0, or -1 with what is wrong and where. */
int body_read(const char *json, size_t bytes, struct body_routing *routing, struct error *err);

#endif
