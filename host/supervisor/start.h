/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts a host: its environment, the listening socket, the sockets to the supervisor. Only this
 * room includes it. One thread calls all of it. */
#ifndef SNEK_SUPERVISOR_START_H
#define SNEK_SUPERVISOR_START_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/* Opens missing descriptors 0 to 2, so that no socket of ours takes the place of an output. */
int start_open_standard_fds(struct error *err);

/* The environment of a host, NULL-terminated: the variables of ours that the dynamic loader or
 * malloc() read before main(), and none that may hold a secret. start_free_environment() frees it.
 * NULL when memory is short. */
char **start_host_environment(void);
void start_free_environment(char **environment); /* takes NULL */

/* The host's ends of its sockets (messages.h); borrowed. */
struct start_sockets {
    int messages_fd, listen_fd, control_fd;
};

/* Opens a non-blocking listening socket. `host` is an address or a name, without brackets. 0 and
 * `*fd`, or an exit status of sysexits.h. */
int start_listen(const char *host, uint16_t port, int *fd, struct error *err);

/* Forks and execs `argv` with the sockets at the numbers of messages.h, no other descriptor but
 * 0 to 2, and default signals. The process id, or -1. If exec fails, the child logs it and exits
 * 71. */
pid_t start_host(char *const argv[], char *const environment[], const struct start_sockets *sockets,
                 struct error *err);

#endif
