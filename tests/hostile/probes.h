/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The probes that a hostile plugin tries from inside of its worker: one table, which the plugin and
 * the program that starts it share. */
#ifndef SNEK_TESTS_HOSTILE_PROBES_H
#define SNEK_TESTS_HOSTILE_PROBES_H

#include <stddef.h>

/* The worker's socket to the host. */
#define HOST_FD 3
/* The program that starts the worker leaves the key open at this number. */
#define INHERITED_FD 40

/* The things that a probe may try to reach. */
struct world {
    /* A directory with the files `key`, `configuration`, `database` and `library.so`, and for files
     * that a probe makes. */
    const char *directory;
    /* A process of this user, with a secret in its environment and at `secret_at`. Its standard
     * input is the key. */
    int victim;
    unsigned long long secret_at;
};

/* The expected outcome of a probe that the kernel ends, with SIGSYS. */
#define KILLED (-1)
/* The outcome of a probe for which this kernel has nothing to reach. */
#define ABSENT (-2)

/* Whether a probe succeeds without the sandbox. */
enum control {
    SUCCEEDS,
    /* With the capabilities of root; others' result depends on the machine. */
    AS_ROOT,
    /* It depends on the machine: on the kernel's options, its sysctls, or a container. */
    DEPENDS,
};

struct probe {
    const char *name;
    /* 0 when it reached what it should not, the errno that stopped it, or ABSENT. */
    int (*run)(const struct world *world);
    /* In the sandbox: errno, or KILLED. EACCES: Landlock stops it. */
    int expected;
    enum control control;
};

struct probe_table {
    const struct probe *probes;
    size_t count;
};

extern const struct probe_table file_probes, process_probes, signal_probes, socket_probes,
    memory_probes, kernel_probes;

/* The probe with this number, counted from 0 over all tables; or NULL after the last. */
const struct probe *probe_at(size_t number);

/* The outcome of a system call: 0, or errno when its result is negative. */
int outcome_of(long result);
/* Likewise; 0 also when it failed with `harmless`: the kernel took the call, and only found nothing
 * to do. */
int attempt_of(long result, int harmless);
/* The path of a file in the directory; the next call overwrites it. */
const char *path_in(const struct world *world, const char *name);

#endif
