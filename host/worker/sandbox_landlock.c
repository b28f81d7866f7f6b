/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A ruleset that handles all rights of the ABI and grants two of them, on few paths. */
#include "worker/sandbox_landlock.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The kernel's interface is spelled out here, because <linux/landlock.h> of Debian 12 ends at ABI 2
 * while its users run newer kernels. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    /* EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, and MAKE_ of seven kinds
     * of files. */
    ALL_SINCE_1 = (1 << 13) - 1,
    REFER_SINCE_2 = 1 << 13,
    TRUNCATE_SINCE_3 = 1 << 14,
    IOCTL_DEV_SINCE_5 = 1 << 15,
    /* The rights to bind and to connect a TCP socket. */
    NET_SINCE_4 = 3,
    /* Abstract Unix sockets of others, and signals to others. */
    SCOPED_SINCE_6 = 3,
};

struct ruleset {
    uint64_t handled_fs;
    /* Since ABI 4. */
    uint64_t handled_net;
    /* Since ABI 6. */
    uint64_t scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

/* Where the dynamic linker finds the system's libraries, and what localtime() reads. These have
 * nothing secret. The user's own configuration of the linker, /etc/ld.so.conf, may name more
 * directories; a plugin that needs one of those names it in its RUNPATH. */
static const char *const system_paths[] = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib32",
    "/usr/libx32",
    "/lib32",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
};

int sandbox_landlock_abi(int abi_max) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    assert(abi_max <= SANDBOX_LANDLOCK_ABI_MAX);
    if (abi < 0) {
        /* ENOSYS: not built in; EOPNOTSUPP: off at boot; EPERM: a container's filter. */
        return 0;
    }
    return abi < abi_max ? (int)abi : abi_max;
}

static struct ruleset ruleset_of(int abi, size_t *bytes) {
    struct ruleset ruleset = {.handled_fs = ALL_SINCE_1};
    *bytes = sizeof ruleset.handled_fs;
    if (abi >= 2) {
        ruleset.handled_fs |= REFER_SINCE_2;
    }
    if (abi >= 3) {
        ruleset.handled_fs |= TRUNCATE_SINCE_3;
    }
    if (abi >= 4) {
        ruleset.handled_net = NET_SINCE_4;
        *bytes = offsetof(struct ruleset, scoped);
    }
    if (abi >= 5) {
        ruleset.handled_fs |= IOCTL_DEV_SINCE_5;
    }
    if (abi >= 6) {
        ruleset.scoped = SCOPED_SINCE_6;
        *bytes = sizeof ruleset;
    }
    return ruleset;
}

/* A path that does not exist is skipped. */
static int allow_reading(int ruleset_fd, const char *path, struct error *err) {
    AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat info;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &info) < 0) {
        return error_set(err, "cannot look at %s: %s", path, strerror(errno));
    }
    /* READ_DIR on a file is an error. */
    struct path_beneath rule = {.allowed = READ_FILE, .parent_fd = fd};
    if (S_ISDIR(info.st_mode)) {
        rule.allowed |= READ_DIR;
    }
    if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) < 0) {
        return error_set(err, "cannot add Landlock's rule for %s: %s", path, strerror(errno));
    }
    return 0;
}

int sandbox_landlock_enter(int abi, const char *const *files, size_t n_files, struct error *err) {
    size_t bytes;
    struct ruleset ruleset = ruleset_of(abi, &bytes);
    assert(abi >= 1 && abi <= SANDBOX_LANDLOCK_ABI_MAX);
    AUTO_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, bytes, 0);
    if (fd < 0) {
        return error_set(err, "cannot create Landlock's rules: %s", strerror(errno));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(system_paths); i++) {
        if (allow_reading(fd, system_paths[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < n_files; i++) {
        if (allow_reading(fd, files[i], err) < 0) {
            return -1;
        }
    }
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0) {
        return error_set(err, "cannot enforce Landlock's rules: %s", strerror(errno));
    }
    return 0;
}
