/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of the kernel's larger interfaces. Each asks for something that is harmless or impossible,
 * because they also run without the sandbox, perhaps as root. */
#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* klogctl: the size of the log. */
#define LOG_SIZE 10

static int program(const struct world *world) {
    /* BPF_PROG_GET_NEXT_ID. */
    char attributes[128] = {0};
    return attempt_of(syscall(SYS_bpf, 11, attributes, sizeof attributes), ENOENT);
}

static int counters(const struct world *world) {
    return attempt_of(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EFAULT);
}

static int rings(const struct world *world) {
#ifdef SYS_io_uring_setup
    char parameters[120] = {0};
    return outcome_of(syscall(SYS_io_uring_setup, 1, parameters));
#else
    return EPERM;
#endif
}

static int enters_ring(const struct world *world) {
#ifdef SYS_io_uring_enter
    return attempt_of(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0), EBADF);
#else
    return EPERM;
#endif
}

static int faults(const struct world *world) {
    return outcome_of(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}

static int adds_key(const struct world *world) {
    return outcome_of(syscall(SYS_add_key, "user", "snek", "1", (size_t)1, -1));
}

static int reads_keyring(const struct world *world) {
    /* KEYCTL_GET_KEYRING_ID of the session. */
    return outcome_of(syscall(SYS_keyctl, 0, -3, 0));
}

static int mounts(const struct world *world) {
    return attempt_of(mount("none", "/snek/nowhere", "tmpfs", 0, NULL), ENOENT);
}

static int unmounts(const struct world *world) {
    return attempt_of(umount2("/snek/nowhere", 0), ENOENT);
}

static int pivots(const struct world *world) {
    return attempt_of(syscall(SYS_pivot_root, "/snek/nowhere", "/snek/nowhere"), ENOENT);
}

static int another_root(const struct world *world) {
    return attempt_of(chroot("/snek/nowhere"), ENOENT);
}

static int file_by_handle(const struct world *world) {
    return attempt_of(syscall(SYS_open_by_handle_at, -1, NULL, 0), EFAULT);
}

static int loads_module(const struct world *world) {
    return attempt_of(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static int removes_module(const struct world *world) {
    return attempt_of(syscall(SYS_delete_module, "snek_none", O_NONBLOCK), ENOENT);
}

static int log_of_kernel(const struct world *world) {
    return outcome_of(klogctl(LOG_SIZE, NULL, 0));
}

static int names_host(const struct world *world) {
    return attempt_of(syscall(SYS_sethostname, NULL, 1), EFAULT);
}

static int sets_clock(const struct world *world) {
    return attempt_of(syscall(SYS_clock_settime, CLOCK_REALTIME, NULL), EFAULT);
}

static int persona(const struct world *world) {
    return outcome_of(personality(0xffffffff));
}

static int quotas(const struct world *world) {
    return attempt_of(syscall(SYS_quotactl, 0x80000100, NULL, 0, NULL), ENODEV);
}

#ifdef SYS_iopl
static int ports(const struct world *world) {
    return outcome_of(syscall(SYS_iopl, 0));
}
#endif

static const struct probe probes[] = {
    {"BPF", program, KILLED, DEPENDS},
    {"performance counters", counters, EPERM, DEPENDS},
    {"io_uring", rings, EPERM, DEPENDS},
    {"enter an io_uring", enters_ring, EPERM, DEPENDS},
    {"userfaultfd", faults, EPERM, DEPENDS},
    {"add a key to a keyring", adds_key, EPERM, DEPENDS},
    {"look at a keyring", reads_keyring, EPERM, DEPENDS},
    {"mount", mounts, KILLED, SUCCEEDS},
    {"unmount", unmounts, KILLED, SUCCEEDS},
    {"pivot the root", pivots, KILLED, AS_ROOT},
    {"another root", another_root, KILLED, SUCCEEDS},
    {"open a file by its handle", file_by_handle, KILLED, AS_ROOT},
    {"load a kernel module", loads_module, KILLED, DEPENDS},
    {"remove a kernel module", removes_module, KILLED, DEPENDS},
    {"read the kernel's log", log_of_kernel, EPERM, DEPENDS},
    {"name the machine", names_host, EPERM, AS_ROOT},
    {"set the clock", sets_clock, EPERM, SUCCEEDS},
    {"another personality", persona, EPERM, SUCCEEDS},
    {"disk quotas", quotas, EPERM, DEPENDS},
#ifdef SYS_iopl
    {"the processor's ports", ports, KILLED, DEPENDS},
#endif
};

const struct probe_table kernel_probes = {probes, sizeof probes / sizeof *probes};
