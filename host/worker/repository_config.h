/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slots of the service "repository_config" (SDK, repository_config.h); these take NULL. */
#ifndef SNEK_WORKER_REPOSITORY_CONFIG_H
#define SNEK_WORKER_REPOSITORY_CONFIG_H

#include <snekomatic/repository_config.h>

int32_t repository_config_read(struct snek_run *shown, const char *name,
                               struct snek_repository_config **config);
uint32_t repository_config_find(struct snek_repository_config *config, const char *path,
                                struct snek_value *value);
const char *repository_config_source(const struct snek_repository_config *config);
int32_t repository_config_wrong(struct snek_repository_config *config, const char *path,
                                const char *problem);
int32_t repository_config_allow(struct snek_repository_config *config, const char *const *keys,
                                uint32_t keys_count);

#endif
