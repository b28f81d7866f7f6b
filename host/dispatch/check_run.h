/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds check runs in doubt: by the app, the name and the external id at the commit. A check run
 * without an external id gets one of the host's. Like comment.h, this reads JSON in one pass. The
 * caller frees each returned text. */
#ifndef SNEK_DISPATCH_CHECK_RUN_H
#define SNEK_DISPATCH_CHECK_RUN_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

enum check_run_outcome {
    CHECK_RUN_OK = 0,
    /* The request makes no check run; it has an external id; the page does not have the check run.
     */
    CHECK_RUN_NONE = 1,
};

/* CHECK_RUN_OK and the URL, with a query, that lists the check runs of this name at the commit to
 * which a POST of `body` to `url` adds one; CHECK_RUN_NONE; or -1 when memory is short. */
int check_run_list_url(const char *url, const char *body, size_t bytes, char **list_url);

/* CHECK_RUN_OK and the body with `marker` as its external id; CHECK_RUN_NONE when it has one. -1
 * when memory is short: then the check run must not be made. */
int check_run_mark(const char *body, size_t bytes, const char *marker, char **marked);

struct check_run_sought {
    /* The app's id, or its client id. */
    const char *app;
    /* The marked body of the request. */
    const char *body;
    size_t body_bytes;
    /* Wall: an older check run is another one. It does not count if the body has `started_at`. */
    int64_t since_ms;
};

/* CHECK_RUN_OK and the newest such check run, as JSON, from a page of check runs; CHECK_RUN_NONE
 * when the page is whole and does not have it. -1 and `err` when it cannot decide: the page is not
 * a list of check runs, or memory is short. `*n_check_runs` is set unless -1. */
int check_run_find(const struct buffer *page, const struct check_run_sought *sought,
                   char **check_run, size_t *n_check_runs, struct error *err);

#endif
