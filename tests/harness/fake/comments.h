/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The limits of a comment's text. */
#ifndef SNEK_HARNESS_FAKE_COMMENTS_H
#define SNEK_HARNESS_FAKE_COMMENTS_H

#include <jansson.h>
#include <stddef.h>

#define BODY_CHARACTERS_MAX 65536

/* The characters of a JSON text; `printed` are those that are no white space. */
size_t count_characters(const json_t *text, size_t *printed);

#endif
