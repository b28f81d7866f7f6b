/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts that pages have in common, in HTML and in JSON. All texts are escaped. The console's
 * thread; view_begin_plain() and view_append_encoded() any thread. */
#ifndef SNEK_CONSOLE_VIEW_H
#define SNEK_CONSOLE_VIEW_H

#include "console/task.h"
#include "ingest/page.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- HTML ---- */

/* The frame with the menu. `title` is a text from anywhere. A live page is loaded again every few
 * seconds while a person looks at it. */
void view_begin(struct console_task *task, const char *title, bool live);
/* The frame without a menu, for people who are not logged in. */
void view_begin_plain(struct buffer *page, const char *title);
void view_end(struct buffer *page);

/* A time with how long ago it was; "never" for 0. */
void view_time(struct buffer *page, int64_t time_ms, int64_t now_ms);
/* "340 ms", "2 min", "3 h", "5 d". */
#define VIEW_DURATION_MAX 32
void view_duration(int64_t duration_ms, char text[VIEW_DURATION_MAX]);
/* A state of a run, a plugin or an effect as a badge; its color adds to the word only. */
void view_state(struct buffer *page, const char *state);
/* A text that may be very long: folded beyond some hundred characters. */
void view_long_text(struct buffer *page, const char *text);
/* The start of a text, for a list that leads to a page with the whole. */
void view_short_text(struct buffer *page, const char *text);

/* Begins a form that changes something, with its token. False, and no form, for somebody who may
 * only read. */
bool view_form_begin(struct console_task *task, const char *action);
void view_hidden(struct buffer *page, const char *name, const char *value);
void view_form_end(struct buffer *page);

/* A link to the same page with `name` set to `value`, and without `before`; "&" of other fields. */
void view_url(const struct console_task *task, const char *path, const char *name,
              const char *value, struct buffer *url);

/* Appends `text` for a part of a URL. 0, or -1. */
int view_append_encoded(struct buffer *url, const char *text);

/* Appends `text` to a page or a path as one part of a URL: slashes are encoded too. */
void view_put_part(struct buffer *out, const char *text);

/* Appends the path of a delivery below /console, "/deliveries/GUID". A GUID may have any printable
 * character, so all but letters, digits and "-_.~" are encoded, slashes too. */
void view_put_delivery_path(struct buffer *out, const char *guid);
/* Begins a link to a delivery: `<a href="..."`, without the end of the tag. `rest` follows the
 * GUID: "/why". */
void view_put_delivery_link(struct buffer *page, const char *guid, const char *rest);

/* Responds with a message: 404, 503 ... */
void view_problem(struct console_task *task, unsigned status, const char *title, const char *why,
                  const char *fix);
/* The store failed. */
void view_store_failed(struct console_task *task, const struct error *err);
/* Redirects to `path` below /console, with a message that the next page shows. */
void view_redirect(struct console_task *task, const char *path);

/* Says the result of an action, which redirected here with the fields "what" and "value". */
void view_notice(struct console_task *task);

/* ---- JSON ---- */

/* Each adds a member or, with a NULL key, an element; commas come by themselves. If one does not
 * fit, the JSON is cut like a page: http_page_is_cut(). */
void view_json_text(struct buffer *json, const char *key, const char *text);
void view_json_null(struct buffer *json, const char *key);
void view_json_number(struct buffer *json, const char *key, int64_t number);
void view_json_bool(struct buffer *json, const char *key, bool value);
/* "2026-11-30T06:20:36.123Z", or null for 0. */
void view_json_time(struct buffer *json, const char *key, int64_t time_ms);
/* `raw` is JSON. */
void view_json_raw(struct buffer *json, const char *key, const struct buffer *raw);
/* `bracket`: '{' or '['; then '}' or ']'. */
void view_json_open(struct buffer *json, const char *key, char bracket);
void view_json_close(struct buffer *json, char bracket);

#endif
