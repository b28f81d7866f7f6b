/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens the plugin's file, which the host has checked and copied, and finds its entry. */
#include "worker/loader.h"

#include "worker/descriptor.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* The reason without the path of the copy, which the operator does not know. */
static const char *without_path(const char *why, const char *path) {
    size_t bytes = strlen(path);
    if (!why) {
        return "unknown reason";
    }
    bool named = strncmp(why, path, bytes) == 0 && strncmp(why + bytes, ": ", 2) == 0;
    return named ? why + bytes + 2 : why;
}

int loader_load(const char *path, struct snek_plugin *plugin, struct error *err) {
    if (*path != '/') {
        return error_set(err, "%s is not an absolute path", path);
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        return error_set(err, "cannot load it: %s", without_path(dlerror(), path));
    }
    /* A union, because ISO C has no conversion from an object's pointer to a function's. */
    union {
        void *symbol;
        const struct snek_plugin *(*call)(void);
    } entry = {.symbol = dlsym(object, SNEK_ENTRY_SYMBOL)};
    if (!entry.symbol) {
        return error_set(err, "it does not export " SNEK_ENTRY_SYMBOL
                              ": add SNEK_PLUGIN(...), or configure another file");
    }
    return descriptor_copy(entry.call(), plugin, err);
}
