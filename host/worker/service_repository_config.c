/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "repository_config". */
#include "worker/repository_config.h"
#include "worker/services.h"

const struct snek_repository_config_service service_repository_config = {
    .bytes = sizeof(struct snek_repository_config_service),
    .read = repository_config_read,
    .find = repository_config_find,
    .source = repository_config_source,
    .wrong = repository_config_wrong,
    .allow = repository_config_allow,
};
