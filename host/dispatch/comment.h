/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Comments in doubt: each carries a marker that GitHub does not show, by which one can be told that
 * it is there already. Whatever is returned is the caller's to free(). */
#ifndef SNEK_DISPATCH_COMMENT_H
#define SNEK_DISPATCH_COMMENT_H

#include "base/buffer.h"
#include "inbox/journal.h"

/* Where the comments are listed to which a POST to this URL adds one; NULL when it adds none, or
 * memory is short. */
char *comment_list_url(const char *url);

void comment_make_marker(char marker[INBOX_MARKER_MAX + 1]);

#define COMMENT_CHARACTERS_MAX                                                                     \
    65536 /* GitHub: "body is too long (maximum is 65536 characters)"                              \
           */

/* The request's body with the marker behind the comment's text. 0; 1 when the body is none of a
 * comment, or GitHub would reject it, or would with the marker; -1 when memory is short. */
int comment_mark(const char *body, size_t bytes, const char *marker, char **marked);

/* The comment with the marker, as JSON, in a page of them; NULL when it is not there. */
char *comment_find(const struct buffer *page, const char *marker, size_t *n_comments);

/* What GitHub would have answered to a request with this body, as far as it tells; NULL when memory
 * is short. */
char *comment_pretend(const char *body, size_t bytes);

#endif
