/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The files of a repository, which the state has as texts. */
#ifndef SNEK_HARNESS_FAKE_CONTENTS_H
#define SNEK_HARNESS_FAKE_CONTENTS_H

#include <jansson.h>

/* The file on a branch; NULL as `ref`: on the default one. Borrowed; NULL: there is none. */
json_t *contents_find(const json_t *repository, const char *path, const char *ref);
/* Writes the file, which is new when contents_find() finds none. */
void contents_put(json_t *repository, const char *path, const char *ref, const char *text);
void contents_remove(json_t *repository, json_t *file);
/* The text that base64 stands for, the caller's; NULL: it is no base64. */
char *contents_decode(const char *base64);

#endif
