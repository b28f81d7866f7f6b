/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LD_PRELOAD: writes down what a program does to the files of SNEK_RECORD_DIRECTORY, into the file
 * SNEK_RECORD_JOURNAL. SQLite goes through libc for all of it but the -shm, which is mapped, and
 * need not survive. */
/* Under it open() would be open64(), and both are wanted. */
#undef _FILE_OFFSET_BITS
#include "journal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FDS_MAX 1024
#define FILES_MAX 64
#define DIRECTORY UINT32_MAX
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Over an act and its entry. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* File + 1, or DIRECTORY; 0 another's. */
static uint32_t of_fd[FDS_MAX];
/* "" once it was unlinked. */
static char names[FILES_MAX][64];
static uint32_t n_files;
static int journal = -1;

static void note(enum journal_kind kind, uint32_t file, uint64_t offset, const void *data,
                 size_t bytes) {
    struct journal_head head = {kind, file, offset, bytes};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)data, bytes}};
    if (REAL(writev)(journal, parts, 2) != (ssize_t)(sizeof head + bytes)) {
        abort();
    }
}

/* The name within the directory; "" the directory itself, NULL elsewhere or a -shm. */
static const char *name_of(const char *path) {
    const char *directory = getenv("SNEK_RECORD_DIRECTORY"), *to = getenv("SNEK_RECORD_JOURNAL");
    if (!directory || !to) {
        return NULL;
    }
    if (journal < 0) {
        journal = REAL(open)(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    size_t bytes = strlen(directory);
    if (strncmp(path, directory, bytes) != 0 || (path[bytes] && path[bytes] != '/')) {
        return NULL;
    }
    const char *name = path[bytes] ? path + bytes + 1 : "";
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, "-shm") == 0 ? NULL : name;
}

static uint32_t find(const char *name) {
    uint32_t file = 0;
    while (file < n_files && strcmp(names[file], name) != 0) {
        file++;
    }
    return file;
}

static int opened(const char *path, int flags, mode_t mode) {
    (void)pthread_mutex_lock(&lock);
    const char *name = name_of(path);
    int fd = REAL(open)(path, flags, mode);
    if (fd >= FDS_MAX) {
        abort();
    }
    if (fd >= 0) {
        uint32_t known = 0;
        if (name) {
            known = *name ? find(name) + 1 : DIRECTORY;
        }
        of_fd[fd] = known;
    }
    if (fd >= 0 && name && *name && find(name) == n_files) {
        if (n_files == FILES_MAX || strlen(name) >= sizeof *names) {
            abort();
        }
        (void)strcpy(names[n_files], name);
        note(JOURNAL_CREATE, n_files++, 0, name, strlen(name));
    }
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

EXPORT int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return opened(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return opened(path, flags, mode);
}

static bool ours(int fd) {
    return fd >= 0 && fd < FDS_MAX && of_fd[fd] != 0 && of_fd[fd] != DIRECTORY;
}

static ssize_t written(int fd, const void *data, size_t bytes, off_t offset) {
    (void)pthread_mutex_lock(&lock);
    ssize_t count = REAL(pwrite)(fd, data, bytes, offset);
    if (count > 0) {
        note(JOURNAL_WRITE, of_fd[fd] - 1, (uint64_t)offset, data, (size_t)count);
    }
    (void)pthread_mutex_unlock(&lock);
    return count;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    return ours(fd) ? written(fd, data, bytes, offset) : REAL(pwrite)(fd, data, bytes, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) {
    return pwrite(fd, data, bytes, offset);
}

EXPORT ssize_t write(int fd, const void *data, size_t bytes) {
    if (!ours(fd)) {
        return REAL(write)(fd, data, bytes);
    }
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t count = written(fd, data, bytes, offset);
    (void)lseek(fd, offset + (count > 0 ? count : 0), SEEK_SET);
    return count;
}

EXPORT int ftruncate(int fd, off_t bytes) {
    (void)pthread_mutex_lock(&lock);
    int result = REAL(ftruncate)(fd, bytes);
    if (result == 0 && ours(fd)) {
        note(JOURNAL_TRUNCATE, of_fd[fd] - 1, (uint64_t)bytes, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int ftruncate64(int fd, off_t bytes) {
    return ftruncate(fd, bytes);
}

static int synced(int fd, int (*sync)(int)) {
    (void)pthread_mutex_lock(&lock);
    int result = sync(fd);
    if (result == 0 && ours(fd)) {
        note(JOURNAL_SYNC, of_fd[fd] - 1, 0, NULL, 0);
    } else if (result == 0 && fd >= 0 && fd < FDS_MAX && of_fd[fd] == DIRECTORY) {
        note(JOURNAL_SYNC_DIRECTORY, 0, 0, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int fsync(int fd) {
    return synced(fd, REAL(fsync));
}

EXPORT int fdatasync(int fd) {
    return synced(fd, REAL(fdatasync));
}

EXPORT int unlink(const char *path) {
    (void)pthread_mutex_lock(&lock);
    const char *name = name_of(path);
    int result = REAL(unlink)(path);
    if (result == 0 && name && find(name) < n_files) {
        note(JOURNAL_UNLINK, find(name), 0, name, strlen(name));
        names[find(name)][0] = '\0';
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

/* SQLite renames none of the store's files; if it did, the record would be wrong. */
EXPORT int rename(const char *from, const char *to) {
    if (name_of(from) || name_of(to)) {
        abort();
    }
    return REAL(rename)(from, to);
}

EXPORT int close(int fd) {
    (void)pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS_MAX) {
        of_fd[fd] = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    return REAL(close)(fd);
}
