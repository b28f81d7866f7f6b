/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scoped cleanup: a variable declared with one of these macros releases its value when its scope
 * ends. STEAL() passes the value on instead. */
#ifndef SNEK_BASE_CLEANUP_H
#define SNEK_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Returns the value of `variable` and sets it to NULL. */
#define STEAL(variable)                                                                            \
    __extension__({                                                                                \
        __typeof__(variable) steal_value_ = (variable);                                            \
        (variable) = NULL;                                                                         \
        steal_value_;                                                                              \
    })

static inline void cleanup_free(void *where) {
    free(*(void **)where);
}

static inline void cleanup_close(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
}

static inline void cleanup_file(FILE **file) {
    if (*file) {
        fclose(*file);
    }
}

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_CLOSE CLEANUP(cleanup_close)
#define AUTO_FILE CLEANUP(cleanup_file)

/* Returns the value of `fd` and sets it to -1. */
static inline int steal_fd(int *fd) {
    int value = *fd;
    *fd = -1;
    return value;
}

#endif
