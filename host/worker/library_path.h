/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks that only root or this user can have written a library that a plugin brings along. The
 * plugin's own file was checked by the host. */
#ifndef SNEK_WORKER_LIBRARY_PATH_H
#define SNEK_WORKER_LIBRARY_PATH_H

#include "base/error.h"

/* Checks `path`, which is absolute and resolved, and each directory above it (a sticky one passes).
 * 0, or -1 and a sentence. */
int library_path_check_file(const char *path, struct error *err);
/* Likewise for a directory, which need not be resolved, and for each symbolic link on the way. */
int library_path_check_directory(const char *path, struct error *err);

#endif
