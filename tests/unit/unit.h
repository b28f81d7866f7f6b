/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every unit test includes this first. cmocka needs the four headers before it. */
#ifndef SNEK_TESTS_UNIT_H
#define SNEK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* A sanitizer maps terabytes of its own: limits of memory cannot be tested below it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

/* cmocka reports through stdio's standard output. The code under test and its processes write to
 * descriptor 1, which is standard error from here on: their lines are no part of the TAP. */
void report_keep_apart(void);

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    (report_keep_apart(),                                                                          \
     _cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof *(tests), setup, teardown))

/* Leaves a test that cannot run here, and says why. cmocka's skip() counts as a failure in TAP. */
#define LEAVE_OUT(reason)                                                                          \
    do {                                                                                           \
        print_message("# left out %s: %s\n", __func__, reason);                                    \
        return;                                                                                    \
    } while (0)

#endif
