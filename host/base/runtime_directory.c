/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tries the places for the runtime directory in turn. */
#include "base/runtime_directory.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The verdict on a place. */
enum { USABLE = 0, PASS_OVER = 1 };

static int is_private(const char *path, struct error *err) {
    struct stat status;
    if (lstat(path, &status) < 0) {
        error_set(err, "cannot use %s: %s; set RUNTIME_DIRECTORY to a private directory", path,
                  strerror(errno));
        return error_mark_transient(err);
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(err, "%s is not a directory: remove it", path);
    }
    if (status.st_uid != geteuid()) {
        return error_set(err,
                         "%s belongs to user %u, not to user %u, who runs snekomatic: remove it, "
                         "or set RUNTIME_DIRECTORY to a private directory",
                         path, (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        return error_set(err, "%s is writable by others: chmod 700 %s", path, path);
    }
    return 0;
}

static bool forbids_execution(const char *path) {
    struct statvfs status;
    return statvfs(path, &status) == 0 && status.f_flag & ST_NOEXEC;
}

/* USABLE, PASS_OVER or -1. */
static int try_place(const char *path, bool executable, struct error *err) {
    if (mkdir(path, 0700) < 0 && errno != EEXIST && errno != EROFS) {
        error_set(err, "cannot make %s: %s; set RUNTIME_DIRECTORY to a private directory", path,
                  strerror(errno));
        return error_mark_transient(err);
    }
    if (is_private(path, err) < 0) {
        return -1;
    }
    if (executable && forbids_execution(path)) {
        error_set(err,
                  "%s is on a file system that is mounted noexec: set RUNTIME_DIRECTORY to a "
                  "private directory on another one",
                  path);
        return PASS_OVER;
    }
    return USABLE;
}

/* The first item of a variable with absolute paths; NULL when it has none. */
static char *first_of(const char *name) {
    const char *value = getenv(name);
    return value && *value == '/' ? strndup(value, strcspn(value, ":")) : NULL;
}

/* After su or sudo, XDG_RUNTIME_DIR may be another user's. */
static bool is_own_directory(const char *path) {
    struct stat status;
    return path && stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == geteuid();
}

size_t runtime_directory_places(char *places[RUNTIME_DIRECTORY_PLACES]) {
    AUTO_FREE char *of_service = first_of("RUNTIME_DIRECTORY");
    AUTO_FREE char *of_session = first_of("XDG_RUNTIME_DIR");
    AUTO_FREE char *below_session = NULL;
    AUTO_FREE char *below_tmp = NULL;
    if (asprintf(&below_session, "%s/snekomatic", of_session ? of_session : "") < 0 ||
        asprintf(&below_tmp, "/tmp/snekomatic-%u", (unsigned)geteuid()) < 0) {
        return 0;
    }
    size_t count = 0;
    if (of_service) {
        places[count++] = STEAL(of_service);
    }
    if (is_own_directory(of_session)) {
        places[count++] = STEAL(below_session);
    }
    places[count++] = STEAL(below_tmp);
    return count;
}

char *runtime_directory(bool executable, struct error *err) {
    char *places[RUNTIME_DIRECTORY_PLACES];
    size_t count = runtime_directory_places(places);
    char *chosen = NULL;
    int found = PASS_OVER;
    if (count == 0) {
        error_set(err, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *place = places[i];
        if (found == PASS_OVER) {
            found = try_place(place, executable, err);
            chosen = found == USABLE ? STEAL(place) : NULL;
        }
    }
    return chosen;
}
