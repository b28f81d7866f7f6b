/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads a pattern once, from front to back. In quotes it collects the string's bytes, which are
 * escaped as a whole. The plugin's inline code read the arguments by the same conversions, so a
 * kind that does not fit its conversion means that a conversion before it is unknown. */
#include "worker/pattern.h"

#include "base/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* GitHub's longest text has 65,536 characters; its largest file goes in base64. */
#define STRING_BYTES_MAX (4u << 20)
/* Flags, width and precision of a number. */
#define SPEC_BYTES_MAX 12
#define WIDTH_MAX 99
/* Larger numbers in a conversion mean this one. */
#define NUMBER_MAX (1u << 20)

static const char known[] = "%s, %c, %d, %i, %u, %x, %X, %o, %f, %e, %g and %%";

struct pattern {
    const char *start, *at;
    const struct snek_argument *arguments;
    uint32_t count, used;
    struct buffer *out;
    bool is_json;
    /* For JSON: the bytes of the string that is open, unescaped. */
    struct buffer string;
    bool in_quotes;
    struct error *err;
};

static size_t place(const struct pattern *p) {
    return (size_t)(p->at - p->start);
}

static int too_large(struct pattern *p) {
    return error_set(p->err, "the text is larger than %zu bytes, or memory is short", p->out->max);
}

/* ---- conversions ---- */

/* A conversion, cut into its parts. */
struct conversion {
    /* Flags, width and precision: "02", ".3"; not terminated. */
    const char *format;
    size_t format_bytes;
    size_t width, precision;
    bool left, star, has_precision;
    char letter;
};

static size_t read_digits(const char **at) {
    size_t number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        number = number < NUMBER_MAX ? number * 10 + (size_t)(**at - '0') : number;
    }
    return number;
}

/* `p->at` is behind the percent sign; it moves behind the conversion. */
static int read_conversion(struct pattern *p, struct conversion *c) {
    const char *start = p->at, *at = start + strspn(start, "-+ #0");
    *c = (struct conversion){.format = start,
                             .left = memchr(start, '-', (size_t)(at - start)) != NULL};
    c->width = read_digits(&at);
    c->has_precision = *at == '.';
    if (c->has_precision) {
        c->star = *++at == '*';
        at += c->star;
        c->precision = c->star ? 0 : read_digits(&at);
    }
    c->format_bytes = (size_t)(at - start);
    at += strncmp(at, "ll", 2) == 0 ? 2 : strspn(at, "ljzt") > 0;
    c->letter = *at;
    bool is_number = *at && strchr("diuxXofeg", *at);
    if ((*at != 's' && *at != 'c' && !is_number) || (c->star && *at != 's') ||
        (is_number &&
         (c->width > WIDTH_MAX || c->precision > WIDTH_MAX || c->format_bytes > SPEC_BYTES_MAX))) {
        return error_set(
            p->err,
            "the conversion %%%.*s at byte %zu of the pattern is not known: use %s, and "
            "%%.*s for a part of a text",
            (int)(at - start + (*at != '\0')), start, place(p) - 1, known);
    }
    p->at = at + 1;
    return 0;
}

static uint32_t kind_of(char letter) {
    if (letter == 's') {
        return SNEK_ARGUMENT_TEXT;
    }
    if (letter == 'd' || letter == 'i' || letter == 'c') {
        return SNEK_ARGUMENT_SIGNED;
    }
    return strchr("uxXo", letter) ? SNEK_ARGUMENT_UNSIGNED : SNEK_ARGUMENT_NUMBER;
}

static int number_text(struct pattern *p, const struct conversion *c,
                       const struct snek_argument *argument, char out[512]) {
    char format[SPEC_BYTES_MAX + 8];
    const char *modifier = argument->kind == SNEK_ARGUMENT_NUMBER ? "" : "ll";
    snprintf(format, sizeof format, "%%%.*s%s%c", (int)c->format_bytes, c->format, modifier,
             c->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (argument->kind == SNEK_ARGUMENT_SIGNED) {
        snprintf(out, 512, format, (long long)argument->integer);
    } else if (argument->kind == SNEK_ARGUMENT_UNSIGNED) {
        snprintf(out, 512, format, (unsigned long long)argument->integer);
    } else if (isfinite(argument->number)) {
        snprintf(out, 512, format, argument->number);
    } else {
        return error_set(p->err, "value %u of the pattern is not finite: JSON has no such number",
                         p->used);
    }
#pragma GCC diagnostic pop
    return 0;
}

static int append_padded(struct pattern *p, const struct conversion *c, struct buffer *out,
                         const char *text, size_t bytes) {
    size_t padding = c->width > bytes ? c->width - bytes : 0;
    int failed = 0;
    for (size_t i = 0; i < padding && !c->left; i++) {
        failed |= buffer_append(out, " ", 1);
    }
    failed |= buffer_append(out, text, bytes);
    for (size_t i = 0; i < padding && c->left; i++) {
        failed |= buffer_append(out, " ", 1);
    }
    return failed ? too_large(p) : 0;
}

static size_t text_bytes(const struct conversion *c, const struct snek_argument *argument) {
    size_t max = SIZE_MAX;
    if (c->star && argument->text_bytes_max >= 0) {
        max = (size_t)argument->text_bytes_max;
    } else if (c->has_precision && !c->star) {
        max = c->precision;
    }
    return strnlen(argument->text, max);
}

static int append_raw(struct pattern *p, const char *text, size_t bytes) {
    const char *why;
    size_t at;
    if (json_check(text, bytes, &why, &at) < 0) {
        return error_set(p->err,
                         "value %u of the pattern is not JSON: %s at byte %zu of it; a text goes "
                         "into quotes: '%%s'",
                         p->used, why, at);
    }
    return buffer_append(p->out, text, bytes) == 0 ? 0 : too_large(p);
}

/* Outside of quotes a conversion is a whole value: nothing but punctuation touches it. */
static int check_neighbours(struct pattern *p, const char *before) {
    bool alone =
        (before == p->start || strchr("[{:, \t\r\n", before[-1])) && strchr("]}:, \t\r\n", *p->at);
    return alone ? 0
                 : error_set(p->err,
                             "the conversion at byte %zu of the pattern touches other text: a "
                             "string goes into quotes: '%%s'",
                             (size_t)(before - p->start));
}

/* A plugin has many patterns, so the message quotes the beginning of this one. */
static int fail_null(struct pattern *p) {
    return error_set(p->err,
                     "value %u of the pattern \"%.60s%s\" is NULL: did its path lead to a text?%s",
                     p->used, p->start, strlen(p->start) > 60 ? "..." : "",
                     p->is_json ? " JSON's null is %s with \"null\"" : "");
}

static int append_text(struct pattern *p, const struct conversion *c,
                       const struct snek_argument *argument, bool is_bare, struct buffer *out) {
    if (!argument->text) {
        return fail_null(p);
    }
    size_t bytes = text_bytes(c, argument);
    return is_bare ? append_raw(p, argument->text, bytes)
                   : append_padded(p, c, out, argument->text, bytes);
}

static int append_conversion(struct pattern *p) {
    const char *before = p->at - 1;
    struct conversion c;
    bool is_bare = p->is_json && !p->in_quotes;
    if (read_conversion(p, &c) < 0 || (is_bare && check_neighbours(p, before) < 0)) {
        return -1;
    }
    if (p->used >= p->count) {
        return error_set(p->err, "the pattern has more than %u values that can be read",
                         (unsigned)p->count);
    }
    const struct snek_argument *argument = &p->arguments[p->used++];
    struct buffer *out = p->in_quotes ? &p->string : p->out;
    if (argument->kind != kind_of(c.letter)) {
        return error_set(p->err, "value %u of the pattern is not what its %%%c needs", p->used,
                         c.letter);
    }
    if (argument->kind == SNEK_ARGUMENT_TEXT) {
        return append_text(p, &c, argument, is_bare, out);
    }
    if (c.letter == 'c') {
        return append_padded(p, &c, out, (char[]){(char)argument->integer}, 1);
    }
    char text[512];
    int result = number_text(p, &c, argument, text);
    return result < 0 || buffer_append_text(out, text) == 0 ? result : too_large(p);
}

/* ---- the rest of the pattern ---- */

/* `p->at` is behind the apostrophe. */
static int turn_quotes(struct pattern *p) {
    int failed = 0;
    if (p->in_quotes) {
        const char *text = p->string.data ? p->string.data : "";
        failed = buffer_append_json_string(p->out, text, p->string.bytes);
        p->string.bytes = 0;
    }
    p->in_quotes = !p->in_quotes;
    return failed ? too_large(p) : 0;
}

/* `p->at` is behind the backslash. */
static int append_escaped(struct pattern *p) {
    if (!p->in_quotes || (*p->at != '\'' && *p->at != '\\')) {
        return error_set(p->err,
                         "the pattern has a backslash at byte %zu: in quotes it goes before an "
                         "apostrophe or a backslash only; other characters stand for themselves",
                         place(p) - 1);
    }
    return buffer_append(&p->string, p->at++, 1) == 0 ? 0 : too_large(p);
}

static int append_one(struct pattern *p) {
    char c = *p->at++;
    if (c == '%' && *p->at != '%') {
        return append_conversion(p);
    }
    p->at += c == '%';
    if (!p->is_json) {
        return buffer_append(p->out, &c, 1) == 0 ? 0 : too_large(p);
    }
    if (c == '\'') {
        return turn_quotes(p);
    }
    if (c == '\\') {
        return append_escaped(p);
    }
    if (c == '"' && !p->in_quotes) {
        return error_set(p->err,
                         "the pattern has a double quote at byte %zu: a string goes into single "
                         "quotes, which escape its values",
                         place(p) - 1);
    }
    return buffer_append(p->in_quotes ? &p->string : p->out, &c, 1) == 0 ? 0 : too_large(p);
}

static int check_json(struct pattern *p) {
    const char *json = p->out->data ? p->out->data : "", *why;
    size_t at;
    if (p->in_quotes) {
        return error_set(p->err, "the pattern ends within quotes");
    }
    if (json_check(json, p->out->bytes, &why, &at) < 0) {
        return error_set(p->err, "the pattern makes no JSON: %s at byte %zu of %.200s", why, at,
                         json);
    }
    return 0;
}

static int append_all(struct pattern *p) {
    if (!p->start || p->count > SNEK_ARGUMENTS_MAX || (p->count > 0 && !p->arguments)) {
        return error_set(p->err, "the pattern is NULL, or it has more than %d values",
                         SNEK_ARGUMENTS_MAX);
    }
    while (*p->at) {
        if (append_one(p) < 0) {
            return -1;
        }
    }
    if (p->used < p->count) {
        return error_set(p->err, "the pattern has %u values and uses %u", (unsigned)p->count,
                         (unsigned)p->used);
    }
    return p->is_json ? check_json(p) : 0;
}

int pattern_print(struct buffer *out, const char *format, const struct snek_argument *arguments,
                  uint32_t count, struct error *err) {
    struct pattern p = {.start = format,
                        .at = format,
                        .arguments = arguments,
                        .count = count,
                        .out = out,
                        .err = err};
    return append_all(&p);
}

int pattern_json(struct buffer *out, const char *pattern, const struct snek_argument *arguments,
                 uint32_t count, struct error *err) {
    struct pattern p = {.start = pattern,
                        .at = pattern,
                        .arguments = arguments,
                        .count = count,
                        .out = out,
                        .is_json = true,
                        .string = BUFFER_INIT(STRING_BYTES_MAX),
                        .err = err};
    int result = append_all(&p);
    buffer_finish(&p.string);
    return result;
}
