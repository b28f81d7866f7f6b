/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "repository_config", revision 1: a YAML file in which the maintainers of a repository
 * configure the plugin.
 *
 *   plugin                       host                                           GitHub
 *    | read(run, "stale", &config)| .github/stale.yml of the event's repository  |
 *    |--------------------------->|--------------------------------------------->|
 *    |                            | if it has none: that of OWNER/.github        |
 *    |                            |--------------------------------------------->|
 *    |  0, or a negative error    |<---------------------------------------------|
 *    |<---------------------------|
 *    | find(config, "days", &value)      wrong(config, "days", "must be 1 to 90")
 *
 * Both files are those of the default branch. The plugin must declare {"contents", "read"}. The
 * host keeps GitHub's responses by their ETags, and records them like reads of the plugin.
 *
 * A file has at most 64 KiB, 32 levels, and 10,000 keys and values. Plain values follow the core
 * schema of YAML 1.2, where `yes` is a text. Aliases, tags and duplicate keys are errors. An error
 * in the file rejects the run, with the line and the column in its reason.
 *
 * A plugin may declare the values of its file (`repository_config` and `settings` in plugin.h).
 * Then read() checks them too, and the host checks each pull request that changes the file. */
#ifndef SNEKOMATIC_REPOSITORY_CONFIG_H
#define SNEKOMATIC_REPOSITORY_CONFIG_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_REPOSITORY_CONFIG_SERVICE "repository_config"
#define SNEK_REPOSITORY_CONFIG_REVISION 1

/* A file that was read, or the absence of one. The host owns its memory, until the handler returns.
 */
struct snek_repository_config;

struct snek_repository_config_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] Reads `.github/NAME.yml` and blocks meanwhile. 0 and `*config`, which is empty when
     * neither repository has the file; or a negative enum snek_error with a reason. SNEK_E_INVALID
     * for a file with errors, a name with other characters than letters, digits, - and _, an event
     * without a repository, and a plugin that does not declare the permission. */
    int32_t (*read)(struct snek_run *run, const char *name, struct snek_repository_config **config);

    /* [handler] Works like the event service's find(); the empty path is the whole file, whose kind
     * is SNEK_ABSENT when there is none. Texts live until the handler returns. Never blocks. */
    uint32_t (*find)(struct snek_repository_config *config, const char *path,
                     struct snek_value *value);

    /* [handler] "OWNER/NAME/.github/stale.yml", for messages; "" when there is no file. Never NULL.
     * Never blocks. */
    const char *(*source)(const struct snek_repository_config *config);

    /* [handler] Says that the value at `path` is wrong: "must be 1 to 90". SNEK_E_INVALID, and a
     * handler that returns it is rejected with the file, the line, the column and the path as the
     * reason. Never blocks. */
    int32_t (*wrong)(struct snek_repository_config *config, const char *path, const char *problem);

    /* [handler] Checks that the top level of the file has no other keys than these. 0; or
     * SNEK_E_INVALID as from wrong(), with the nearest right key. Never blocks. */
    int32_t (*allow)(struct snek_repository_config *config, const char *const *keys,
                     uint32_t keys_count);
};

#ifdef __cplusplus
}
#endif

#endif
