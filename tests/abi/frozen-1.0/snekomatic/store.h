/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "store", revision 1: what a plugin remembers, for good: sets of texts, and values by key.
 * When a call returns, it is on the disk. Entries and keys are at most 512 bytes, values 64 KiB;
 * `scope` is an enum snek_scope. Every call blocks shortly. A negative return is SNEK_E_STORE or
 * SNEK_E_INVALID, with the reason left for the run. */
#ifndef SNEKOMATIC_STORE_H
#define SNEKOMATIC_STORE_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_STORE_SERVICE "store"
#define SNEK_STORE_REVISION 1

struct snek_store_service {
    uint32_t bytes;    /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */

    /* 1 when `entry` is in the set, else 0. Blocks. [since 1.0] */
    int32_t (*set_has)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);
    /* 1 when it was added, 0 when it was there. Blocks. [since 1.0] */
    int32_t (*set_add)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);
    /* 1 when it was removed, 0 when it was not there. Blocks. [since 1.0] */
    int32_t (*set_remove)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);
    /* 1 and `value` (borrowed until the handler returns) when the key is there, else 0. Blocks.
     * [since 1.0] */
    int32_t (*get)(struct snek_run *run, uint32_t scope, const char *key, struct snek_text *value);
    /* 0. Blocks. [since 1.0] */
    int32_t (*put)(struct snek_run *run, uint32_t scope, const char *key, const char *value,
                   uint64_t value_bytes);
    /* 1 when it was deleted, 0 when it was not there. Blocks. [since 1.0] */
    int32_t (*remove)(struct snek_run *run, uint32_t scope, const char *key);
};

#ifdef __cplusplus
}
#endif

#endif
