/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Texts and JSON from a pattern with printf's conversions. The comments of the slots print() and
 * json() in the SDK's text.h have the grammar. In JSON, values are escaped by construction, and the
 * result is always one JSON value. */
#ifndef SNEK_WORKER_PATTERN_H
#define SNEK_WORKER_PATTERN_H

#include "base/buffer.h"
#include "base/error.h"

#include <snekomatic/text.h>

/* Both append to `out`, which is empty. 0; or -1 with a sentence for the plugin's author. */
int pattern_print(struct buffer *out, const char *format, const struct snek_argument *arguments,
                  uint32_t count, struct error *err);
int pattern_json(struct buffer *out, const char *pattern, const struct snek_argument *arguments,
                 uint32_t count, struct error *err);

#endif
