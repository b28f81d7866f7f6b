/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Jansson lives here and not in effect.c, since base/json.h has names in common with it. */
#include "dispatch/comment.h"

#include <jansson.h>
#include <string.h>

#define MARKER_TEXT "\n\n<!-- snekomatic:effect=%s -->"
#define MARKER_TEXT_MAX (sizeof MARKER_TEXT + INBOX_MARKER_MAX)

static void free_json(json_t **json) {
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(free_json)

/* The last segments decide: issues/N/comments, commits/SHA/comments, pulls/N/comments and
 * pulls/N/comments/N/replies. */
char *comment_list_url(const char *url) {
    enum { SEGMENTS = 5 };
    const char *segments[SEGMENTS], *end = url + strlen(url); /* the last first */
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
        return NULL;
    }
    const char *of = segments[last + 2];
    bool known = strncmp(of, "pulls/", 6) == 0 ||
                 (!reply && (strncmp(of, "issues/", 7) == 0 || strncmp(of, "commits/", 8) == 0));
    return known ? strndup(url, (size_t)((reply ? segments[1] - 1 : end) - url)) : NULL;
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

static bool is_blank(const char *text, size_t bytes) {
    return strspn(text, " \t\r\n") == bytes;
}

static bool has_room(const char *text, size_t bytes) {
    size_t characters = MARKER_TEXT_MAX;
    for (size_t i = 0; i < bytes; i++) {
        characters += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return characters <= COMMENT_CHARACTERS_MAX;
}

int comment_mark(const char *body, size_t bytes, const char *marker, char **marked) {
    AUTO_JSON json_t *object = json_loadb(body, bytes, JSON_ALLOW_NUL, NULL);
    const json_t *text = json_object_get(object, "body");
    /* GitHub rejects a blank body, which a marker would make one that only looks empty. */
    if (!json_is_string(text) || is_blank(json_string_value(text), json_string_length(text)) ||
        !has_room(json_string_value(text), json_string_length(text))) {
        return 1;
    }
    AUTO_BUFFER struct buffer longer = BUFFER_INIT(json_string_length(text) + MARKER_TEXT_MAX);
    if (buffer_append(&longer, json_string_value(text), json_string_length(text)) < 0 ||
        buffer_printf(&longer, MARKER_TEXT, marker) < 0 ||
        json_object_set_new(object, "body", json_stringn(longer.data, longer.bytes)) < 0) {
        return -1;
    }
    char *dump = json_dumps(object, JSON_COMPACT);
    *marked = dump ? dump : *marked;
    return dump ? 0 : -1;
}

char *comment_find(const struct buffer *page, const char *marker, size_t *n_comments) {
    AUTO_JSON json_t *comments =
        json_loadb(page->data ? page->data : "", page->bytes, JSON_ALLOW_NUL, NULL);
    size_t i;
    json_t *comment;
    *n_comments = json_array_size(comments);
    json_array_foreach(comments, i, comment) {
        const char *text = json_string_value(json_object_get(comment, "body"));
        if (text && strstr(text, marker)) {
            return json_dumps(comment, JSON_COMPACT);
        }
    }
    return NULL;
}

char *comment_pretend(const char *body, size_t bytes) {
    AUTO_JSON json_t *object = json_loadb(body, bytes, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(object)) {
        return strdup("{}");
    }
    if (!json_object_get(object, "id")) {
        (void)json_object_set_new(object, "id", json_integer(0));
    }
    return json_dumps(object, JSON_COMPACT);
}
