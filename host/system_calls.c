/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A seccomp filter with a list of what is forbidden. An allow-list would break with each new
 * version of the libraries; the sandbox of the workers has one. */
#include "system_calls.h"

#include "base/array.h"

#ifdef SNEK_SANITIZED
int system_calls_restrict(struct error *err) {
    (void)err;
    return 0;
}
#else
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* By name, because libseccomp and the kernel may not know some. */
static const char *const forbidden[] = {
    /* Programs and processes; clone() is below. */
    "execve", "execveat", "fork", "vfork",
    /* Other processes. */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open",
    "pidfd_getfd", "tkill",
    /* Interfaces of the kernel with a large attack surface. */
    "bpf", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd",
    "perf_event_open", "add_key", "request_key", "keyctl", "personality",
    /* Namespaces and file systems. */
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at",
    "open_by_handle_at", "quotactl",
    /* The system. */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "swapon", "swapoff", "acct", "syslog", "sethostname", "setdomainname", "settimeofday",
    "clock_settime", "iopl", "ioperm"};

static const unsigned new_namespaces[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                          CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                          CLONE_NEWNET};

/* 0, or a negative errno. A call that is not known cannot be made by its name either. */
static int forbid(scmp_filter_ctx filter, const char *name, int reason, unsigned count,
                  struct scmp_arg_cmp condition) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) {
        return 0;
    }
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint32_t)reason), number, count,
                                  &condition);
}

static int forbid_always(scmp_filter_ctx filter, const char *name, int reason) {
    return forbid(filter, name, reason, 0, (struct scmp_arg_cmp){0});
}

/* Threads only. clone3() passes its flags in memory, where no filter sees them; glibc falls back to
 * clone(). */
static int forbid_processes(scmp_filter_ctx filter) {
    int result = forbid_always(filter, "clone3", ENOSYS);
    if (result == 0) {
        result = forbid(filter, "clone", EPERM, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(new_namespaces) && result == 0; i++) {
        result = forbid(filter, "clone", EPERM, 1,
                        SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces[i], new_namespaces[i]));
    }
    return result;
}

/* Their first argument is a process; only this one is allowed. A fault point kills a worker. */
static int forbid_signals(scmp_filter_ctx filter) {
    static const char *const calls[] = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};
#ifdef SNEK_FAULT_POINTS
    bool wanted = false;
#else
    bool wanted = true;
#endif
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(calls) && wanted && result == 0; i++) {
        result = forbid(filter, calls[i], EPERM, 1, SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid()));
    }
    return result;
}

static int add_rules(scmp_filter_ctx filter) {
    /* A call by the numbers of another architecture would pass the rules. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < ARRAY_LENGTH(forbidden) && result == 0; i++) {
        result = forbid_always(filter, forbidden[i], EPERM);
    }
    if (result == 0) {
        result = forbid_processes(filter);
    }
    return result == 0 ? forbid_signals(filter) : result;
}

int system_calls_restrict(struct error *err) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter ? add_rules(filter) : -ENOMEM;
    if (result == 0) {
        /* It also sets no_new_privs. */
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    return result < 0
               ? error_set(err, "the kernel accepts no seccomp filter: %s", strerror(-result))
               : 0;
}
#endif
