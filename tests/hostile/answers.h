/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers that no server should give. */
#ifndef SNEK_TESTS_HOSTILE_ANSWERS_H
#define SNEK_TESTS_HOSTILE_ANSWERS_H

#include <stdbool.h>

/* Gives the one that the path names, after which the connection is to be closed; false when it
 * names none. */
bool hostile_answer(int fd, const char *target);

#endif
