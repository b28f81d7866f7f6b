/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where this program is: what belongs to it is found from there, so that an installation can be
 * moved and a build run where it is. Any thread. */
#ifndef SNEK_BASE_INSTALL_PATH_H
#define SNEK_BASE_INSTALL_PATH_H

/* The program's own file, an absolute path; the caller's to free. NULL with errno. */
char *install_path_self(void);

/* What is at `relative`, seen from the program's folder, as an absolute path without symbolic
 * links; the caller's to free. NULL when nothing is there. */
char *install_path_beside(const char *relative);

#endif
