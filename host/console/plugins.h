/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The card of one plugin, which its own page begins with. The console's thread. */
#ifndef SNEK_CONSOLE_PLUGINS_H
#define SNEK_CONSOLE_PLUGINS_H

#include "console/task.h"
#include "protocol/description.h"

/* Begins the page. `index`: among the enabled plugins. 0; -1: the response says that the store
 * failed. */
int plugins_put_one(struct console_task *task, size_t index, const struct description *description);
/* The member "worker". */
void plugins_put_json_worker(struct buffer *json, const char *plugin);

#endif
