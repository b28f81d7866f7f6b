/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists page by page, with GitHub's Link header. */
#include "fake/pagination.h"

#include "fake/response.h"

#include "base/buffer.h"

#include <string.h>

#define PAGE_MAX 100
#define PAGE_DEFAULT 30

size_t query_number(const struct http_exchange *exchange, const char *name, size_t otherwise) {
    AUTO_FREE char *text = exchange_query(exchange, name);
    size_t number = text ? strtoul(text, NULL, 10) : 0;
    return number > 0 ? number : otherwise;
}

/* Copies the query without the page, because each link has its own. */
static void put_rest_of_query(const struct http_exchange *exchange, struct buffer *text) {
    for (const char *at = exchange->query; at && *at;) {
        size_t bytes = strcspn(at, "&");
        if (strncmp(at, "page=", 5) != 0 && strncmp(at, "per_page=", 9) != 0 && bytes > 0) {
            buffer_append(text, at, bytes);
            buffer_append_text(text, "&");
        }
        at += bytes + (at[bytes] == '&');
    }
}

/* The header Link in GitHub's order: prev, next, last, first, as far as they exist. */
static void add_links(struct http_exchange *exchange, size_t page, size_t pages, size_t per_page) {
    const struct {
        const char *name;
        size_t page;
        bool there;
    } links[] = {{"prev", page - 1, page > 1},
                 {"next", page + 1, page < pages},
                 {"last", pages, page < pages},
                 {"first", 1, page > 1}};
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8192);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (links[i].there) {
            buffer_printf(&text, "%s<%s%s?", text.bytes > 0 ? ", " : "", exchange->fake->origin,
                          exchange->path);
            put_rest_of_query(exchange, &text);
            buffer_printf(&text, "per_page=%zu&page=%zu>; rel=\"%s\"", per_page, links[i].page,
                          links[i].name);
        }
    }
    if (text.bytes > 0) {
        response_header(exchange, "Link", text.data);
    }
}

size_t query_per_page(const struct http_exchange *exchange) {
    size_t per_page = query_number(exchange, "per_page", PAGE_DEFAULT);
    return per_page > PAGE_MAX ? PAGE_MAX : per_page;
}

void respond_page_in(struct http_exchange *exchange, json_t *whole, const char *name, json_t *all) {
    size_t page = query_number(exchange, "page", 1), per_page = query_per_page(exchange);
    size_t count = json_array_size(all);
    json_t *found = json_array();
    for (size_t i = (page - 1) * per_page; i < page * per_page && i < count; i++) {
        json_array_append(found, json_array_get(all, i));
    }
    json_decref(all);
    if (whole) {
        json_object_set_new(whole, name, found);
    }
    respond_json(exchange, 200, whole ? whole : found);
    add_links(exchange, page, count == 0 ? 1 : (count - 1) / per_page + 1, per_page);
}

void respond_page(struct http_exchange *exchange, json_t *all) {
    respond_page_in(exchange, NULL, NULL, all);
}
