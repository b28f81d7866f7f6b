/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The file in which a host keeps its plugins' descriptions for the host after it: a memfd of the
 * supervisor, which never reads it. So a host that restarts makes runs for every plugin from its
 * first request on, also for one whose worker has not loaded yet. The file belongs to one
 * configuration and one set of copies of the plugins' files.
 *
 * The file is a row of records: a plugin's index in the configuration, a length, and the body of
 * the worker's DESCRIBED frame. A later record of a plugin replaces an earlier one. A host that was
 * killed may have left a cut record at the end. */
#ifndef SNEK_DISPATCH_DESCRIPTION_FILE_H
#define SNEK_DISPATCH_DESCRIPTION_FILE_H

#include "base/error.h"
#include "protocol/description.h"
#include "protocol/frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the descriptions into `descriptions`, which has NULLs for `count` plugins; the caller owns
 * them. A record is checked like a worker's frame. A bad one and all after it are removed from the
 * file, because nothing can be appended behind them; such a plugin must describe itself again. 0,
 * or -1 when the file cannot be read or memory is short. */
int description_file_read(int fd, struct description **descriptions, size_t count,
                          struct error *err);

/* Is the plugin's last record exactly this body? False also when memory is short. */
bool description_file_has(int fd, uint32_t plugin, struct frame_text body);

/* Removes all records. 0, or -1. */
int description_file_discard(int fd, struct error *err);

/* Appends one record. 0, or -1. */
int description_file_append(int fd, uint32_t plugin, struct frame_text body, struct error *err);

#endif
