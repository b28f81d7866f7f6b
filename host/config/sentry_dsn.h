/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of a Sentry DSN: https://KEY@HOST/PATH/PROJECT. Config checks them, telemetry sends
 * events there. */
#ifndef SNEK_CONFIG_SENTRY_DSN_H
#define SNEK_CONFIG_SENTRY_DSN_H

#include "base/error.h"

#include <stdbool.h>

struct sentry_dsn {
    /* Ours: https://HOST/PATH/api/PROJECT/envelope/ */
    char *url;
    /* Ours; letters and digits only. */
    char *key;
    bool tls;
};

/* Returns 0, or -1. The error goes on after the setting's name and shows nothing of the DSN: its
 * key is enough to send events. */
int sentry_dsn_parse(const char *text, struct sentry_dsn *dsn, struct error *err);
/* Takes an empty one. */
void sentry_dsn_finish(struct sentry_dsn *dsn);

#endif
