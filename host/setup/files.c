/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes each file under another name, and gives it its own name once it is complete on the disk.
 */
#include "setup/files.h"

#include "base/io.h"
#include "base/log.h"
#include "supervisor/key.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1u << 20)
#define LINES_MAX 65536
#define GITHUB_API "https://api.github.com"
#define DEFAULT_PORT 8000
#define SECRET_FILE "setup-by-hand.webhook-secret"

/* ---- where ---- */

/* Splits an absolute path, and resolves the symbolic links of its directory. */
static int find_directory(struct setup_files *files, const char *path, struct error *err) {
    AUTO_FREE char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    if (!slash) {
        return error_set(err, "%s is not an absolute path", path);
    }
    *slash = '\0';
    AUTO_FREE char *directory = realpath(slash == copy ? "/" : copy, NULL);
    if (!directory) {
        return error_set(err, "cannot find the directory of %s: %s", path, strerror(errno));
    }
    const char *separator = strcmp(directory, "/") == 0 ? "" : "/";
    if (snprintf(files->directory, SETUP_PATH_MAX, "%s", directory) >= SETUP_PATH_MAX ||
        snprintf(files->file, SETUP_PATH_MAX, "%s%s%s", directory, separator, slash + 1) >=
            SETUP_PATH_MAX) {
        return error_set(err, "%s is too long", path);
    }
    return 0;
}

int setup_files_init(struct setup_files *files, const char *path, struct error *err) {
    AUTO_FREE char *real = realpath(path, NULL);
    *files = (struct setup_files){.exists = real != NULL};
    if (find_directory(files, real ? real : path, err) < 0) {
        return -1;
    }
    if (faccessat(AT_FDCWD, files->directory, W_OK | X_OK, AT_EACCESS) < 0) {
        return error_set(err,
                         "cannot write into %s (%s), where the App's key is to be stored: let the "
                         "user of this process write there, or name another configuration with -c",
                         files->directory, strerror(errno));
    }
    return 0;
}

void setup_files_names(const struct setup_app *app, char key[SETUP_FILE_NAME_MAX],
                       char secret[SETUP_FILE_NAME_MAX]) {
    snprintf(key, SETUP_FILE_NAME_MAX, "app-%" PRId64 ".private-key.pem", app->id);
    snprintf(secret, SETUP_FILE_NAME_MAX, "app-%" PRId64 ".webhook-secret", app->id);
}

/* ---- writing ---- */

static int sync_directory(const char *directory) {
    AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

/* Writes a new file beside `path`. 0, or -1 with errno. */
static int write_beside(const char *beside, const void *data, size_t bytes, mode_t mode) {
    if (unlink(beside) < 0 && errno != ENOENT) {
        return -1;
    }
    AUTO_CLOSE int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 || io_write_full(fd, data, bytes) < 0 || fchmod(fd, mode) < 0 ? -1 : fsync(fd);
}

static void path_beside(const char *path, char beside[SETUP_PATH_MAX + 8]) {
    snprintf(beside, SETUP_PATH_MAX + 8, "%s.new", path);
}

static int write_file(const struct setup_files *files, const char *name,
                      const struct secret *content, struct error *err) {
    char path[SETUP_PATH_MAX + SETUP_FILE_NAME_MAX], beside[sizeof path + 8];
    snprintf(path, sizeof path, "%s/%s", files->directory, name);
    snprintf(beside, sizeof beside, "%s.new", path);
    if (write_beside(beside, content->data, content->bytes, 0600) < 0 || rename(beside, path) < 0 ||
        sync_directory(files->directory) < 0) {
        int reason = errno;
        unlink(beside);
        return error_set(err, "cannot write %s: %s", path, strerror(reason));
    }
    return 0;
}

/* ---- the configuration ---- */

static void put(struct buffer *lines, const char *key, const char *text) {
    buffer_printf(lines, "%s = ", key);
    /* TOML's basic strings have JSON's escapes. */
    buffer_append_json_string(lines, text, strlen(text));
    buffer_append_text(lines, "\n");
}

static bool address_is_new(const struct setup_files *files, const struct config *config,
                           const struct setup_choices *choices) {
    const char *present = config->server.public_url;
    /* A new file has what a variable says too, which may be gone at the next start. */
    return *choices->address &&
           (!files->exists || !present || strcmp(present, choices->address) != 0);
}

/* In pull mode nobody but this machine needs the host's pages. The port of the variable PORT stays
 * without the variable. */
static void put_server(struct buffer *lines, const struct setup_files *files,
                       const struct config *config, const struct setup_choices *choices) {
    char listen[32];
    unsigned port = config->server.port;
    bool kept = config->server.listen_given || (!choices->pull && port == DEFAULT_PORT);
    if (!kept && (choices->pull || port != 0)) {
        snprintf(listen, sizeof listen, "%s:%u", choices->pull ? "127.0.0.1" : "0.0.0.0",
                 port != 0 ? port : DEFAULT_PORT);
        put(lines, "listen", listen);
    }
    if (address_is_new(files, config, choices)) {
        put(lines, "public_url", choices->address);
    }
}

static void put_github(struct buffer *lines, const struct setup_files *files,
                       const struct config *config, const struct setup_app *app,
                       const struct setup_choices *choices) {
    char key[SETUP_FILE_NAME_MAX], secret[SETUP_FILE_NAME_MAX];
    setup_files_names(app, key, secret);
    buffer_printf(lines, "app_id = %" PRId64 "\n", app->id);
    put(lines, "private_key_file", key);
    if (app->webhook_secret.bytes > 0) {
        put(lines, "webhook_secret_file", secret);
    }
    if (choices->pull && config->github.receive != CONFIG_RECEIVE_PULL) {
        put(lines, "receive", "pull");
    }
    if (!files->exists && strcmp(config->github.api_url, GITHUB_API) != 0) {
        put(lines, "api_url", config->github.api_url);
    }
}

/* The variable may be gone at the next start, and another store would have none of the deliveries.
 */
static void put_store(struct buffer *lines, const struct config *config) {
    if (settings_variable(config->settings, "DATABASE_URL")) {
        buffer_append_text(lines, "\n[store]\n");
        put(lines, "url", config->store.url);
    }
}

static void put_plugins(struct buffer *lines, const struct config *config) {
    for (size_t i = 0; i < config->n_plugins; i++) {
        buffer_append_text(lines, "\n[[plugin]]\n");
        put(lines, "path", config->plugins[i].as_written);
    }
}

int setup_files_lines(const struct setup_files *files, const struct config *config,
                      const struct setup_app *app, const struct setup_choices *choices,
                      struct buffer *lines) {
    AUTO_BUFFER struct buffer server = BUFFER_INIT(LINES_MAX);
    put_server(&server, files, config, choices);
    if (server.bytes > 0) {
        buffer_printf(lines, "[server]\n%s\n", server.data);
    }
    buffer_append_text(lines, "[github]\n");
    put_github(lines, files, config, app, choices);
    if (!files->exists) {
        put_store(lines, config);
        put_plugins(lines, config);
    }
    /* It fails only once the buffer is full. */
    return buffer_append_text(lines, "\n");
}

/* The end of the line "[NAME]" in a configuration; NULL: there is none. */
static const char *end_of_header(const char *text, const char *name) {
    size_t bytes = strlen(name);
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        const char *at = line + strspn(line, " \t");
        if (*at == '[' && strncmp(at + 1, name, bytes) == 0 && at[1 + bytes] == ']') {
            const char *rest = at + bytes + 2;
            rest += strspn(rest, " \t\r");
            if (*rest == '\n' || *rest == '#' || *rest == '\0') {
                return end ? end + 1 : line + strlen(line);
            }
        }
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

/* Copies `text` into `out`, with `lines` in the table `name`. */
static int add_to_table(const char *text, const char *name, const char *lines, struct buffer *out) {
    const char *place = end_of_header(text, name);
    if (place) {
        buffer_append(out, text, (size_t)(place - text));
        buffer_append_text(out, place > text && place[-1] != '\n' ? "\n" : "");
        buffer_append_text(out, lines);
        return buffer_append_text(out, place);
    }
    buffer_append_text(out, text);
    buffer_append_text(out, out->bytes > 0 && out->data[out->bytes - 1] != '\n' ? "\n" : "");
    return buffer_printf(out, "\n[%s]\n%s", name, lines);
}

static int edit(const struct setup_files *files, const struct config *config,
                const struct setup_app *app, const struct setup_choices *choices,
                struct buffer *out, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer old = BUFFER_INIT(CONFIG_BYTES_MAX);
    AUTO_WIPED_BUFFER struct buffer with_server = BUFFER_INIT(CONFIG_BYTES_MAX);
    AUTO_BUFFER struct buffer server = BUFFER_INIT(LINES_MAX), github = BUFFER_INIT(LINES_MAX);
    if (io_read_file(files->file, &old, err) < 0) {
        return -1;
    }
    const char *text = old.data ? old.data : "";
    put_server(&server, files, config, choices);
    if (server.bytes > 0) {
        if (add_to_table(text, "server", server.data, &with_server) < 0) {
            return error_set(err, "%s is too large", files->file);
        }
        text = with_server.data;
    }
    put_github(&github, files, config, app, choices);
    return add_to_table(text, "github", github.data, out) < 0
               ? error_set(err, "%s is too large", files->file)
               : 0;
}

static int compose(const struct setup_files *files, const struct config *config,
                   const struct setup_app *app, const struct setup_choices *choices,
                   struct buffer *out, struct error *err) {
    if (files->exists) {
        return edit(files, config, app, choices, out, err);
    }
    buffer_append_text(out, "# Written by the setup of snekomatic. The example configuration "
                            "explains every key.\n\n");
    return setup_files_lines(files, config, app, choices, out) < 0 ? error_set(err, "out of memory")
                                                                   : 0;
}

/* Does the file give the host what it needs? */
static int check(const char *path, const struct setup_app *app, setup_files_judge judge,
                 struct error *err) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    struct config *config = NULL;
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, app->id);
    if (config_load(path, CONFIG_NEED_EVERYTHING, &config, &problems) < 0) {
        size_t bytes = problems.text ? strcspn(problems.text, "\n") : 0;
        return error_set(err, "%.*s", (int)bytes, problems.text ? problems.text : "");
    }
    int result = 0;
    if (strcmp(config->github.app_id, id) != 0) {
        result = error_set(err, "it names another App");
    } else if (judge) {
        result = judge(config, err);
    }
    config_free(config);
    return result;
}

/* A new file belongs to this process. An old one keeps its owner and its mode. */
static int take_over(const struct setup_files *files, const char *beside) {
    struct stat status;
    if (!files->exists) {
        return 0;
    }
    if (stat(files->file, &status) < 0) {
        return -1;
    }
    if ((status.st_uid != geteuid() || status.st_gid != getegid()) &&
        chown(beside, status.st_uid, status.st_gid) < 0) {
        return -1;
    }
    return chmod(beside, status.st_mode & 07777);
}

static int store_config(const struct setup_files *files, const struct config *config,
                        const struct setup_app *app, const struct setup_choices *choices,
                        setup_files_judge judge, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_BYTES_MAX);
    char beside[SETUP_PATH_MAX + 8];
    path_beside(files->file, beside);
    if (compose(files, config, app, choices, &text, err) < 0) {
        return -1;
    }
    if (write_beside(beside, text.data, text.bytes, 0600) < 0 || take_over(files, beside) < 0) {
        int reason = errno;
        unlink(beside);
        return error_set(err, "cannot write %s: %s", beside, strerror(reason));
    }
    int checked = check(beside, app, judge, err);
    if (checked != 0) {
        unlink(beside);
        return checked > 0 ? 1 : error_wrap(err, "the lines cannot be added to %s", files->file);
    }
    if (!files->exists && faccessat(AT_FDCWD, files->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        unlink(beside);
        return error_set(err, "%s has come into being since the setup began, and is not replaced",
                         files->file);
    }
    if (rename(beside, files->file) < 0 || sync_directory(files->directory) < 0) {
        int reason = errno;
        unlink(beside);
        return error_set(err, "cannot write %s: %s", files->file, strerror(reason));
    }
    return 0;
}

/* No host starts with a key that cannot be read. */
static int check_key(const struct secret *text, struct error *err) {
    struct app_key *key = NULL;
    if (app_key_parse(text, &key, err) < 0) {
        return error_wrap(err, "GitHub's private key cannot be used (generate another one in the "
                               "App's settings: Private keys)");
    }
    app_key_free(key);
    return 0;
}

static void remove_file(const struct setup_files *files, const char *name) {
    char path[SETUP_PATH_MAX + SETUP_FILE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", files->directory, name);
    unlink(path);
}

int setup_files_store(const struct setup_files *files, const struct config *config,
                      const struct setup_app *app, const struct setup_choices *choices,
                      setup_files_judge judge, struct error *err) {
    char key[SETUP_FILE_NAME_MAX], secret[SETUP_FILE_NAME_MAX];
    setup_files_names(app, key, secret);
    if (check_key(&app->key, err) < 0) {
        return -1;
    }
    if (write_file(files, key, &app->key, err) < 0 ||
        (app->webhook_secret.bytes > 0 &&
         write_file(files, secret, &app->webhook_secret, err) < 0)) {
        return -1;
    }
    int result = store_config(files, config, app, choices, judge, err);
    if (result > 0) {
        remove_file(files, key);
        remove_file(files, secret);
    }
    return result;
}

int setup_secret_keep(const struct setup_files *files, struct secret *secret, struct error *err) {
    char path[SETUP_PATH_MAX + SETUP_FILE_NAME_MAX];
    snprintf(path, sizeof path, "%s/" SECRET_FILE, files->directory);
    if (access(path, F_OK) == 0) {
        return config_secret_file(path, secret, err);
    }
    if (setup_make_secret(secret) < 0) {
        return error_set(err, "the system gives no random bytes");
    }
    return write_file(files, SECRET_FILE, secret, err);
}

void setup_secret_forget(const struct setup_files *files) {
    remove_file(files, SECRET_FILE);
}

/* ---- what an earlier setup left ---- */

#define KEY_SUFFIX ".private-key.pem"

static bool is_key_file(const char *name) {
    size_t bytes = strlen(name), end = strlen(KEY_SUFFIX);
    return strncmp(name, "app-", 4) == 0 && bytes > end &&
           strcmp(name + bytes - end, KEY_SUFFIX) == 0;
}

void setup_files_log_left(const struct setup_files *files) {
    DIR *directory = opendir(files->directory);
    const struct dirent *entry;
    /* This setup runs only while no credential is configured. */
    while (directory && (entry = readdir(directory))) {
        if (is_key_file(entry->d_name)) {
            log_event(SNEK_LEVEL_WARNING, "setup_key_left", LOG_TEXT("file", entry->d_name),
                      LOG_TEXT("directory", files->directory),
                      LOG_TEXT("reason", "no configuration names it: an earlier setup ended before "
                                         "it was complete; `snekomatic setup --by-hand` takes the "
                                         "key of an App that exists, or delete the file and the "
                                         "App"));
        }
    }
    if (directory) {
        closedir(directory);
    }
}
