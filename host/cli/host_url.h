/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The URL at which a verb reaches the host of this machine. */
#ifndef SNEK_CLI_HOST_URL_H
#define SNEK_CLI_HOST_URL_H

#include "config/config.h"

/* server.listen with `path`; 127.0.0.1 or ::1 if the host listens on every address. The caller
 * frees it. Returns NULL if memory is short. */
char *host_url(const struct config *config, const char *path);
/* The same of another address, without brackets, on which the host listens. */
char *host_url_at(const char *host, uint16_t port, const char *path);

/* Does a snekomatic host respond there? Waits 2 s at most. */
bool host_url_responds(const char *host, uint16_t port);

#endif
