/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Resolves paths relative to the program's own file. */
#include "base/install_path.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *install_path_self(void) {
    return realpath("/proc/self/exe", NULL);
}

/* The folder of the program's file. For a program in PREFIX/libexec/snekomatic it is
 * PREFIX/libexec, from which "../share" is where it is from PREFIX/bin. */
static void cut_to_folder(char *path) {
    static const char inner[] = "/libexec/snekomatic";
    assert(path[0] == '/'); /* realpath() promises it */
    *strrchr(path, '/') = '\0';
    size_t bytes = strlen(path);
    if (bytes >= sizeof inner - 1 && strcmp(path + bytes - (sizeof inner - 1), inner) == 0) {
        *strrchr(path, '/') = '\0';
    }
}

char *install_path_beside(const char *relative) {
    AUTO_FREE char *self = install_path_self();
    AUTO_FREE char *path = NULL;
    if (!self) {
        return NULL;
    }
    cut_to_folder(self);
    if (asprintf(&path, "%s/%s", self, relative) < 0) {
        path = NULL;
        return NULL;
    }
    return realpath(path, NULL);
}

char *install_path_program(const char *name, struct error *err) {
    /* Installed (bin/ and libexec/snekomatic/), beside, and in the build's directories. */
    static const char *const places[] = {"../libexec/snekomatic", ".", "worker"};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        char relative[128];
        snprintf(relative, sizeof relative, "%s/%s", places[i], name);
        char *path = install_path_beside(relative);
        if (path && access(path, X_OK) == 0) {
            return path;
        }
        free(path);
    }
    error_set(err, "%s is neither beside this program nor in ../libexec/snekomatic from there",
              name);
    return NULL;
}
