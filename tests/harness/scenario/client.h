/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The harness's HTTP client: it calls the fake's control API, and posts webhooks to the host,
 * signed as GitHub signs them. */
#ifndef SNEK_SCENARIO_CLIENT_H
#define SNEK_SCENARIO_CLIENT_H

#include "base/buffer.h"
#include "base/error.h"

#include <curl/curl.h>
#include <jansson.h>

/* Bytes of a response. */
#define CLIENT_RESPONSE_MAX (64u << 20)

struct client {
    CURL *curl;
};

int client_init(struct client *client, struct error *err);
void client_finish(struct client *client);

/* Sends JSON (NULL: none) and reads JSON; `*response` (may be NULL) is the caller's, NULL when
 * there was no body. 0 when the status is 2xx, else -1 with the status and body. */
int client_json(struct client *client, const char *method, const char *url, const json_t *body,
                json_t **response, struct error *err);

struct webhook {
    const char *url, *event, *guid, *secret;
    const char *body;
    size_t body_bytes;
};
/* 0 when the host accepted it, else -1 with its status and body. */
int client_webhook(struct client *client, const struct webhook *webhook, struct error *err);

/* The status of a GET; 0 when there is no response. */
long client_status(struct client *client, const char *url);

#endif
