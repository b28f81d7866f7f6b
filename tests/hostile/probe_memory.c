/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of memory: to escape its limit, to share it, and to run what was written into it. */
#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Twice plugin.memory_mib of the worker. */
#define MUCH ((size_t)512 << 20)
#define PAGE 4096
#define MANY_DESCRIPTORS 100

static int maps(size_t bytes, int protection, int flags) {
    void *at = mmap(NULL, bytes, protection, flags, -1, 0);
    if (at == MAP_FAILED) {
        return errno;
    }
    munmap(at, bytes);
    return 0;
}

static int much(const struct world *world) {
    return maps(MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

static int shared(const struct world *world) {
    return maps(MUCH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
}

static int growing(const struct world *world) {
    return maps(MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN);
}

static int huge(const struct world *world) {
    return maps((size_t)2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
}

static int locked(const struct world *world) {
    return maps(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED);
}

static int writable_code(const struct world *world) {
    return maps(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
}

static int code_from_data(const struct world *world) {
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? errno : outcome_of(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
}

static int file_of_memory(const struct world *world) {
    return outcome_of(memfd_create("probe", 0));
}

static int secret_memory(const struct world *world) {
#ifdef SYS_memfd_secret
    return outcome_of(syscall(SYS_memfd_secret, 0));
#else
    return EPERM;
#endif
}

static int segment(const struct world *world) {
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    return id < 0 ? errno : outcome_of(shmctl(id, IPC_RMID, NULL));
}

static int semaphores(const struct world *world) {
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    return id < 0 ? errno : outcome_of(semctl(id, 0, IPC_RMID));
}

static int messages(const struct world *world) {
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    return id < 0 ? errno : outcome_of(msgctl(id, IPC_RMID, NULL));
}

static int queue(const struct world *world) {
    mqd_t opened = mq_open("/snek-probe", O_CREAT | O_RDWR, 0600, NULL);
    return opened == (mqd_t)-1 ? errno : outcome_of(mq_unlink("/snek-probe"));
}

static int locks(const struct world *world) {
    static char page[PAGE];
    return outcome_of(mlock(page, sizeof page));
}

static int cached(const struct world *world) {
    static char pages[2 * PAGE];
    unsigned char resident[2];
    char *aligned = (char *)(((uintptr_t)pages + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    return outcome_of(mincore(aligned, PAGE, resident));
}

static int larger_pipe(const struct world *world) {
    int fds[2];
    return pipe(fds) < 0 ? errno : outcome_of(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20));
}

static int splices(const struct world *world) {
    return attempt_of(tee(-1, -1, 1, 0), EBADF);
}

static int many_descriptors(const struct world *world) {
    for (int i = 0; i < MANY_DESCRIPTORS; i++) {
        if (dup(HOST_FD) < 0) {
            return errno;
        }
    }
    return 0;
}

static const struct probe probes[] = {
    {"more memory than its limit", much, ENOMEM, SUCCEEDS},
    {"shared memory beyond its limit", shared, EPERM, SUCCEEDS},
    {"a stack beyond its limit", growing, EPERM, SUCCEEDS},
    {"huge pages", huge, EPERM, DEPENDS},
    {"a locked mapping", locked, EPERM, SUCCEEDS},
    {"memory that is writable and executable", writable_code, EPERM, SUCCEEDS},
    {"make memory executable", code_from_data, EPERM, SUCCEEDS},
    {"a file of memory", file_of_memory, EPERM, SUCCEEDS},
    {"secret memory", secret_memory, EPERM, DEPENDS},
    {"a System V segment", segment, EPERM, DEPENDS},
    {"System V semaphores", semaphores, EPERM, DEPENDS},
    {"a System V queue", messages, EPERM, DEPENDS},
    {"a POSIX message queue", queue, EPERM, DEPENDS},
    {"lock memory", locks, EPERM, SUCCEEDS},
    {"see what the kernel has cached", cached, EPERM, SUCCEEDS},
    {"enlarge a pipe", larger_pipe, EPERM, SUCCEEDS},
    {"splice pipes", splices, EPERM, SUCCEEDS},
    {"many descriptors", many_descriptors, EMFILE, SUCCEEDS},
};

const struct probe_table memory_probes = {probes, sizeof probes / sizeof *probes};
