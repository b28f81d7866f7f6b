/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "config": the slots over plugin_config. */
#include "worker/plugin_config.h"
#include "worker/services.h"
#include "worker/worker.h"

#include <snekomatic/config.h>

static uint32_t config_find(const struct snek_host *host, const char *path,
                            struct snek_value *value) {
    struct snek_value ignored;
    struct snek_value *out = value ? value : &ignored;
    if (!host || !path) {
        *out = (struct snek_value){.kind = SNEK_ABSENT};
        return SNEK_ABSENT;
    }
    return plugin_config_find(worker_config(worker_of(host)), path, out);
}

static int32_t config_allow(const struct snek_host *host, const char *const *keys,
                            uint32_t keys_count) {
    struct error sentence;
    if (!host) {
        return SNEK_E_INVALID;
    }
    for (uint32_t i = 0; i < keys_count; i++) {
        if (!keys || !keys[i]) {
            host->explain(host, NULL, "allow() was called with a key that is NULL", 0);
            return SNEK_E_INVALID;
        }
    }
    if (plugin_config_allow(worker_config(worker_of(host)), keys, keys_count, &sentence) < 0) {
        host->explain(host, NULL, sentence.text, 0);
        return SNEK_E_INVALID;
    }
    return 0;
}

const struct snek_config_service service_config = {
    .bytes = sizeof(struct snek_config_service),
    .find = config_find,
    .allow = config_allow,
};
