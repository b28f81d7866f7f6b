/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The frozen head of what a plugin exports: the one file here that never changes. By it any host,
 * however old or new, can tell whether it may look at the rest.
 *
 * Versions. MAJOR changes when old plugins cannot be understood any more; a host rejects another
 * major than its own. MINOR grows with every addition at the end of a struct or enum; a plugin says
 * with `required_minor` the oldest host that it accepts, and a host rejects a plugin that requires
 * a newer one. Everything else is compatible in both directions. */
#ifndef SNEKOMATIC_ABI_H
#define SNEKOMATIC_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_ABI_MAGIC 0x4B454E53u /* "SNEK", read as little-endian bytes */

struct snek_abi_head {
    uint32_t magic;          /* SNEK_ABI_MAGIC [since 1.0] */
    uint16_t major;          /* of the headers that the plugin was built with [since 1.0] */
    uint16_t minor;          /* of the same [since 1.0] */
    uint16_t required_minor; /* the oldest host minor that it accepts [since 1.0] */
    uint16_t reserved;       /* 0 [since 1.0] */
    uint32_t struct_bytes;   /* sizeof the whole descriptor, as the plugin knows it [since 1.0] */
};

/* The one symbol that a plugin exports: a function of this name that takes nothing and returns a
 * pointer to its descriptor (struct snek_plugin in plugin.h), which is constant and lives as long
 * as the plugin is loaded. */
#define SNEK_ENTRY_SYMBOL "snek_plugin_entry"

#ifdef __cplusplus
}
#endif

#endif
