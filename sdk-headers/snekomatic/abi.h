/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The frozen head of a plugin's descriptor. This is the one file that never changes: by the head
 * any host, old or new, decides whether it may read the rest.
 *
 *   host reads: magic -> major -> required_minor -> struct_bytes -> the rest of the descriptor
 *                 |        |           |               |
 *      no plugin -'        |           |               '- too short for ABI MAJOR.0: rejected
 *        another major ----'           '- larger than the host's minor: rejected
 *
 * MAJOR changes when hosts and plugins can no longer understand each other. A host rejects a plugin
 * of another major. MINOR grows with every member that is added at the end of a struct or enum. A
 * plugin states in `required_minor` the oldest host that it accepts. Everything else is compatible
 * in both directions. */
#ifndef SNEKOMATIC_ABI_H
#define SNEKOMATIC_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "SNEK", read as little-endian bytes. */
#define SNEK_ABI_MAGIC 0x4B454E53u

struct snek_abi_head {
    /* SNEK_ABI_MAGIC. */
    uint32_t magic;
    /* The ABI of the headers that the plugin was built with. */
    uint16_t major;
    uint16_t minor;
    /* The oldest host minor that the plugin accepts. */
    uint16_t required_minor;
    /* 0. */
    uint16_t reserved;
    /* The size of the whole descriptor in the plugin's headers: bytes. */
    uint32_t struct_bytes;
};

/* The one symbol that a plugin exports: a function that takes nothing and returns a pointer to the
 * descriptor (struct snek_plugin in plugin.h). The descriptor is constant and stays valid while the
 * plugin is loaded. */
#define SNEK_ENTRY_SYMBOL "snek_plugin_entry"

#ifdef __cplusplus
}
#endif

#endif
