/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a plugin's entry function returns, checked and copied into structs of this host's size: what
 * the plugin, built with older headers, does not know is zero; what it, built with newer ones,
 * knows more, is left out. After this, nothing in it needs a check any more. */
#ifndef SNEK_WORKER_DESCRIPTOR_H
#define SNEK_WORKER_DESCRIPTOR_H

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/frames.h"

#include <snekomatic/plugin.h>

/* 0, or -1 and a sentence that says what is wrong and what to do. The tables are ours and live as
 * long as the process; the texts stay the plugin's. */
int descriptor_copy(const struct snek_plugin *theirs, struct snek_plugin *plugin,
                    struct error *err);

/* The DESCRIBED frame. 0, or -1 when memory was short. */
int descriptor_frame(const struct snek_plugin *plugin, enum frame_sandbox_level level,
                     struct buffer *buffer);

#endif
