/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a host is started, and what it is given: an environment without the key, the listening
 * socket, the way to ask. Inside of this room only. Not for several threads. */
#ifndef SNEK_SUPERVISOR_START_H
#define SNEK_SUPERVISOR_START_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/* Descriptors 0 to 2 exist after it, so that no socket of ours becomes somebody's output. */
int start_open_standard_fds(struct error *err);

/* A copy of the environment without the app's keys, for start_host(); then the secrets that the
 * kernel placed in this process are overwritten. NULL when memory is short. */
char **start_take_environment(void);
void start_free_environment(char **environment); /* wipes; takes NULL */

/* A non-blocking listening socket. `host` is an address or a name, without brackets. 0 and `*fd`,
 * or an exit status of sysexits.h and what is wrong. */
int start_listen(const char *host, uint16_t port, int *fd, struct error *err);

/* Forks and execs `argv` with the two sockets as supervisor.h says, no other descriptor but 0 to 2,
 * and signals as at a login. The process id, or -1. What is wrong with the exec itself is logged by
 * the child, which then exits 71. */
pid_t start_host(char *const argv[], char *const environment[], int messages_fd, int listen_fd,
                 struct error *err);

#endif
