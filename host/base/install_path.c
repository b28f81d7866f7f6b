/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Resolves paths relative to the program's own file. */
#include "base/install_path.h"

#include "base/cleanup.h"

#include <assert.h>
#include <string.h>

char *install_path_self(void) {
    return realpath("/proc/self/exe", NULL);
}

char *install_path_beside(const char *relative) {
    AUTO_FREE char *self = install_path_self();
    AUTO_FREE char *path = NULL;
    if (!self) {
        return NULL;
    }
    assert(self[0] == '/'); /* realpath() promises it */
    *strrchr(self, '/') = '\0';
    if (asprintf(&path, "%s/%s", self, relative) < 0) {
        path = NULL;
        return NULL;
    }
    return realpath(path, NULL);
}
