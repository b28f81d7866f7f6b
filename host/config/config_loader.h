/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A configuration while it is being loaded. Only this room includes this. */
#ifndef SNEK_CONFIG_CONFIG_LOADER_H
#define SNEK_CONFIG_CONFIG_LOADER_H

#include "base/buffer.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/toml.h"

#define CONFIG_PROBLEMS_BYTES_MAX (64u << 10)
/* The bytes of one [plugin.config]. */
#define CONFIG_JSON_BYTES_MAX (256u << 10)

struct config_loader {
    /* The path that the user gave; NULL: none. Borrowed from the settings. */
    const char *file;
    /* Absolute; relative paths start here. Borrowed from the settings. */
    const char *directory;
    struct config *config;
    struct buffer problems;
    bool failed;
    /* A given app id, also a wrong one, is not reported as missing. */
    unsigned app_id_given : 1;
};

/* The place of a value, for a problem. */
struct place {
    /* The line in the file; 0: none. */
    unsigned line;
    /* NULL when the place is in the file. */
    const char *variable;
    /* The message itself names the place. */
    bool nowhere;
};

/* Adds one line to the problems; unsafe characters are replaced. */
void config_loader_problem(struct config_loader *loader, struct place place, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

/* Each sets `key` in the struct at `settings`; a wrong value becomes a problem. */
void config_loader_defaults(struct config_loader *loader, const struct config_key *keys,
                            void *settings);
void config_loader_text(struct config_loader *loader, const struct config_key *key, void *settings,
                        const char *text, struct place place);
void config_loader_toml(struct config_loader *loader, const struct config_key *key, void *settings,
                        const struct toml_value *value);

/* Reports a key that does not exist. */
void config_loader_unknown(struct config_loader *loader, const struct config_key *keys,
                           const char *name, unsigned line);

/* Writes "SECTION.KEY" for a member of a table, for lookups and messages. */
#define CONFIG_LOADER_NAME_MAX 128
void config_loader_name(const char *section, const struct toml_value *member,
                        char name[CONFIG_LOADER_NAME_MAX]);

/* [[plugin]], before and after plugins.directory is known. */
void config_loader_plugins(struct config_loader *loader, const struct toml_value *plugins);
void config_loader_bundled_plugins(struct config_loader *loader);
void config_loader_resolve_plugins(struct config_loader *loader);

/* The value of a variable in the settings; NULL when it is unset or empty. */
const char *config_loader_variable(const struct config_loader *loader, const char *name);

/* Reads the proxy variables. */
void config_loader_proxy(struct config_loader *loader);

#endif
