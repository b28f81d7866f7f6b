/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the files of a rotation. */
#include "cli/hook_files.h"

#include "base/buffer.h"
#include "base/io.h"
#include "cli/store_client.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_BITS 0777

static void file_remove(char **path) {
    if (*path) {
        unlink(*path);
        free(*path);
    }
}

static int sync_directory(const char *path, struct error *err) {
    AUTO_FREE char *copy = strdup(path);
    AUTO_CLOSE int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || fsync(fd) < 0) {
        return error_set(err, "cannot write the directory of %s: %s", path, strerror(errno));
    }
    return 0;
}

/* The file gets the owner and the mode of `like`, because the host may run as another user. */
static int write_new(const char *path, const struct stat *like, const struct buffer *text,
                     struct error *err) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set(err, "cannot create %s: %s", path, strerror(errno));
    }
    if ((like->st_uid != geteuid() || like->st_gid != getegid()) &&
        fchown(fd, like->st_uid, like->st_gid) < 0) {
        return error_set(err, "cannot give %s the owner of the present secret's file: %s", path,
                         strerror(errno));
    }
    if (fchmod(fd, like->st_mode & MODE_BITS) < 0 ||
        io_write_full(fd, text->data, text->bytes) < 0 || fsync(fd) < 0) {
        return error_set(err, "cannot write %s: %s", path, strerror(errno));
    }
    return 0;
}

static int replace(const struct hook_files *files, const char *path, const struct buffer *text,
                   struct error *err) {
    struct stat like;
    CLEANUP(file_remove) char *temporary = NULL;
    if (stat(files->paths.current, &like) < 0) {
        return error_set(err, "cannot read %s: %s", files->paths.current, strerror(errno));
    }
    if (asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        return error_set(err, "no memory");
    }
    /* A killed rotation may have left it. */
    unlink(temporary);
    if (write_new(temporary, &like, text, err) < 0) {
        return -1;
    }
    if (rename(temporary, path) < 0) {
        return error_set(err, "cannot rename %s: %s", temporary, strerror(errno));
    }
    return sync_directory(path, err);
}

bool hook_files_are_fixed(struct hook_files *files, const struct config *config,
                          struct error *why) {
    struct stat status;
    *files = (struct hook_files){.lock_fd = -1};
    if (settings_variable(config->settings, "GITHUB_WEBHOOK_SECRET")) {
        error_set(why, "the webhook secret comes from the variable GITHUB_WEBHOOK_SECRET");
        return true;
    }
    if (settings_variable(config->settings, "GITHUB_WEBHOOK_SECRET_PREVIOUS")) {
        error_set(why, "the previous webhook secret comes from the variable "
                       "GITHUB_WEBHOOK_SECRET_PREVIOUS");
        return true;
    }
    if (webhook_secret_paths(config, &files->paths) < 0 || !files->paths.current) {
        error_set(why, "there is no file with a webhook secret");
        return true;
    }
    if (lstat(files->paths.current, &status) < 0 || !S_ISREG(status.st_mode)) {
        error_set(why, "%s is no regular file", files->paths.current);
        return true;
    }
    AUTO_FREE char *copy = strdup(files->paths.current);
    if (!copy || access(dirname(copy), W_OK) < 0) {
        error_set(why, "this user cannot write the directory of %s: %s", files->paths.current,
                  strerror(errno));
        return true;
    }
    files->lock_fd = open(files->paths.current, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return false;
}

void hook_files_close(struct hook_files *files) {
    webhook_secret_paths_finish(&files->paths);
    if (files->lock_fd >= 0) {
        close(files->lock_fd);
        files->lock_fd = -1;
    }
}

/* A rotation that ended meanwhile has put another file into the place of the locked one. */
bool hook_files_lock(const struct hook_files *files) {
    struct stat locked, present;
    return files->lock_fd >= 0 && flock(files->lock_fd, LOCK_EX | LOCK_NB) == 0 &&
           fstat(files->lock_fd, &locked) == 0 && stat(files->paths.current, &present) == 0 &&
           locked.st_dev == present.st_dev && locked.st_ino == present.st_ino;
}

/* The line of a secret, in `text`. 0, or -1. */
static int put_secret(struct buffer *text, const struct secret *secret, struct error *err) {
    return buffer_printf(text, "%.*s\n", (int)secret->bytes, secret->data) < 0
               ? error_set(err, "no memory")
               : 0;
}

int hook_files_add(const struct hook_files *files, const struct secret *next, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_SECRET_MAX);
    if (put_secret(&text, next, err) < 0) {
        return -1;
    }
    return replace(files, files->paths.next, &text, err);
}

int hook_files_remove_next(const struct hook_files *files, struct error *err) {
    if (unlink(files->paths.next) < 0 && errno != ENOENT) {
        return error_set(err, "cannot remove %s: %s", files->paths.next, strerror(errno));
    }
    return sync_directory(files->paths.next, err);
}

/* Gives the new secret its place. A file that somebody removed meanwhile is written again, because
 * GitHub signs with the new secret already. */
static int put_current(const struct hook_files *files, const struct secret *next,
                       struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_SECRET_MAX);
    if (rename(files->paths.next, files->paths.current) == 0) {
        return sync_directory(files->paths.current, err);
    }
    if (errno != ENOENT) {
        return error_set(err, "cannot rename %s: %s", files->paths.next, strerror(errno));
    }
    if (put_secret(&text, next, err) < 0) {
        return -1;
    }
    return replace(files, files->paths.current, &text, err);
}

int hook_files_finish(const struct hook_files *files, const struct secret *old,
                      const struct secret *next, int64_t now_ms, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_SECRET_MAX + 64);
    char until[TIME_TEXT_MAX];
    time_text(now_ms + HOOK_PREVIOUS_MS, until);
    if (buffer_append(&text, old->data, old->bytes) < 0 ||
        buffer_printf(&text, "\nuntil %s\n", until) < 0) {
        return error_set(err, "no memory");
    }
    if (replace(files, files->paths.previous, &text, err) < 0) {
        return -1;
    }
    return put_current(files, next, err);
}

int hook_files_tidy(const struct hook_files *files, int64_t now_ms, bool *exists, int64_t *until_ms,
                    struct error *err) {
    const struct webhook_secret_paths *paths = &files->paths;
    AUTO_SECRET struct secret previous = {0};
    int result = webhook_secret_read_previous(paths, &previous, until_ms, err);
    *exists = result == 0;
    if (result != 0) {
        return result < 0 ? -1 : 0;
    }
    if (*until_ms == 0 || *until_ms > now_ms) {
        return 0;
    }
    if (unlink(paths->previous) < 0) {
        return error_set(err, "cannot remove %s: %s", paths->previous, strerror(errno));
    }
    *exists = false;
    return 1;
}
