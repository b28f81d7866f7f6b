/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the App's webhook, and the deliveries that GitHub lists for it. Problems and warnings go
 * to standard error. One thread. */
#ifndef SNEK_CLI_WEBHOOK_CHECK_H
#define SNEK_CLI_WEBHOOK_CHECK_H

#include "cli/app_check.h"

#include <curl/curl.h>

/* Where the form has the webhook. */
#define APP_FORM_WEBHOOK "Settings > General > Webhook"
#define APP_WEBHOOK_PATH "/webhook/github"
/* For pull mode: a URL that leads nowhere. */
#define APP_PULL_URL "https://snekomatic.invalid" APP_WEBHOOK_PATH

/* The parts of a URL that GitHub may send to. */
struct webhook_target {
    CURLU *url;
    char *scheme, *host, *path;
};

/* 0, or -1 when `text` is no URL of the web. The caller finishes `*target` in both cases. */
int webhook_target_read(struct webhook_target *target, const char *text);
void webhook_target_finish(struct webhook_target *target);

/* Is it a host that nobody can have, as a webhook URL of pull mode needs (RFC 2606)? */
bool webhook_pull_host(const char *host);
/* The webhook URL that belongs to server.public_url, in `url`; NULL: there is no public_url. */
const char *webhook_public_url(const struct config *config, char url[APP_URL_MAX]);

/* `webhook` is the response of GET /app/hook/config; NULL: GitHub has none (404). */
void webhook_check(const struct app_check *check, const json_t *webhook);
/* `deliveries` is the first page of GET /app/hook/deliveries, the newest first. */
void webhook_check_deliveries(const struct app_check *check, const json_t *deliveries);

#endif
