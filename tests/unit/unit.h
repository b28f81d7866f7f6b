/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What every unit test starts with; cmocka wants these four before it. */
#ifndef SNEK_TESTS_UNIT_H
#define SNEK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#endif
