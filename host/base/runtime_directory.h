/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The directory for files that live as long as the machine runs: sockets, and copies of plugins.
 * Only its user can read or write it. Programs of one user share it. */
#ifndef SNEK_BASE_RUNTIME_DIRECTORY_H
#define SNEK_BASE_RUNTIME_DIRECTORY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Returns an absolute path, and makes the directory if necessary: RUNTIME_DIRECTORY (systemd's),
 * else XDG_RUNTIME_DIR/snekomatic, else /tmp/snekomatic-UID. If that name is another user's,
 * /tmp/snekomatic-UID-XXXXXX takes its place, with random characters. With `executable`, a
 * directory on a file system that forbids execution (noexec, such as Debian's /run) is passed over.
 * The caller frees it. Returns NULL and `err`, which names the fix. Reads the environment. */
char *runtime_directory(bool executable, struct error *err);

/* The same places, the first choice first, for a search: makes none. Returns their number, 0 when
 * memory is short or when another user has taken the usual name; the caller frees each. Reads the
 * environment. */
#define RUNTIME_DIRECTORY_PLACES 8
size_t runtime_directory_places(char *places[RUNTIME_DIRECTORY_PLACES]);

#endif
