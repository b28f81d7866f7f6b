/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Turns a line of the log into an event for Sentry, in its envelope, and reads Sentry's rate
 * limits. sentry.c sends the events. */
#ifndef SNEK_TELEMETRY_EVENT_H
#define SNEK_TELEMETRY_EVENT_H

#include "base/buffer.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_BYTES_MAX 16384
#define EVENT_CLIENT "snekomatic/" SNEK_VERSION

/* Does Sentry get this line of the log? It gets the host's errors and the failed attempts of runs.
 * It gets no line that a plugin logs: only the plugin's author knows what such a line may hold. */
bool event_wanted(enum log_level level, const char *message);

/* Appends the envelope of one event. Returns 0 or -1. */
int event_write(struct buffer *envelope, const char *environment, enum log_level level,
                const char *message, const struct log_field *fields);

/* The seconds for which a header line of Sentry's response holds events back (Retry-After,
 * X-Sentry-Rate-Limits). -1: the line is another header, or its limits are not for errors. */
int64_t event_limit_s(const char *line);

#endif
