/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "config", revision 1: the plugin's own table of snekomatic.toml.
 *
 *   [[plugin]]                       create(host, &state)
 *   path = "invite.so"                 allow(host, {"guide"}, 1)  an unknown key is an error
 *   [plugin.config]                    find(host, "guide", &value)
 *   guide = "https://example.org"      0, or negative: the plugin does not start
 *
 * Read the configuration in create(), where an invalid value can reject to start. No slot blocks.
 * Any thread may call a slot until destroy() returns; texts are borrowed until then. */
#ifndef SNEKOMATIC_CONFIG_H
#define SNEKOMATIC_CONFIG_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_CONFIG_SERVICE "config"
#define SNEK_CONFIG_REVISION 1

struct snek_config_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [any thread] Finds `path` in the table, fills `value` (which may be NULL) and returns its
     * kind: SNEK_ABSENT when the path leads nowhere or memory is short. The grammar of paths is
     * that of the event service's find(). The empty path is the whole table, as JSON. */
    uint32_t (*find)(const struct snek_host *host, const char *path, struct snek_value *value);

    /* [create] Checks that the top level of the table has no other keys than these. 0, or
     * SNEK_E_INVALID with a reason that names the unknown key and the nearest known one; create()
     * can return it.
     */
    int32_t (*allow)(const struct snek_host *host, const char *const *keys, uint32_t keys_count);
};

#ifdef __cplusplus
}
#endif

#endif
