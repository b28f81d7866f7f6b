/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A page of GET /app/hook/deliveries, read. Any thread; nothing is shared. */
#ifndef SNEK_MAINTENANCE_DELIVERY_LOG_H
#define SNEK_MAINTENANCE_DELIVERY_LOG_H

#include "base/buffer.h"
#include "base/error.h"
#include "inbox/limits.h"

#include <jansson.h>
#include <stdint.h>

struct page_entry {
    int64_t id;
    const char *guid;
    char event[2 * INBOX_NAME_MAX + 2]; /* "pull_request.closed" */
    int64_t delivered_ms;
    int64_t status;
};

struct recover_page {
    json_t *json; /* the texts are in it */
    size_t n_entries;
    struct page_entry *entries; /* the newest first, as GitHub lists them */
    const char **guids;         /* theirs; for LACKS, as the next two */
    bool *missing;
    uint32_t *requests;
    char *next_url; /* NULL: it is the last */
    int64_t now_ms; /* GitHub's clock, from the answer's Date */
};

/* NULL, and what is wrong with the answer. Entries whose GUID no inbox would take are left out. */
struct recover_page *page_read(const struct buffer *headers, const struct buffer *body,
                               struct error *err);
void page_free(struct recover_page *page); /* takes NULL */

/* The URL of rel="next" in a Link header (RFC 8288), the caller's; NULL none. */
char *page_next_url(const char *link, size_t bytes);

/* "2019-06-03T00:57:16Z", with or without a fraction of a second. */
int page_read_time(const char *text, int64_t *time_ms);

#endif
