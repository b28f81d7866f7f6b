/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The roles of unit_supervisor's program: the host, which its first argument names, and the worker.
 */
#ifndef SNEK_TESTS_SUPERVISOR_HOST_H
#define SNEK_TESTS_SUPERVISOR_HOST_H

/* Writes a line to standard output. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `argv` starts with the name of what the host does. Each returns the exit status. */
int play_host(char *const argv[]);
int play_worker(void);

#endif
