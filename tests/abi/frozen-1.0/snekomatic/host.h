/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The vtable that the host gives to a plugin: a small core, and services by name and revision.
 *
 *   run->host --service("event", 1)----> struct snek_event_service     event.h
 *             --service("github", 1)---> struct snek_github_service    github.h
 *             --service("commands", 1)-> struct snek_commands_service  commands.h
 *             --service("store", 1)----> struct snek_store_service     store.h
 *             --service("role", 1)-----> struct snek_role_service      role.h
 *             --service("item", 1)-----> struct snek_item_service      item.h
 *             --service("check", 1)----> struct snek_check_service     check.h
 *             --service("commit", 1)---> struct snek_commit_service    commit.h
 *             --service("text", 1)-----> struct snek_text_service      text.h
 *             --service("config", 1)---> struct snek_config_service    config.h
 *             --service("timer", 1)----> struct snek_timer_service     timer.h
 *             --service("repository_config", 1)-> struct snek_repository_config_service
 *                                                                      repository_config.h
 *
 * The inline functions of convenience.h call these slots.
 *
 * Threads: the comment of each slot begins with a tag, which says where it may be called.
 *   [handler]     in a handler, and on threads that it started, until it returns
 *   [any thread]  on any thread of the plugin, from create() until destroy() returns
 *   [create]      on the worker's main thread, in create() only
 *
 * Growth: slots are only added at the end. `bytes` is the size of the struct in the host: a plugin
 * may call a slot that was added after 1.0 only if it lies within. */
#ifndef SNEKOMATIC_HOST_H
#define SNEKOMATIC_HOST_H

#include <snekomatic/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snek_host {
    /* SNEK_ABI_MAGIC. */
    uint32_t magic;
    /* The ABI of the host. */
    uint16_t major;
    uint16_t minor;
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [any thread] Returns the vtable of a service, or NULL when this host has no service of that
     * name and revision. The vtable is static. Never blocks. */
    const void *(*service)(const struct snek_host *host, const char *name, uint32_t revision);

    /* [any thread] Writes a line into the host's log, with the delivery and the plugin of `run`,
     * which may be NULL. `level` is an enum snek_log_level. The host keeps the first 1000 bytes of
     * `text`, which is copied. Blocks only while the host reads the line. */
    void (*log)(const struct snek_host *host, struct snek_run *run, uint32_t level,
                const char *text);

    /* [any thread] Sets the reason for the way in which the run ends. When `run` is NULL, it is the
     * reason for which create() rejects to start. `reason` is one sentence of at most 1000 bytes,
     * and is copied; NULL stands for the reason of the text that could not be built. The last call
     * counts. `delay_ms` is the delay of SNEK_RETRY or SNEK_WAIT, 0 or more. Never blocks.
     */
    void (*explain)(const struct snek_host *host, struct snek_run *run, const char *reason,
                    int64_t delay_ms);

    /* [handler] 1 after the host has cancelled the run, else 0. A handler that loops for long
     * should check it and return. Never blocks. */
    int32_t (*cancelled)(struct snek_run *run);

    /* [any thread] The wall clock: milliseconds since 1970-01-01 UTC. Never blocks. */
    int64_t (*now_ms)(const struct snek_host *host);
};

#ifdef __cplusplus
}
#endif

#endif
