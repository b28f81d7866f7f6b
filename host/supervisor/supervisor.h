/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The innermost ring: holds the app's private key, signs JWTs, starts the host and restarts it, and
 * starts the workers for it. It opens the listening socket but accepts no connection, and it parses
 * only the configuration and the key. messages.h has its packets. */
#ifndef SNEK_SUPERVISOR_SUPERVISOR_H
#define SNEK_SUPERVISOR_SUPERVISOR_H

#include "base/error.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* The descriptors that the setup has opened, for the host after it. */
struct supervisor_opened {
    int listen_fd;
    /* -1: there is no service manager. */
    int notify_fd;
};

/* Starts the setup instead of a host, on `host` and server.port, and waits for its end.
 * `setup_argv` is the program to exec (argv[0] is an absolute path). Logs errors. Returns its exit
 * status. `*stored`: it ended by itself with 0, so there are credentials; then `*opened` is for
 * supervisor_run(), or for supervisor_close(). */
int supervisor_setup(const struct config *config, const char *host, char *const setup_argv[],
                     struct supervisor_opened *opened, bool *stored);
void supervisor_close(struct supervisor_opened *opened);
/* Gives up the listening socket and listens where `config` says. Port 0 keeps the port. 0; or an
 * exit status, logged. */
int supervisor_move(struct supervisor_opened *opened, const struct config *config);

/* Runs until the host has ended for good. `host_argv` is the program to exec (argv[0] is an
 * absolute path), `worker_path` the program snekomatic-worker. `opened` is NULL, or the setup's,
 * which this function closes. Logs errors. Returns the exit status for main(). */
int supervisor_run(const struct config *config, char *const host_argv[], const char *worker_path,
                   const struct supervisor_opened *opened);

/* For a tool, which has no supervisor: forks a child that reads the key and replies to messages as
 * the supervisor does, on `*messages_fd` (the caller's), until that is closed. Call it before any
 * thread starts; it removes the key's variable from our own environment. 0, or -1. */
int supervisor_start_signer(const struct config *config, int *messages_fd, struct error *err);

#endif
