/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic new-plugin NAME`: creates a folder with a plugin that builds, and a scenario that
 * passes. */
#include "cli/cli.h"

#include "base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define NAME_BYTES_MAX 64
#define FILE_MAX (64u << 10)
#define PLACEHOLDER "@NAME@"

static const char usage[] =
    "Usage: snekomatic new-plugin [--directory FOLDER] NAME\n"
    "\n"
    "Creates the folder NAME with a plugin of that name in C, its meson.build, a scenario that "
    "tests\n"
    "it, a README and a .gitignore. `meson setup build && meson test -C build` in it then passes.\n"
    "NAME starts with a letter and has letters a-z, digits, - and _.\n"
    "\n"
    "      --directory FOLDER  the folder to create instead; it may exist, but must not contain\n"
    "                          these files\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 73 a file exists already, or cannot be written.\n";

static const struct {
    /* Contains @NAME@. */
    const char *path;
    /* Contains @NAME@. */
    const char *text;
} files[] = {
    {
        "@NAME@.c",
#include "plugin.c.in.inc"
    },
    {
        "meson.build",
#include "meson.build.in.inc"
    },
    {
        "scenarios/@NAME@.toml",
#include "scenario.toml.in.inc"
    },
    {
        "README.md",
#include "readme.md.in.inc"
    },
    {
        ".gitignore",
#include "gitignore.in.inc"
    },
};

static bool is_name(const char *name) {
    size_t bytes = strlen(name);
    return *name >= 'a' && *name <= 'z' && bytes <= NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == bytes;
}

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, const char **name, const char **directory) {
    static const struct option options[] = {{"directory", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            *directory = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    if (argc - optind != 1) {
        return cli_usage_error("new-plugin", "one NAME is needed");
    }
    *name = argv[optind];
    *directory = *directory ? *directory : *name;
    if (!is_name(*name)) {
        return cli_usage_error("new-plugin",
                               "'%s' cannot be a plugin's name: it needs a letter first, then "
                               "letters a-z, digits, - and _, at most %d in all",
                               *name, NAME_BYTES_MAX);
    }
    return -1;
}

/* NULL if memory is short. */
static char *fill(const char *text, const char *name) {
    AUTO_BUFFER struct buffer out = BUFFER_INIT(FILE_MAX);
    int result = 0;
    for (const char *at; result == 0 && (at = strstr(text, PLACEHOLDER)) != NULL;
         text = at + strlen(PLACEHOLDER)) {
        result = buffer_append(&out, text, (size_t)(at - text));
        result = result < 0 ? result : buffer_append_text(&out, name);
    }
    return result < 0 || buffer_append_text(&out, text) < 0 ? NULL : buffer_steal(&out);
}

static int fail(const char *what, const char *path) {
    fprintf(stderr, "snekomatic new-plugin: cannot %s %s: %s\n", what, path, strerror(errno));
    return EX_CANTCREAT;
}

static int make_folder(const char *path) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ? EX_OK : fail("make", path);
}

/* Never overwrites a file. */
static int write_new(const char *path, const char *text) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t bytes = strlen(text);
    return fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes ? EX_OK : fail("write", path);
}

static int make_file(const char *directory, const char *name, const char *path, const char *text) {
    AUTO_FREE char *filled_path = fill(path, name);
    AUTO_FREE char *filled = fill(text, name);
    char where[PATH_MAX];
    if (!filled_path || !filled) {
        fputs("snekomatic new-plugin: out of memory\n", stderr);
        return EX_OSERR;
    }
    snprintf(where, sizeof where, "%s/%s", directory, filled_path);
    return write_new(where, filled);
}

int cli_new_plugin(int argc, char **argv) {
    const char *name = NULL, *directory = NULL;
    char scenarios[PATH_MAX];
    int status = parse(argc, argv, &name, &directory);
    if (status >= 0) {
        return status;
    }
    snprintf(scenarios, sizeof scenarios, "%s/scenarios", directory);
    status = make_folder(directory);
    status = status == EX_OK ? make_folder(scenarios) : status;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == EX_OK; i++) {
        status = make_file(directory, name, files[i].path, files[i].text);
    }
    if (status == EX_OK) {
        printf("%s/%s.c is a plugin. To build and to test it:\n"
               "  cd %s\n"
               "  meson setup build && meson test -C build\n",
               directory, name, directory);
    }
    return status;
}
