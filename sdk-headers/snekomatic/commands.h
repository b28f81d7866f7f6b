/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commands", revision 1: slash commands, and the place where they were given.
 *
 * A command is a line `/name words…` of plain text in a top-level paragraph of a new issue, pull
 * request, comment, review or review comment, parsed as GitHub-flavoured Markdown: not in quotes,
 * lists, code or HTML, and not with inline markup. The bot never answers itself. */
#ifndef SNEKOMATIC_COMMANDS_H
#define SNEKOMATIC_COMMANDS_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_COMMANDS_SERVICE "commands"
#define SNEK_COMMANDS_REVISION 1

struct snek_commands_service {
    uint32_t bytes;    /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */

    /* The n-th word of the command line, split at white space; 0 is "/name". NULL past the last, or
     * outside of a command's handler. Borrowed until the handler returns; never blocks. [since 1.0]
     */
    const char *(*argument)(struct snek_run *run, uint32_t n);

    /* What was written: the Markdown of the new issue, comment or review. Borrowed until the
     * handler returns; data is NULL when this event has none; never blocks. [since 1.0] */
    struct snek_text (*body)(struct snek_run *run);

    /* Comments where the event happened: on the issue or pull request, or in the review comment's
     * thread. Blocks. 0, or a negative enum snek_error; SNEK_E_NO_TARGET when the event
     * has no such place. [since 1.0] */
    int32_t (*reply)(struct snek_run *run, const char *markdown);

    /* Adds a reaction (+1, -1, laugh, confused, heart, hooray, rocket or eyes) to what was written.
     * Blocks. As reply(); a review has no place for reactions. [since 1.0] */
    int32_t (*react)(struct snek_run *run, const char *reaction);
};

#ifdef __cplusplus
}
#endif

#endif
