/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes a scenario's folder and configuration, and starts, watches, kills and ends its processes.
 */
#include "scenario/environment.h"

#include "scenario/tree.h"

#include "base/clock.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define TICK_NS 3000000
#define KEY_BITS 2048
#define CHILDREN_MAX 64
/* The runs of a step have ended before the host stops. A run that hangs gets no more time. */
#define DRAIN_MS 1000
#define ADVANCE_FILE "advance"

static int write_file(const char *path, const char *text, size_t bytes, struct error *err) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 && io_write_full(fd, text, bytes) == 0
               ? 0
               : error_set(err, "cannot write %s: %s", path, strerror(errno));
}

int environment_make_key(const char *root, struct error *err) {
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/app.pem", root);
    int result = gnutls_x509_privkey_init(&key);
    if (result == 0) {
        result = gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, KEY_BITS, 0);
        result = result < 0 ? result : gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
        gnutls_x509_privkey_deinit(key);
    }
    if (result < 0) {
        return error_set(err, "cannot make a key: %s", gnutls_strerror(result));
    }
    result = write_file(path, (const char *)pem.data, pem.size, err);
    gnutls_free(pem.data);
    return result;
}

/* -- processes -- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

void environment_catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool environment_interrupted(void) {
    return interrupted;
}

/* Keeps only what finds programs and controls sanitizers, so that a scenario behaves the same on
 * every machine. `wrapper`: one variable more, or NULL. */
static char **clean_environment(char *wrapper) {
    static const char *const kept[] = {
        "TMPDIR=", "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
    /* See environment_advance(). */
    static char *environment[10] = {(char *)"PATH=/usr/bin:/bin",
                                    (char *)"SNEKOMATIC_ADVANCE_FILE=" ADVANCE_FILE};
    size_t count = 2;
    for (char **entry = environ; *entry; entry++) {
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
            if (strncmp(*entry, kept[i], strlen(kept[i])) == 0 && count < 8) {
                environment[count++] = *entry;
            }
        }
    }
    environment[count++] = wrapper;
    environment[count] = NULL;
    return environment;
}

/* Starts argv with its output appended to `log`; the process, or -1. */
static pid_t spawn(const struct environment *environment, char *const argv[], const char *log,
                   struct error *err) {
    char **variables = clean_environment(environment->worker_wrapper);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        return error_set(err, "cannot start %s: %s", argv[0], strerror(errno));
    }
    if (pid > 0) {
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || out < 0 || in < 0 || chdir(environment->folder) < 0 ||
        dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
        _exit(127);
    }
    execve(argv[0], argv, variables);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void describe_end(int status, char *out, size_t bytes) {
    if (WIFSIGNALED(status)) {
        snprintf(out, bytes, "was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(out, bytes, "ended with status %d", WEXITSTATUS(status));
    }
}

/* -1 when it has ended, with how; it is 0 then. */
static int check_alive(pid_t *pid, const char *name, struct error *err) {
    int status;
    char how[80];
    if (*pid == 0 || waitpid(*pid, &status, WNOHANG) != *pid) {
        return 0;
    }
    *pid = 0;
    describe_end(status, how, sizeof how);
    return error_set(err, "the %s %s", name, how);
}

int environment_tick(struct environment *environment, struct error *err) {
    const struct timespec moment = {.tv_nsec = TICK_NS};
    lines_read(&environment->host_lines);
    if (interrupted) {
        return error_set(err, "interrupted");
    }
    if (check_alive(&environment->host, "host", err) < 0 ||
        check_alive(&environment->fake, "fake GitHub", err) < 0) {
        lines_read(&environment->host_lines);
        return -1;
    }
    nanosleep(&moment, NULL);
    return 0;
}

static int wait_listening(struct environment *environment, struct lines *lines, size_t at,
                          char *url, size_t url_bytes, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + environment->options->timeout_ms;
    while (clock_monotonic_ms() < deadline_ms) {
        size_t bytes;
        const char *line;
        char address[FIELD_MAX];
        lines_read(lines);
        while ((line = lines_next(lines, &at, &bytes)) != NULL) {
            if (line_is(line, bytes, "msg", "listening") &&
                line_field(line, bytes, "address", address)) {
                snprintf(url, url_bytes, "http://%.140s", address);
                return 0;
            }
        }
        if (environment_tick(environment, err) < 0) {
            return -1;
        }
    }
    return error_set(err, "it did not listen in time");
}

/* -- the host's configuration -- */

static void put_inline(struct buffer *out, const json_t *value) {
    if (json_is_object(value)) {
        const char *key, *before = "";
        json_t *item;
        buffer_append_text(out, "{");
        json_object_foreach((json_t *)value, key, item) {
            buffer_append_text(out, before);
            buffer_append_json_string(out, key, strlen(key));
            buffer_append_text(out, " = ");
            put_inline(out, item);
            before = ", ";
        }
        buffer_append_text(out, "}");
    } else if (json_is_array(value)) {
        size_t i;
        json_t *item;
        buffer_append_text(out, "[");
        json_array_foreach(value, i, item) {
            buffer_append_text(out, i ? ", " : "");
            put_inline(out, item);
        }
        buffer_append_text(out, "]");
    } else {
        /* JSON's texts, numbers and booleans are TOML's too. */
        AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        buffer_append_text(out, text ? text : "");
    }
}

static void put_table(struct buffer *out, const char *head, const json_t *table) {
    const char *key;
    json_t *value;
    buffer_printf(out, "%s\n", head);
    json_object_foreach((json_t *)table, key, value) {
        buffer_append_json_string(out, key, strlen(key));
        buffer_append_text(out, " = ");
        put_inline(out, value);
        buffer_append_text(out, "\n");
    }
}

/* The plugin's path for the host's configuration: relative to the scenario, or found in a folder.
 */
static json_t *plugin_path(const struct environment *environment, const char *written) {
    const struct environment_options *options = environment->options;
    char path[PATH_MAX];
    if (*written == '/') {
        return json_string(written);
    }
    if (strchr(written, '/')) {
        return json_sprintf("%s/%s", environment->scenario->directory, written);
    }
    for (size_t i = 0; i < options->n_plugin_folders; i++) {
        for (unsigned suffixed = 0; suffixed < 2; suffixed++) {
            snprintf(path, sizeof path, "%s/%s%s", options->plugin_folders[i], written,
                     suffixed ? ".so" : "");
            char *found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
            if (found) {
                json_t *result = json_string(found);
                free(found);
                return result;
            }
        }
    }
    /* The host looks in the installed plugins' folder. */
    return json_string(written);
}

/* A hang fails soon. */
static void set_deadline(const struct environment *environment, json_t *plugin) {
    const json_t *written = json_object_get(plugin, "deadline_ms");
    json_int_t deadline_ms = environment->options->timeout_ms / 2;
    if (json_is_integer(written) && environment->options->memory_check == MEMORY_CHECK_NONE) {
        return;
    }
    if (json_is_integer(written)) {
        deadline_ms = json_integer_value(written) * MEMORY_CHECK_FACTOR;
    }
    json_object_set_new(plugin, "deadline_ms", json_integer(deadline_ms));
}

static json_t *plugins_of(const struct environment *environment) {
    json_t *written = json_object_get(environment->scenario->root, "plugin"),
           *plugins = json_array();
    if (json_is_string(written)) {
        json_array_append_new(plugins, json_pack("{s:O}", "path", written));
    } else {
        json_decref(plugins);
        plugins = json_deep_copy(written);
    }
    size_t i;
    json_t *plugin;
    json_array_foreach(plugins, i, plugin) {
        const char *path = json_string_value(json_object_get(plugin, "path"));
        json_object_set_new(plugin, "path", plugin_path(environment, path));
        set_deadline(environment, plugin);
        if (environment->options->memory_check != MEMORY_CHECK_NONE) {
            /* The wrapper is for these only, and the tools need more than the sandbox gives. */
            json_object_set_new(plugin, "sandbox", json_string("off"));
        }
    }
    return plugins;
}

static int write_config(const struct environment *environment, struct error *err) {
    AUTO_BUFFER struct buffer out = BUFFER_INIT(4u << 20);
    char path[PATH_MAX + 32];
    json_t *tables = json_pack(
        "{s:{s:s, s:i}, s:{s:i, s:s, s:i, s:i, s:i, s:s, s:s}, s:{s:s}, s:{s:i}, s:{s:s}}",
        "server", "listen", "127.0.0.1:0", "drain_ms", DRAIN_MS, "github", "app_id",
        atoi(ENVIRONMENT_APP_ID), "api_url", environment->fake_url, "write_interval_ms", 0,
        "notify_interval_ms", 0, "recover_interval_minutes", 0, "private_key_file", "../app.pem",
        "webhook_secret_file", "webhook.secret", "store", "url", "sqlite:snekomatic.db", "dispatch",
        "delay_ms", 0, "log", "level", "debug");
    json_t *more = json_object_get(environment->scenario->root, "host"), *table;
    const char *name;
    json_object_foreach(more, name, table) {
        json_t *there = json_object_get(tables, name);
        if (json_is_object(there) && json_is_object(table)) {
            json_object_update(there, table);
        } else {
            json_object_set(tables, name, table);
        }
    }
    json_object_foreach(tables, name, table) {
        char head[128];
        snprintf(head, sizeof head, "[%.100s]", name);
        put_table(&out, head, table);
    }
    json_decref(tables);
    json_t *plugins = plugins_of(environment), *plugin;
    size_t i;
    json_array_foreach(plugins, i, plugin) {
        put_table(&out, "[[plugin]]", plugin);
    }
    json_decref(plugins);
    snprintf(path, sizeof path, "%s/webhook.secret", environment->folder);
    if (write_file(path, ENVIRONMENT_SECRET, strlen(ENVIRONMENT_SECRET), err) < 0) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/snekomatic.toml", environment->folder);
    return write_file(path, out.data, out.bytes, err);
}

/* -- starting and ending -- */

static int set_worker_wrapper(struct environment *environment, struct error *err) {
    enum memory_check check = environment->options->memory_check;
    if (check == MEMORY_CHECK_NONE) {
        return 0;
    }
    json_t *plugins = plugins_of(environment);
    AUTO_FREE char *command = memory_check_wrapper(check, plugins, err);
    json_decref(plugins);
    if (!command) {
        return -1;
    }
    return asprintf(&environment->worker_wrapper, "SNEKOMATIC_WORKER_WRAPPER=%s", command) < 0
               ? error_set(err, "out of memory")
               : 0;
}

int environment_call_fake(struct environment *environment, const char *method, const char *what,
                          const json_t *body, json_t **response, struct error *err) {
    char url[256];
    snprintf(url, sizeof url, "%s/_fake/%s", environment->fake_url, what);
    int result = client_json(&environment->client, method, url, body, response, err);
    if (result == 0 && response) {
        tree_hide_markers(*response);
    }
    return result;
}

/* TOML has no null, so "none" takes a permission away. */
static void drop_permissions(json_t *github) {
    size_t i;
    json_t *installation, *access;
    const char *name;
    json_array_foreach(json_object_get(github, "installations"), i, installation) {
        json_t *permissions = json_object_get(installation, "permissions");
        json_object_foreach(permissions, name, access) {
            if (json_is_string(access) && strcmp(json_string_value(access), "none") == 0) {
                json_object_set_new(permissions, name, json_null());
            }
        }
    }
}

static int start_fake(struct environment *environment, struct error *err) {
    char log[PATH_MAX + 16], key[PATH_MAX + 16], state[PATH_MAX + 16];
    snprintf(log, sizeof log, "%s/fake.log", environment->folder);
    snprintf(key, sizeof key, "%s/app.pem", environment->options->root);
    snprintf(state, sizeof state, "%s/github.json", environment->options->payloads);
    char *argv[] = {(char *)environment->options->self,
                    (char *)"fake-github",
                    (char *)"--app-id",
                    (char *)ENVIRONMENT_APP_ID,
                    (char *)"--app-slug",
                    (char *)ENVIRONMENT_APP_SLUG,
                    (char *)"--app-key",
                    key,
                    (char *)"--state",
                    state,
                    NULL};
    if (lines_open(&environment->fake_lines, log) < 0) {
        return error_set(err, "cannot write %s: %s", log, strerror(errno));
    }
    pid_t pid = spawn(environment, argv, log, err);
    if (pid < 0) {
        return -1;
    }
    environment->fake = pid;
    if (wait_listening(environment, &environment->fake_lines, 0, environment->fake_url,
                       sizeof environment->fake_url, err) < 0) {
        return error_wrap(
            err, "the fake GitHub does not start: %.*s", (int)(environment->fake_lines.text.bytes),
            environment->fake_lines.text.data ? environment->fake_lines.text.data : "");
    }
    json_t *more = json_object_get(environment->scenario->root, "github");
    drop_permissions(more);
    return more && environment_call_fake(environment, "PATCH", "state", more, NULL, err) < 0
               ? error_wrap(err, "[github]")
               : 0;
}

int environment_start_host(struct environment *environment, struct error *err) {
    char log[PATH_MAX + 16], config[PATH_MAX + 32], ready[200];
    snprintf(log, sizeof log, "%s/host.log", environment->folder);
    snprintf(config, sizeof config, "%s/snekomatic.toml", environment->folder);
    char *argv[] = {(char *)environment->options->snekomatic, (char *)"serve", (char *)"-c", config,
                    NULL};
    lines_read(&environment->host_lines);
    size_t mark = environment->host_lines.text.bytes;
    pid_t pid = spawn(environment, argv, log, err);
    if (pid < 0) {
        return -1;
    }
    environment->host = pid;
    if (wait_listening(environment, &environment->host_lines, mark, environment->host_url,
                       sizeof environment->host_url, err) < 0) {
        return error_wrap(err, "the host does not start");
    }
    int64_t deadline_ms = clock_monotonic_ms() + environment->options->timeout_ms;
    snprintf(ready, sizeof ready, "%s/readyz", environment->host_url);
    while (client_status(&environment->client, ready) != 200) {
        if (environment_tick(environment, err) < 0) {
            return error_wrap(err, "the host does not start");
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return error_set(err, "the host did not become ready in time");
        }
    }
    return 0;
}

int environment_advance(const struct environment *environment, int64_t ms, struct error *err) {
    char path[PATH_MAX + 16], text[32];
    snprintf(path, sizeof path, "%s/" ADVANCE_FILE, environment->folder);
    int bytes = snprintf(text, sizeof text, "%" PRId64 "\n", ms);
    return write_file(path, text, (size_t)bytes, err);
}

int environment_retry(struct environment *environment, const char *guid, struct error *err) {
    char log[PATH_MAX + 16], config[PATH_MAX + 32];
    snprintf(log, sizeof log, "%s/retry.log", environment->folder);
    snprintf(config, sizeof config, "%s/snekomatic.toml", environment->folder);
    char *argv[] = {(char *)environment->options->snekomatic,
                    (char *)"deliveries",
                    (char *)"retry",
                    (char *)guid,
                    (char *)"-c",
                    config,
                    NULL};
    int status;
    pid_t pid = spawn(environment, argv, log, err);
    if (pid < 0) {
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return error_set(err, "cannot wait for snekomatic deliveries retry: %s",
                             strerror(errno));
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : error_set(err, "snekomatic deliveries retry %s failed; --keep keeps retry.log",
                           guid);
}

/* The status of waitpid(); -1 when the process had to be killed, 0 when it was not running. */
static int end_process(pid_t *pid, int64_t patience_ms) {
    int status = 0;
    int64_t deadline_ms = clock_monotonic_ms() + patience_ms;
    const struct timespec moment = {.tv_nsec = TICK_NS};
    if (*pid == 0) {
        return 0;
    }
    kill(*pid, SIGTERM);
    while (waitpid(*pid, &status, WNOHANG) == 0) {
        if (clock_monotonic_ms() > deadline_ms) {
            kill(*pid, SIGKILL);
            waitpid(*pid, &status, 0);
            status = -1;
            break;
        }
        nanosleep(&moment, NULL);
    }
    *pid = 0;
    return status;
}

int environment_stop_host(struct environment *environment, struct error *err) {
    char how[80];
    int status = end_process(&environment->host, environment->options->timeout_ms);
    lines_read(&environment->host_lines);
    if (status == -1) {
        return error_set(err, "the host did not end within %d s of SIGTERM",
                         (int)(environment->options->timeout_ms / 1000));
    }
    describe_end(status, how, sizeof how);
    return status == 0 ? 0 : error_set(err, "the host %s on SIGTERM", how);
}

int environment_start(struct environment *environment, const struct environment_options *options,
                      const struct scenario *scenario, unsigned number, struct error *err) {
    char log[PATH_MAX + 16];
    *environment = (struct environment){.options = options,
                                        .scenario = scenario,
                                        .fake_lines = {.fd = -1},
                                        .host_lines = {.fd = -1}};
    snprintf(environment->folder, sizeof environment->folder, "%s/%u", options->root, number);
    snprintf(log, sizeof log, "%s/host.log", environment->folder);
    if (mkdir(environment->folder, 0700) < 0 || lines_open(&environment->host_lines, log) < 0) {
        return error_set(err, "cannot make %s: %s", environment->folder, strerror(errno));
    }
    if (set_worker_wrapper(environment, err) < 0 || client_init(&environment->client, err) < 0 ||
        start_fake(environment, err) < 0 || write_config(environment, err) < 0) {
        return -1;
    }
    return environment_start_host(environment, err);
}

void environment_finish(struct environment *environment) {
    end_process(&environment->host, environment->options->timeout_ms);
    end_process(&environment->fake, environment->options->timeout_ms);
    if (environment->client.curl) {
        client_finish(&environment->client);
    }
    lines_finish(&environment->host_lines);
    lines_finish(&environment->fake_lines);
    free(environment->worker_wrapper);
}

/* -- killing -- */

static pid_t parent_of(pid_t pid) {
    char path[64], state;
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO_FILE FILE *file = fopen(path, "re");
    /* The name is in parentheses. */
    return file && fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && state != 'Z'
               ? (pid_t)parent
               : 0;
}

static size_t children_of(pid_t parent, pid_t found[CHILDREN_MAX]) {
    size_t count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && count < CHILDREN_MAX && parent_of(pid) == parent) {
            found[count++] = pid;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return count;
}

/* The supervisor's children are the host and the workers. A worker's command may be valgrind's,
 * whose last word is the worker's program. */
static bool is_worker(pid_t pid) {
    static const char name[] = "snekomatic-worker";
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    AUTO_FILE FILE *file = fopen(path, "re");
    size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[bytes] = '\0';
    for (const char *word = text; word < text + bytes; word += strlen(word) + 1) {
        const char *slash = strrchr(word, '/');
        if (strncmp(slash ? slash + 1 : word, name, strlen(name)) == 0) {
            return true;
        }
    }
    return false;
}

int environment_kill(struct environment *environment, bool worker, struct error *err) {
    pid_t children[CHILDREN_MAX];
    size_t count = children_of(environment->host, children), killed = 0;
    for (size_t i = 0; i < count; i++) {
        killed += is_worker(children[i]) == worker && kill(children[i], SIGKILL) == 0;
    }
    if (killed == 0) {
        return error_set(err, "there is no %s to kill", worker ? "worker" : "host");
    }
    return 0;
}
