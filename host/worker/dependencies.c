/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks for every needed name in every directory that any object names. The dynamic linker looks in
 * some of these only, so it can load no file that was not checked here. */
#include "worker/dependencies.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/elf_needs.h"
#include "base/safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Below a directory, where glibc looks first for a library that suits the processor. */
static const char *const variants[] = {"", "glibc-hwcaps/x86-64-v4/", "glibc-hwcaps/x86-64-v3/",
                                       "glibc-hwcaps/x86-64-v2/"};

struct search {
    struct dependencies found;
    char **directories, **names;
    size_t n_directories, n_names;
    struct error *err;
};

static bool contains(char *const *list, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static int add_text(char ***list, size_t *count, const char *text, struct error *err) {
    if (contains(*list, *count, text)) {
        return 0;
    }
    char **item = ARRAY_ADD(*list, *count);
    if (!item || !(*item = strdup(text))) {
        return error_set(err, "out of memory");
    }
    return 0;
}

/* Replaces $ORIGIN by the directory of `object`. */
static int expand(const char *object, const char *text, size_t bytes, char path[PATH_MAX],
                  struct error *err) {
    static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
    size_t token = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(tokens); i++) {
        size_t length = strlen(tokens[i]);
        token = bytes >= length && memcmp(text, tokens[i], length) == 0 ? length : token;
    }
    const char *slash = strrchr(object, '/');
    int origin = token > 0 ? (int)(slash - object) : 0;
    int length =
        snprintf(path, PATH_MAX, "%.*s%.*s", origin, object, (int)(bytes - token), text + token);
    if (length >= PATH_MAX) {
        return error_set(err, "%s names a path that is too long", object);
    }
    if (path[0] != '/' || strchr(path, '$')) {
        return error_set(err,
                         "%s looks for libraries in \"%.*s\": build it with an absolute path, or "
                         "with one that begins with $ORIGIN",
                         object, (int)bytes, text);
    }
    return 0;
}

/* A library that the plugin brings. One that does not exist is no error: the dynamic linker may
 * find it in the system's directories, or explains what it misses. */
static int add_file(struct search *search, const char *object, const char *path) {
    AUTO_FREE char *real = realpath(path, NULL);
    if (!real) {
        return 0;
    }
    AUTO_CLOSE int fd = -1;
    if (safe_path_open(path, &fd, search->err) < 0) {
        return error_wrap(search->err, "%s needs the library %s", object, path);
    }
    if (search->found.n_files == DEPENDENCIES_MAX) {
        return error_set(search->err, "it brings more than %d libraries", DEPENDENCIES_MAX);
    }
    return add_text(&search->found.files, &search->found.n_files, real, search->err);
}

static bool is_directory(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int add_directories(struct search *search, const char *object, const char *list) {
    char path[PATH_MAX];
    for (size_t bytes; *list; list += bytes + (list[bytes] == ':')) {
        bytes = strcspn(list, ":");
        if (expand(object, list, bytes, path, search->err) < 0) {
            return -1;
        }
        if (!is_directory(path)) {
            continue;
        }
        if (safe_path_check_directory(path, search->err) < 0) {
            return error_wrap(search->err, "%s looks for libraries in %s", object, path);
        }
        if (search->n_directories == DEPENDENCIES_MAX) {
            return error_set(search->err, "it names more than %d directories of libraries",
                             DEPENDENCIES_MAX);
        }
        if (add_text(&search->directories, &search->n_directories, path, search->err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_need(struct search *search, const char *object, const struct elf_need *need) {
    char path[PATH_MAX];
    if (need->kind == ELF_NEED_DIRECTORIES) {
        return add_directories(search, object, need->text);
    }
    if (!strchr(need->text, '/')) {
        return add_text(&search->names, &search->n_names, need->text, search->err);
    }
    if (expand(object, need->text, strlen(need->text), path, search->err) < 0) {
        return -1;
    }
    return add_file(search, object, path);
}

static int add_matches(struct search *search, const char *object) {
    char path[PATH_MAX];
    int result = 0;
    for (size_t d = 0; result == 0 && d < search->n_directories; d++) {
        for (size_t n = 0; result == 0 && n < search->n_names * ARRAY_LENGTH(variants); n++) {
            int length = snprintf(path, sizeof path, "%s/%s%s", search->directories[d],
                                  variants[n % ARRAY_LENGTH(variants)],
                                  search->names[n / ARRAY_LENGTH(variants)]);
            if (length < PATH_MAX) {
                result = add_file(search, object, path);
            }
        }
    }
    return result;
}

static int add_needs(struct search *search, const char *object, const void *data, size_t bytes) {
    struct elf_needs needs;
    if (elf_needs_read(data, bytes, &needs) < 0) {
        return error_set(search->err,
                         "cannot load it: %s is not a whole shared object (ELF) of this machine",
                         object);
    }
    int result = 0;
    for (size_t i = 0; result == 0 && i < needs.count; i++) {
        result = add_need(search, object, &needs.items[i]);
    }
    return result;
}

static int visit(struct search *search, const char *object) {
    struct stat status;
    AUTO_CLOSE int fd = open(object, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return error_set(search->err, "cannot open %s: %s", object, strerror(errno));
    }
    size_t bytes = (size_t)status.st_size;
    /* mmap() takes no empty file. */
    void *data = bytes > 0 ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (data == MAP_FAILED) {
        return error_set(search->err, "cannot read %s: %s", object, strerror(errno));
    }
    int result = add_needs(search, object, data, bytes);
    if (bytes > 0) {
        munmap(data, bytes);
    }
    return result < 0 ? -1 : add_matches(search, object);
}

static void free_list(char **list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(list[i]);
    }
    free(list);
}

int dependencies_find(const char *plugin, struct dependencies *dependencies, struct error *err) {
    struct search search = {.err = err};
    if (*plugin != '/') {
        return error_set(err, "%s is not an absolute path", plugin);
    }
    int result = add_text(&search.found.files, &search.found.n_files, plugin, err);
    for (size_t i = 0; result == 0 && i < search.found.n_files; i++) {
        result = visit(&search, search.found.files[i]);
    }
    free_list(search.directories, search.n_directories);
    free_list(search.names, search.n_names);
    if (result < 0) {
        dependencies_finish(&search.found);
        return -1;
    }
    *dependencies = search.found;
    return 0;
}

void dependencies_finish(struct dependencies *dependencies) {
    free_list(dependencies->files, dependencies->n_files);
    *dependencies = (struct dependencies){0};
}
