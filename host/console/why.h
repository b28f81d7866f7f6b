/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The page that says why each plugin has a run of a delivery, or has none. The console's thread. */
#ifndef SNEK_CONSOLE_WHY_H
#define SNEK_CONSOLE_WHY_H

#include "console/task.h"

/* GET /console/deliveries/GUID/why */
void page_why(struct console_task *task, const char *guid);

#endif
