/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the App, as GitHub describes it, with what the plugins need, and prints what to change
 * and where. Problems and warnings go to standard error. One thread. */
#ifndef SNEK_CLI_APP_CHECK_H
#define SNEK_CLI_APP_CHECK_H

#include "cli/findings.h"
#include "cli/plugin_inspection.h"
#include "github_app/needs.h"

#include <jansson.h>

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

/* The page of the App's settings at the GitHub of github.api_url, or "" when GitHub's response does
 * not show which App it is. */
void app_settings_url(const struct config *config, const json_t *app, char url[APP_URL_MAX]);

void app_check_permissions(const struct app_check *check);
void app_check_events(const struct app_check *check);
/* One of GET /app/installations. */
void app_check_installation(const struct app_check *check, const json_t *installation);
/* After all installations, of which there were `count`. */
void app_check_installed(const struct app_check *check, size_t count);

#endif
