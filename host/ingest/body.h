/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the routing fields of a delivery's body in one pass over its bytes, which also checks that
 * they are JSON. It builds no tree, copies no body and allocates nothing, so that a hostile body
 * costs no memory. */
#ifndef SNEK_INGEST_BODY_H
#define SNEK_INGEST_BODY_H

#include "base/error.h"
#include "inbox/limits.h"

#include <stddef.h>
#include <sys/types.h>

/* Bytes; GitHub's are at most 39 + 1 + 100. */
#define BODY_REPOSITORY_MAX 200
#define BODY_SENDER_MAX 100
/* Digits of the repository's id, and of an item's number. */
#define BODY_COUNT_MAX 20

/* Each is "" if the body has none. */
struct body_routing {
    char action[INBOX_NAME_MAX + 1];
    /* The id's text, a number or a string. The host does not interpret it. */
    char installation[INBOX_NAME_MAX + 1];
    char repository[BODY_REPOSITORY_MAX + 1];
    char sender[BODY_SENDER_MAX + 1];
    /* GitHub's number of the repository; it stays when the repository is renamed. */
    char repository_id[BODY_COUNT_MAX + 1];
    /* The key of the issue, pull request or discussion that the delivery is about: "ID#NUMBER",
     * with the repository's id. */
    char item[INBOX_ITEM_MAX + 1];
};

/* Finds the field `payload` of a form (application/x-www-form-urlencoded) and decodes it in place.
 * Returns 0 with the position of the JSON inside `form`, or -1 with the error. */
int body_decode_form(char *form, size_t bytes, char **json, size_t *json_bytes, struct error *err);

/* Returns 0, or -1 with the error and its position. */
int body_read(const char *json, size_t bytes, struct body_routing *routing, struct error *err);

#endif
