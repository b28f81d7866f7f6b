/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One pass over a body: its form field, its JSON syntax and the routing fields. */
#include "ingest/body.h"

#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes + and %XX in place. Returns the bytes that remain, or -1 for a malformed escape. */
static ssize_t decode_in_place(char *text, size_t bytes) {
    size_t written = 0;
    for (size_t at = 0; at < bytes; at++) {
        char c = text[at];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = at + 2 < bytes ? hex_digit(text[at + 1]) : -1;
            int low = at + 2 < bytes ? hex_digit(text[at + 2]) : -1;
            if (high < 0 || low < 0) {
                return -1;
            }
            c = (char)(high << 4 | low);
            at += 2;
        }
        text[written++] = c;
    }
    return (ssize_t)written;
}

int body_decode_form(char *form, size_t bytes, char **json, size_t *json_bytes, struct error *err) {
    static const char name[] = "payload";
    char *value = NULL;
    size_t value_bytes = 0;
    for (char *field = form, *end = form + bytes; field < end;) {
        char *field_end = memchr(field, '&', (size_t)(end - field));
        field_end = field_end ? field_end : end;
        char *equals = memchr(field, '=', (size_t)(field_end - field));
        char *name_end = equals ? equals : field_end;
        ssize_t name_bytes = decode_in_place(field, (size_t)(name_end - field));
        if (name_bytes < 0) {
            return error_set(err, "form field with a bad %%-escape at byte %zu",
                             (size_t)(field - form));
        }
        if ((size_t)name_bytes == sizeof name - 1 && memcmp(field, name, sizeof name - 1) == 0) {
            if (value) {
                return error_set(err, "form has the field payload twice");
            }
            value = equals ? equals + 1 : field_end;
            value_bytes = (size_t)(field_end - value);
        }
        field = field_end + 1;
    }
    if (!value) {
        return error_set(err, "form has no field payload");
    }
    ssize_t decoded = decode_in_place(value, value_bytes);
    if (decoded < 0) {
        return error_set(err, "payload has a bad %%-escape");
    }
    *json = value;
    *json_bytes = (size_t)decoded;
    return 0;
}

enum wanted_kind {
    WANTED_TEXT,
    WANTED_TEXT_OR_NUMBER,
    /* A natural number of at most out_max digits. */
    WANTED_COUNT,
};

/* One routing field: its place in the body and its destination. The first of equal keys counts, as
 * in the worker's json_find(), so that ingest and plugin never see two different deliveries in one
 * body. */
struct wanted {
    /* A key of the body's object. The fields of one object follow each other. */
    const char *key;
    /* A key of the object at `key`. NULL: the value at `key` itself. */
    const char *inner;
    char *out;
    size_t out_max;
    enum wanted_kind kind;
    bool seen, inner_seen;
};

static bool is_count(const struct json_reader *reader, enum json_token token, size_t digits_max) {
    bool natural = token == JSON_NUMBER && reader->text_bytes <= digits_max;
    for (size_t i = 0; natural && i < reader->text_bytes; i++) {
        natural = reader->text[i] >= '0' && reader->text[i] <= '9';
    }
    return natural;
}

/* A field of another kind counts as absent: an `action` that is not a string matches no
 * subscription. */
static bool is_of_kind(const struct json_reader *reader, enum json_token token,
                       const struct wanted *wanted) {
    switch (wanted->kind) {
    case WANTED_TEXT:
        return token == JSON_STRING;
    case WANTED_TEXT_OR_NUMBER:
        return token == JSON_STRING || token == JSON_NUMBER;
    default:
        return is_count(reader, token, wanted->out_max);
    }
}

/* Copies the token just read, as text. */
static int take(const struct json_reader *reader, enum json_token token,
                const struct wanted *wanted, struct error *err) {
    const char *dot = wanted->inner ? "." : "";
    const char *inner = wanted->inner ? wanted->inner : "";
    if (!is_of_kind(reader, token, wanted)) {
        return 0;
    }
    /* An escape sequence of 6 bytes may stand for one byte. */
    char text[6 * BODY_REPOSITORY_MAX];
    size_t bytes = reader->text_bytes;
    if (bytes <= sizeof text) {
        bytes = token == JSON_STRING ? json_unescape(reader->text, bytes, text)
                                     : (memcpy(text, reader->text, bytes), bytes);
    }
    if (bytes > wanted->out_max) {
        return error_set(err, "%s%s%s is longer than %zu bytes", wanted->key, dot, inner,
                         wanted->out_max);
    }
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return error_set(err, "%s%s%s holds a control character", wanted->key, dot, inner);
        }
    }
    memcpy(wanted->out, text, bytes);
    wanted->out[bytes] = '\0';
    return 0;
}

static int bad_json(const struct json_reader *reader, struct error *err) {
    return error_set(err, "body is not JSON: %s at byte %zu", reader->error,
                     (size_t)(reader->at - reader->start));
}

/* The fields of the body's object wanted->key, from `wanted` on. */
static size_t count_inner(const struct wanted *wanted) {
    size_t n = 1;
    while (wanted[n].key && strcmp(wanted[n].key, wanted->key) == 0) {
        n++;
    }
    return n;
}

static struct wanted *find_inner(const struct json_reader *reader, struct wanted *wanted,
                                 size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!wanted[i].inner_seen && json_text_is(reader->text, reader->text_bytes, wanted[i].inner,
                                                  strlen(wanted[i].inner))) {
            return &wanted[i];
        }
    }
    return NULL;
}

/* The reader stands after the { of the object at wanted->key. */
static int read_inner(struct json_reader *reader, struct wanted *wanted, struct error *err) {
    size_t n = count_inner(wanted);
    for (;;) {
        enum json_token token = json_next(reader);
        if (token == JSON_OBJECT_END) {
            return 0;
        }
        struct wanted *ours = token == JSON_KEY ? find_inner(reader, wanted, n) : NULL;
        token = token == JSON_ERROR ? token : json_next(reader);
        if (token == JSON_ERROR) {
            return bad_json(reader, err);
        }
        if (ours) {
            ours->inner_seen = true;
            if (take(reader, token, ours, err) < 0) {
                return -1;
            }
        }
        if (json_skip(reader, token) < 0) {
            return bad_json(reader, err);
        }
    }
}

/* Reads the value of the key just read. `wanted` is NULL for a key that is not a routing field. */
static int read_member(struct json_reader *reader, struct wanted *wanted, struct error *err) {
    enum json_token token = json_next(reader);
    if (wanted) {
        wanted->seen = true;
        if (wanted->inner && token == JSON_OBJECT_BEGIN) {
            return read_inner(reader, wanted, err);
        }
        if (!wanted->inner && take(reader, token, wanted, err) < 0) {
            return -1;
        }
    }
    return json_skip(reader, token) < 0 ? bad_json(reader, err) : 0;
}

/* The first field of the body's key just read. */
static struct wanted *find(const struct json_reader *reader, struct wanted *wanted) {
    for (; wanted->key; wanted += count_inner(wanted)) {
        if (!wanted->seen &&
            json_text_is(reader->text, reader->text_bytes, wanted->key, strlen(wanted->key))) {
            return wanted;
        }
    }
    return NULL;
}

/* Issues, pull requests and discussions of a repository share their numbers. */
static void set_item(struct body_routing *routing, const char *issue, const char *pull,
                     const char *discussion) {
    const char *number = *issue ? issue : pull;
    number = *number ? number : discussion;
    if (*routing->repository_id && *number) {
        snprintf(routing->item, sizeof routing->item, "%s#%s", routing->repository_id, number);
    }
}

int body_read(const char *json, size_t bytes, struct body_routing *routing, struct error *err) {
    struct body_routing found = {0};
    char issue[BODY_COUNT_MAX + 1] = "", pull[BODY_COUNT_MAX + 1] = "";
    char discussion[BODY_COUNT_MAX + 1] = "";
    struct wanted wanted[] = {
        {.key = "action", .out = found.action, .out_max = INBOX_NAME_MAX},
        {.key = "installation",
         .inner = "id",
         .out = found.installation,
         .out_max = INBOX_NAME_MAX,
         .kind = WANTED_TEXT_OR_NUMBER},
        {.key = "repository",
         .inner = "full_name",
         .out = found.repository,
         .out_max = BODY_REPOSITORY_MAX},
        {.key = "repository",
         .inner = "id",
         .out = found.repository_id,
         .out_max = BODY_COUNT_MAX,
         .kind = WANTED_COUNT},
        {.key = "sender", .inner = "login", .out = found.sender, .out_max = BODY_SENDER_MAX},
        {.key = "issue",
         .inner = "number",
         .out = issue,
         .out_max = BODY_COUNT_MAX,
         .kind = WANTED_COUNT},
        {.key = "pull_request",
         .inner = "number",
         .out = pull,
         .out_max = BODY_COUNT_MAX,
         .kind = WANTED_COUNT},
        {.key = "discussion",
         .inner = "number",
         .out = discussion,
         .out_max = BODY_COUNT_MAX,
         .kind = WANTED_COUNT},
        {.key = NULL},
    };
    struct json_reader reader;
    json_init(&reader, json, bytes);
    enum json_token token = json_next(&reader);
    if (token == JSON_ERROR) {
        return bad_json(&reader, err);
    }
    if (token != JSON_OBJECT_BEGIN) {
        return error_set(err, "body is not a JSON object");
    }
    while ((token = json_next(&reader)) == JSON_KEY) {
        if (read_member(&reader, find(&reader, wanted), err) < 0) {
            return -1;
        }
    }
    if (token == JSON_ERROR || json_next(&reader) == JSON_ERROR) {
        return bad_json(&reader, err);
    }
    set_item(&found, issue, pull, discussion);
    *routing = found;
    return 0;
}
