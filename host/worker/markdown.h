/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Command lines out of GitHub-flavoured Markdown, with cmark-gfm and the extensions that GitHub
 * has.
 *
 * A command line is a line of a top-level paragraph that is one run of plain text, from edge or
 * line break to edge or line break, and starts with `/`. Lines in lists, quotes, code, headings,
 * tables and HTML are none, nor is one with inline markup, a link of any kind, a backslash escape,
 * an entity, a NUL, or bytes that are not UTF-8.
 *
 * The text is a stranger's, and cmark-gfm can take half a minute and gigabytes for 64 KiB of it:
 * the work is bounded in memory and processor time, and a text that wants more has no commands,
 * which is said. Any thread; one text at a time is parsed, the others wait. */
#ifndef SNEK_WORKER_MARKDOWN_H
#define SNEK_WORKER_MARKDOWN_H

#include <stddef.h>

/* GitHub's limit for a comment. Of a longer text, the whole lines within it are read. */
#define MARKDOWN_CHARACTERS_MAX ((size_t)65536)
#define MARKDOWN_BYTES_MAX (4 * MARKDOWN_CHARACTERS_MAX)
#define MARKDOWN_MEMORY_MAX ((size_t)32 * 1024 * 1024)
#define MARKDOWN_CPU_MS_MAX 250 /* honest 64 KiB take about 5 */

enum markdown_read { MARKDOWN_WHOLE = 0, MARKDOWN_CUT, MARKDOWN_GIVEN_UP };

struct markdown_lines {
    enum markdown_read read;
    char **lines; /* ours: UTF-8, in order, trimmed; each run of white space within is one space */
    size_t count;
};

/* Fills `out`, which is the caller's to give to markdown_lines_finish(). 0, or -1 when memory is
 * short, with `out` untouched. `text` may be NULL when `bytes` is 0. */
int markdown_command_lines(const char *text, size_t bytes, struct markdown_lines *out);

/* Frees; takes an empty one. */
void markdown_lines_finish(struct markdown_lines *lines);

#endif
