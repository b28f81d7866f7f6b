/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The settings that a configuration is made of: the bytes of the file, its path, and the variables
 * of the environment. The supervisor reads them once and sends them to each host as a message, so
 * that both always agree, and so that the environment of a host holds no secret.
 *
 *   settings_read() -> config_load_settings()            in the supervisor and in the verbs
 *   settings_write() -> a message -> settings_parse() -> config_load_settings()      in the host
 *
 * A struct settings wipes its memory when it is freed. Main thread, before others start. */
#ifndef SNEK_CONFIG_SETTINGS_H
#define SNEK_CONFIG_SETTINGS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* The most bytes of a message, of the file, and of one variable, and the most variables. */
#define SETTINGS_BYTES_MAX (4u << 20)
#define SETTINGS_FILE_BYTES_MAX (1u << 20)
#define SETTINGS_VARIABLE_BYTES_MAX 65536
#define SETTINGS_VARIABLES_MAX 256

struct settings_variable {
    char *name;
    struct secret value;
};

struct settings {
    /* The file's path as the user gave it, and as an absolute path; NULL: there is no file. */
    char *given, *file;
    /* Absolute; relative paths in the file start here. */
    char *directory;
    /* Nobody named the file; it lies in the working directory. */
    bool found_here;
    /* The bytes of the file. */
    struct secret text;
    /* The error of reading the file; "" when there is none. */
    struct error unreadable;
    /* The variables that were set and not empty. */
    struct settings_variable *variables;
    size_t n_variables;
};

/* Reads the file and copies the variables. The file is `path`, else ./snekomatic.toml, else
 * /etc/snekomatic/snekomatic.toml, else none. 0 and `*settings`, also when the file cannot be read
 * (see settings.unreadable); or -1. */
int settings_read(const char *path, struct settings **settings, struct error *err);

/* Reads the file of `present` again, and takes the variables over: those of a running process do
 * not change. 0 and `*settings`, as settings_read(). */
int settings_read_again(const struct settings *present, struct settings **settings,
                        struct error *err);

/* Takes only the variables: there is no file, and the directory is the working directory. 0, or -1.
 */
int settings_read_variables(struct settings **settings, struct error *err);
/* Reads the file `path`, and takes the variables of `present` over. Like settings_read(). */
int settings_read_other(const struct settings *present, const char *path,
                        struct settings **settings, struct error *err);

/* Writes the message for a host: all settings except the private keys, and the variables of our
 * environment that libraries read and that hold no secret. `message` needs the maximum
 * SETTINGS_BYTES_MAX; the caller wipes it. 0, or -1. */
int settings_write(const struct settings *settings, struct buffer *message, struct error *err);

/* Reads a message of settings_write(). 0 and `*settings`, or -1 when it is malformed or memory is
 * short. */
int settings_parse(const void *message, size_t bytes, struct settings **settings);

/* Puts those variables that libraries read (TZ, HOME, PG...) into our environment, and removes
 * them from `settings`. setenv() places them where /proc/PID/environ does not show them. 0, or -1
 * when memory is short. */
int settings_apply(struct settings *settings);

/* The value of a variable; NULL when it is unset or empty. Borrowed until settings_free() or
 * settings_forget(). */
const struct secret *settings_variable(const struct settings *settings, const char *name);
/* Wipes a variable, here and in our environment. */
void settings_forget(struct settings *settings, const char *name);
/* Wipes all variables that may hold a secret, in our environment only. */
void settings_scrub_environment(void);

void settings_free(struct settings *settings); /* wipes; takes NULL */

#endif
