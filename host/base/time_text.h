/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Times as texts, for people and for URLs. Any thread. */
#ifndef SNEK_BASE_TIME_TEXT_H
#define SNEK_BASE_TIME_TEXT_H

#include <stdint.h>

/* "2025-01-31T23:59:59Z". */
#define TIME_TEXT_MAX 32
void time_text(int64_t time_ms, char text[TIME_TEXT_MAX]);

/* Parses "90s", "15m", "2h", "3d" or "1w" before `now_ms`, or an ISO 8601 date or time (UTC unless
 * it names another offset). Returns 0 and `*time_ms`, or -1. */
int time_text_read(const char *text, int64_t now_ms, int64_t *time_ms);

#endif
