/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Exchanges the code that GitHub gives for a manifest, for the App that it made of it. */
#ifndef SNEK_SETUP_CONVERSION_H
#define SNEK_SETUP_CONVERSION_H

#include "base/error.h"
#include "base/secret.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

#define SETUP_CODE_MAX 100
#define SETUP_SLUG_MAX 100
#define SETUP_URL_MAX 300

/* The App that GitHub made. */
struct setup_app {
    /* 0: there is none yet. */
    int64_t id;
    char slug[SETUP_SLUG_MAX + 1];
    /* Its page, below which it is installed; checked to be on GitHub's own origin. */
    char page[SETUP_URL_MAX + 1];
    /* PEM. */
    struct secret key;
    /* Empty: GitHub made none. */
    struct secret webhook_secret;
};

void setup_app_finish(struct setup_app *app);

/* Makes a webhook secret, without which a host cannot verify webhooks. 0, or -1. */
int setup_make_secret(struct secret *secret);

/* Has the text the form of a code? Others are never sent. */
bool setup_code_is_sound(const char *code);

enum setup_conversion {
    SETUP_CONVERTED = 0,
    /* GitHub knows no such code: it was used before, or is older than an hour. */
    SETUP_CODE_UNKNOWN = 1,
};

/* Sends the code. Blocks for at most 30 s. Returns an enum setup_conversion; or -1 and `err`: the
 * same code may be sent again. `web_url` is where GitHub's pages are. */
int setup_convert(const struct config *config, const char *web_url, const char *code,
                  struct setup_app *app, struct error *err);

/* Reads GitHub's response. 0, or -1. For tests. */
int setup_app_read(const char *json, size_t bytes, const char *web_url, struct setup_app *app,
                   struct error *err);

#endif
