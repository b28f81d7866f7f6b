/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the App, as GitHub describes it, with what the plugins need, and prints what to change
 * and where. Problems and warnings go to standard error. One thread. */
#ifndef SNEK_CLI_APP_CHECK_H
#define SNEK_CLI_APP_CHECK_H

#include "cli/findings.h"
#include "cli/plugin_inspection.h"
#include "github_app/needs.h"

#include <jansson.h>

/* Where the form has the webhook. */
#define APP_FORM_WEBHOOK "Settings > General > Webhook"
#define APP_WEBHOOK_PATH "/webhook/github"
/* For pull mode: a URL that leads nowhere. */
#define APP_PULL_URL "https://snekomatic.invalid" APP_WEBHOOK_PATH

struct app_check {
    const struct config *config;
    const struct inspected_plugins *plugins;
    /* The needs of all plugins, merged. */
    const struct app_needs *needs;
    /* The response of GET /app; borrowed. */
    const json_t *app;
    struct findings *findings;
    /* Out: the plugins that have all that they need in an installation; bit N is plugin N. */
    uint64_t *able;
};

#define APP_URL_MAX 512

/* The page of the App's settings, or "" when GitHub's response does not show where it is. */
void app_settings_url(const json_t *app, char url[APP_URL_MAX]);

/* `public_url` and the path of webhooks. Returns `url`. */
const char *app_webhook_url(const char *public_url, char url[APP_URL_MAX]);

/* Is it a host that nobody can have, as a webhook URL of pull mode needs (RFC 2606)? */
bool app_pull_host(const char *host);

void app_check_permissions(const struct app_check *check);
void app_check_events(const struct app_check *check);
/* `config` is the response of GET /app/hook/config; NULL: GitHub has none (404). */
void app_check_webhook(const struct app_check *check, const json_t *config);
/* One of GET /app/installations. */
void app_check_installation(const struct app_check *check, const json_t *installation);
/* After all installations, of which there were `count`. */
void app_check_installed(const struct app_check *check, size_t count);

#endif
