/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A verb's access to the store: opened beside a host that may run, one operation after the other.
 * Also formats and parses times. One thread. */
#ifndef SNEK_CLI_STORE_CLIENT_H
#define SNEK_CLI_STORE_CLIENT_H

#include "base/mailbox.h"
#include "base/time_text.h"
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

/* Loads the configuration for `need`, opens its store, and calls `act` with `context`. Returns the
 * status of `act`, or of the step that failed, after it has reported the error on stderr. */
typedef int store_client_act(struct store_client *store_client, const struct config *config,
                             const void *context);
int store_client_run(const char *verb, const char *config_path, enum config_need need, bool write,
                     store_client_act *act, const void *context);

/* Runs the operation. Returns its result, after it has reported a negative one on stderr. */
int store_client_do(struct store_client *store_client, const char *verb,
                    struct inbox_operation *operation);

/* Stores that the person who runs this verb did `what` (see struct inbox_action). A failure is only
 * reported on stderr, because the action itself is done. */
void store_client_record(struct store_client *store_client, const char *verb, const char *what,
                         const char *target, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
