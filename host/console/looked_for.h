/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says what a search looked for and how far it looked, in HTML and in JSON. The console's thread.
 */
#ifndef SNEK_CONSOLE_LOOKED_FOR_H
#define SNEK_CONSOLE_LOOKED_FOR_H

#include "console/search.h"
#include "console/task.h"
#include "inbox/console.h"

/* The filters in words: "state dead, plugin ping". Nothing without a filter. False: it has none. */
bool looked_for_put_filters(struct buffer *page, const struct search *search);

/* Says which entries a page has, or that there are none. */
void looked_for_put(struct console_task *task, const struct search *search,
                    const struct inbox_search *found);

/* Members of an object: "looked_for" and "looked_back_to". */
void looked_for_put_json(struct buffer *json, const struct search *search,
                         const struct inbox_search *found);

#endif
