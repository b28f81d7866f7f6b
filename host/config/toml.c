/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of toml.h without C++: freeing, names and JSON. */
#include "config/toml.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void finish(struct toml_value *value) {
    for (size_t i = 0; i < value->n_items; i++) {
        finish(&value->items[i]);
    }
    free(value->items);
    free(value->key);
    if (value->text) {
        /* It may be a URL with a password. */
        explicit_bzero(value->text, value->text_bytes);
    }
    free(value->text);
}

void toml_free(struct toml_value *root) {
    if (root) {
        finish(root);
        free(root);
    }
}

const char *toml_kind_name(enum toml_kind kind) {
    static const char *const names[] = {[TOML_TABLE] = "a table",
                                        [TOML_ARRAY] = "an array",
                                        [TOML_STRING] = "a string",
                                        [TOML_INTEGER] = "a whole number",
                                        [TOML_FLOAT] = "a floating-point number",
                                        [TOML_BOOLEAN] = "a boolean",
                                        [TOML_DATETIME] = "a date or time"};
    return names[kind];
}

static int fail(const struct toml_value *value, struct toml_error *error, const char *text) {
    *error = (struct toml_error){.line = value->line};
    snprintf(error->text, sizeof error->text, "%s", text);
    return -1;
}

/* The shortest of at most 17 digits that is read back as the same number; with a point or an
 * exponent, or a reader would take 1.0 for an integer. */
static int append_number(double number, struct buffer *out) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    if (!strpbrk(text, ".e")) {
        strcat(text, ".0");
    }
    return buffer_append_text(out, text);
}

static bool has_nul(const char *text, size_t bytes) {
    return text && memchr(text, '\0', bytes) != NULL;
}

static int append_items(const struct toml_value *value, struct buffer *out,
                        struct toml_error *error) {
    bool table = value->kind == TOML_TABLE;
    int result = buffer_append_text(out, table ? "{" : "[");
    for (size_t i = 0; i < value->n_items && result == 0; i++) {
        const struct toml_value *item = &value->items[i];
        if (i > 0) {
            result = buffer_append_text(out, ",");
        }
        if (table && has_nul(item->key, item->key_bytes)) {
            return fail(item, error, "must not hold a NUL in its name");
        }
        if (result == 0 && table) {
            result = buffer_append_json_string(out, item->key, item->key_bytes);
            if (result == 0) {
                result = buffer_append_text(out, ":");
            }
        }
        if (result == 0 && toml_append_json(item, out, error) < 0) {
            return -1;
        }
    }
    if (result < 0) {
        return result;
    }
    return buffer_append_text(out, table ? "}" : "]");
}

int toml_append_json(const struct toml_value *value, struct buffer *out, struct toml_error *error) {
    int result = -1;
    *error = (struct toml_error){0};
    switch (value->kind) {
    case TOML_TABLE:
    case TOML_ARRAY:
        result = append_items(value, out, error);
        break;
    case TOML_STRING:
        if (has_nul(value->text, value->text_bytes)) {
            /* It ends a C string early. */
            return fail(value, error, "must not hold a NUL");
        }
        /* fall through */
    case TOML_DATETIME:
        result = buffer_append_json_string(out, value->text, value->text_bytes);
        break;
    case TOML_INTEGER:
        result = buffer_printf(out, "%" PRId64, value->integer);
        break;
    case TOML_FLOAT:
        if (!isfinite(value->number)) {
            return fail(value, error, "must be finite, since JSON has no such number");
        }
        result = append_number(value->number, out);
        break;
    case TOML_BOOLEAN:
        result = buffer_append_text(out, value->boolean ? "true" : "false");
        break;
    }
    if (result < 0 && error->line == 0) {
        return fail(value, error, "is too large");
    }
    return result;
}
