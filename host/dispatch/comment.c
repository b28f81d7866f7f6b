/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Marks comments and finds marked ones, by reading JSON in one pass. */
#include "dispatch/comment.h"

#include "base/json.h"

#include <assert.h>
#include <string.h>

/* After a comment's text, as JSON. */
#define MARKER_JSON "\\n\\n<!-- snekomatic:effect=%s -->"
#define MARKER_CHARACTERS_MAX (sizeof MARKER_JSON + INBOX_MARKER_MAX)

/* The last segments decide: issues/N/comments, commits/SHA/comments, pulls/N/comments and
 * pulls/N/comments/N/replies. */
int comment_list_url(const char *url, char **list_url) {
    enum { SEGMENTS = 5 };
    /* The last segment comes first. */
    const char *segments[SEGMENTS], *end = url + strlen(url);
    unsigned n = 0;
    for (const char *at = end; at > url && n < SEGMENTS; at--) {
        if (at[-1] == '/') {
            segments[n++] = at;
        }
    }
    bool reply = n == SEGMENTS && strcmp(segments[0], "replies") == 0;
    unsigned last = reply ? 2 : 0;
    if (strchr(url, '?') || n < last + 3 || strncmp(segments[last], "comments", 8) != 0 ||
        segments[last][8] != (reply ? '/' : '\0')) {
        return COMMENT_NONE;
    }
    const char *parent = segments[last + 2];
    bool known = strncmp(parent, "pulls/", 6) == 0;
    if (!reply) {
        known = known || strncmp(parent, "issues/", 7) == 0 || strncmp(parent, "commits/", 8) == 0;
    }
    if (!known) {
        return COMMENT_NONE;
    }
    const char *list_end = reply ? segments[1] - 1 : end;
    char *copy = strndup(url, (size_t)(list_end - url));
    *list_url = copy ? copy : *list_url;
    return copy ? COMMENT_OK : -1;
}

void comment_make_marker(char marker[INBOX_MARKER_MAX + 1]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[INBOX_MARKER_MAX / 2];
    arc4random_buf(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        marker[2 * i] = digits[bytes[i] >> 4];
        marker[2 * i + 1] = digits[bytes[i] & 15];
    }
    marker[INBOX_MARKER_MAX] = '\0';
}

/* The members of an object that matter here; `type` JSON_END: the object does not have it. */
struct members {
    struct json_value text, id;
    size_t n_members, n_texts;
};

/* The reader stands after the object's bracket, and after the object at the end. -1 when the object
 * is broken. */
static int read_members(struct json_reader *reader, struct members *members) {
    *members = (struct members){0};
    enum json_token token;
    while ((token = json_next(reader)) == JSON_KEY) {
        bool is_text = json_text_is(reader->text, reader->text_bytes, "body", 4);
        bool is_id = json_text_is(reader->text, reader->text_bytes, "id", 2);
        token = json_next(reader);
        struct json_value value = {token, reader->text, reader->text_bytes};
        if (json_skip(reader, token) < 0) {
            return -1;
        }
        if (is_text) {
            members->text = value;
            members->n_texts++;
        } else if (is_id) {
            members->id = value;
        }
        members->n_members++;
    }
    return token == JSON_OBJECT_END ? 0 : -1;
}

/* The members of a body that is one object. False when it is something else. */
static bool read_object(const char *body, size_t bytes, struct members *members) {
    struct json_reader reader;
    json_init(&reader, body, bytes);
    return json_next(&reader) == JSON_OBJECT_BEGIN && read_members(&reader, members) == 0 &&
           json_next(&reader) == JSON_END;
}

/* A string's text, unescaped, which may hold NULs. NULL when memory is short. */
static char *unescape(const struct json_value *string, size_t *bytes) {
    char *text = malloc(string->raw_bytes + 1);
    if (text) {
        *bytes = json_unescape(string->raw, string->raw_bytes, text);
        assert(*bytes <= string->raw_bytes);
        text[*bytes] = '\0';
    }
    return text;
}

static bool is_blank(const char *text, size_t bytes) {
    size_t i = 0;
    while (i < bytes && text[i] && strchr(" \t\r\n", text[i])) {
        i++;
    }
    return i == bytes;
}

static bool has_room(const char *text, size_t bytes) {
    size_t characters = MARKER_CHARACTERS_MAX;
    for (size_t i = 0; i < bytes; i++) {
        characters += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return characters <= COMMENT_CHARACTERS_MAX;
}

int comment_mark(const char *body, size_t bytes, const char *marker, char **marked) {
    struct members members;
    if (!read_object(body, bytes, &members) || members.n_texts != 1 ||
        members.text.type != JSON_STRING) {
        return COMMENT_NONE;
    }
    size_t text_bytes = 0;
    AUTO_FREE char *text = unescape(&members.text, &text_bytes);
    if (!text) {
        return -1;
    }
    /* GitHub rejects a blank body. With the marker it would accept one that only looks empty. */
    if (is_blank(text, text_bytes) || !has_room(text, text_bytes)) {
        return COMMENT_NONE;
    }
    size_t before_bytes = (size_t)(members.text.raw + members.text.raw_bytes - body);
    AUTO_BUFFER struct buffer longer = BUFFER_INIT(bytes + MARKER_CHARACTERS_MAX);
    if (buffer_append(&longer, body, before_bytes) < 0 ||
        buffer_printf(&longer, MARKER_JSON, marker) < 0 ||
        buffer_append(&longer, body + before_bytes, bytes - before_bytes) < 0) {
        return -1;
    }
    char *whole = buffer_steal(&longer);
    *marked = whole ? whole : *marked;
    return whole ? COMMENT_OK : -1;
}

/* Reads one comment of a page, whose first token was `first`. COMMENT_OK when it has the marker. */
static int read_comment(struct json_reader *reader, enum json_token first, const char *marker,
                        struct error *err) {
    struct members members;
    if (first != JSON_OBJECT_BEGIN || read_members(reader, &members) < 0 || members.n_texts == 0) {
        return error_set(err, "GitHub's response is not a list of comments");
    }
    if (members.text.type != JSON_STRING) {
        return COMMENT_NONE;
    }
    size_t bytes = 0;
    AUTO_FREE char *text = unescape(&members.text, &bytes);
    if (!text) {
        return error_set(err, "the host is out of memory");
    }
    return memmem(text, bytes, marker, strlen(marker)) ? COMMENT_OK : COMMENT_NONE;
}

int comment_find(const struct buffer *page, const char *marker, char **comment, size_t *n_comments,
                 struct error *err) {
    assert(strlen(marker) == INBOX_MARKER_MAX);
    struct json_reader reader;
    size_t n = 0;
    struct json_value found = {.type = JSON_END};
    json_init(&reader, page->data ? page->data : "", page->bytes);
    enum json_token token = json_next(&reader);
    if (token != JSON_ARRAY_BEGIN) {
        return error_set(err, "GitHub's response is not a list of comments");
    }
    while ((token = json_next(&reader)) != JSON_ARRAY_END) {
        const char *begin = reader.text;
        int result = read_comment(&reader, token, marker, err);
        if (result < 0) {
            return -1;
        }
        if (result == COMMENT_OK && found.type == JSON_END) {
            found = (struct json_value){JSON_OBJECT_BEGIN, begin, (size_t)(reader.at - begin)};
        }
        n++;
    }
    if (json_next(&reader) != JSON_END) {
        return error_set(err, "GitHub's list of comments is incomplete");
    }
    if (found.type == JSON_END) {
        *n_comments = n;
        return COMMENT_NONE;
    }
    char *copy = strndup(found.raw, found.raw_bytes);
    if (!copy) {
        return error_set(err, "the host is out of memory");
    }
    *n_comments = n;
    *comment = copy;
    return COMMENT_OK;
}

char *comment_pretend(const char *body, size_t bytes) {
    struct members members;
    if (!read_object(body, bytes, &members)) {
        return strdup("{}");
    }
    if (members.id.raw) {
        return strndup(body, bytes);
    }
    size_t before_bytes = (size_t)((const char *)memchr(body, '{', bytes) - body) + 1;
    AUTO_BUFFER struct buffer longer = BUFFER_INIT(bytes + sizeof "\"id\":0,");
    const char *id = members.n_members > 0 ? "\"id\":0," : "\"id\":0";
    if (buffer_append(&longer, body, before_bytes) < 0 || buffer_append_text(&longer, id) < 0 ||
        buffer_append(&longer, body + before_bytes, bytes - before_bytes) < 0) {
        return NULL;
    }
    return buffer_steal(&longer);
}
