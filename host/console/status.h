/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The members of /readyz's response, by paths into its JSON. The console's thread. */
#ifndef SNEK_CONSOLE_STATUS_H
#define SNEK_CONSOLE_STATUS_H

#include "base/buffer.h"
#include "console/task.h"

#include <stdbool.h>
#include <stdint.h>

#define STATUS_BYTES_MAX 65536
#define STATUS_TEXT_MAX 320

struct status {
    /* One object. */
    struct buffer json;
    bool ready;
};

void status_read(const struct console_task *task, struct status *status);
void status_finish(struct status *status);

/* The text at `path` ("plugins[0].state"); "" if there is none. */
void status_text(const struct status *status, const char *path, char text[STATUS_TEXT_MAX]);
/* The number at `path`; -1 if there is none. */
int64_t status_number(const struct status *status, const char *path);

#endif
