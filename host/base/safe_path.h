/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens a plugin's file, or checks a directory of its libraries: only root or this user can have
 * written it. */
#ifndef SNEK_BASE_SAFE_PATH_H
#define SNEK_BASE_SAFE_PATH_H

#include "base/error.h"

/* Walks the absolute `path` from the root, directory by directory, and checks what it opened: so
 * nobody can exchange a part between the check and the use. It follows symbolic links itself, and
 * checks the directories that they lead through. A sticky directory passes. 0 and `*fd`, a regular
 * file open for reading; or -1 and a sentence. */
int safe_path_open(const char *path, int *fd, struct error *err);
/* Likewise for a directory, which it does not open. */
int safe_path_check_directory(const char *path, struct error *err);

#endif
