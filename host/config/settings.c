/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the file and the variables, writes them as a message, and reads that message. */
#include "config/settings.h"

#include "base/array.h"
#include "base/io.h"
#include "base/proxy.h"
#include "config/keys.h"
#include "config/values.h"
#include "protocol/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME "snekomatic.toml"
#define SYSTEM_FILE "/etc/snekomatic/" FILE_NAME
#define NAME_BYTES_MAX 256
#define PATH_BYTES_MAX 4096

/* The private keys never leave the supervisor. */
static const char *const key_names[] = {"GITHUB_PRIVATE_KEY", "GITHUB_PRIVATE_KEY_NEXT"};
/* Variables of ours that are no key of the file; keys.c has the others. PGPASSWORD becomes a part
 * of store.url. */
static const char *const other_names[] = {"GITHUB_WEBHOOK_SECRET",
                                          "GITHUB_WEBHOOK_SECRET_PREVIOUS",
                                          "SNEKOMATIC_ADMIN_TOKEN",
                                          "PGPASSWORD",
                                          "no_proxy",
                                          "NO_PROXY"};
/* These hold secrets, and so do the proxy variables. */
static const char *const secret_names[] = {"GITHUB_PRIVATE_KEY",
                                           "GITHUB_PRIVATE_KEY_NEXT",
                                           "GITHUB_WEBHOOK_SECRET",
                                           "GITHUB_WEBHOOK_SECRET_PREVIOUS",
                                           "SNEKOMATIC_ADMIN_TOKEN",
                                           "DATABASE_URL",
                                           "SENTRY_DSN",
                                           "PGPASSWORD"};

/* Variables without a secret that the host or its libraries read: glibc (time zone, names of hosts,
 * temporary files, the directory for sockets), libpq and Kerberos, GnuTLS and OpenSSL, systemd's
 * watchdog, Heroku; and a hook of the tests. Not SSLKEYLOGFILE, with which GnuTLS would write the
 * keys of all connections to a file. */
static const char *const library_patterns[] = {"TZ",
                                               "TZDIR",
                                               "LANG",
                                               "LANGUAGE",
                                               "LC_*",
                                               "HOME",
                                               "TMPDIR",
                                               "RES_OPTIONS",
                                               "LOCALDOMAIN",
                                               "HOSTALIASES",
                                               "PG*",
                                               "KRB5*",
                                               "GNUTLS_*",
                                               "SSL_CERT_FILE",
                                               "SSL_CERT_DIR",
                                               "DYNO",
                                               "SNEKOMATIC_ADVANCE_FILE",
                                               "OPENSSL_CONF",
                                               "OPENSSL_MODULES",
                                               "WATCHDOG_USEC",
                                               "SQLITE_TMPDIR",
                                               "RUNTIME_DIRECTORY",
                                               "XDG_RUNTIME_DIR"};

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_proxy(const char *name) {
    size_t count = 0;
    while (proxy_variables[count]) {
        count++;
    }
    return is_one_of(name, proxy_variables, count);
}

/* Is it a variable of the configuration? */
static bool is_ours(const char *name) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        if (key->variable && strcmp(key->variable, name) == 0) {
            return true;
        }
    }
    return is_one_of(name, key_names, ARRAY_LENGTH(key_names)) ||
           is_one_of(name, other_names, ARRAY_LENGTH(other_names)) || is_proxy(name);
}

static bool is_for_libraries(const char *name) {
    for (size_t i = 0; i < ARRAY_LENGTH(library_patterns); i++) {
        if (fnmatch(library_patterns[i], name, 0) == 0) {
            return !is_ours(name);
        }
    }
    return false;
}

static int add_variable(struct settings *settings, const char *name, size_t name_bytes,
                        const char *value, size_t value_bytes) {
    struct settings_variable *variable = NULL;
    if (settings->n_variables < SETTINGS_VARIABLES_MAX) {
        variable = ARRAY_ADD(settings->variables, settings->n_variables);
    }
    if (!variable) {
        return -1;
    }
    variable->name = strndup(name, name_bytes);
    return variable->name ? secret_copy(&variable->value, value, value_bytes) : -1;
}

/* ---- reading ---- */

static bool is_trusted(const struct stat *status) {
    bool ours = status->st_uid == 0 || status->st_uid == geteuid();
    return ours && (S_ISLNK(status->st_mode) || !(status->st_mode & S_IWOTH));
}

/* A file that nobody named may be another user's trap in a shared directory: its github.api_url
 * would get the app's JWT. 0 or -1. */
static int check_found_here(int fd, const char *path, struct error *err) {
    struct stat link, file;
    if (lstat(path, &link) < 0 || fstat(fd, &file) < 0) {
        return error_set(err, "cannot read it: %s", strerror(errno));
    }
    if (is_trusted(&link) && is_trusted(&file)) {
        return 0;
    }
    return error_set(err,
                     "is not used: a file found in the working directory must belong to you or "
                     "root, and others must not be able to write it; fix that, or name the "
                     "file with -c");
}

static int read_file(struct settings *settings, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(SETTINGS_FILE_BYTES_MAX);
    AUTO_CLOSE int fd = open(settings->given, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return error_set(err, "cannot open %s: %s", settings->given, strerror(errno));
    }
    if (settings->found_here && check_found_here(fd, settings->given, err) < 0) {
        return error_wrap(err, "%s", settings->file);
    }
    /* One allocation, because a growing buffer would leave copies behind. */
    bool sized = S_ISREG(status.st_mode) && status.st_size < (off_t)text.max;
    if (sized && buffer_reserve(&text, (size_t)status.st_size + 1) < 0) {
        return error_set(err, "no memory for %s", settings->given);
    }
    if (io_read_rest(fd, settings->given, &text, err) < 0) {
        return -1;
    }
    return secret_copy(&settings->text, text.data ? text.data : "", text.bytes) < 0
               ? error_set(err, "no memory for %s", settings->given)
               : 0;
}

/* Reads the file, if there is one. A failure is reported later, with the other problems. */
static void read_given(struct settings *settings) {
    if (settings->given && read_file(settings, &settings->unreadable) == 0) {
        settings->unreadable.text[0] = '\0';
    }
}

/* Chooses the file and the directory of relative paths. */
static int find_file(struct settings *settings, const char *path, struct error *err) {
    AUTO_FREE char *here = getcwd(NULL, 0);
    if (!here) {
        return error_set(err, "cannot find out the working directory: %s", strerror(errno));
    }
    if (!path && access(FILE_NAME, F_OK) == 0) {
        path = FILE_NAME;
        settings->found_here = true;
    } else if (!path && access(SYSTEM_FILE, F_OK) == 0) {
        path = SYSTEM_FILE;
    }
    if (!path) {
        settings->directory = STEAL(here);
        return 0;
    }
    settings->given = strdup(path);
    settings->file = absolute_path(here, path);
    settings->directory = settings->file ? strdup(settings->file) : NULL;
    if (!settings->given || !settings->directory) {
        return error_set(err, "out of memory");
    }
    char *slash = strrchr(settings->directory, '/');
    /* The root keeps its slash. */
    slash[slash == settings->directory] = '\0';
    return 0;
}

/* Copies the variables of our environment that `wanted` accepts. */
static int copy_environment(struct settings *settings, bool (*wanted)(const char *name),
                            struct error *err) {
    for (char **entry = environ; entry && *entry; entry++) {
        char name[NAME_BYTES_MAX];
        size_t name_bytes = strcspn(*entry, "=");
        const char *value = *entry + name_bytes + 1;
        if (name_bytes >= sizeof name || !(*entry)[name_bytes] || !*value) {
            continue;
        }
        memcpy(name, *entry, name_bytes);
        name[name_bytes] = '\0';
        if (!wanted(name)) {
            continue;
        }
        if (strlen(value) > SETTINGS_VARIABLE_BYTES_MAX) {
            return error_set(err, "%s is larger than %d bytes", name, SETTINGS_VARIABLE_BYTES_MAX);
        }
        if (add_variable(settings, name, name_bytes, value, strlen(value)) < 0) {
            return error_set(err, "out of memory, or more than %d variables",
                             SETTINGS_VARIABLES_MAX);
        }
    }
    return 0;
}

int settings_read(const char *path, struct settings **settings, struct error *err) {
    struct settings *new = calloc(1, sizeof *new);
    int result = new ? find_file(new, path, err) : error_set(err, "out of memory");
    if (result < 0 || copy_environment(new, is_ours, err) < 0) {
        settings_free(new);
        return -1;
    }
    read_given(new);
    *settings = new;
    return 0;
}

int settings_read_variables(struct settings **settings, struct error *err) {
    struct settings *new = calloc(1, sizeof *new);
    if (new) {
        new->directory = getcwd(NULL, 0);
    }
    if (!new || !new->directory) {
        settings_free(new);
        return error_set(err, "cannot find out the working directory: %s", strerror(errno));
    }
    if (copy_environment(new, is_ours, err) < 0) {
        settings_free(new);
        return -1;
    }
    *settings = new;
    return 0;
}

static char *copy_text(const char *text, bool *failed) {
    char *copy = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copy);
    return copy;
}

/* 0, or -1 when memory is short. */
static int copy_variables(struct settings *new, const struct settings *present) {
    bool failed = false;
    for (size_t i = 0; i < present->n_variables && !failed; i++) {
        const struct settings_variable *variable = &present->variables[i];
        failed =
            variable->value.data && add_variable(new, variable->name, strlen(variable->name),
                                                 variable->value.data, variable->value.bytes) < 0;
    }
    return failed ? -1 : 0;
}

int settings_read_again(const struct settings *present, struct settings **settings,
                        struct error *err) {
    struct settings *new = calloc(1, sizeof *new);
    bool failed = !new;
    if (new) {
        new->given = copy_text(present->given, &failed);
        new->file = copy_text(present->file, &failed);
        new->directory = copy_text(present->directory, &failed);
        new->found_here = present->found_here;
    }
    if (failed || copy_variables(new, present) < 0) {
        settings_free(new);
        return error_set(err, "out of memory");
    }
    read_given(new);
    *settings = new;
    return 0;
}

int settings_read_other(const struct settings *present, const char *path,
                        struct settings **settings, struct error *err) {
    struct settings *new = calloc(1, sizeof *new);
    if (!new || copy_variables(new, present) < 0) {
        settings_free(new);
        return error_set(err, "out of memory");
    }
    if (find_file(new, path, err) < 0) {
        settings_free(new);
        return -1;
    }
    read_given(new);
    *settings = new;
    return 0;
}

/* ---- the message ----
 *
 * text path as given, text absolute path, text directory, text file; then each variable as text
 * name and text value, up to the end. */

static void put_secret(struct frame_writer *writer, const struct secret *secret) {
    frame_put_bytes(writer, secret->data ? secret->data : "", secret->bytes);
}

static void put_optional(struct frame_writer *writer, const char *text) {
    frame_put_text(writer, text ? text : "");
}

static void put_variables(struct frame_writer *writer, const struct settings *settings) {
    for (size_t i = 0; i < settings->n_variables; i++) {
        const struct settings_variable *variable = &settings->variables[i];
        if (!is_one_of(variable->name, key_names, ARRAY_LENGTH(key_names))) {
            frame_put_text(writer, variable->name);
            put_secret(writer, &variable->value);
        }
    }
}

static void free_settings(struct settings **settings) {
    settings_free(*settings);
}

int settings_write(const struct settings *settings, struct buffer *message, struct error *err) {
    CLEANUP(free_settings) struct settings *libraries = calloc(1, sizeof *libraries);
    struct frame_writer writer;
    if (!libraries || buffer_reserve(message, message->max) < 0) {
        return error_set(err, "out of memory");
    }
    if (copy_environment(libraries, is_for_libraries, err) < 0) {
        return -1;
    }
    frame_begin(&writer, message, 0, 0, 0);
    put_optional(&writer, settings->given);
    put_optional(&writer, settings->file);
    put_optional(&writer, settings->directory);
    put_secret(&writer, &settings->text);
    put_variables(&writer, settings);
    put_variables(&writer, libraries);
    return frame_end(&writer) < 0
               ? error_set(err, "the settings are larger than %u bytes", SETTINGS_BYTES_MAX)
               : 0;
}

static bool is_text(struct frame_text text) {
    return !memchr(text.data, '\0', text.bytes);
}

/* NULL for an empty text. */
static int get_optional(struct frame_reader *reader, char **text) {
    struct frame_text got = frame_get_text(reader, PATH_BYTES_MAX);
    if (got.bytes == 0) {
        return 0;
    }
    *text = is_text(got) ? strndup(got.data, got.bytes) : NULL;
    return *text ? 0 : -1;
}

static int parse(struct frame_reader *reader, struct settings *settings) {
    if (get_optional(reader, &settings->given) < 0 || get_optional(reader, &settings->file) < 0 ||
        get_optional(reader, &settings->directory) < 0) {
        return -1;
    }
    struct frame_text text = frame_get_text(reader, SETTINGS_FILE_BYTES_MAX);
    if (reader->failed || secret_copy(&settings->text, text.data, text.bytes) < 0) {
        return -1;
    }
    while (!reader->failed && reader->at != reader->end) {
        struct frame_text name = frame_get_text(reader, NAME_BYTES_MAX);
        struct frame_text value = frame_get_text(reader, SETTINGS_VARIABLE_BYTES_MAX);
        if (reader->failed || !is_text(name) || !is_text(value) ||
            add_variable(settings, name.data, name.bytes, value.data, value.bytes) < 0) {
            return -1;
        }
    }
    return settings->directory ? frame_read_end(reader) : -1;
}

int settings_parse(const void *message, size_t bytes, struct settings **settings) {
    struct frame_head head;
    if (bytes < sizeof head) {
        return -1;
    }
    memcpy(&head, message, sizeof head);
    struct settings *new = calloc(1, sizeof *new);
    struct frame_reader reader;
    frame_read_begin(&reader, (const char *)message + sizeof head, bytes - sizeof head);
    if (!new || head.body_bytes != bytes - sizeof head || parse(&reader, new) < 0) {
        settings_free(new);
        return -1;
    }
    *settings = new;
    return 0;
}

/* ---- variables ---- */

static void finish_variable(struct settings_variable *variable) {
    free(variable->name);
    secret_finish(&variable->value);
}

int settings_apply(struct settings *settings) {
    size_t kept = 0;
    int result = 0;
    for (size_t i = 0; i < settings->n_variables; i++) {
        struct settings_variable *variable = &settings->variables[i];
        if (!is_for_libraries(variable->name)) {
            settings->variables[kept++] = *variable;
            continue;
        }
        result |= setenv(variable->name, variable->value.data, 1);
        finish_variable(variable);
    }
    settings->n_variables = kept;
    return result;
}

const struct secret *settings_variable(const struct settings *settings, const char *name) {
    for (size_t i = 0; settings && i < settings->n_variables; i++) {
        const struct settings_variable *variable = &settings->variables[i];
        if (strcmp(variable->name, name) == 0 && variable->value.bytes > 0) {
            return &variable->value;
        }
    }
    return NULL;
}

void settings_forget(struct settings *settings, const char *name) {
    for (size_t i = 0; settings && i < settings->n_variables; i++) {
        if (strcmp(settings->variables[i].name, name) == 0) {
            secret_finish(&settings->variables[i].value);
        }
    }
    secret_scrub_environment(name);
}

void settings_scrub_environment(void) {
    for (size_t i = 0; i < ARRAY_LENGTH(secret_names); i++) {
        secret_scrub_environment(secret_names[i]);
    }
    proxy_forget();
}

void settings_free(struct settings *settings) {
    if (!settings) {
        return;
    }
    for (size_t i = 0; i < settings->n_variables; i++) {
        finish_variable(&settings->variables[i]);
    }
    free(settings->variables);
    secret_finish(&settings->text);
    free(settings->given);
    free(settings->file);
    free(settings->directory);
    free(settings);
}
