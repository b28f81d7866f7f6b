/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes JSON from libyaml's events, one after the other: there is no tree, and nothing that a file
 * could unfold. */
#include "worker/yaml.h"

#include "base/array.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A byte of a file becomes at most six ("\\u0007"), and each value brings quotes and a comma. */
#define JSON_BYTES_MAX (8 * YAML_BYTES_MAX)

/* A key of a mapping that is still open. */
struct key {
    /* Its JSON string in the document: offset and bytes. */
    size_t at, bytes;
    struct yaml_place place;
};

/* A sequence or mapping that is still open. */
struct level {
    bool is_mapping, has_key;
    size_t n_items;
    /* Its first key in `keys`. */
    size_t first_key;
};

struct reading {
    struct yaml_document *document;
    yaml_parser_t parser;
    struct level levels[YAML_DEPTH_MAX];
    size_t depth, n_nodes, n_documents;
    struct key *keys;
    size_t n_keys;
    struct yaml_place *wrong;
    struct error *err;
};

static struct yaml_place place_of(const yaml_mark_t *mark) {
    return (struct yaml_place){.line = (uint32_t)mark->line + 1,
                               .column = (uint32_t)mark->column + 1};
}

static int fail_at(struct reading *reading, struct yaml_place place, const char *why) {
    *reading->wrong = place;
    return error_set(reading->err, "line %u, column %u: %s", place.line, place.column, why);
}

static int fail_memory(struct reading *reading) {
    *reading->wrong = (struct yaml_place){.line = 0};
    return error_set(reading->err, "no memory to read the file");
}

/* ---- what the parser rejects ---- */

/* The reader of bytes knows only an offset. */
static struct yaml_place place_of_offset(const char *text, size_t bytes, size_t offset) {
    struct yaml_place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < bytes; i++) {
        bool continues = ((unsigned char)text[i] & 0xc0) == 0x80;
        place.column += !continues;
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

static int fail_parse(struct reading *reading, const char *text, size_t bytes) {
    const yaml_parser_t *parser = &reading->parser;
    char why[200];
    if (parser->error == YAML_MEMORY_ERROR) {
        return fail_memory(reading);
    }
    snprintf(why, sizeof why, "%.90s%s%.90s", parser->problem ? parser->problem : "not YAML",
             parser->context ? " " : "", parser->context ? parser->context : "");
    if (parser->error == YAML_READER_ERROR) {
        return fail_at(reading, place_of_offset(text, bytes, parser->problem_offset), why);
    }
    return fail_at(reading, place_of(&parser->problem_mark), why);
}

/* The key or value of the event begins here. */
static int mark(struct reading *reading, const yaml_event_t *event) {
    struct yaml_document *document = reading->document;
    struct yaml_mark *added = ARRAY_ADD(document->marks, document->n_marks);
    if (!added) {
        return fail_memory(reading);
    }
    *added = (struct yaml_mark){.at = document->json.bytes, .place = place_of(&event->start_mark)};
    return 0;
}

/* ---- keys ---- */

static int compare_keys(const void *a, const void *b, void *context) {
    const struct key *left = a, *right = b;
    const char *json = context;
    size_t bytes = left->bytes < right->bytes ? left->bytes : right->bytes;
    int order = memcmp(json + left->at, json + right->at, bytes);
    if (order != 0) {
        return order;
    }
    if (left->bytes != right->bytes) {
        return left->bytes < right->bytes ? -1 : 1;
    }
    return left->at < right->at ? -1 : 1;
}

static bool are_equal(const struct key *left, const struct key *right, const char *json) {
    return left->bytes == right->bytes &&
           memcmp(json + left->at, json + right->at, left->bytes) == 0;
}

/* The innermost mapping ends: its keys are sorted once. */
static int check_keys(struct reading *reading, const struct level *level) {
    char *json = reading->document->json.data;
    size_t count = reading->n_keys - level->first_key;
    if (count == 0) {
        return 0;
    }
    struct key *keys = reading->keys + level->first_key;
    qsort_r(keys, count, sizeof *keys, compare_keys, json);
    for (size_t i = 1; i < count; i++) {
        if (are_equal(&keys[i - 1], &keys[i], json)) {
            char why[160];
            int shown = keys[i].bytes < 80 ? (int)keys[i].bytes : 80;
            snprintf(why, sizeof why, "the key %.*s is there twice, first in line %u", shown,
                     json + keys[i].at, keys[i - 1].place.line);
            return fail_at(reading, keys[i].place, why);
        }
    }
    reading->n_keys = level->first_key;
    return 0;
}

static int add_key(struct reading *reading, const yaml_event_t *event) {
    struct buffer *json = &reading->document->json;
    struct level *level = &reading->levels[reading->depth - 1];
    size_t at = json->bytes;
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_at(reading, place_of(&event->start_mark),
                       "a key must be a plain text, not a list or a mapping");
    }
    if (mark(reading, event) < 0) {
        return -1;
    }
    struct key *key = ARRAY_ADD(reading->keys, reading->n_keys);
    if (!key ||
        buffer_append_json_string(json, (const char *)event->data.scalar.value,
                                  event->data.scalar.length) < 0 ||
        buffer_append(json, ":", 1) < 0) {
        return fail_memory(reading);
    }
    *key = (struct key){
        .at = at, .bytes = json->bytes - at - 1, .place = place_of(&event->start_mark)};
    level->has_key = true;
    return 0;
}

/* ---- values ---- */

static int check_node(struct reading *reading, const yaml_event_t *event, const yaml_char_t *tag) {
    if (tag) {
        return fail_at(reading, place_of(&event->start_mark),
                       "tags (\"!name\") are not supported: remove it");
    }
    if (++reading->n_nodes > YAML_NODES_MAX) {
        return fail_at(reading, place_of(&event->start_mark), "more than 10000 keys and values");
    }
    return 0;
}

static bool is_at_key(const struct reading *reading) {
    const struct level *level = reading->depth > 0 ? &reading->levels[reading->depth - 1] : NULL;
    return level && level->is_mapping && !level->has_key;
}

/* Separates the node from the one before it. */
static int begin_node(struct reading *reading) {
    struct level *level = reading->depth > 0 ? &reading->levels[reading->depth - 1] : NULL;
    bool is_first = !level || (level->is_mapping && level->has_key) || level->n_items == 0;
    if (level && !(level->is_mapping && level->has_key)) {
        level->n_items++;
    }
    return is_first ? 0 : buffer_append(&reading->document->json, ",", 1);
}

static int add_scalar(struct reading *reading, const yaml_event_t *event) {
    struct buffer *json = &reading->document->json;
    const char *text = (const char *)event->data.scalar.value;
    size_t bytes = event->data.scalar.length;
    int result;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        result = yaml_append_plain(json, text, bytes);
    } else {
        result = buffer_append_json_string(json, text, bytes);
    }
    if (result > 0) {
        return fail_at(reading, place_of(&event->start_mark),
                       "infinity, not a number, and numbers over 64 bits are not supported");
    }
    return result < 0 ? fail_memory(reading) : 0;
}

static int open_level(struct reading *reading, const yaml_event_t *event) {
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    if (reading->depth == YAML_DEPTH_MAX) {
        return fail_at(reading, place_of(&event->start_mark),
                       "more than 32 lists and mappings in one another");
    }
    reading->levels[reading->depth++] =
        (struct level){.is_mapping = is_mapping, .first_key = reading->n_keys};
    return buffer_append_text(&reading->document->json, is_mapping ? "{" : "[") < 0
               ? fail_memory(reading)
               : 0;
}

static int close_level(struct reading *reading) {
    assert(reading->depth > 0);
    const struct level *level = &reading->levels[--reading->depth];
    if (level->is_mapping && check_keys(reading, level) < 0) {
        return -1;
    }
    return buffer_append_text(&reading->document->json, level->is_mapping ? "}" : "]") < 0
               ? fail_memory(reading)
               : 0;
}

static int add_node(struct reading *reading, const yaml_event_t *event, const yaml_char_t *tag) {
    if (check_node(reading, event, tag) < 0) {
        return -1;
    }
    bool is_key = is_at_key(reading);
    if (begin_node(reading) < 0) {
        return fail_memory(reading);
    }
    if (is_key) {
        return add_key(reading, event);
    }
    if (mark(reading, event) < 0) {
        return -1;
    }
    if (reading->depth > 0) {
        reading->levels[reading->depth - 1].has_key = false;
    }
    return event->type == YAML_SCALAR_EVENT ? add_scalar(reading, event)
                                            : open_level(reading, event);
}

/* 1: go on; 0: the end. */
static int take(struct reading *reading, const yaml_event_t *event) {
    int result = 0;
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        if (++reading->n_documents > 1) {
            return fail_at(reading, place_of(&event->start_mark),
                           "a second document starts here; a file must be one");
        }
        break;
    case YAML_ALIAS_EVENT:
        return fail_at(reading, place_of(&event->start_mark),
                       "aliases (\"*name\") are not supported: write the value again");
    case YAML_SCALAR_EVENT:
        result = add_node(reading, event, event->data.scalar.tag);
        break;
    case YAML_SEQUENCE_START_EVENT:
        result = add_node(reading, event, event->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        result = add_node(reading, event, event->data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        result = close_level(reading);
        break;
    default:
        break;
    }
    return result < 0 ? -1 : 1;
}

static int read_events(struct reading *reading, const char *text, size_t bytes) {
    int result;
    do {
        yaml_event_t event;
        if (!yaml_parser_parse(&reading->parser, &event)) {
            return fail_parse(reading, text, bytes);
        }
        result = take(reading, &event);
        yaml_event_delete(&event);
    } while (result > 0);
    if (result == 0 && reading->n_documents == 0) {
        return buffer_append_text(&reading->document->json, "null") < 0 ? fail_memory(reading) : 0;
    }
    return result;
}

int yaml_read(struct yaml_document *document, const char *text, size_t bytes,
              struct yaml_place *wrong, struct error *err) {
    struct reading reading = {.document = document, .wrong = wrong, .err = err};
    document->json = (struct buffer)BUFFER_INIT(JSON_BYTES_MAX);
    if (bytes > YAML_BYTES_MAX) {
        return fail_at(&reading, (struct yaml_place){.line = 1, .column = 1},
                       "the file is larger than 64 KiB");
    }
    if (!yaml_parser_initialize(&reading.parser)) {
        return fail_memory(&reading);
    }
    yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text, bytes);
    int result = read_events(&reading, text, bytes);
    yaml_parser_delete(&reading.parser);
    free(reading.keys);
    return result;
}

void yaml_finish(struct yaml_document *document) {
    buffer_finish(&document->json);
    free(document->marks);
    *document = (struct yaml_document){.n_marks = 0};
}

struct yaml_place yaml_place_at(const struct yaml_document *document, size_t at) {
    size_t low = 0, high = document->n_marks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (document->marks[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < document->n_marks && document->marks[low].at == at) {
        return document->marks[low].place;
    }
    return (struct yaml_place){.line = 0};
}
