/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugin's table [plugin.config], as the JSON object that the host sent. */
#ifndef SNEK_WORKER_PLUGIN_CONFIG_H
#define SNEK_WORKER_PLUGIN_CONFIG_H

#include "base/error.h"

#include <snekomatic/event.h>

#include <stdbool.h>
#include <stddef.h>

struct plugin_config;

/* Copies the text. NULL when memory is short, or when it is no JSON object (`*malformed`). Lives
 * until the process ends. */
struct plugin_config *plugin_config_new(const char *json, size_t bytes, bool *malformed);

bool plugin_config_is_empty(const struct plugin_config *config);

/* Works like the config service's find(). Each value is copied once, however often it is found, and
 * stays until the process ends. Any thread. */
uint32_t plugin_config_find(struct plugin_config *config, const char *path,
                            struct snek_value *value);

/* 0; -1 and a sentence when the top level has a key that is not among `keys`. Any thread. */
int plugin_config_allow(const struct plugin_config *config, const char *const *keys,
                        uint32_t keys_count, struct error *err);

#endif
