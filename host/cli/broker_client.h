/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A verb's own way to GitHub, without a running host: a broker, and calls that wait for their
 * result. A child process holds the app's key. One thread. */
#ifndef SNEK_CLI_BROKER_CLIENT_H
#define SNEK_CLI_BROKER_CLIENT_H

#include "base/mailbox.h"
#include "broker/broker.h"
#include "config/config.h"

#include <jansson.h>

struct broker_client {
    /* NULL when it is not open. */
    struct broker *broker;
    struct mailbox mailbox;
    bool responded;
};

/* `messages_fd` is supervisor_start_signer()'s; borrowed until broker_client_close(). Returns 0, or
 * -1. */
int broker_client_open(struct broker_client *client, const struct config *config, int messages_fd,
                       struct error *err);
void broker_client_close(struct broker_client *client);

/* Sends the request and waits until its response is there. */
void broker_client_call(struct broker_client *client, struct broker_request *request);

/* Sends a request as the app and reads its response as JSON, which is the caller's. `body` may be
 * NULL. `url` is "/app/..." or a URL of a Link header. NULL: `*request` has the error, and its
 * status. The caller finishes `*request` either way. */
json_t *broker_client_json(struct broker_client *client, const char *method, const char *url,
                           const char *body, struct broker_request *request);

/* How to fix a failed request, in a clause that follows its error: "; check ...". "" when the error
 * itself says it. */
const char *broker_client_fix(const struct broker_request *request);

#endif
