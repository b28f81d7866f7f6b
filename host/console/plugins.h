/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The card of one plugin, which its own page begins with. The console's thread. */
#ifndef SNEK_CONSOLE_PLUGINS_H
#define SNEK_CONSOLE_PLUGINS_H

#include "console/task.h"
#include "protocol/description.h"

/* Begins the page. `index`: among the enabled plugins. 0; -1: the response says that the store
 * failed. */
int plugins_put_one(struct console_task *task, size_t index, const struct description *description);
/* Begins the page's JSON twin, an object that the caller continues and closes. 0 or -1 as above. */
int plugins_put_json_one(struct console_task *task, const char *name);

#endif
