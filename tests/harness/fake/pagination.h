/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists page by page, with GitHub's links. */
#ifndef SNEK_HARNESS_FAKE_PAGINATION_H
#define SNEK_HARNESS_FAKE_PAGINATION_H

#include "fake/http_exchange.h"

/* Responds with the page of `all` (stolen) that the query asks for. */
void respond_page(struct http_exchange *exchange, json_t *all);
/* The same as the member `name` of `whole` (stolen). */
void respond_page_in(struct http_exchange *exchange, json_t *whole, const char *name, json_t *all);
size_t query_per_page(const struct http_exchange *exchange);
size_t query_number(const struct http_exchange *exchange, const char *name, size_t otherwise);

#endif
