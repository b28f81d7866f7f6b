/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Passes descriptors with a packet over a Unix socket. */
#ifndef SNEK_BASE_DESCRIPTORS_H
#define SNEK_BASE_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

#define DESCRIPTORS_MAX 4

/* Sends one packet with copies of `count` descriptors; never waits, no SIGPIPE. 0, or -1 with
 * errno. */
int descriptors_send(int socket, const void *packet, size_t bytes, const int *fds, size_t count);

/* Receives one packet, and at most DESCRIPTORS_MAX descriptors (close-on-exec, the caller's) into
 * `fds`; the other elements of `fds` become -1. `flags` as in recvmsg(2). Returns the packet's
 * length, which is larger than `bytes` for a packet that was cut; 0 at the end; -1 with errno. */
ssize_t descriptors_receive(int socket, void *packet, size_t bytes, int fds[DESCRIPTORS_MAX],
                            int flags);

/* Closes those that are open, and sets them to -1. */
void descriptors_close(int fds[DESCRIPTORS_MAX]);

#endif
