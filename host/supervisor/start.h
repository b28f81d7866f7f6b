/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts a host: its environment without the key, the listening socket, the socket to the
 * supervisor. Only this room includes it. One thread calls all of it. */
#ifndef SNEK_SUPERVISOR_START_H
#define SNEK_SUPERVISOR_START_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/* Opens missing descriptors 0 to 2, so that no socket of ours takes the place of an output. */
int start_open_standard_fds(struct error *err);

/* Copies the environment without the app's keys, for start_host(), then overwrites the secrets that
 * the kernel placed in this process. NULL when memory is short. */
char **start_take_environment(void);
/* Adds SUPERVISOR_RESTARTED to a copy, once. 0, or -1 when memory is short. */
int start_mark_restarted(char **environment);
void start_free_environment(char **environment); /* wipes; takes NULL */

/* Opens a non-blocking listening socket. `host` is an address or a name, without brackets. 0 and
 * `*fd`, or an exit status of sysexits.h. */
int start_listen(const char *host, uint16_t port, int *fd, struct error *err);

/* Forks and execs `argv` with the two sockets at the numbers of messages.h, no other descriptor but
 * 0 to 2, and default signals. The process id, or -1. If exec fails, the child logs it and exits
 * 71. */
pid_t start_host(char *const argv[], char *const environment[], int messages_fd, int listen_fd,
                 struct error *err);

#endif
