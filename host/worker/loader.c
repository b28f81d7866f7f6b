/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks that nobody else can have written the plugin's file, then opens it. */
#include "worker/loader.h"

#include "base/cleanup.h"
#include "worker/descriptor.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int check_writers(const char *path, const struct stat *info, struct error *err) {
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        return error_set(
            err,
            "%s belongs to user %u, who could change the plugin: make it belong to root or "
            "to user %u, who runs snekomatic",
            path, (unsigned)info->st_uid, (unsigned)geteuid());
    }
    bool sticky = S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX);
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) && !sticky) {
        return error_set(err, "%s is writable by %s: chmod go-w %s", path,
                         info->st_mode & S_IWOTH ? "everybody" : "its group", path);
    }
    return 0;
}

int loader_check_file(const char *path, struct error *err) {
    struct stat info;
    AUTO_FREE char *at = strdup(path);
    if (!at) {
        return error_set(err, "out of memory");
    }
    if (stat(at, &info) < 0) {
        return error_set(err, "cannot look at %s: %s", at, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(err, "%s is not a regular file", at);
    }
    while (check_writers(at, &info, err) == 0) {
        if (at[1] == '\0') {
            /* The root was the last. */
            return 0;
        }
        char *slash = strrchr(at, '/');
        slash[slash == at] = '\0';
        if (stat(at, &info) < 0) {
            return error_set(err, "cannot look at %s: %s", at, strerror(errno));
        }
    }
    return -1;
}

int loader_load(const char *path, struct snek_plugin *plugin, struct error *err) {
    if (*path != '/') {
        return error_set(err, "%s is not an absolute path", path);
    }
    AUTO_FREE char *real = realpath(path, NULL);
    if (!real) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    if (loader_check_file(real, err) < 0) {
        return -1;
    }
    void *object = dlopen(real, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *why = dlerror();
        return error_set(err, "cannot load it: %s", why ? why : "unknown reason");
    }
    /* A union, because ISO C has no conversion from an object's pointer to a function's. */
    union {
        void *symbol;
        const struct snek_plugin *(*call)(void);
    } entry = {.symbol = dlsym(object, SNEK_ENTRY_SYMBOL)};
    if (!entry.symbol) {
        return error_set(err,
                         "%s does not export " SNEK_ENTRY_SYMBOL
                         ": add SNEK_PLUGIN(...), or configure another file",
                         real);
    }
    return descriptor_copy(entry.call(), plugin, err);
}
