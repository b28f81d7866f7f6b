/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the program's other files by the path of the program itself, so that an installation can
 * be moved and a build runs in place. Any thread. */
#ifndef SNEK_BASE_INSTALL_PATH_H
#define SNEK_BASE_INSTALL_PATH_H

#include "base/error.h"

/* The absolute path of the program's own file; the caller frees it. Returns NULL with errno. */
char *install_path_self(void);

/* Resolves `relative`, which starts at the program's folder, as seen from bin/ also for a program
 * in libexec/snekomatic, to an absolute path without symbolic links; the caller frees it. Returns
 * NULL when there is no such file. */
char *install_path_beside(const char *relative);

/* The absolute path of another program of this installation: "snekomatic-host",
 * "snekomatic-worker". The caller frees it. Returns NULL and `err` when there is none. */
char *install_path_program(const char *name, struct error *err);

#endif
