/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a plugin is given: a small core, and services that are asked for by name and revision. The
 * inline functions of convenience.h are the comfortable way to all of it.
 *
 * Every call may be made from any thread that the handler's own code started, unless its comment
 * says otherwise, as long as the handler has not returned. Growth is append-only: `bytes` says how
 * much of this struct the host has. */
#ifndef SNEKOMATIC_HOST_H
#define SNEKOMATIC_HOST_H

#include <snekomatic/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snek_host {
    uint32_t magic;    /* SNEK_ABI_MAGIC [since 1.0] */
    uint16_t major;    /* the host's ABI [since 1.0] */
    uint16_t minor;    /* [since 1.0] */
    uint32_t bytes;    /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */

    /* A service's vtable, or NULL when this host lacks that name or revision. Static; never
     * blocks. "event" 1: event.h; "github" 1: github.h; "commands" 1: commands.h; "store" 1:
     * store.h; "config" 1: config.h. [since 1.0] */
    const void *(*service)(const struct snek_host *host, const char *name, uint32_t revision);

    /* A line in the host's log, with the run's delivery and plugin; at most 1000 bytes are kept.
     * `run` may be NULL. Never blocks for long. [since 1.0] */
    void (*log)(const struct snek_host *host, struct snek_run *run, uint32_t level,
                const char *text);

    /* Why the run (or create(), when `run` is NULL) ends as it does: a sentence, at most 1000
     * bytes, copied. The last one counts. `delay_ms` is for SNEK_RETRY (0 or more). Never blocks.
     * [since 1.0] */
    void (*explain)(const struct snek_host *host, struct snek_run *run, const char *reason,
                    int64_t delay_ms);

    /* 1 once nobody waits for this run's answer any more, else 0: long loops should ask and stop.
     * Never blocks. [since 1.0] */
    int32_t (*cancelled)(struct snek_run *run);

    /* The wall clock: milliseconds since 1970-01-01 UTC. Never blocks. [since 1.0] */
    int64_t (*now_ms)(const struct snek_host *host);
};

#ifdef __cplusplus
}
#endif

#endif
