/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries, failures and latency over time, as drawings with a text that says the same. The
 * console's thread. */
#ifndef SNEK_CONSOLE_CHART_H
#define SNEK_CONSOLE_CHART_H

#include "console/task.h"
#include "inbox/console.h"

/* The span that the field "span" names. */
enum inbox_series_span chart_span(const struct console_task *task);
void chart_put(struct console_task *task, const struct inbox_series *series);
/* Adds the member "series". */
void chart_put_json(struct buffer *json, const struct inbox_series *series);

#endif
