/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A verb's access to the store: opened beside a host that may run, one operation after the other.
 * Also formats and parses times. One thread. */
#ifndef SNEK_CLI_STORE_CLIENT_H
#define SNEK_CLI_STORE_CLIENT_H

#include "base/mailbox.h"
#include "config/config.h"
#include "inbox/inbox.h"

struct store_client {
    /* NULL when it is not open. */
    struct inbox *inbox;
    struct mailbox mailbox;
    bool finished;
};

/* Opens the configured store; `write` if the verb changes it. EX_OK, or EX_NOINPUT after it has
 * reported the error on stderr. Call store_client_close() in either case. */
int store_client_open(struct store_client *store_client, const char *verb,
                      const struct config *config, bool write);
void store_client_close(struct store_client *store_client);

/* Runs the operation. Returns its result, after it has reported a negative one on stderr. */
int store_client_do(struct store_client *store_client, const char *verb,
                    struct inbox_operation *operation);

/* "2025-01-31T23:59:59Z". */
#define STORE_CLIENT_TIME_MAX 32
void store_client_time_text(int64_t time_ms, char text[STORE_CLIENT_TIME_MAX]);

/* Parses "90s", "15m", "2h", "3d" or "1w" before `now_ms`, or an ISO 8601 date or time (UTC unless
 * it names another offset). Returns 0 and `*time_ms`, or -1. */
int store_client_read_time(const char *text, int64_t now_ms, int64_t *time_ms);

#endif
