/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parses a page of GitHub's delivery log, GET /app/hook/deliveries. Any thread; nothing is shared.
 */
#ifndef SNEK_MAINTENANCE_DELIVERY_LOG_H
#define SNEK_MAINTENANCE_DELIVERY_LOG_H

#include "base/buffer.h"
#include "base/error.h"
#include "inbox/limits.h"

#include <jansson.h>
#include <stdint.h>

struct delivery_log_entry {
    int64_t id;
    /* Borrowed from the page. `action` is "" if the event has none. */
    const char *guid, *event, *action;
    int64_t delivered_ms;
    /* The HTTP status that GitHub got. */
    int64_t status;
    /* 0: the delivery names none. */
    int64_t installation;
    bool redelivery;
};

struct delivery_log_page {
    /* Owns the texts of the entries. */
    json_t *json;
    size_t n_entries;
    /* The newest first, as GitHub lists them. */
    struct delivery_log_entry *entries;
    /* One element for each entry, in their order; these four are for inbox_find_missing. */
    const char **guids;
    bool *missing;
    uint32_t *requests;
    int64_t *requested_ms;
    /* NULL: this is the last page. */
    char *next_url;
    /* GitHub's clock, from the response's Date. */
    int64_t now_ms;
};

/* Returns NULL and the error if the response is not such a page. Leaves out entries whose GUID no
 * inbox accepts. */
struct delivery_log_page *delivery_log_read(const struct buffer *headers, const struct buffer *body,
                                            struct error *err);
/* Takes NULL. */
void delivery_log_free(struct delivery_log_page *page);

/* Parses "2019-06-03T00:57:16Z", with or without a fraction of a second. */
int delivery_log_read_time(const char *text, int64_t *time_ms);

#endif
