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

#endif
