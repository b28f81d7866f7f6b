/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's global ids, in the form of the bundled payloads: LETTERS_ and base64 of "snek:ID". */
#ifndef SNEK_HARNESS_FAKE_NODE_IDS_H
#define SNEK_HARNESS_FAKE_NODE_IDS_H

#include <jansson.h>
#include <stdbool.h>

#define NODE_LETTERS_MAX 8

/* A new JSON text. */
json_t *node_id(const char *letters, json_int_t id);
/* False: it is no such id. */
bool node_id_read(const char *text, char letters[NODE_LETTERS_MAX], json_int_t *id);

#endif
