/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A lock that is held until the end of a scope, so that no early return leaves it locked. */
#ifndef SNEK_BASE_LOCK_H
#define SNEK_BASE_LOCK_H

#include "base/cleanup.h"

#include <assert.h>
#include <pthread.h>

/* An error here means that the mutex was never made, or that this thread already holds it. */
static inline pthread_mutex_t *lock_acquire(pthread_mutex_t *mutex) {
    int error = pthread_mutex_lock(mutex);
    assert(error == 0);
    (void)error; /* with NDEBUG */
    return mutex;
}

static inline void lock_release(pthread_mutex_t **mutex) {
    int error = pthread_mutex_unlock(*mutex);
    assert(error == 0);
    (void)error; /* with NDEBUG */
}

#define LOCK_NAME_JOINED(line) lock_of_line_##line
#define LOCK_NAME(line) LOCK_NAME_JOINED(line)

/* Locks `mutex` now and unlocks it when the scope ends. */
#define SCOPED_LOCK(mutex)                                                                         \
    __attribute__((unused)) pthread_mutex_t *LOCK_NAME(__LINE__) CLEANUP(lock_release) =           \
        lock_acquire(mutex)

#endif
