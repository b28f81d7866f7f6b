/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a plugin's descriptor and copies it into structs of this host's size. A member that older
 * headers lack is zero; a member that only newer headers have is left out. The copy needs no
 * further checks. */
#ifndef SNEK_WORKER_DESCRIPTOR_H
#define SNEK_WORKER_DESCRIPTOR_H

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/frames.h"

#include <snekomatic/plugin.h>

#include <stdbool.h>

/* 0, or -1 and a sentence with the mistake and its remedy. The copied tables live as long as the
 * process. The texts stay the plugin's. */
int descriptor_copy(const struct snek_plugin *theirs, struct snek_plugin *plugin,
                    struct error *err);

/* Does the plugin declare this permission, required or optional, at whatever access? */
bool descriptor_declares(const struct snek_plugin *plugin, const char *permission);

/* The access at which the plugin declares this permission, required or optional; NULL: it does not.
 */
const char *descriptor_access(const struct snek_plugin *plugin, const char *permission);

/* The DESCRIBED frame. 0, or -1 when memory was short. */
int descriptor_frame(const struct snek_plugin *plugin, struct buffer *buffer);

#endif
