/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the texts that a plugin has for the dynamic linker. */
#include "plugin_file/libraries.h"

#include "base/elf_needs.h"

#include <string.h>

/* Longer paths are cut in messages. */
#define SHOWN_MAX 200

static const char advice[] = "the host loads a copy of the plugin from another directory; link the "
                             "library statically, or give an absolute path";

static int check_search_path(const char *list, struct error *err) {
    if (strstr(list, "$ORIGIN") || strstr(list, "${ORIGIN}")) {
        return error_set(err, "its RUNPATH \"%.*s\" has $ORIGIN: %s", SHOWN_MAX, list, advice);
    }
    for (const char *item = list; *item;) {
        size_t bytes = strcspn(item, ":");
        if (item[0] != '/') {
            return error_set(err, "its RUNPATH \"%.*s\" has a relative path: %s", SHOWN_MAX, list,
                             advice);
        }
        item += bytes + (item[bytes] == ':');
    }
    return 0;
}

static int check_needed(const char *name, struct error *err) {
    if (strchr(name, '/') && name[0] != '/') {
        return error_set(err, "it needs the library \"%.*s\", a relative path: %s", SHOWN_MAX, name,
                         advice);
    }
    return 0;
}

int libraries_check(const void *data, size_t bytes, struct error *err) {
    struct elf_needs needs;
    if (elf_needs_read(data, bytes, &needs) < 0) {
        return 0;
    }
    for (size_t i = 0; i < needs.count; i++) {
        const struct elf_need *need = &needs.items[i];
        int result = need->kind == ELF_NEED_DIRECTORIES ? check_search_path(need->text, err)
                                                        : check_needed(need->text, err);
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}
