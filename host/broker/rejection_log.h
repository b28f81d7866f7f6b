/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bounds the log lines about requests that the broker rejects before it sends them: a plugin can
 * make thousands of those in a second. Each plugin has a bound of its own.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_REJECTION_LOG_H
#define SNEK_BROKER_REJECTION_LOG_H

#include "base/lru_map.h"

#include <stdbool.h>
#include <stdint.h>

/* Lines of one plugin in a second. */
#define REJECTION_LOG_A_SECOND 10

struct rejection_log {
    struct lru_map plugins;
};

void rejection_log_init(struct rejection_log *log);
/* Logs the number of lines that were withheld. */
void rejection_log_finish(struct rejection_log *log);

/* May one more line of this plugin be logged? Counts it otherwise. */
bool rejection_log_passes(struct rejection_log *log, const char *plugin);

/* Until rejection_log_handle(), which logs how many lines were withheld in the seconds that are
 * over. */
int rejection_log_wait_ms(const struct rejection_log *log, int most_ms);
void rejection_log_handle(struct rejection_log *log);

#endif
