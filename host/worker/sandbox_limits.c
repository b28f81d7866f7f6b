/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Limits by setrlimit(), capabilities by capset(), descriptors by close_range(). */
#include "worker/sandbox_limits.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* The most is 1000. A worker holds no delivery that the host could not give to its successor. */
#define OOM_SCORE "500"
/* The socket, two outputs, and what the dynamic linker and a few pipes of a plugin need. */
#define DESCRIPTORS_MAX 64
/* Timers and queued signals, of all processes of this user together. */
#define SIGNALS_MAX 1024
/* The same as Linux gives: the main thread runs constructors, create() and destroy(). */
#define STACK_BYTES (8u << 20)
/* For a thread that the plugin starts without a size; as large as the stack of a run. */
#define THREAD_STACK_BYTES (512u << 10)
/* Mappings that only read do not count as data, but their page tables take a 512th of memory. glibc
 * reserves 64 MiB of addresses for each of some threads, eight for each processor. */
#define ADDRESSES_BYTES ((rlim_t)64 << 30)

void sandbox_limits_oom_first(void) {
    AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0) {
        /* An administrator may have set a value that only root may lower. */
        return;
    }
}

bool sandbox_limits_die_with_parent(int socket_fd) {
    struct ucred parent;
    socklen_t bytes = sizeof parent;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Had the parent died before this call, there would be no signal. */
    return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &parent, &bytes) < 0 ||
           parent.pid == getppid();
}

static bool is_harmless(int fd) {
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return false;
    }
    bool null_device = S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
    return S_ISFIFO(info.st_mode) || null_device;
}

void sandbox_limits_close_descriptors(int socket_fd, int last_fd) {
    assert(socket_fd <= last_fd);
    for (int fd = 0; fd <= last_fd; fd++) {
        if (fd != socket_fd && !is_harmless(fd)) {
            close(fd);
        }
    }
    close_range((unsigned)last_fd + 1, ~0u, 0);
}

static int limit(int resource, rlim_t max, const char *name, struct error *err) {
    struct rlimit limits;
    if (getrlimit(resource, &limits) < 0) {
        return error_set(err, "cannot read the limit on %s: %s", name, strerror(errno));
    }
    if (limits.rlim_max == RLIM_INFINITY || limits.rlim_max > max) {
        limits.rlim_max = max;
    }
    limits.rlim_cur = limits.rlim_max;
    if (setrlimit(resource, &limits) < 0) {
        return error_set(err, "cannot limit %s: %s", name, strerror(errno));
    }
    return 0;
}

int sandbox_limits_resources(uint64_t memory_mib, struct error *err) {
    /* Not RLIMIT_NPROC: it counts all processes and threads of the user, so that a number that
     * stops one worker would stop the host too. The filter allows threads only, and each takes
     * memory for its stack. */
    const struct {
        int resource;
        rlim_t max;
        const char *name;
    } limits[] = {
        {RLIMIT_AS, ((rlim_t)memory_mib << 20) + ADDRESSES_BYTES, "addresses"},
        {RLIMIT_DATA, (rlim_t)memory_mib << 20, "memory"},
        {RLIMIT_CORE, 0, "core files"},
        {RLIMIT_FSIZE, 0, "files that are written"},
        {RLIMIT_MEMLOCK, 0, "locked memory"},
        {RLIMIT_MSGQUEUE, 0, "message queues"},
        {RLIMIT_NICE, 0, "priority"},
        {RLIMIT_NOFILE, DESCRIPTORS_MAX, "descriptors"},
        {RLIMIT_RTPRIO, 0, "real-time priority"},
        {RLIMIT_SIGPENDING, SIGNALS_MAX, "queued signals"},
        {RLIMIT_STACK, STACK_BYTES, "the main stack"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        if (limit(limits[i].resource, limits[i].max, limits[i].name, err) < 0) {
            return -1;
        }
    }
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
    return 0;
}

int sandbox_limits_capabilities(struct error *err) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &head, sets) < 0) {
        return error_set(err, "cannot read the capabilities: %s", strerror(errno));
    }
    uint32_t any = 0;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        any |= sets[i].permitted | sets[i].inheritable;
    }
    if (any == 0) {
        /* A service manager's filter may reject capset(). */
        return 0;
    }
    /* The bounding set needs CAP_SETPCAP, so it goes first. Without that capability it stays: no
     * exec is possible. EINVAL ends the list. */
    for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++) {}
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    memset(sets, 0, sizeof sets);
    if (syscall(SYS_capset, &head, sets) < 0) {
        return error_set(err, "cannot drop the capabilities: %s", strerror(errno));
    }
    return 0;
}
