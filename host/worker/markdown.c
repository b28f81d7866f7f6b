/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds command lines in cmark-gfm's tree of a text, and compares each with its source line: the
 * tree does not show escapes and entities. */
#include "worker/markdown.h"

#include "base/buffer.h"
#include "base/lock.h"
#include "worker/markdown_arena.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

struct work {
    /* The lines of the text, each with its end. The array is ours. */
    struct span *source;
    size_t source_count;
    /* The text of the tree's line that is being read. */
    struct buffer text;
    struct markdown_lines out;
    size_t out_capacity;
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

static bool ends_line(char c) {
    return c == '\n' || c == '\r';
}

static struct span skip(struct span span, size_t bytes) {
    return (struct span){span.text + bytes, span.bytes - bytes};
}

static struct span trim(struct span span) {
    size_t space;
    while ((space = white_space(span)) > 0) {
        span = skip(span, space);
    }
    struct span trimmed = {span.text, 0};
    while (span.bytes > 0) {
        space = white_space(span);
        span = skip(span, space > 0 ? space : 1);
        if (space == 0) {
            trimmed.bytes = (size_t)(span.text - trimmed.text);
        }
    }
    return trimmed;
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

/* Can the tree show the source line as `text`, because of an escape or entity in it? Not when they
 * differ before the first one. */
static bool could_become(struct span line, struct span text) {
    line = trim(line);
    size_t before = 0;
    while (before < line.bytes && line.text[before] != '\\' && line.text[before] != '&') {
        before++;
    }
    return before < line.bytes && before < text.bytes && memcmp(line.text, text.text, before) == 0;
}

/* Does the source say `text` literally, in the one of `count` lines from `first` on that the tree's
 * line came from? The tree does not show escapes and entities: `\*` and `*` are the same there.
 * When there are more lines than one to choose from, none of the others may be able to become
 * `text`. */
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
    if (work->out.count == work->out_capacity) {
        size_t capacity = work->out_capacity ? 2 * work->out_capacity : 4;
        char **lines = realloc(work->out.lines, capacity * sizeof *lines);
        if (!lines) {
            return -1;
        }
        work->out.lines = lines;
        work->out_capacity = capacity;
    }
    char *line = malloc(text.bytes + 1);
    if (!line) {
        return -1;
    }
    size_t bytes = 0;
    while (text.bytes > 0) {
        size_t space = white_space(text);
        if (space == 0) {
            line[bytes++] = *text.text;
            /* Never the first: the text is trimmed. */
        } else if (line[bytes - 1] != ' ') {
            line[bytes++] = ' ';
        }
        text = skip(text, space > 0 ? space : 1);
    }
    line[bytes] = '\0';
    work->out.lines[work->out.count++] = line;
    return 0;
}

static bool is_break(cmark_node *node) {
    cmark_node_type type = cmark_node_get_type(node);
    return type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK;
}

/* Where the paragraph stands: `*first` is the index of its first source line, `*spare` how many
 * more lines it has in the source than in the tree. Those were taken by definitions of links, and
 * by markup that goes over a line's end; the n-th line of the tree is one of the `1 + *spare` from
 * `*first + n` on. (The places that cmark-gfm gives to what is within a paragraph are wrong after
 * such lines; those of paragraphs are right.) */
static bool place_of(cmark_node *paragraph, const struct work *work, size_t *first, size_t *spare) {
    size_t breaks = 0;
    for (cmark_node *node = cmark_node_first_child(paragraph); node; node = cmark_node_next(node)) {
        breaks += is_break(node);
    }
    /* The lines before a table's head have no place of their own, the table has theirs too. */
    if (cmark_node_get_start_line(paragraph) < 1) {
        paragraph = cmark_node_next(paragraph);
    }
    int start = paragraph ? cmark_node_get_start_line(paragraph) : 0;
    int end = paragraph ? cmark_node_get_end_line(paragraph) : 0;
    if (start < 1 || end < start || (size_t)end > work->source_count ||
        (size_t)(end - start) < breaks) {
        return false;
    }
    *first = (size_t)start - 1;
    *spare = (size_t)(end - start) - breaks;
    return true;
}

static void read_paragraph(struct work *work, cmark_node *paragraph) {
    size_t line, spare;
    if (!place_of(paragraph, work, &line, &spare)) {
        return;
    }
    bool plain = true;
    work->text.bytes = 0;
    for (cmark_node *node = cmark_node_first_child(paragraph); node && !work->no_memory;) {
        cmark_node *next = cmark_node_next(node);
        if (cmark_node_get_type(node) == CMARK_NODE_TEXT) {
            work->no_memory |= buffer_append_text(&work->text, cmark_node_get_literal(node)) != 0;
        } else if (!is_break(node)) {
            plain = false;
        }
        if (!next || is_break(node)) {
            struct span text = trim((struct span){work->text.data, work->text.bytes});
            bool hard_break = cmark_node_get_type(node) == CMARK_NODE_LINEBREAK;
            if (plain && starts_like_a_command(text) &&
                is_literal(work, line, 1 + spare, text, hard_break)) {
                work->no_memory |= add_line(work, text) != 0;
            }
            plain = true;
            work->text.bytes = 0;
            line++;
        }
        node = next;
    }
}

/* Runs in markdown_arena_run(), which may leave it in any call to cmark-gfm. */
static void read_document(void *context) {
    struct work *work = context;
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
    cmark_node *document = cmark_parser_finish(parser);
    for (cmark_node *node = cmark_node_first_child(document); node && !work->no_memory;
         node = cmark_node_next(node)) {
        if (cmark_node_get_type(node) == CMARK_NODE_PARAGRAPH) {
            read_paragraph(work, node);
        }
    }
}

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

/* Without a byte order mark, which cmark-gfm passes over, and without what is over the maximum:
 * half a line might be another command than the whole. */
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
