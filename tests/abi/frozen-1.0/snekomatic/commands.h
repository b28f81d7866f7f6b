/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commands", revision 1: the words of a slash command, and replies to the text that holds
 * it.
 *
 *   a person writes     "/label bug P1"          the plugin's handler of `label`
 *   GitHub delivers     issue_comment.created    argument(run, 0) "/label"
 *                                                argument(run, 1) "bug"
 *                                                argument(run, 2) "P1"
 *   reply(run, "Done")  -> a comment on the same issue
 *   react(run, "eyes")  -> a reaction to the comment
 *
 * A command is a line `/name words…` of plain text in a top-level paragraph of a new issue, pull
 * request, comment, review, review comment, discussion or comment in a discussion. Commands in
 * discussions reach only a plugin that declares the permission `discussions`. The worker parses the
 * text as GitHub-flavoured Markdown: lines in quotes, lists, code or HTML, and lines with inline
 * markup, are not commands. A bare URL or e-mail address is plain text. A transferred issue, and an
 * issue that became a discussion, carry no commands. The bot never obeys itself. */
#ifndef SNEKOMATIC_COMMANDS_H
#define SNEKOMATIC_COMMANDS_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_COMMANDS_SERVICE "commands"
#define SNEK_COMMANDS_REVISION 1

struct snek_commands_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] The n-th word of the command line, which is split at white space. Word 0 is
     * "/name". NULL past the last word, and outside of a command's handler. Borrowed until the
     * handler returns. Never blocks. */
    const char *(*argument)(struct snek_run *run, uint32_t n);

    /* [handler] The Markdown of the new issue, pull request, comment, review or discussion. Empty
     * when its author left it empty; `data` is NULL when the event has no such text. Borrowed until
     * the handler returns. Never blocks. */
    struct snek_text (*body)(struct snek_run *run);

    /* [handler] Posts a comment on the issue, pull request or discussion. In response to a review
     * comment, or to a comment in a discussion, it goes into the same thread. Copies `markdown`.
     * Blocks until GitHub responds. 0 and `*id` (which may be NULL), the id of the comment, 0 when
     * GitHub's response has none (plugin.dry_run). Or a negative enum snek_error with a reason:
     * SNEK_E_NO_TARGET when the event has no such target, SNEK_E_TOO_LARGE when the text has more
     * than 65,536 characters. `once` names the effect, as in struct snek_request (github.h), or is
     * NULL. A reply in a discussion is a mutation of GraphQL: if its response is
     * lost, the retry fails with SNEK_E_IN_DOUBT. */
    int32_t (*reply)(struct snek_run *run, const char *markdown, const char *once, int64_t *id);

    /* [handler] Posts a comment on the issue or pull request with this number in the event's
     * repository. Returns as reply() does. */
    int32_t (*comment)(struct snek_run *run, int64_t number, const char *markdown, const char *once,
                       int64_t *id);

    /* [handler] Adds a reaction to the text: "+1", "-1", "laugh", "confused", "heart", "hooray",
     * "rocket" or "eyes". The same reaction again changes nothing. In discussions and to reviews it
     * is a mutation of GraphQL; a review needs {"pull_requests", "write"}. Blocks until GitHub
     * responds. 0, or a negative enum snek_error as of reply(). */
    int32_t (*react)(struct snek_run *run, const char *reaction);
};

#ifdef __cplusplus
}
#endif

#endif
