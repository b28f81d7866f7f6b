/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds command lines in cmark-gfm's tree of a text, and compares each with its source line: the
 * tree does not show escapes and entities. */
#include "worker/markdown.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "worker/markdown_arena.h"

#include <assert.h>
#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* cmark-gfm keeps the registry of extensions and the special characters of the running parser in
 * global variables. The arena is global too. */
static pthread_mutex_t cmark_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const extensions[] = {"table", "strikethrough", "autolink", "tagfilter",
                                         "tasklist"};

/* A borrowed part of a text. */
struct span {
    const char *text;
    size_t bytes;
};

/* Elements that quote text or show it unchanged: nobody means a command in them. */
static const char *const quoting_tags[] = {"pre", "code", "blockquote"};
#define QUOTING_TAGS (sizeof quoting_tags / sizeof *quoting_tags)

struct work {
    /* The lines of the text, each with its end, and blank lines of ours. The array is ours. */
    struct span *source;
    size_t source_count;
    /* The state of the raw HTML up to the node that is being read. */
    size_t open_tags[QUOTING_TAGS];
    bool in_comment;
    /* The source lines that begin in quoted text by the first of two parses, which is GitHub's.
     * NULL when there is only one. Ours. */
    bool *quoted;
    /* The text of the tree's line that is being read. */
    struct buffer text;
    struct markdown_lines out;
    bool no_memory;
};

/* The bytes of the white-space character (Unicode's White_Space) that starts the span, or 0. */
static size_t white_space(struct span span) {
    const unsigned char *s = (const unsigned char *)span.text;
    if (span.bytes >= 1 && (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r'))) {
        return 1;
    }
    if (span.bytes >= 2 && s[0] == 0xC2 && (s[1] == 0x85 || s[1] == 0xA0)) {
        return 2;
    }
    if (span.bytes < 3 || s[0] < 0xE1 || s[0] > 0xE3) {
        return 0;
    }
    unsigned code = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    return code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
                   code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000
               ? 3
               : 0;
}

/* The bytes of the invisible character that starts the span, or 0: spaces without width, joiners,
 * marks of the writing direction, soft hyphens. Editors and messengers leave them at the edges of
 * words. */
static size_t invisible(struct span span) {
    const unsigned char *s = (const unsigned char *)span.text;
    if (span.bytes >= 2 && ((s[0] == 0xC2 && s[1] == 0xAD) || (s[0] == 0xD8 && s[1] == 0x9C))) {
        return 2;
    }
    if (span.bytes < 3 || s[0] < 0xE1 || s[0] > 0xEF) {
        return 0;
    }
    unsigned code = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    return code == 0x180E || (code >= 0x200B && code <= 0x200F) ||
                   (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x2064) ||
                   (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF
               ? 3
               : 0;
}

/* The bytes of the character that starts the span, if it does not count at the edge of a word. */
static size_t blank(struct span span) {
    size_t bytes = white_space(span);
    return bytes > 0 ? bytes : invisible(span);
}

static bool ends_line(char c) {
    return c == '\n' || c == '\r';
}

static struct span skip(struct span span, size_t bytes) {
    return (struct span){span.text + bytes, span.bytes - bytes};
}

static struct span trim(struct span span) {
    size_t space;
    while ((space = blank(span)) > 0) {
        span = skip(span, space);
    }
    struct span trimmed = {span.text, 0};
    while (span.bytes > 0) {
        space = blank(span);
        span = skip(span, space > 0 ? space : 1);
        if (space == 0) {
            trimmed.bytes = (size_t)(span.text - trimmed.text);
        }
    }
    return trimmed;
}

/* The first word of the trimmed text. */
static struct span first_word(struct span text) {
    struct span rest = text;
    while (rest.bytes > 0 && white_space(rest) == 0) {
        rest = skip(rest, 1);
    }
    return (struct span){text.text, text.bytes - rest.bytes};
}

static bool starts_like_a_command(struct span trimmed) {
    return trimmed.bytes > 0 && trimmed.text[0] == '/';
}

static bool equal(struct span a, struct span b) {
    return a.bytes == b.bytes && memcmp(a.text, b.text, a.bytes) == 0;
}

/* A backslash that is a hard line break belongs to the break, not to the text before it. */
static struct span without_break(struct span line) {
    while (line.bytes > 0 && ends_line(line.text[line.bytes - 1])) {
        line.bytes--;
    }
    if (line.bytes > 0 && line.text[line.bytes - 1] == '\\') {
        line.bytes--;
    }
    return line;
}

/* Can the tree show the source line as `text`, because of an escape, an entity or a link in it? Not
 * when they differ before the first one. (A link at its start is no bare one: see bare_link().) */
static bool could_become(struct span line, struct span text) {
    line = trim(line);
    size_t before = 0;
    while (before < line.bytes && line.text[before] != '\\' && line.text[before] != '&' &&
           (before == 0 || (line.text[before] != '<' && line.text[before] != '['))) {
        before++;
    }
    return before < line.bytes && before < text.bytes && memcmp(line.text, text.text, before) == 0;
}

/* Is `text` literally one of the `count` source lines from `first` on? The tree does not show
 * escapes and entities: `\*` and `*` are the same there. When there are several lines, no other one
 * may be able to become `text`. */
static bool is_literal(const struct work *work, size_t first, size_t count, struct span text,
                       bool hard_break) {
    bool found = false;
    for (size_t i = first; i < first + count; i++) {
        struct span line = work->source[i];
        markdown_arena_step();
        if (equal(trim(line), text) || (hard_break && equal(trim(without_break(line)), text))) {
            found = true;
        } else if (could_become(line, text)) {
            return false;
        }
    }
    return found;
}

/* 0, or -1 when memory is short. */
static int add_line(struct work *work, struct span text) {
    char *line = malloc(text.bytes + 1), **added = NULL;
    if (line) {
        added = ARRAY_ADD(work->out.lines, work->out.count);
    }
    if (!added) {
        free(line);
        return -1;
    }
    *added = line;
    size_t bytes = 0;
    for (text = trim(text); text.bytes > 0; text = trim(text)) {
        struct span word = first_word(text);
        struct span visible = trim(word);
        assert(visible.bytes > 0);
        if (bytes > 0) {
            line[bytes++] = ' ';
        }
        memcpy(line + bytes, visible.text, visible.bytes);
        bytes += visible.bytes;
        text = skip(text, word.bytes);
    }
    line[bytes] = '\0';
    return 0;
}

static bool is_break(cmark_node *node) {
    cmark_node_type type = cmark_node_get_type(node);
    return type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK;
}

/* The number of the line that underlines a heading, from 1; 0 when none does. cmark-gfm ends such a
 * heading at the line after it, if there is one. */
static int underline(const struct work *work, cmark_node *heading) {
    int start = cmark_node_get_start_line(heading), end = cmark_node_get_end_line(heading);
    if (start < 1 || end <= start || (size_t)end > work->source_count) {
        return 0;
    }
    struct span last = trim(work->source[end - 1]);
    bool is_last = !cmark_node_next(heading) && last.bytes > 0;
    for (size_t i = 0; i < last.bytes; i++) {
        is_last = is_last && (last.text[i] == '-' || last.text[i] == '=');
    }
    return is_last ? end : end - 1;
}

/* Locates the paragraph: `*first` is the index of its first source line, `*spare` is the number of
 * lines that it has in the source only. Definitions of links and markup across line ends take such
 * lines. So the n-th line of the tree is one of the `1 + *spare` lines from `*first + n` on.
 * (cmark-gfm's positions within a paragraph are wrong after such lines; those of paragraphs are
 * right.) */
static bool locate(cmark_node *paragraph, const struct work *work, size_t *first, size_t *spare) {
    size_t breaks = 0;
    for (cmark_node *node = cmark_node_first_child(paragraph); node; node = cmark_node_next(node)) {
        breaks += is_break(node);
    }
    /* The lines before a table's head have no position; the position of the table includes them. */
    if (cmark_node_get_start_line(paragraph) < 1) {
        paragraph = cmark_node_next(paragraph);
    }
    int start = paragraph ? cmark_node_get_start_line(paragraph) : 0;
    int end = paragraph ? cmark_node_get_end_line(paragraph) : 0;
    if (paragraph && cmark_node_get_type(paragraph) == CMARK_NODE_HEADING) {
        end = underline(work, paragraph) - 1;
    }
    if (start < 1 || end < start || (size_t)end > work->source_count ||
        (size_t)(end - start) < breaks) {
        return false;
    }
    *first = (size_t)start - 1;
    *spare = (size_t)(end - start) - breaks;
    return true;
}

/* ---- raw HTML ---- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_character(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

/* Does the span, after its '<' and perhaps '/', start with the tag's name, in any case? */
static bool has_tag_name(struct span span, const char *name) {
    size_t bytes = strlen(name);
    return span.bytes >= bytes && strncasecmp(span.text, name, bytes) == 0 &&
           (span.bytes == bytes || !is_name_character(span.text[bytes]));
}

/* Moves past the '>' that ends the tag, or to the end. A '>' within quotes does not end it. */
static struct span after_tag(struct span span) {
    char quote = '\0';
    while (span.bytes > 0) {
        char c = *span.text;
        span = skip(span, 1);
        if (quote) {
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            break;
        }
    }
    return span;
}

/* Moves past `text`, or to the end when the span does not contain it: then `*found` is false. */
static struct span after(struct span span, const char *text, bool *found) {
    const char *at = memmem(span.text, span.bytes, text, strlen(text));
    *found = at != NULL;
    return at ? skip(span, (size_t)(at - span.text) + strlen(text)) : skip(span, span.bytes);
}

static void count_tag(struct work *work, struct span span) {
    bool closes = span.bytes > 0 && *span.text == '/';
    span = closes ? skip(span, 1) : span;
    for (size_t i = 0; i < QUOTING_TAGS; i++) {
        if (!has_tag_name(span, quoting_tags[i])) {
            continue;
        }
        if (!closes) {
            work->open_tags[i]++;
        } else if (work->open_tags[i] > 0) {
            work->open_tags[i]--;
        }
    }
}

/* Follows one tag, comment or character of raw HTML, and moves past it. */
static struct span read_html_token(struct work *work, struct span html) {
    if (work->in_comment) {
        bool found;
        html = after(html, "-->", &found);
        work->in_comment = !found;
        return html;
    }
    if (html.bytes >= 4 && memcmp(html.text, "<!--", 4) == 0) {
        work->in_comment = true;
        return skip(html, 4);
    }
    if (*html.text == '<') {
        count_tag(work, skip(html, 1));
        return after_tag(skip(html, 1));
    }
    return skip(html, 1);
}

/* Follows the raw HTML of a node and of all nodes in it. */
static void read_html_of(struct work *work, cmark_node *top) {
    cmark_iter *iter = cmark_iter_new(top);
    cmark_event_type event;
    while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(node);
        if (event == CMARK_EVENT_ENTER &&
            (type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE)) {
            const char *html = cmark_node_get_literal(node);
            struct span rest = {html, strlen(html)};
            while (rest.bytes > 0) {
                rest = read_html_token(work, rest);
            }
        }
    }
    cmark_iter_free(iter);
}

static bool is_quoted(const struct work *work) {
    bool quoted = work->in_comment;
    for (size_t i = 0; i < QUOTING_TAGS; i++) {
        quoted = quoted || work->open_tags[i] > 0;
    }
    return quoted;
}

/* Does the line hold only images, breaks and ends of details? GitHub inserts such lines itself, and
 * their authors do not expect that Markdown takes the lines below for HTML. */
static bool is_only_tags(struct span line) {
    static const char *const names[] = {"<img", "<br", "</details"};
    bool any = false;
    for (line = trim(line); line.bytes > 0; line = trim(line)) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            known = known || has_tag_name(line, names[i]);
        }
        struct span rest = after_tag(skip(line, 1));
        if (!known || rest.text[-1] != '>') {
            return false;
        }
        any = true;
        line = rest;
    }
    return any;
}

/* The lines of a top-level node, from `*first` to before `*end`. False when they are unknown. */
static bool lines_of(const struct work *work, cmark_node *node, size_t *first, size_t *end) {
    int start_line = cmark_node_get_start_line(node), end_line = cmark_node_get_end_line(node);
    if (start_line < 1 || end_line < start_line || (size_t)end_line > work->source_count) {
        return false;
    }
    *first = (size_t)start_line - 1;
    *end = (size_t)end_line;
    return true;
}

/* Follows the raw HTML of an HTML block, and notes which of its lines begin in quoted text. */
static void read_html_lines(struct work *work, size_t first, size_t end) {
    const char *start = work->source[first].text;
    const char *stop = work->source[end - 1].text + work->source[end - 1].bytes;
    struct span html = {start, (size_t)(stop - start)};
    for (size_t line = first; line < end; line++) {
        while (html.bytes > 0 && html.text < work->source[line].text) {
            html = read_html_token(work, html);
        }
        work->quoted[line] = is_quoted(work);
    }
    while (html.bytes > 0) {
        html = read_html_token(work, html);
    }
}

/* Notes which lines begin in quoted text, as GitHub shows the document. */
static void note_quoted(struct work *work, cmark_node *document) {
    for (cmark_node *node = cmark_node_first_child(document); node; node = cmark_node_next(node)) {
        size_t first, end;
        bool known = lines_of(work, node, &first, &end);
        if (known && cmark_node_get_type(node) == CMARK_NODE_HTML_BLOCK) {
            read_html_lines(work, first, end);
            continue;
        }
        for (size_t line = first; known && line < end; line++) {
            work->quoted[line] = is_quoted(work);
        }
        read_html_of(work, node);
    }
    memset(work->open_tags, 0, sizeof work->open_tags);
    work->in_comment = false;
}

/* Counts such lines in the top-level HTML blocks, and marks them in `marked` unless that is NULL.
 */
static size_t find_only_tags(const struct work *work, cmark_node *document, bool *marked) {
    size_t count = 0;
    for (cmark_node *node = cmark_node_first_child(document); node; node = cmark_node_next(node)) {
        size_t first, end;
        if (cmark_node_get_type(node) != CMARK_NODE_HTML_BLOCK ||
            !lines_of(work, node, &first, &end)) {
            continue;
        }
        for (size_t line = first; line < end; line++) {
            if (is_only_tags(work->source[line])) {
                count++;
                if (marked) {
                    marked[line] = true;
                }
            }
        }
    }
    return count;
}

/* Inserts a blank line behind each such line, so that the next line starts a paragraph. False when
 * there is none, or when memory is short. */
static bool end_html_blocks(struct work *work, cmark_node *document) {
    size_t count = work->source_count, found = find_only_tags(work, document, NULL);
    if (found == 0) {
        return false;
    }
    work->quoted = calloc(count + found, sizeof *work->quoted);
    if (!work->quoted) {
        work->no_memory = true;
        return false;
    }
    /* First, because it may leave this function by longjmp(). */
    note_quoted(work, document);
    AUTO_FREE bool *marked = calloc(count, sizeof *marked);
    struct span *source = malloc((count + found) * sizeof *source);
    if (!marked || !source) {
        free(source);
        work->no_memory = true;
        return false;
    }
    find_only_tags(work, document, marked);
    size_t written = count + found;
    for (size_t read = count; read > 0; read--) {
        if (marked[read - 1]) {
            source[--written] = (struct span){"\n", 1};
            work->quoted[written] = false;
        }
        source[--written] = work->source[read - 1];
        work->quoted[written] = work->quoted[read - 1];
    }
    assert(written == 0);
    free(work->source);
    work->source = source;
    work->source_count = count + found;
    return true;
}

/* ---- paragraphs ---- */

/* The text of a bare URL or e-mail address, which cmark-gfm shows as a link; NULL for another node.
 * is_literal() tells it from a link that was written as one. */
static const char *bare_link(cmark_node *node) {
    cmark_node *child = cmark_node_first_child(node);
    if (cmark_node_get_type(node) != CMARK_NODE_LINK || !child || cmark_node_next(child) ||
        cmark_node_get_type(child) != CMARK_NODE_TEXT) {
        return NULL;
    }
    const char *url = cmark_node_get_url(node), *text = cmark_node_get_literal(child);
    size_t url_bytes = strlen(url), bytes = strlen(text);
    /* The URL of "www.x.org" is "http://www.x.org". */
    return bytes <= url_bytes && strcmp(url + url_bytes - bytes, text) == 0 ? text : NULL;
}

/* Appends the node to the line's text. False when the node is markup. */
static bool append_plain(struct work *work, cmark_node *node) {
    const char *text = bare_link(node);
    if (cmark_node_get_type(node) == CMARK_NODE_TEXT) {
        text = cmark_node_get_literal(node);
    }
    if (!text) {
        read_html_of(work, node);
        return false;
    }
    work->no_memory |= buffer_append_text(&work->text, text) != 0;
    return true;
}

/* A paragraph, or a heading that counts as one. */
static void read_paragraph(struct work *work, cmark_node *paragraph) {
    size_t line, spare;
    if (!locate(paragraph, work, &line, &spare)) {
        read_html_of(work, paragraph);
        return;
    }
    bool plain = !is_quoted(work) && !(work->quoted && work->quoted[line]);
    work->text.bytes = 0;
    for (cmark_node *node = cmark_node_first_child(paragraph); node && !work->no_memory;) {
        cmark_node *next = cmark_node_next(node);
        if (!is_break(node) && !append_plain(work, node)) {
            plain = false;
        }
        if (!next || is_break(node)) {
            struct span text = trim((struct span){work->text.data, work->text.bytes});
            bool hard_break = cmark_node_get_type(node) == CMARK_NODE_LINEBREAK;
            if (plain && starts_like_a_command(text) &&
                is_literal(work, line, 1 + spare, text, hard_break)) {
                work->no_memory |= add_line(work, text) != 0;
            }
            line++;
            plain = !is_quoted(work) && !(work->quoted && next && work->quoted[line]);
            work->text.bytes = 0;
        }
        node = next;
    }
}

/* Is the node a heading only because of the "-- " above the signature of a mail, or of a "--"? */
static bool is_above_a_signature(const struct work *work, cmark_node *node) {
    int line = cmark_node_get_type(node) == CMARK_NODE_HEADING ? underline(work, node) : 0;
    if (line == 0) {
        return false;
    }
    struct span text = work->source[line - 1];
    return text.bytes >= 2 && memcmp(text.text, "--", 2) == 0 && trim(text).bytes == 2;
}

static cmark_node *parse(const struct work *work) {
    cmark_parser *parser =
        cmark_parser_new_with_mem(CMARK_OPT_VALIDATE_UTF8, markdown_arena_memory());
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(extensions[i]));
    }
    /* Line by line, so that the time is checked: a line within thousands of open quotes or lists
     * allocates nothing. */
    for (size_t i = 0; i < work->source_count; i++) {
        cmark_parser_feed(parser, work->source[i].text, work->source[i].bytes);
        markdown_arena_step();
    }
    return cmark_parser_finish(parser);
}

/* Runs in markdown_arena_run(), which may leave it in any call to cmark-gfm. */
static void read_document(void *context) {
    struct work *work = context;
    cmark_node *document = parse(work);
    if (end_html_blocks(work, document)) {
        document = parse(work);
    }
    for (cmark_node *node = cmark_node_first_child(document); node && !work->no_memory;
         node = cmark_node_next(node)) {
        if (cmark_node_get_type(node) == CMARK_NODE_PARAGRAPH || is_above_a_signature(work, node)) {
            read_paragraph(work, node);
        } else {
            read_html_of(work, node);
        }
    }
}

/* ---- the text ---- */

/* The first line of the span, with its end: LF, CR or both, as cmark-gfm sees lines. */
static struct span first_line(struct span text) {
    size_t bytes = 0;
    while (bytes < text.bytes && !ends_line(text.text[bytes])) {
        bytes++;
    }
    if (bytes + 1 < text.bytes && text.text[bytes] == '\r' && text.text[bytes + 1] == '\n') {
        bytes++;
    }
    return (struct span){text.text, bytes < text.bytes ? bytes + 1 : bytes};
}

/* Fills `work->source`. 1 when a line starts like a command, else 0; -1 when memory is short. */
static int split(struct work *work, struct span text) {
    size_t count = 0;
    bool commands = false;
    for (struct span rest = text; rest.bytes > 0; count++) {
        struct span line = first_line(rest);
        commands = commands || starts_like_a_command(trim(line));
        rest = skip(rest, line.bytes);
    }
    if (!commands) {
        return 0;
    }
    work->source = malloc(count * sizeof *work->source);
    if (!work->source) {
        return -1;
    }
    while (text.bytes > 0) {
        struct span line = first_line(text);
        work->source[work->source_count++] = line;
        text = skip(text, line.bytes);
    }
    return 1;
}

/* The bytes of its first MARKDOWN_CHARACTERS_MAX characters, and of no more than MARKDOWN_BYTES_MAX
 * when it is no UTF-8. */
static size_t bytes_within_limits(struct span text) {
    size_t most = text.bytes < MARKDOWN_BYTES_MAX ? text.bytes : MARKDOWN_BYTES_MAX;
    size_t characters = 0;
    for (size_t i = 0; i < most; i++) {
        bool starts_one = ((unsigned char)text.text[i] & 0xC0) != 0x80;
        if (starts_one && ++characters > MARKDOWN_CHARACTERS_MAX) {
            return i;
        }
    }
    return most;
}

/* Removes a byte order mark, which cmark-gfm skips, and everything over the maximum. It removes the
 * line at the maximum whole, because half of a line could be another command. */
static struct span usable(struct span text, enum markdown_read *read) {
    if (text.bytes >= 3 && memcmp(text.text, "\xEF\xBB\xBF", 3) == 0) {
        text = skip(text, 3);
    }
    size_t bytes = bytes_within_limits(text);
    if (bytes < text.bytes) {
        *read = MARKDOWN_CUT;
        while (bytes > 0 && !ends_line(text.text[bytes - 1])) {
            bytes--;
        }
        text.bytes = bytes;
    }
    return text;
}

int markdown_command_lines(const char *text, size_t bytes, struct markdown_lines *out) {
    /* A NUL is three bytes in the tree. */
    struct work work = {.text = BUFFER_INIT(3 * MARKDOWN_BYTES_MAX)};
    enum markdown_read read = MARKDOWN_WHOLE;
    int result = split(&work, usable((struct span){text, bytes}, &read));
    if (result > 0) {
        SCOPED_LOCK(&cmark_lock);
        cmark_gfm_core_extensions_ensure_registered();
        result = markdown_arena_run(read_document, &work, MARKDOWN_MEMORY_MAX, MARKDOWN_CPU_MS_MAX);
        if (result == MARKDOWN_ARENA_OVER_BUDGET) {
            markdown_lines_finish(&work.out);
            read = MARKDOWN_GIVEN_UP;
        }
    }
    free(work.source);
    free(work.quoted);
    buffer_finish(&work.text);
    if (result < 0 || work.no_memory) {
        markdown_lines_finish(&work.out);
        return -1;
    }
    *out = work.out;
    out->read = read;
    return 0;
}

void markdown_lines_finish(struct markdown_lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->lines[i]);
    }
    free(lines->lines);
    *lines = (struct markdown_lines){0};
}
