/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pages of HTML, for routes: their frame, their style sheet, and the content security policy that
 * allows nothing else. A text from anywhere reaches a page by http_page_text() or by a "%s" of
 * http_page_put() only, and both escape it.
 *
 *   http_page_begin() -> http_page_put(), http_page_text() ... -> http_respond_page()
 *
 * Such a page has one style sheet inside, has no script and loads nothing. A room with a style
 * sheet and a script of its own begins its pages itself, and ends them with
 * http_respond_own_page(). */
#ifndef SNEK_INGEST_PAGE_H
#define SNEK_INGEST_PAGE_H

#include "ingest/routes.h"

/* `title` is HTML and comes from this program. */
void http_page_begin(struct buffer *page, const char *title);
/* HTML of this program. */
void http_page_html(struct buffer *page, const char *html);
/* A text from anywhere, NUL-terminated or of so many bytes, escaped for an element and for an
 * attribute in double quotes. Unsafe characters of base/text.h, except line breaks and tabs, become
 * '?'. */
void http_page_text(struct buffer *page, const char *text);
void http_page_text_bytes(struct buffer *page, const char *text, size_t bytes);

/* `format` is HTML of this program. Each "%s" becomes a text, escaped as by http_page_text(). "%d",
 * "%u", "%zu", "%lld" and their like with a length become numbers. There are no widths, and no
 * other conversions. */
void http_page_put(struct buffer *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the page and responds with it; 503 when it did not fit into `page`. Forms of the page may be
 * sent to `form_action`, in the form of the policy: "'self' https://github.com". NULL: the page has
 * no form. On ingest's thread. */
void http_respond_page(struct http_request *request, unsigned status, struct buffer *page,
                       const char *form_action);

/* Responds with a page as it is; 503 when it did not fit into `page`. Style sheets and scripts may
 * come from this host only, and forms may be sent to it only. On ingest's thread. */
void http_respond_own_page(struct http_request *request, unsigned status,
                           const struct buffer *page);
/* An append to the page failed: nothing more fits, and the page gets a 503. */
void http_page_cut(struct buffer *page);
/* The page did not fit. */
bool http_page_is_cut(const struct buffer *page);

#endif
