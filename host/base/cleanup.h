/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scoped cleanup: a variable that is declared with one of these releases what it owns when its
 * scope ends; STEAL() hands the value on instead ("steal on success"). */
#ifndef SNEK_BASE_CLEANUP_H
#define SNEK_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* The value of `variable`, which is left NULL. */
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
        (void)close(*fd);
    }
}

static inline void cleanup_file(FILE **file) {
    if (*file) {
        (void)fclose(*file);
    }
}

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_CLOSE CLEANUP(cleanup_close)
#define AUTO_FILE CLEANUP(cleanup_file)

/* The value of `fd`, which is left -1. */
static inline int steal_fd(int *fd) {
    int value = *fd;
    *fd = -1;
    return value;
}

#endif
