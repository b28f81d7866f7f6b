/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks owner and mode of each part of a path, from its end up to the root. */
#include "worker/library_path.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static int check_writers(const char *path, const struct stat *info, struct error *err) {
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        return error_set(err,
                         "%s belongs to user %u, who could change it: make it belong to root or to "
                         "user %u, who runs snekomatic",
                         path, (unsigned)info->st_uid, (unsigned)geteuid());
    }
    bool sticky = S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX);
    /* A link's mode means nothing: who may replace it is the directory's matter. */
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) && !sticky && !S_ISLNK(info->st_mode)) {
        return error_set(err, "%s is writable by %s: chmod go-w %s", path,
                         info->st_mode & S_IWOTH ? "everybody" : "its group", path);
    }
    return 0;
}

static int check_upwards(const char *path, struct error *err) {
    AUTO_FREE char *at = strdup(path);
    if (!at) {
        return error_set(err, "out of memory");
    }
    for (;;) {
        struct stat info;
        if (lstat(at, &info) < 0) {
            return error_set(err, "cannot look at %s: %s", at, strerror(errno));
        }
        if (check_writers(at, &info, err) < 0) {
            return -1;
        }
        if (at[1] == '\0') {
            /* The root was the last. */
            return 0;
        }
        char *slash = strrchr(at, '/');
        slash[slash == at] = '\0';
    }
}

int library_path_check_file(const char *path, struct error *err) {
    return check_upwards(path, err);
}

int library_path_check_directory(const char *path, struct error *err) {
    AUTO_FREE char *real = realpath(path, NULL);
    if (!real) {
        return error_set(err, "cannot look at %s: %s", path, strerror(errno));
    }
    return check_upwards(path, err) < 0 ? -1 : check_upwards(real, err);
}
