/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LD_PRELOAD: a disk that fails. While the file SNEK_FAIL_DIRECTORY/fail-write is there, writes to
 * the files of that directory find no space (ENOSPC); with fail-sync, they cannot be brought to the
 * disk (EIO); with fail-open, none may be opened for writing (EROFS). While stall-sync is there,
 * the disk stands still: fdatasync() and fsync() of these files do not return. With fail-socketpair
 * no socket pair can be made, with fail-spawn no worker can be started (EAGAIN). */
/* Under it open() would be open64(), and both are wanted. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Read before the program removes its environment. */
static const char *directory;

__attribute__((constructor)) static void read_directory(void) {
    const char *value = getenv("SNEK_FAIL_DIRECTORY");
    directory = value ? strdup(value) : NULL;
}

static bool wanted(const char *fault) {
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/%s", directory ? directory : "/nowhere", fault);
    return access(path, F_OK) == 0;
}

static bool is_database(const char *path) {
    size_t bytes = directory ? strlen(directory) : 0;
    return directory && (strncmp(path, directory, bytes) == 0 || path[0] != '/') &&
           strstr(path, "snekomatic.db");
}

static bool fails(int fd, const char *fault) {
    char link[64], path[4200];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0 && is_database(path) && wanted(fault);
}

/* Waits while the disk stands still. */
static void stall(int fd) {
    const struct timespec pause = {.tv_nsec = 20000000};
    while (fails(fd, "stall-sync")) {
        (void)nanosleep(&pause, NULL);
    }
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    if (fails(fd, "fail-write")) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(pwrite)(fd, data, bytes, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) {
    return pwrite(fd, data, bytes, offset);
}

EXPORT int fdatasync(int fd) {
    stall(fd);
    if (fails(fd, "fail-sync")) {
        errno = EIO;
        return -1;
    }
    return REAL(fdatasync)(fd);
}

EXPORT int fsync(int fd) {
    stall(fd);
    if (fails(fd, "fail-sync")) {
        errno = EIO;
        return -1;
    }
    return REAL(fsync)(fd);
}

static int opened(const char *path, int flags, mode_t mode) {
    if ((flags & O_ACCMODE) != O_RDONLY && is_database(path) && wanted("fail-open")) {
        errno = EROFS;
        return -1;
    }
    return REAL(open)(path, flags, mode);
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

EXPORT int socketpair(int domain, int type, int protocol, int fds[2]) {
    if (wanted("fail-socketpair")) {
        errno = EMFILE;
        return -1;
    }
    return REAL(socketpair)(domain, type, protocol, fds);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const environment[]) {
    return wanted("fail-spawn")
               ? EAGAIN
               : REAL(posix_spawnp)(pid, file, actions, attributes, argv, environment);
}
