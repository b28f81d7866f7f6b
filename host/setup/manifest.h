/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The manifest of the App, made from what the plugins need and what a person chose. Any thread. */
#ifndef SNEK_SETUP_MANIFEST_H
#define SNEK_SETUP_MANIFEST_H

#include "github_app/needs.h"
#include "setup/session.h"

/* In pull mode GitHub needs a URL, and no host may ever have it (RFC 2606). The hook is active, so
 * that GitHub lists its deliveries. */
#define SETUP_PULL_URL "https://snekomatic.invalid/webhook/github"

/* JSON, for free(). NULL when memory is short. `origin` is the start of the URL to which GitHub
 * leads the browser back, `web_url` where GitHub's pages are. */
char *setup_manifest(const struct app_needs *needs, const struct setup_choices *choices,
                     const char *origin, const char *web_url);

/* The URL to which a browser posts the manifest. False when it does not fit. */
#define SETUP_TARGET_MAX 512
bool setup_manifest_target(const struct setup_attempt *attempt, const char *web_url,
                           char target[SETUP_TARGET_MAX]);

#endif
