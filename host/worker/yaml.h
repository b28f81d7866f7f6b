/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A YAML file of a stranger's repository, as JSON: the paths of the SDK read it like a payload.
 * Each value keeps its place in the file, so that an error can name the line. */
#ifndef SNEK_WORKER_YAML_H
#define SNEK_WORKER_YAML_H

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdint.h>

/* The limits of a file: bytes, levels of sequences and mappings, and values with keys. */
#define YAML_BYTES_MAX (64 << 10)
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 10000

/* Both count from 1; a column counts characters. */
struct yaml_place {
    uint32_t line, column;
};

struct yaml_document {
    struct buffer json;
    /* The place of each key and each value, in the order of the JSON. */
    struct yaml_mark {
        /* The offset of its first byte in the JSON. */
        size_t at;
        struct yaml_place place;
    } * marks;
    size_t n_marks;
};

/* Fills `document`, which is zeroed, and which yaml_finish() frees whatever the result is. A file
 * without a value is `null`. Plain scalars follow the core schema of YAML 1.2: `yes` is a string.
 *
 * -1: the file is wrong. `err` has "line 3, column 5: " and the reason; `wrong` has the place, and
 * line 0 when memory was short. Errors are the file's own, aliases, tags, duplicate keys, keys that
 * are not scalars, numbers that JSON lacks, several documents and the limits above. */
int yaml_read(struct yaml_document *document, const char *text, size_t bytes,
              struct yaml_place *wrong, struct error *err);
void yaml_finish(struct yaml_document *document);
#define AUTO_YAML CLEANUP(yaml_finish)

/* The place of the key or value that starts at this offset of the JSON; line 0 when none does. */
struct yaml_place yaml_place_at(const struct yaml_document *document, size_t at);

/* Appends a plain scalar as JSON. 0; 1 when it is a number that JSON lacks (.inf, .nan, and
 * hexadecimal and octal ones over 64 bits); -1 when memory is short. */
int yaml_append_plain(struct buffer *json, const char *text, size_t bytes);

#endif
