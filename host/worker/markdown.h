/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds command lines in GitHub-flavoured Markdown, with cmark-gfm and GitHub's extensions.
 *
 * A command line is a line of a top-level paragraph that is plain text from line break to line
 * break and starts with `/`. A bare URL or e-mail address is plain text. Lines in lists, quotes,
 * code, headings, tables and HTML are not command lines; neither is a line with inline markup, a
 * link of any kind, a backslash escape, an entity, a NUL, or bytes that are not UTF-8.
 *
 * The text is a stranger's, and cmark-gfm can take half a minute and gigabytes for 64 KiB of it. So
 * memory and processor time are bounded. A text that exceeds them has no commands, and
 * MARKDOWN_GIVEN_UP reports it. Any thread; the module parses one text at a time. */
#ifndef SNEK_WORKER_MARKDOWN_H
#define SNEK_WORKER_MARKDOWN_H

#include <stddef.h>

/* GitHub's limit for a comment. The module reads the whole lines within the first part of a longer
 * text. */
#define MARKDOWN_CHARACTERS_MAX ((size_t)65536)
#define MARKDOWN_BYTES_MAX (4 * MARKDOWN_CHARACTERS_MAX)
#define MARKDOWN_MEMORY_MAX ((size_t)32 * 1024 * 1024)
/* An ordinary text of 64 KiB takes about 5 ms. */
#define MARKDOWN_CPU_MS_MAX 250

enum markdown_read {
    MARKDOWN_WHOLE = 0,
    /* The text is longer than the maximum; the lines within the maximum were read. */
    MARKDOWN_CUT,
    /* The text took too much memory or time; there are no lines. */
    MARKDOWN_GIVEN_UP,
};

struct markdown_lines {
    enum markdown_read read;
    /* Owned by this struct: UTF-8, in order, trimmed. Each run of white space is one space. */
    char **lines;
    size_t count;
};

/* Fills `out`, which the caller passes to markdown_lines_finish(). 0, or -1 when memory is
 * short, with `out` untouched. `text` may be NULL when `bytes` is 0. */
int markdown_command_lines(const char *text, size_t bytes, struct markdown_lines *out);

/* Frees; takes an empty one. */
void markdown_lines_finish(struct markdown_lines *lines);

#endif
