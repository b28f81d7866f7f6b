/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Passes descriptors with data over a Unix socket. */
#ifndef SNEK_BASE_DESCRIPTORS_H
#define SNEK_BASE_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

#define DESCRIPTORS_MAX 4

/* Sends `bytes` with copies of `count` descriptors; never waits, no SIGPIPE. Returns the number of
 * bytes that were sent, which is less than `bytes` on a stream only; or -1 with errno. */
ssize_t descriptors_send(int socket, const void *packet, size_t bytes, const int *fds,
                         size_t count);

/* Receives one packet, or the next bytes of a stream, and at most DESCRIPTORS_MAX descriptors
 * (close-on-exec, the caller's) into `fds`; the other elements of `fds` become -1. `flags` as in
 * recvmsg(2). Returns the number of bytes, with MSG_TRUNC the length of the packet, which is larger
 * than `bytes` when it was cut; 0 at the end; -1 with errno. */
ssize_t descriptors_receive(int socket, void *packet, size_t bytes, int fds[DESCRIPTORS_MAX],
                            int flags);

/* Closes those that are open, and sets them to -1. */
void descriptors_close(int fds[DESCRIPTORS_MAX]);

#endif
