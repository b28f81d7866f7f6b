/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "store", revision 1: sets of texts, and values by key, that outlive the run.
 *
 *   scope SNEK_SCOPE_PLUGIN        one namespace for all installations
 *   scope SNEK_SCOPE_INSTALLATION  one namespace for each installation
 *     |- set "invited"    { "mona", "hubot" }     set_has, set_add, set_remove
 *     '- key "last-run"   -> "2026-01-31"         get, put, remove
 *
 * When a slot returns, the change is on disk. Set names are at most 100 bytes, entries and keys at
 * most 512 bytes, all UTF-8; values are at most 64 KiB of any bytes. All sets and keys of the
 * plugin together have at most `plugin.store_mib` MiB, in which each entry and each key counts 64
 * bytes and its texts. Arguments are copied.
 * Keys that begin with "snekomatic." are the host's own: SNEK_E_INVALID.
 *
 * Every slot blocks until the host's store responds. Errors are SNEK_E_STORE (the store failed),
 * SNEK_E_INVALID (an argument is invalid), SNEK_E_TOO_LARGE (the store of the plugin is full) and
 * SNEK_E_CANCELLED, each with a reason. */
#ifndef SNEKOMATIC_STORE_H
#define SNEKOMATIC_STORE_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_STORE_SERVICE "store"
#define SNEK_STORE_REVISION 1

/* `scope` is an enum snek_scope. */
struct snek_store_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] 1 when `entry` is in the set, 0 when it is not, or a negative enum snek_error. */
    int32_t (*set_has)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);

    /* [handler] 1 when the entry was added, 0 when the set had it, or a negative enum snek_error.
     */
    int32_t (*set_add)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);

    /* [handler] 1 when the entry was removed, 0 when the set did not have it, or a negative enum
     * snek_error.
     */
    int32_t (*set_remove)(struct snek_run *run, uint32_t scope, const char *set, const char *entry);

    /* [handler] 1 and `*value`, borrowed until the handler returns; 0 when there is no such key; or
     * a negative enum snek_error. */
    int32_t (*get)(struct snek_run *run, uint32_t scope, const char *key, struct snek_text *value);

    /* [handler] Sets the value of a key. 0, or a negative enum snek_error. */
    int32_t (*put)(struct snek_run *run, uint32_t scope, const char *key, const char *value,
                   uint64_t value_bytes);

    /* [handler] 1 when the key was removed, 0 when there was no such key, or a negative enum
     * snek_error. */
    int32_t (*remove)(struct snek_run *run, uint32_t scope, const char *key);
};

#ifdef __cplusplus
}
#endif

#endif
