/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies checked files into the runtime directory, and deletes copies that no program uses. */
#include "plugin_file/plugin_file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/runtime_directory.h"
#include "base/safe_path.h"
#include "plugin_file/libraries.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CHUNK_BYTES 65536
#define NAME_BYTES (PLUGIN_FILE_HASH_DIGITS + sizeof ".so")
/* A copy that is being written. Only the holder of the directory's lock writes one. */
#define UNFINISHED "unfinished"
/* A file that changes while it is copied is copied again, so many times. */
#define COPY_TRIES 3
enum { CHANGED = 1 };

struct plugin_files {
    char *path;
    /* The directory. Whoever adds or deletes copies locks it. */
    int fd;
};

static int fail(struct error *err, const char *what, const char *path) {
    error_set(err, "cannot %s %s: %s", what, path, strerror(errno));
    return error_mark_transient(err);
}

static int lock_directory(const struct plugin_files *files, struct error *err) {
    int result;
    do {
        result = flock(files->fd, LOCK_EX);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? fail(err, "lock", files->path) : 0;
}

static void unlock_directory(const struct plugin_files *const *files) {
    flock((*files)->fd, LOCK_UN);
}

/* ---- old copies ---- */

static bool is_copy(const char *name) {
    return strspn(name, "0123456789abcdef") == PLUGIN_FILE_HASH_DIGITS &&
           strcmp(name + PLUGIN_FILE_HASH_DIGITS, ".so") == 0;
}

static void remove_if_unused(const struct plugin_files *files, const char *name) {
    AUTO_CLOSE int fd = openat(files->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlinkat(files->fd, name, 0);
    }
}

static void close_listing(DIR **listing) {
    if (*listing) {
        closedir(*listing);
    }
}

/* Under the directory's lock. A copy that cannot be deleted only takes room. */
static void remove_unused(const struct plugin_files *files) {
    int fd = openat(files->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_listing) DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        if (is_copy(entry->d_name)) {
            remove_if_unused(files, entry->d_name);
        }
    }
    unlinkat(files->fd, UNFINISHED, 0);
}

/* ---- the directory ---- */

int plugin_files_open(struct plugin_files **files, struct error *err) {
    AUTO_FREE char *runtime = runtime_directory(true, err);
    if (!runtime) {
        return error_wrap(err, "no directory for the copies of plugins");
    }
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/plugins", runtime) < 0) {
        path = NULL;
        return error_set(err, "out of memory");
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return fail(err, "make", path);
    }
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct plugin_files *new = fd >= 0 ? calloc(1, sizeof *new) : NULL;
    if (!new) {
        return fail(err, "open", path);
    }
    new->path = STEAL(path);
    new->fd = steal_fd(&fd);
    if (lock_directory(new, err) < 0) {
        plugin_files_close(new);
        return -1;
    }
    CLEANUP(unlock_directory) const struct plugin_files *locked = new;
    remove_unused(locked);
    *files = new;
    return 0;
}

void plugin_files_close(struct plugin_files *files) {
    if (files) {
        close(files->fd);
        free(files->path);
        free(files);
    }
}

/* ---- a copy ---- */

static void write_digits(struct sha256_ctx *hash, char digits[PLUGIN_FILE_HASH_DIGITS + 1]) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(hash, sizeof digest, digest);
    base16_encode_update(digits, sizeof digest, digest);
    digits[PLUGIN_FILE_HASH_DIGITS] = '\0';
}

/* Reads the rest of `from`, hashes it, and writes it to `to` (-1: nowhere) in the directory. */
static int pass_through(const struct plugin_files *files, int from, int to,
                        char digits[PLUGIN_FILE_HASH_DIGITS + 1], struct error *err) {
    char chunk[CHUNK_BYTES];
    struct sha256_ctx hash;
    size_t bytes = 0;
    ssize_t got;
    sha256_init(&hash);
    while ((got = read(from, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail(err, "read", "it");
        }
        bytes += (size_t)got;
        if (bytes > PLUGIN_FILE_BYTES_MAX) {
            return error_set(err, "it is larger than %zu MiB: strip its debug information",
                             PLUGIN_FILE_BYTES_MAX >> 20);
        }
        sha256_update(&hash, (size_t)got, (const uint8_t *)chunk);
        if (to >= 0 && io_write_full(to, chunk, (size_t)got) < 0) {
            return fail(err, "write its copy into", files->path);
        }
    }
    write_digits(&hash, digits);
    return 0;
}

static bool same_version(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* 0; CHANGED when somebody wrote the file meanwhile; or -1. */
static int copy_once(const struct plugin_files *files, int source, struct plugin_copy *copy,
                     struct error *err) {
    struct stat before, after;
    unlinkat(files->fd, UNFINISHED, 0);
    AUTO_CLOSE int to =
        openat(files->fd, UNFINISHED, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        return fail(err, "write into", files->path);
    }
    if (lseek(source, 0, SEEK_SET) < 0 || fstat(source, &before) < 0) {
        return fail(err, "read", "it");
    }
    if (pass_through(files, source, to, copy->sha256, err) < 0) {
        return -1;
    }
    if (fstat(source, &after) < 0 || fchmod(to, 0444) < 0 || lseek(to, 0, SEEK_SET) < 0) {
        return fail(err, "copy", "it");
    }
    copy->fd = steal_fd(&to);
    return same_version(&before, &after) ? 0 : CHANGED;
}

static void drop(struct plugin_copy *copy) {
    cleanup_close(&copy->fd);
    copy->fd = -1;
}

static int copy_source(const struct plugin_files *files, int source, struct plugin_copy *copy,
                       struct error *err) {
    for (int i = 0; i < COPY_TRIES; i++) {
        int result = copy_once(files, source, copy, err);
        if (result <= 0) {
            return result;
        }
        drop(copy);
    }
    error_set(err, "the file changes while it is copied: try again when it is complete");
    return error_mark_transient(err);
}

static int check_hash(const struct plugin_copy *copy, const char *wanted, struct error *err) {
    if (!wanted || strcmp(wanted, copy->sha256) == 0) {
        return 0;
    }
    return error_set(err,
                     "its SHA-256 is %s, and plugin.sha256 is %s: install the file that was meant, "
                     "or change plugin.sha256",
                     copy->sha256, wanted);
}

static int check_libraries(int fd, struct error *err) {
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return fail(err, "read", "its copy");
    }
    if (status.st_size == 0) {
        return error_set(err, "the file is empty");
    }
    size_t bytes = (size_t)status.st_size;
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        return fail(err, "read", "its copy");
    }
    int result = libraries_check(data, bytes, err);
    munmap(data, bytes);
    return result;
}

/* A copy that another program made. True when it has the same content; then `copy` locks it. */
static bool share(const struct plugin_files *files, const char *name, struct plugin_copy *copy) {
    char digits[PLUGIN_FILE_HASH_DIGITS + 1];
    struct stat status;
    AUTO_CLOSE int fd = openat(files->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_uid != geteuid() ||
        (status.st_mode & 07777) != 0444 || pass_through(files, fd, -1, digits, NULL) < 0 ||
        strcmp(digits, copy->sha256) != 0) {
        return false;
    }
    drop(copy);
    copy->fd = steal_fd(&fd);
    unlinkat(files->fd, UNFINISHED, 0);
    return true;
}

static int publish(const struct plugin_files *files, struct plugin_copy *copy, struct error *err) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.so", copy->sha256);
    if (!share(files, name, copy) && renameat(files->fd, UNFINISHED, files->fd, name) < 0) {
        return fail(err, "write into", files->path);
    }
    if (flock(copy->fd, LOCK_SH | LOCK_NB) < 0) {
        return fail(err, "lock", name);
    }
    if (asprintf(&copy->path, "%s/%s", files->path, name) < 0) {
        copy->path = NULL;
        return error_set(err, "out of memory");
    }
    return 0;
}

int plugin_files_copy(struct plugin_files *files, const char *path, const char *sha256,
                      struct plugin_copy *copy, struct error *err) {
    AUTO_CLOSE int source = -1;
    struct plugin_copy new = {.fd = -1};
    if (safe_path_open(path, &source, err) < 0 || lock_directory(files, err) < 0) {
        return -1;
    }
    CLEANUP(unlock_directory) const struct plugin_files *locked = files;
    /* Earlier reloads of this program left copies. */
    remove_unused(locked);
    if (copy_source(locked, source, &new, err) < 0 || check_hash(&new, sha256, err) < 0 ||
        check_libraries(new.fd, err) < 0 || publish(locked, &new, err) < 0) {
        drop(&new);
        unlinkat(files->fd, UNFINISHED, 0);
        return -1;
    }
    *copy = new;
    return 0;
}

static bool is_there(const struct plugin_copy *copy) {
    struct stat file, ours;
    return lstat(copy->path, &file) == 0 && fstat(copy->fd, &ours) == 0 &&
           file.st_dev == ours.st_dev && file.st_ino == ours.st_ino;
}

/* The directory may be gone, too. */
static int open_again(struct plugin_files *files, struct error *err) {
    struct plugin_files *opened;
    if (plugin_files_open(&opened, err) < 0) {
        return -1;
    }
    struct plugin_files old = *files;
    *files = *opened;
    *opened = old;
    plugin_files_close(opened);
    return 0;
}

int plugin_copy_restore(struct plugin_files *files, struct plugin_copy *copy, struct error *err) {
    struct plugin_copy new = {.fd = -1};
    if (is_there(copy)) {
        return 0;
    }
    if (open_again(files, err) < 0 || lock_directory(files, err) < 0) {
        return -1;
    }
    CLEANUP(unlock_directory) const struct plugin_files *locked = files;
    if (copy_source(locked, copy->fd, &new, err) < 0 || check_hash(&new, copy->sha256, err) < 0 ||
        publish(locked, &new, err) < 0) {
        drop(&new);
        unlinkat(files->fd, UNFINISHED, 0);
        return -1;
    }
    plugin_copy_finish(copy);
    *copy = new;
    return 1;
}

void plugin_copy_finish(struct plugin_copy *copy) {
    if (copy->path) {
        drop(copy);
        free(copy->path);
        *copy = (struct plugin_copy){0};
    }
}
