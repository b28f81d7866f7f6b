/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What Sentry is told, and where: the DSN's parts, an event in its envelope, its rate limits. */
#ifndef SNEK_TELEMETRY_EVENT_H
#define SNEK_TELEMETRY_EVENT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_BYTES_MAX 16384
#define EVENT_CLIENT "snekomatic/" SNEK_VERSION

/* scheme://KEY@HOST/PATH/PROJECT becomes scheme://HOST/PATH/api/PROJECT/envelope/ and a header. */
struct event_target {
    char *url, *authorization; /* ours */
    bool tls;
};

/* 0, or -1: the sentence goes on after the key's name, and shows nothing of the DSN. */
int event_target_init(struct event_target *target, const char *dsn, struct error *err);
void event_target_finish(struct event_target *target);

/* Whether a line of the log is for Sentry: the host's errors, and attempts that failed. What a
 * plugin logs by itself is its author's, and may hold anything. */
bool event_wanted(enum log_level level, const char *message);

/* Appends the envelope of one event. 0 or -1. */
int event_write(struct buffer *envelope, const char *environment, enum log_level level,
                const char *message, const struct log_field *fields);

/* How long a header line of Sentry's answer wants events to be held, in seconds; -1: it is no such
 * header, or about other things than errors. Retry-After, X-Sentry-Rate-Limits. */
int64_t event_limit_s(const char *line);

#endif
