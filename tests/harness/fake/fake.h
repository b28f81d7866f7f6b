/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A fake of GitHub's REST API for tests: it verifies the app's JWTs, mints tokens that are bound to
 * an installation and its permissions, keeps what the requests do as state, records every request,
 * and fails when it is told to. docs/fake-github.md is its manual. */
#ifndef SNEK_HARNESS_FAKE_H
#define SNEK_HARNESS_FAKE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_KEYS_MAX 4

struct fake_options {
    /* HOST:PORT; port 0 picks one. */
    const char *listen;
    /* The start of URLs in responses; NULL: http:// and the address. */
    const char *public_url;
    int64_t app_id;
    const char *app_slug;
    /* Files: PEM, private or public. */
    const char *app_keys[FAKE_KEYS_MAX];
    size_t n_app_keys;
    const char *state_file;                        /* NULL: nothing exists */
    const char *webhook_url, *webhook_secret_file; /* NULL: the state's settings */
    bool quiet;
};

/* Serves until SIGTERM or SIGINT. 0, or -1 with why it could not start. Main thread, before any
 * other. */
int fake_run(const struct fake_options *options, struct error *err);

#endif
