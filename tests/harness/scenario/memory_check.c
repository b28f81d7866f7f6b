/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes the command that runs workers under valgrind or with AddressSanitizer's runtime, and reads
 * their reports: memory.PID in the scenario's folder. */
#include "scenario/memory_check.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_PREFIX "memory."
#define REPORT_BYTES_MAX (4u << 20)
#define SHOWN_LINES_MAX 24
#define PLUGIN_BYTES_MAX (64u << 20)

/* -- the command -- */

static bool find_program(const char *name, char path[PATH_MAX]) {
    const char *folders = getenv("PATH"), *at = folders ? folders : "/usr/bin:/bin";
    while (*at) {
        size_t bytes = strcspn(at, ":");
        int length = snprintf(path, PATH_MAX, "%.*s/%s", (int)bytes, at, name);
        if (bytes > 0 && length < PATH_MAX && access(path, X_OK) == 0) {
            return true;
        }
        at += bytes + (at[bytes] == ':');
    }
    return false;
}

int memory_check_is_possible(enum memory_check check, struct error *err) {
#ifdef SNEK_SANITIZED
    if (check != MEMORY_CHECK_NONE) {
        return error_set(err, "the programs of this build have sanitizers themselves, which do not "
                              "work together with --valgrind or --asan: use a build without "
                              "b_sanitize");
    }
#endif
    char path[PATH_MAX];
    if (check == MEMORY_CHECK_VALGRIND && !find_program("valgrind", path)) {
        return error_set(err, "--valgrind: valgrind is not in PATH: install it (on Debian: "
                              "apt-get install valgrind)");
    }
    return 0;
}

/* The last option wins, so an author may set a suppression, or --num-callers. */
static char *valgrind_command(struct error *err) {
    const char *more = getenv("VALGRIND_OPTS");
    char path[PATH_MAX], *command = NULL;
    if (memory_check_is_possible(MEMORY_CHECK_VALGRIND, err) < 0 ||
        !find_program("valgrind", path)) {
        return NULL;
    }
    if (asprintf(&command,
                 "%s --tool=memcheck --leak-check=full --show-leak-kinds=definite "
                 "--errors-for-leak-kinds=definite --track-origins=yes %s --log-file=" REPORT_PREFIX
                 "%%p",
                 path, more ? more : "") < 0) {
        error_set(err, "out of memory");
        return NULL;
    }
    return command;
}

/* Starts `ldd PATH`; its output, or NULL. */
static FILE *start_ldd(const char *path, pid_t *pid) {
    int fds[2];
    posix_spawn_file_actions_t actions;
    char *const argv[] = {(char *)"ldd", (char *)path, NULL};
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return NULL;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    int problem = posix_spawnp(pid, "ldd", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (problem != 0) {
        close(fds[0]);
        errno = problem;
        return NULL;
    }
    return fdopen(fds[0], "re");
}

static bool is_runtime(const char *name) {
    return strncmp(name, "libasan.so", 10) == 0 || strncmp(name, "libclang_rt.asan", 16) == 0;
}

/* The runtime that the plugin links: `name` is "" when it links none, and `path` is "" when the
 * dynamic linker does not find it. */
static int find_runtime(const char *plugin, char name[NAME_MAX], char path[PATH_MAX],
                        struct error *err) {
    char line[PATH_MAX + NAME_MAX + 64];
    pid_t pid;
    int status;
    FILE *output = start_ldd(plugin, &pid);
    *name = *path = '\0';
    if (!output) {
        return error_set(err, "--asan: cannot run ldd: %s", strerror(errno));
    }
    while (fgets(line, sizeof line, output)) {
        char *at = line + strspn(line, " \t"), *target = strstr(at, " => ");
        if (*name || !is_runtime(at) || !target) {
            continue;
        }
        *target = '\0';
        target += strlen(" => ");
        snprintf(name, NAME_MAX, "%s", at);
        if (*target == '/') {
            snprintf(path, PATH_MAX, "%.*s", (int)strcspn(target, " \n"), target);
        }
    }
    fclose(output);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return 0;
}

/* Clang leaves the runtime to the program, unless -shared-libasan is given. */
static bool lacks_runtime(const char *plugin) {
    AUTO_FILE FILE *file = fopen(plugin, "re");
    AUTO_FREE char *data = malloc(PLUGIN_BYTES_MAX);
    size_t bytes = file && data ? fread(data, 1, PLUGIN_BYTES_MAX, file) : 0;
    static const char symbol[] = "__asan_init";
    return bytes > 0 && memmem(data, bytes, symbol, sizeof symbol) != NULL;
}

static int runtime_of_plugin(const char *plugin, char path[PATH_MAX], struct error *err) {
    char name[NAME_MAX];
    if (find_runtime(plugin, name, path, err) < 0) {
        return -1;
    }
    if (!*name && lacks_runtime(plugin)) {
        return error_set(
            err,
            "--asan: %s needs AddressSanitizer's runtime and does not link it, because "
            "clang adds it to programs only: link the plugin with -fsanitize=address "
            "-shared-libasan",
            plugin);
    }
    if (*name && !*path) {
        return error_set(err,
                         "--asan: %s links %s, which the dynamic linker does not find: set "
                         "LD_LIBRARY_PATH to its folder (`clang -print-file-name=%s` prints "
                         "the file), or link the plugin with -Wl,-rpath and that folder",
                         plugin, name, name);
    }
    return 0;
}

/* The runtime must come before all other libraries, and one process has one. Leaks are not looked
 * for: a worker ends by _exit(), at which LeakSanitizer does nothing. */
static char *asan_command(const json_t *plugins, struct error *err) {
    const char *more = getenv("ASAN_OPTIONS");
    char runtime[PATH_MAX] = "", path[PATH_MAX], symbolizer[PATH_MAX + 32] = "", *command = NULL;
    size_t i;
    json_t *plugin;
    json_array_foreach(plugins, i, plugin) {
        const char *file = json_string_value(json_object_get(plugin, "path"));
        /* The host looks for a bare name among the installed plugins, which have no sanitizer. */
        if (!file || !strchr(file, '/') || access(file, R_OK) < 0) {
            continue;
        }
        if (runtime_of_plugin(file, path, err) < 0) {
            return NULL;
        }
        if (*path && *runtime && strcmp(path, runtime) != 0) {
            error_set(err,
                      "--asan: the plugins link different runtimes, %s and %s: build them with the "
                      "same compiler",
                      runtime, path);
            return NULL;
        }
        if (*path) {
            snprintf(runtime, sizeof runtime, "%s", path);
        }
    }
    if (!*runtime) {
        error_set(err, "--asan: no plugin of the scenario is built with -fsanitize=address: build "
                       "it so (Meson: -Db_sanitize=address; clang also needs -shared-libasan)");
        return NULL;
    }
    if (find_program("llvm-symbolizer", path)) {
        snprintf(symbolizer, sizeof symbolizer, "ASAN_SYMBOLIZER_PATH=%s", path);
    }
    if (asprintf(&command,
                 "env LD_PRELOAD=%s PATH=/usr/bin:/bin %s "
                 "ASAN_OPTIONS=detect_leaks=0:allow_addr2line=1:%s:log_path=memory",
                 runtime, symbolizer, more ? more : "") < 0) {
        error_set(err, "out of memory");
        return NULL;
    }
    return command;
}

char *memory_check_wrapper(enum memory_check check, const json_t *plugins, struct error *err) {
    return check == MEMORY_CHECK_VALGRIND ? valgrind_command(err) : asan_command(plugins, err);
}

/* -- the reports -- */

/* The line's text without valgrind's "==PID== ". */
static const char *skip_prefix(const char *line) {
    const char *at = line;
    if (strncmp(at, "==", 2) != 0) {
        return line;
    }
    at += 2 + strspn(at + 2, "0123456789");
    if (strncmp(at, "==", 2) != 0) {
        return line;
    }
    return at + 2 + (at[2] == ' ');
}

/* Text of one report: its lines up to an empty one. */
struct report {
    char text[3600];
    size_t bytes, lines;
    bool has_stack;
};

static void add_line(struct report *report, const char *line) {
    int length = (int)strcspn(line, "\n");
    report->has_stack |= strncmp(line, "   at 0x", 8) == 0 || strncmp(line, "    #0 0x", 9) == 0;
    if (report->lines++ < SHOWN_LINES_MAX &&
        report->bytes + (size_t)length + 2 < sizeof report->text) {
        report->bytes +=
            (size_t)snprintf(report->text + report->bytes, sizeof report->text - report->bytes,
                             "%s%.*s", report->bytes > 0 ? "\n" : "", length, line);
    }
}

/* The host reports a process that a signal ends. Valgrind's other lines have no stack, and
 * AddressSanitizer's other stacks say where memory was allocated. */
static bool is_error(enum memory_check check, const struct report *report) {
    if (check == MEMORY_CHECK_ASAN) {
        return report->has_stack && strstr(report->text, "AddressSanitizer");
    }
    return report->has_stack && strncmp(report->text, "Process terminating", 19) != 0;
}

/* Reads one worker's file: its first error, and the number of errors. True: valgrind has summed up,
 * so it has looked for leaks. */
static bool read_reports(enum memory_check check, FILE *file, struct report *first,
                         size_t *n_errors) {
    char line[4096];
    struct report report = {.bytes = 0};
    bool summed_up = false, more = true;
    *n_errors = 0;
    while (more) {
        more = fgets(line, sizeof line, file) != NULL;
        const char *text = more ? skip_prefix(line) : "";
        summed_up |= strncmp(text, "ERROR SUMMARY", 13) == 0;
        if (*text && *text != '\n' && strspn(text, "=") + 1 < strlen(text)) {
            add_line(&report, text);
            continue;
        }
        if (is_error(check, &report) && (*n_errors)++ == 0) {
            *first = report;
        }
        report = (struct report){.bytes = 0};
    }
    return summed_up;
}

static void verify_file(enum memory_check check, const char *folder, const char *name, bool ended,
                        struct differences *differences) {
    const char *tool = check == MEMORY_CHECK_VALGRIND ? "valgrind" : "AddressSanitizer";
    char path[PATH_MAX + NAME_MAX + 2];
    struct report first;
    size_t n_errors;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    AUTO_FILE FILE *file = fopen(path, "re");
    if (!file) {
        differences_add(differences, "%s's report %s cannot be read: %s", tool, path,
                        strerror(errno));
        return;
    }
    bool summed_up = read_reports(check, file, &first, &n_errors);
    if (n_errors > 0) {
        differences_add(differences, "%s reports an error of a worker: %s", tool, first.text);
    }
    if (n_errors > 1) {
        differences_add(differences, "%s has %zu more; --keep keeps it", name, n_errors - 1);
    }
    if (ended && check == MEMORY_CHECK_VALGRIND && !summed_up) {
        printf("# a worker was killed, so valgrind did not look for its leaks (%s)\n", name);
    }
}

void memory_check_verify(enum memory_check check, const char *folder, bool ended,
                         struct differences *differences) {
    DIR *entries = check == MEMORY_CHECK_NONE ? NULL : opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        const char *suffix = entry->d_name + strlen(REPORT_PREFIX);
        if (strncmp(entry->d_name, REPORT_PREFIX, strlen(REPORT_PREFIX)) == 0 &&
            isdigit((unsigned char)*suffix)) {
            verify_file(check, folder, entry->d_name, ended, differences);
        }
    }
    if (entries) {
        closedir(entries);
    }
}
