/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Walks a path and checks the owner and the mode of each part. */
#include "base/safe_path.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The kernel follows as many. */
#define LINKS_MAX 40

struct walk {
    /* The directory that the walk has reached, and its path without links; "" is the root. */
    int fd;
    char real[PATH_MAX];
    /* The part of the path that is left. */
    char rest[PATH_MAX];
    unsigned links;
};

static int check_writers(const char *path, const struct stat *status, struct error *err) {
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        return error_set(
            err,
            "%s belongs to user %u, who could change the plugin: make it belong to root or "
            "to user %u, who runs snekomatic",
            path, (unsigned)status->st_uid, (unsigned)geteuid());
    }
    bool sticky = S_ISDIR(status->st_mode) && status->st_mode & S_ISVTX;
    bool link = S_ISLNK(status->st_mode);
    if (status->st_mode & (S_IWGRP | S_IWOTH) && !sticky && !link) {
        return error_set(err, "%s is writable by %s: chmod go-w %s", path,
                         status->st_mode & S_IWOTH ? "everybody" : "its group", path);
    }
    return 0;
}

/* Replaces the reached directory; takes `fd` over. */
static int enter(struct walk *walk, int fd, const char *path, struct error *err) {
    struct stat status;
    cleanup_close(&walk->fd);
    walk->fd = fd;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return error_set(err, "cannot look at %s: %s", path, strerror(errno));
    }
    return check_writers(path, &status, err);
}

static int enter_root(struct walk *walk, struct error *err) {
    walk->real[0] = '\0';
    return enter(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "/", err);
}

static int enter_parent(struct walk *walk, struct error *err) {
    char *slash = strrchr(walk->real, '/');
    if (slash) {
        *slash = '\0';
    }
    return enter(walk, openat(walk->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC),
                 walk->real[0] ? walk->real : "/", err);
}

static int too_long(struct error *err) {
    return error_set(err, "its path is too long");
}

/* Cuts the first name off the rest. An empty name: the path ended. */
static int next_name(struct walk *walk, char name[NAME_MAX + 1], struct error *err) {
    size_t start = strspn(walk->rest, "/"), bytes = strcspn(walk->rest + start, "/");
    if (bytes > NAME_MAX) {
        return too_long(err);
    }
    memcpy(name, walk->rest + start, bytes);
    name[bytes] = '\0';
    memmove(walk->rest, walk->rest + start + bytes, strlen(walk->rest + start + bytes) + 1);
    return 0;
}

/* Puts the link's target in front of the rest. */
static int follow(struct walk *walk, int link, const char *path, struct error *err) {
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t bytes = readlinkat(link, "", target, sizeof target - 1);
    if (bytes < 0) {
        return error_set(err, "cannot read the link %s: %s", path, strerror(errno));
    }
    target[bytes] = '\0';
    if (++walk->links > LINKS_MAX) {
        return error_set(err, "cannot look at %s: %s", path, strerror(ELOOP));
    }
    if ((size_t)snprintf(rest, sizeof rest, "%s/%s", target, walk->rest) >= sizeof rest) {
        return too_long(err);
    }
    memcpy(walk->rest, rest, strlen(rest) + 1);
    return target[0] == '/' ? enter_root(walk, err) : 0;
}

/* The file itself, `name` in the reached directory. */
static int open_file(struct walk *walk, const char *name, const char *path, int *fd,
                     struct error *err) {
    struct stat status;
    AUTO_CLOSE int opened =
        openat(walk->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0 || fstat(opened, &status) < 0) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, "%s is not a regular file", path);
    }
    if (check_writers(path, &status, err) < 0) {
        return -1;
    }
    *fd = steal_fd(&opened);
    return 0;
}

static bool at_end(const struct walk *walk) {
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

/* One name below the reached directory. 1 and `*fd`: it is the file, and the walk has ended. `fd`
 * is NULL when a directory is wanted. */
static int step(struct walk *walk, const char *name, int *fd, struct error *err) {
    char path[PATH_MAX];
    struct stat status;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", walk->real, name) >= sizeof path) {
        return too_long(err);
    }
    AUTO_CLOSE int next = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || fstat(next, &status) < 0) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    if (S_ISLNK(status.st_mode)) {
        return check_writers(path, &status, err) < 0 ? -1 : follow(walk, next, path, err);
    }
    if (fd && at_end(walk)) {
        return open_file(walk, name, path, fd, err) < 0 ? -1 : 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(err, "cannot open %s: %s", path, strerror(ENOTDIR));
    }
    memcpy(walk->real, path, strlen(path) + 1);
    return enter(walk, steal_fd(&next), walk->real, err);
}

static int walk_on(struct walk *walk, int *fd, struct error *err) {
    int result = enter_root(walk, err);
    while (result == 0) {
        char name[NAME_MAX + 1];
        if (next_name(walk, name, err) < 0) {
            return -1;
        }
        if (!name[0] && !fd) {
            return 0;
        }
        if (!name[0]) {
            return error_set(err, "%s is not a regular file", walk->real[0] ? walk->real : "/");
        }
        if (strcmp(name, "..") == 0) {
            result = enter_parent(walk, err);
        } else if (strcmp(name, ".") != 0) {
            result = step(walk, name, fd, err);
        }
    }
    return result > 0 ? 0 : -1;
}

static int walk_path(const char *path, int *fd, struct error *err) {
    struct walk walk = {.fd = -1};
    if (*path != '/') {
        return error_set(err, "%s is not an absolute path", path);
    }
    if (strlen(path) >= sizeof walk.rest) {
        return too_long(err);
    }
    memcpy(walk.rest, path, strlen(path) + 1);
    int result = walk_on(&walk, fd, err);
    cleanup_close(&walk.fd);
    return result;
}

int safe_path_open(const char *path, int *fd, struct error *err) {
    assert(fd);
    return walk_path(path, fd, err);
}

int safe_path_check_directory(const char *path, struct error *err) {
    return walk_path(path, NULL, err);
}
