/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds comments in doubt: each comment carries a marker that GitHub does not show. Everything here
 * reads JSON in one pass, without a tree, because the text comes from a worker or from strangers
 * and the loop's thread reads it. The caller frees each returned text. */
#ifndef SNEK_DISPATCH_COMMENT_H
#define SNEK_DISPATCH_COMMENT_H

#include "base/buffer.h"
#include "base/error.h"
#include "inbox/journal.h"

/* GitHub: "body is too long (maximum is 65536 characters)". */
#define COMMENT_CHARACTERS_MAX 65536

enum comment_outcome {
    COMMENT_OK = 0,
    /* The URL adds no comment; the body is no comment's; the page does not have the comment. */
    COMMENT_NONE = 1,
};

/* COMMENT_OK and the URL that lists the comments to which a POST to `url` adds one; COMMENT_NONE;
 * or -1 when memory is short. */
int comment_list_url(const char *url, char **list_url);

void comment_make_marker(char marker[INBOX_MARKER_MAX + 1]);

/* COMMENT_OK and the request's body with the marker after the comment's text. COMMENT_NONE when the
 * body is no comment's, or GitHub would reject it with or without the marker. -1 when memory is
 * short: then the comment must not be sent. */
int comment_mark(const char *body, size_t bytes, const char *marker, char **marked);

/* COMMENT_OK and the comment with the marker, as JSON, from a page of comments; COMMENT_NONE when
 * the page is whole and does not have it. -1 and `err` when it cannot decide: the page is not a
 * list of comments, or memory is short. `*n_comments` is set unless -1. */
int comment_find(const struct buffer *page, const char *marker, char **comment, size_t *n_comments,
                 struct error *err);

/* A plausible response of GitHub to a request with this body. NULL when memory is short. */
char *comment_pretend(const char *body, size_t bytes);

#endif
