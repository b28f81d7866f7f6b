/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes details and summaries while it reads JSON. */
#include "console/payload_tree.h"

#include "base/json.h"
#include "ingest/page.h"

#include <stdlib.h>
#include <string.h>

/* Longer strings are folded. */
#define FOLD_BYTES 300
/* The elements of a list are counted if it ends within so many bytes. */
#define COUNT_BYTES ((size_t)16 << 10)

struct tree {
    struct buffer *page;
    struct json_reader reader;
    /* The tree's start in the page. */
    size_t start;
    unsigned values, depth;
    /* The key of the next value. */
    const char *key;
    size_t key_bytes;
};

static bool is_full(const struct tree *tree) {
    return tree->values >= PAYLOAD_TREE_VALUES_MAX ||
           tree->page->bytes - tree->start >= PAYLOAD_TREE_BYTES_MAX;
}

/* A raw key or string, unescaped. */
static void put_unescaped(struct tree *tree, const char *raw, size_t bytes) {
    AUTO_FREE char *text = malloc(bytes + 1);
    if (text) {
        size_t used = json_unescape(raw, bytes, text);
        http_page_text_bytes(tree->page, text, used);
    }
}

static void put_key(struct tree *tree) {
    if (tree->key) {
        http_page_html(tree->page, "<b>");
        put_unescaped(tree, tree->key, tree->key_bytes);
        http_page_html(tree->page, "</b> ");
        tree->key = NULL;
    }
}

/* The bytes of a string that are shown: none ends inside a character or an escape. */
static size_t cut(const char *raw, size_t bytes, size_t most) {
    size_t at = 0, last = 0;
    while (at < bytes && at < most) {
        last = at;
        if (raw[at] == '\\') {
            at += at + 1 < bytes && raw[at + 1] == 'u' ? 6 : 2;
        } else {
            at++;
            while (at < bytes && ((unsigned char)raw[at] & 0xC0) == 0x80) {
                at++;
            }
        }
    }
    return at <= most && at <= bytes ? at : last;
}

static void put_string(struct tree *tree, const char *raw, size_t bytes) {
    if (bytes <= FOLD_BYTES) {
        http_page_html(tree->page, "<q>");
        put_unescaped(tree, raw, bytes);
        http_page_html(tree->page, "</q>");
        return;
    }
    size_t shown = cut(raw, bytes, PAYLOAD_TREE_STRING_MAX);
    http_page_html(tree->page, "<details class=\"long\"><summary>");
    put_unescaped(tree, raw, cut(raw, bytes, FOLD_BYTES));
    http_page_put(tree->page, "… (%zu bytes)</summary><pre>", bytes);
    put_unescaped(tree, raw, shown);
    http_page_html(tree->page, shown < bytes ? "… (cut)</pre></details>" : "</pre></details>");
}

static void put_leaf(struct tree *tree, enum json_token token) {
    http_page_html(tree->page, "<li>");
    put_key(tree);
    if (token == JSON_STRING) {
        put_string(tree, tree->reader.text, tree->reader.text_bytes);
    } else {
        http_page_html(tree->page, "<code>");
        http_page_text_bytes(tree->page, tree->reader.text, tree->reader.text_bytes);
        http_page_html(tree->page, "</code>");
    }
    http_page_html(tree->page, "</li>\n");
}

/* An object or a list that has nothing in it is a leaf. */
static bool put_empty(struct tree *tree, enum json_token token) {
    struct json_reader ahead = tree->reader;
    enum json_token next = json_next(&ahead);
    if (next != JSON_OBJECT_END && next != JSON_ARRAY_END) {
        return false;
    }
    tree->reader = ahead;
    http_page_html(tree->page, "<li>");
    put_key(tree);
    http_page_html(tree->page, token == JSON_OBJECT_BEGIN ? "<code>{}</code></li>\n"
                                                          : "<code>[]</code></li>\n");
    return true;
}

/* 0: the list is too long to be counted. */
static unsigned count_elements(const struct tree *tree) {
    struct json_reader ahead = tree->reader;
    unsigned count = 0;
    if ((size_t)(ahead.end - ahead.at) > COUNT_BYTES) {
        ahead.end = ahead.at + COUNT_BYTES;
    }
    enum json_token token = json_next(&ahead);
    while (token > JSON_END && token != JSON_ARRAY_END) {
        count++;
        token = json_skip(&ahead, token) < 0 ? JSON_ERROR : json_next(&ahead);
    }
    return token == JSON_ARRAY_END ? count : 0;
}

static void open_value(struct tree *tree, enum json_token token) {
    unsigned count = token == JSON_ARRAY_BEGIN ? count_elements(tree) : 0;
    http_page_html(tree->page,
                   tree->depth == 0 ? "<li><details open><summary>" : "<li><details><summary>");
    put_key(tree);
    http_page_html(tree->page, token == JSON_OBJECT_BEGIN ? "{…}" : "[…]");
    if (count > 0) {
        http_page_put(tree->page, " <span class=\"soft\">%u</span>", count);
    }
    http_page_html(tree->page, "</summary><ul>\n");
    tree->depth++;
}

static void close_value(struct tree *tree) {
    http_page_html(tree->page, "</ul></details></li>\n");
    tree->depth--;
}

/* A value that is too deep: its text. */
static int put_raw(struct tree *tree, enum json_token token) {
    const char *start = tree->reader.text;
    http_page_html(tree->page, "<li>");
    put_key(tree);
    if (json_skip(&tree->reader, token) < 0) {
        http_page_html(tree->page, "</li>\n");
        return -1;
    }
    size_t bytes = (size_t)(tree->reader.at - start);
    http_page_html(tree->page, "<details><summary>deeper…</summary><pre>");
    http_page_text_bytes(tree->page, start,
                         bytes < PAYLOAD_TREE_STRING_MAX ? bytes : PAYLOAD_TREE_STRING_MAX);
    http_page_html(tree->page, "</pre></details></li>\n");
    return 0;
}

/* False at the end. */
static bool step(struct tree *tree) {
    enum json_token token = json_next(&tree->reader);
    switch (token) {
    case JSON_ERROR:
    case JSON_END:
        return false;
    case JSON_KEY:
        tree->key = tree->reader.text;
        tree->key_bytes = tree->reader.text_bytes;
        return true;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        close_value(tree);
        return true;
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
        tree->values++;
        if (put_empty(tree, token)) {
            return true;
        }
        if (tree->depth >= PAYLOAD_TREE_DEPTH_MAX) {
            return put_raw(tree, token) == 0;
        }
        open_value(tree, token);
        return true;
    default:
        tree->values++;
        put_leaf(tree, token);
        return true;
    }
}

void payload_tree_put(struct buffer *page, const char *json, size_t bytes) {
    struct tree tree = {.page = page, .start = page->bytes};
    json_init(&tree.reader, json, bytes);
    http_page_html(page, "<ul class=\"tree\">\n");
    bool goes_on = true;
    while (goes_on && !is_full(&tree)) {
        goes_on = step(&tree);
    }
    while (tree.depth > 0) {
        close_value(&tree);
    }
    http_page_html(page, "</ul>\n");
    if (goes_on) {
        http_page_html(page, "<p class=\"notice\">The payload is larger than what is shown here. "
                             "The file has all of it.</p>\n");
    }
}
