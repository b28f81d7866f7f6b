/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of a Sentry DSN: https://KEY@HOST/PATH/PROJECT. Config checks them, telemetry sends
 * events there. */
#ifndef SNEK_CONFIG_SENTRY_DSN_H
#define SNEK_CONFIG_SENTRY_DSN_H

#include "base/error.h"

#include <stdbool.h>

struct sentry_dsn {
    char *url; /* ours: https://HOST/PATH/api/PROJECT/envelope/ */
    /* Ours; letters and digits only. */
    char *key;
    bool tls;
};

/* 0, or -1. The error goes on after the setting's name and shows nothing of the DSN: its key is
 * enough to send events. */
int sentry_dsn_parse(const char *text, struct sentry_dsn *dsn, struct error *err);
void sentry_dsn_finish(struct sentry_dsn *dsn); /* takes an empty one */

#endif
