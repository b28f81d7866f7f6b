/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says which commands a payload cannot have. The worker finds commands: it reads the text of a
 * comment as Markdown, and a command stands there literally. So if no string of the payload has
 * "/NAME", the comment has no such command, and the host need not make a run for it. The search
 * looks at the raw bytes and does not parse them. */
#ifndef SNEK_PROTOCOL_COMMAND_SEARCH_H
#define SNEK_PROTOCOL_COMMAND_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One search for all commands of all plugins in one payload: the first call reads it once. */
struct command_search {
    /* Borrowed. */
    const char *body;
    size_t bytes;
    bool is_read;
    /* A slash, or one of the two characters after one, is written as an escape that may stand for a
     * part of a command. */
    bool has_escapes;
    /* Bits of the characters, and of the pairs of characters, that follow a slash. */
    uint64_t firsts[256 / 64], pairs[65536 / 64];
};

/* `body` is JSON, and borrowed while `search` is in use. */
void command_search_init(struct command_search *search, const char *body, size_t bytes);

/* False: no string of the payload has "/NAME". True: one may have it. `name` is not empty. */
bool command_search_may_hold(struct command_search *search, const char *name);

#endif
