/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "config", revision 1: the plugin's table [plugin.config] of snekomatic.toml. Best read in
 * create(), where a wrong value can reject to start. Nothing here blocks; texts are borrowed until
 * destroy() returns. */
#ifndef SNEKOMATIC_CONFIG_H
#define SNEKOMATIC_CONFIG_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_CONFIG_SERVICE "config"
#define SNEK_CONFIG_REVISION 1

struct snek_config_service {
    uint32_t bytes;    /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */

    /* As the event service's find(), whose comment has the grammar of paths. Any kind; the empty
     * path gives the whole table, as JSON. Never blocks. [since 1.0] */
    uint32_t (*find)(const struct snek_host *host, const char *path, struct snek_value *value);

    /* Says which keys there may be: an unknown one makes this return SNEK_E_INVALID, with a
     * sentence that names it and the nearest right one, ready for create() to return. Only the top
     * level is looked at. Never blocks. [since 1.0] */
    int32_t (*allow)(const struct snek_host *host, const char *const *keys, uint32_t keys_count);
};

#ifdef __cplusplus
}
#endif

#endif
