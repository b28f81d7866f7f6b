/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A configuration while it is being loaded. Only this room includes this. */
#ifndef SNEK_CONFIG_CONFIG_LOADER_H
#define SNEK_CONFIG_CONFIG_LOADER_H

#include "base/buffer.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/toml.h"

#define CONFIG_FILE_BYTES_MAX (1u << 20)
#define CONFIG_PROBLEMS_BYTES_MAX (64u << 10)
#define CONFIG_JSON_BYTES_MAX (256u << 10) /* of one [plugin.config] */

struct config_loader {
    /* As people wrote it; NULL: none. */
    const char *file;
    /* Absolute: where relative paths start. */
    char *directory;
    struct config *config;
    struct buffer problems;
    bool failed;
    /* Well or badly: then it is not missing. */
    unsigned app_id_given : 1;
};

/* Where a value stands. */
struct place {
    /* In the file; 0: in no line of it. */
    unsigned line;
    const char *variable; /* NULL: in the file */
    /* The sentence itself says where. */
    bool nowhere;
};

/* Adds a line to the problems; control characters in it are made visible. */
void config_loader_problem(struct config_loader *loader, struct place place, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

/* The three ways to set `key` in the struct at `settings`; what is wrong becomes a problem. */
void config_loader_defaults(struct config_loader *loader, const struct config_key *keys,
                            void *settings);
void config_loader_text(struct config_loader *loader, const struct config_key *key, void *settings,
                        const char *text, struct place place);
void config_loader_toml(struct config_loader *loader, const struct config_key *key, void *settings,
                        const struct toml_value *value);

/* A key that is in no table of ours. */
void config_loader_unknown(struct config_loader *loader, const struct config_key *keys,
                           const char *name, unsigned line);

/* "SECTION.KEY" of a table's member, fit to be shown and to be looked up. */
#define CONFIG_LOADER_NAME_MAX 128
void config_loader_name(const char *section, const struct toml_value *member,
                        char name[CONFIG_LOADER_NAME_MAX]);

/* [[plugin]], before and after plugins.directory is known. */
void config_loader_plugins(struct config_loader *loader, const struct toml_value *plugins);
void config_loader_bundled_plugins(struct config_loader *loader);
void config_loader_resolve_plugins(struct config_loader *loader);

/* The variables of the proxy. */
void config_loader_proxy(struct config_loader *loader);

#endif
