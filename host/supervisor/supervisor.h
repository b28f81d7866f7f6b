/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The innermost ring: holds the app's private key, answers one question (a fresh JWT), starts the
 * host and starts it again. It has no network and parses the configuration and nothing else. */
#ifndef SNEK_SUPERVISOR_SUPERVISOR_H
#define SNEK_SUPERVISOR_SUPERVISOR_H

#include "base/error.h"
#include "base/secret.h"
#include "config/config.h"

#include <stdint.h>

/* What the host finds open when it starts. */
#define SUPERVISOR_FD_MESSAGES 3 /* SOCK_SEQPACKET to the supervisor */
#define SUPERVISOR_FD_LISTEN 4   /* the listening TCP socket */

/* The packets on it, machine's byte order. The host asks, the supervisor answers each question in
 * order; READY is said once, when the host serves. ALIVE is said by the host's main loop, twice in
 * each WATCHDOG_USEC of the environment: a service manager's watchdog hears of it, and ends a
 * service whose host hangs. Neither is answered. */
#define SUPERVISOR_SKEW_MAX_S 3600
#define SUPERVISOR_JWT_MAX 4096
#define SUPERVISOR_KEYS_MAX 2

enum supervisor_message_kind { SUPERVISOR_READY = 1, SUPERVISOR_JWT = 2, SUPERVISOR_ALIVE = 3 };

struct supervisor_message {
    uint32_t kind;
    int32_t skew_s; /* GitHub's clock less ours; within +-SUPERVISOR_SKEW_MAX_S */
    uint32_t key;   /* 0; during a rotation 1 is the next one */
};

struct supervisor_reply {
    uint32_t ok; /* 1: `text` is the JWT; 0: what is wrong */
    char text[SUPERVISOR_JWT_MAX];
};

/* Runs until the host has ended for good. `host_argv` is what to exec (argv[0] an absolute path).
 * The exit status for main. Logs. */
int supervisor_run(const struct config *config, char *const host_argv[]);

/* For a tool, which has no supervisor: forks a child that reads the key and answers questions as
 * the supervisor does, on `*messages_fd` (the caller's), until that is closed. Before any thread;
 * the key's variable is gone from our own environment after it. 0, or -1. */
int supervisor_start_signer(const struct config *config, int *messages_fd, struct error *err);

/* A parsed private key; key.c. */
struct app_key;

/* From PEM (PKCS#1 or PKCS#8), PEM with literal \n, or base64 of a PEM. It must be RSA of at least
 * 2048 bits. 0 and `*key`, or -1 and what is wrong with it, never a byte of it. */
int app_key_parse(const struct secret *text, struct app_key **key, struct error *err);
void app_key_free(struct app_key *key); /* takes NULL; wipes */

/* A JWT for the app: RS256, iat 60 s back, exp 9 min after `now_s` at most (GitHub allows 10:
 * docs.github.com "Generating a JSON Web Token (JWT) for a GitHub App"), iss `app_id`.
 * `*jwt` is the caller's to wipe and free. */
int app_key_sign_jwt(struct app_key *key, const char *app_id, int64_t now_s, char **jwt,
                     struct error *err);

/* Is `host` an address of this machine, or a name of one? Told on a port that the kernel chooses,
 * so that a host which listens on `port` is no hindrance. 0, or -1 with what is wrong. */
int supervisor_check_listen(const char *host, uint16_t port, struct error *err);

#endif
