/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tries the places for the runtime directory in turn. */
#include "base/runtime_directory.h"

#include "base/cleanup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The verdict on a place. */
enum { USABLE = 0, PASS_OVER = 1 };

#define TMP "/tmp"
/* mkdtemp() replaces the X. */
#define RANDOM "-XXXXXX"

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

/* Is it a directory of ours with a name of mkdtemp()? Nobody else can make one that is ours. */
static bool is_own_fallback(const char *path, const char *usual) {
    struct stat status;
    return strlen(path) == strlen(usual) + strlen(RANDOM) &&
           strncmp(path, usual, strlen(usual)) == 0 && path[strlen(usual)] == RANDOM[0] &&
           lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           !(status.st_mode & (S_IRWXG | S_IRWXO));
}

/* Adds the directories that make_fallback() has made. Returns the new number of places. */
static size_t find_fallbacks(const char *usual, char *places[RUNTIME_DIRECTORY_PLACES],
                             size_t count) {
    DIR *tmp = opendir(TMP);
    struct dirent *entry;
    while (tmp && count < RUNTIME_DIRECTORY_PLACES && (entry = readdir(tmp))) {
        char *path = NULL;
        if (asprintf(&path, TMP "/%s", entry->d_name) < 0) {
            break;
        }
        if (is_own_fallback(path, usual)) {
            places[count++] = path;
        } else {
            free(path);
        }
    }
    if (tmp) {
        closedir(tmp);
    }
    return count;
}

/* Another user may have taken the usual name in /tmp, on purpose or not. Nobody can take a name
 * that is not known before. NULL and `err`. */
static char *make_fallback(const char *usual, struct error *err) {
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s" RANDOM, usual) < 0) {
        error_set(err, "out of memory");
        return NULL;
    }
    if (!mkdtemp(path)) {
        error_set(err, "cannot make %s: %s; set RUNTIME_DIRECTORY to a private directory", path,
                  strerror(errno));
        error_mark_transient(err);
        return NULL;
    }
    return STEAL(path);
}

static char *usual_below_tmp(void) {
    char *path = NULL;
    return asprintf(&path, TMP "/snekomatic-%u", (unsigned)geteuid()) < 0 ? NULL : path;
}

static bool is_of_another_user(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && status.st_uid != geteuid();
}

size_t runtime_directory_places(char *places[RUNTIME_DIRECTORY_PLACES]) {
    AUTO_FREE char *of_service = first_of("RUNTIME_DIRECTORY");
    AUTO_FREE char *of_session = first_of("XDG_RUNTIME_DIR");
    AUTO_FREE char *below_session = NULL;
    AUTO_FREE char *usual = usual_below_tmp();
    if (!usual || asprintf(&below_session, "%s/snekomatic", of_session ? of_session : "") < 0) {
        return 0;
    }
    size_t count = 0;
    if (of_service) {
        places[count++] = STEAL(of_service);
    }
    if (is_own_directory(of_session)) {
        places[count++] = STEAL(below_session);
    }
    if (is_of_another_user(usual)) {
        return find_fallbacks(usual, places, count);
    }
    places[count++] = STEAL(usual);
    return count;
}

char *runtime_directory(bool executable, struct error *err) {
    char *places[RUNTIME_DIRECTORY_PLACES];
    AUTO_FREE char *usual = usual_below_tmp();
    size_t count = usual ? runtime_directory_places(places) : 0;
    if (!usual) {
        error_set(err, "out of memory");
        return NULL;
    }
    char *chosen = NULL;
    int found = PASS_OVER;
    bool has_tmp = false;
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *place = places[i];
        has_tmp |= strncmp(place, usual, strlen(usual)) == 0;
        if (found == PASS_OVER) {
            found = try_place(place, executable, err);
            chosen = found == USABLE ? STEAL(place) : NULL;
        }
    }
    if (found == PASS_OVER && !has_tmp) {
        AUTO_FREE char *fallback = make_fallback(usual, err);
        chosen =
            fallback && try_place(fallback, executable, err) == USABLE ? STEAL(fallback) : NULL;
    }
    return chosen;
}
