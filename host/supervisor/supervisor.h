/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The innermost ring: holds the app's private key, signs JWTs, starts the host and restarts it. It
 * has no network and parses the configuration and nothing else. messages.h has its packets. */
#ifndef SNEK_SUPERVISOR_SUPERVISOR_H
#define SNEK_SUPERVISOR_SUPERVISOR_H

#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

/* Runs until the host has ended for good. `host_argv` is the program to exec (argv[0] is an
 * absolute path). Logs. The exit status for main. */
int supervisor_run(const struct config *config, char *const host_argv[]);

/* For a tool, which has no supervisor: forks a child that reads the key and replies to messages as
 * the supervisor does, on `*messages_fd` (the caller's), until that is closed. Call it before any
 * thread starts; it removes the key's variable from our own environment. 0, or -1. */
int supervisor_start_signer(const struct config *config, int *messages_fd, struct error *err);

/* Is `host` an address or a name of this machine? The check uses a port that the kernel chooses,
 * because a host may already listen on `port`, which only the error names. 0, or -1. */
int supervisor_check_listen(const char *host, uint16_t port, struct error *err);
/* Can a program listen on this port now? Listens for a moment. 0, or -1. */
int supervisor_check_port(const char *host, uint16_t port, struct error *err);

#endif
