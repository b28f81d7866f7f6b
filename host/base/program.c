/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/program.h"

#include "base/cleanup.h"

#include <string.h>

char *program_path(void) {
    return realpath("/proc/self/exe", NULL);
}

char *program_beside(const char *relative) {
    AUTO_FREE char *self = program_path();
    AUTO_FREE char *path = NULL;
    if (!self) {
        return NULL;
    }
    *strrchr(self, '/') = '\0';
    if (asprintf(&path, "%s/%s", self, relative) < 0) {
        path = NULL;
        return NULL;
    }
    return realpath(path, NULL);
}
