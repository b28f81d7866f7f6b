/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables of the filter. A call that is in no table fails with EPERM. So does a call in a table
 * whose arguments do not match. An int is compared by its 32 bits, because the kernel ignores the
 * others; a pointer by all 64. */
#include "worker/sandbox_filter.h"

#include "base/array.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Allowed with all arguments. They reach the worker's own memory, threads, descriptors and
 * signal handlers, the clocks, and what Landlock lets it read. */
static const int allowed[] = {
    /* Memory. madvise(), mmap() and mprotect() are below. */
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    /* Threads and their locks. */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),

    SCMP_SYS(get_thread_area),
    SCMP_SYS(getcpu),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(membarrier),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_get_priority_max),
    SCMP_SYS(sched_get_priority_min),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    /* Handlers of its own signals. */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    /* Time. */
    SCMP_SYS(alarm),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getitimer),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep),
    SCMP_SYS(setitimer),
    SCMP_SYS(time),
    SCMP_SYS(timer_create),
    SCMP_SYS(timer_delete),
    SCMP_SYS(timer_getoverrun),
    SCMP_SYS(timer_gettime),
    SCMP_SYS(timer_settime),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(times),
    /* Descriptors. There is no way to get a socket besides the host's, so a write goes to the
     * host, to a pipe to it, or to the worker itself. recvmsg() is absent: it could receive
     * descriptors. */
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd),
    SCMP_SYS(eventfd2),
    SCMP_SYS(lseek),
    SCMP_SYS(pipe),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(pselect6),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(select),
    SCMP_SYS(shutdown),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* Files. The dynamic linker looks at many paths. Landlock does not hide names, sizes,
     * owners and times; open() is below. */
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    /* The process's own identity. */
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getresgid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(getuid),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
};

/* libc tries these first and then older ones, but only after ENOSYS. Their arguments are in memory,
 * which a filter cannot read. */
static const int missing[] = {SCMP_SYS(clone3), SCMP_SYS(openat2)};

/* No library tries these in passing. They look into other processes, change the machine, or make a
 * world of their own. A worker that uses one ends with SIGSYS, and the log shows it. */
static const int killed[] = {
    /* Other processes. */
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(process_madvise),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace),
    /* Namespaces and mounts. */
    SCMP_SYS(chroot),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fspick),
    SCMP_SYS(mount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(open_tree),
    SCMP_SYS(pivot_root),
    SCMP_SYS(setns),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    /* The kernel. */
    SCMP_SYS(bpf),
    SCMP_SYS(delete_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(init_module),
    SCMP_SYS(ioperm),
    SCMP_SYS(iopl),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapoff),
    SCMP_SYS(swapon),
};

/* The operations of futex() that locks of one process need. Those that inherit priority name
 * another thread by its number, of any process, and were often the way into the kernel. */
static const uint32_t futex_operations[] = {FUTEX_WAIT,        FUTEX_WAKE,    FUTEX_REQUEUE,
                                            FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET,
                                            FUTEX_WAKE_BITSET};
#define FUTEX_FLAGS (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

/* Allowed when one argument, an int, has one value. */
struct equals {
    int call;
    unsigned argument;
    uint32_t value;
};

static const struct equals allowed_values[] = {
    /* F_SETOWN, F_SETOWN_EX and F_SETSIG would make a pipe send any signal to any process of this
     * user, and F_SETPIPE_SZ would take memory that RLIMIT_DATA does not count. */
    {SCMP_SYS(fcntl), 1, F_DUPFD},
    {SCMP_SYS(fcntl), 1, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, F_GETFD},
    {SCMP_SYS(fcntl), 1, F_SETFD},
    {SCMP_SYS(fcntl), 1, F_GETFL},
    /* Not SIOCSPGRP, FIOSETOWN and FIOASYNC (as F_SETOWN), nor TIOCSTI, which types into a
     * terminal. TCGETS: isatty() of stdio. */
    {SCMP_SYS(ioctl), 1, TCGETS},
    {SCMP_SYS(ioctl), 1, FIONREAD},
    {SCMP_SYS(ioctl), 1, FIONBIO},
    {SCMP_SYS(ioctl), 1, FIOCLEX},
    {SCMP_SYS(ioctl), 1, FIONCLEX},
    /* malloc() and pthread_create() use these; others reach further (MADV_HWPOISON). */
    {SCMP_SYS(madvise), 2, MADV_NORMAL},
    {SCMP_SYS(madvise), 2, MADV_RANDOM},
    {SCMP_SYS(madvise), 2, MADV_SEQUENTIAL},
    {SCMP_SYS(madvise), 2, MADV_WILLNEED},
    {SCMP_SYS(madvise), 2, MADV_DONTNEED},
    {SCMP_SYS(madvise), 2, MADV_FREE},
    {SCMP_SYS(madvise), 2, MADV_HUGEPAGE},
    {SCMP_SYS(madvise), 2, MADV_NOHUGEPAGE},
    {SCMP_SYS(madvise), 2, MADV_DONTDUMP},
    {SCMP_SYS(madvise), 2, MADV_DODUMP},
    /* MADV_GUARD_INSTALL and MADV_GUARD_REMOVE: stacks of glibc 2.42. */
    {SCMP_SYS(madvise), 2, 102},
    {SCMP_SYS(madvise), 2, 103},
    /* Not PR_SET_PDEATHSIG (the worker would outlive its supervisor), PR_SET_DUMPABLE,
     * PR_SET_PTRACER, PR_SET_SECCOMP and PR_SET_MM. */
    {SCMP_SYS(prctl), 0, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, PR_GET_NAME},
    {SCMP_SYS(prctl), 0, PR_GET_DUMPABLE},
    {SCMP_SYS(prctl), 0, PR_GET_PDEATHSIG},
    {SCMP_SYS(prctl), 0, PR_GET_NO_NEW_PRIVS},
    {SCMP_SYS(prctl), 0, PR_GET_SECCOMP},
    {SCMP_SYS(prctl), 0, PR_SET_VMA},
};

/* Allowed when these bits of one argument, an int, have these values. */
struct masked {
    int call;
    unsigned argument;
    uint32_t mask, value;
};

/* Reading only. O_TRUNC empties a file even when it is opened for reading. O_PATH is not checked by
 * Landlock. */
#define OPEN_FORBIDDEN                                                                             \
    ((O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE | O_PATH) & ~(uint32_t)O_DIRECTORY)
/* pthread_create() of glibc gives these flags, and that of musl (with CLONE_DETACHED, which means
 * nothing any more): a thread, never a process and never a namespace. */
#define CLONE_UNUSED 0x400000u
#define CLONE_THREAD_FLAGS                                                                         \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static const struct masked allowed_bits[] = {
    {SCMP_SYS(open), 1, OPEN_FORBIDDEN, 0},
    {SCMP_SYS(openat), 2, OPEN_FORBIDDEN, 0},
    /* O_ASYNC sends a signal to the owner. */
    {SCMP_SYS(pipe2), 1, ~(uint32_t)(O_CLOEXEC | O_NONBLOCK), 0},
    {SCMP_SYS(clone), 0, ~(uint32_t)CLONE_UNUSED, CLONE_THREAD_FLAGS},
    /* Code comes from files only, so that a hole in a parser cannot be filled with new code. The
     * dynamic linker maps code from the file and never changes it. */
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
};

/* RLIMIT_DATA counts private writable mappings only. So mappings are private; and none grows down,
 * because it would count as a stack. Huge pages come from a pool that is not the worker's. */
#define MAP_ALLOWED                                                                                \
    (MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK | MAP_DENYWRITE | \
     MAP_EXECUTABLE | MAP_POPULATE | MAP_NONBLOCK)

#define COMPARE_BITS(argument, mask, value) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value)
#define COMPARE_INT(argument, value) COMPARE_BITS(argument, UINT32_MAX, value)
#define COMPARE_NULL(argument) SCMP_CMP(argument, SCMP_CMP_EQ, 0)

/* A system call that this architecture lacks has a negative number in libseccomp. */
static int add(scmp_filter_ctx filter, uint32_t action, int call, unsigned n,
               const struct scmp_arg_cmp *comparisons) {
    return call < 0 ? 0 : seccomp_rule_add_array(filter, action, call, n, comparisons);
}

static int allow_if(scmp_filter_ctx filter, int call, unsigned n,
                    const struct scmp_arg_cmp *comparisons) {
    return add(filter, SCMP_ACT_ALLOW, call, n, comparisons);
}

static int add_pairs(scmp_filter_ctx filter) {
    const uint32_t own = (uint32_t)getpid();
    const struct scmp_arg_cmp
        /* Itself: abort() and raise(). Not 0 and not negative: that is a group. */
        to_itself[] = {COMPARE_INT(0, own)},
        /* With an address it could reach another socket. */
        no_address[] = {COMPARE_NULL(4)},
        /* Its own limits, and only to read them. */
        own_limits[] = {COMPARE_INT(0, 0), COMPARE_NULL(2)},
        limits_by_pid[] = {COMPARE_INT(0, own), COMPARE_NULL(2)},
        /* O_ASYNC sends a signal to the owner. */
        set_flags[] = {COMPARE_INT(1, F_SETFL), COMPARE_BITS(2, O_ASYNC, 0)},
        map_data[] = {COMPARE_BITS(2, PROT_EXEC, 0),
                      COMPARE_BITS(3, ~(uint32_t)MAP_ALLOWED, MAP_PRIVATE)},
        map_code[] = {COMPARE_BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC),
                      COMPARE_BITS(3, ~(uint32_t)MAP_ALLOWED, MAP_PRIVATE)};
    return allow_if(filter, SCMP_SYS(kill), 1, to_itself) |
           allow_if(filter, SCMP_SYS(tgkill), 1, to_itself) |
           allow_if(filter, SCMP_SYS(sendto), 1, no_address) |
           allow_if(filter, SCMP_SYS(prlimit64), 2, own_limits) |
           allow_if(filter, SCMP_SYS(prlimit64), 2, limits_by_pid) |
           allow_if(filter, SCMP_SYS(fcntl), 2, set_flags) |
           allow_if(filter, SCMP_SYS(mmap), 2, map_data) |
           allow_if(filter, SCMP_SYS(mmap), 2, map_code);
}

static int add_tables(scmp_filter_ctx filter) {
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++) {
        result |= add(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(missing); i++) {
        result |= add(filter, SCMP_ACT_ERRNO(ENOSYS), missing[i], 0, NULL);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(killed); i++) {
        result |= add(filter, SCMP_ACT_KILL_PROCESS, killed[i], 0, NULL);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(allowed_values); i++) {
        const struct equals *rule = &allowed_values[i];
        struct scmp_arg_cmp is = COMPARE_INT(rule->argument, rule->value);
        result |= allow_if(filter, rule->call, 1, &is);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(allowed_bits); i++) {
        const struct masked *rule = &allowed_bits[i];
        struct scmp_arg_cmp is = COMPARE_BITS(rule->argument, rule->mask, rule->value);
        result |= allow_if(filter, rule->call, 1, &is);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(futex_operations); i++) {
        struct scmp_arg_cmp is = COMPARE_BITS(1, ~(uint32_t)FUTEX_FLAGS, futex_operations[i]);
        result |= allow_if(filter, SCMP_SYS(futex), 1, &is);
    }
    return result | add_pairs(filter);
}

int sandbox_filter_enter(struct error *err) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter) {
        return error_set(err, "cannot make the seccomp filter: out of memory");
    }
    /* 32-bit calls by `int 0x80`, and x32's, have other numbers: no library of this architecture
     * makes them. The tree is faster than a list. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) |
                 seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) | add_tables(filter);
    if (result != 0) {
        seccomp_release(filter);
        return error_set(err, "cannot make the seccomp filter: libseccomp rejects a rule");
    }
    result = seccomp_load(filter);
    seccomp_release(filter);
    if (result < 0) {
        return error_set(err, "the kernel rejects the seccomp filter: %s", strerror(-result));
    }
    return 0;
}
