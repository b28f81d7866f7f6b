/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A directory and an environment of a test's own, and what is loaded from there. */
#ifndef SNEK_TESTS_CONFIG_HOME_H
#define SNEK_TESTS_CONFIG_HOME_H

#include "unit.h"

#include "config/config.h"

/* Setup and teardown of a group: makes the home, which is the working directory. */
int config_enter_home(void **state);
int config_leave_home(void **state);

/* Every test starts without a file and with an environment that says nothing to us. */
int config_start_empty(void **state);
#define CONFIG_TEST(test) cmocka_unit_test_setup(test, config_start_empty)

void write_bytes(const char *path, const char *bytes, size_t count);
void write_text(const char *path, const char *text);
void set_credentials(void); /* in the environment */

/* Loads snekomatic.toml with `text` in it (NULL: no file), or fails with its problems. */
struct config *load_good(const char *text);
/* The problems of `text`, the caller's to free; or fails. */
char *load_bad(const char *text);
void assert_problems(const char *text, const char *want);

void assert_under_home(const char *path, const char *want);
void assert_store_under_home(const struct config *config, const char *want);

#endif
