/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pages of HTML, for routes: their frame, their one style sheet, and the content security policy
 * that allows nothing else. No page has a script or loads anything.
 *
 *   http_page_begin() -> http_page_html(), http_page_text() ... -> http_respond_page() */
#ifndef SNEK_INGEST_PAGE_H
#define SNEK_INGEST_PAGE_H

#include "ingest/routes.h"

/* `title` is HTML and comes from this program. */
void http_page_begin(struct buffer *page, const char *title);
/* HTML of this program. */
void http_page_html(struct buffer *page, const char *html);
/* A text from anywhere, escaped for an element and for an attribute in double quotes. Unsafe
 * characters of base/text.h, except line breaks and tabs, become '?'. */
void http_page_text(struct buffer *page, const char *text);

/* Ends the page and responds with it; 503 when it did not fit into `page`. Forms of the page may be
 * sent to `form_action`, in the form of the policy: "'self' https://github.com". NULL: the page has
 * no form. On ingest's thread. */
void http_respond_page(struct http_request *request, unsigned status, struct buffer *page,
                       const char *form_action);

#endif
