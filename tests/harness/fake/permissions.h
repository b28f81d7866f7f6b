/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The permissions that GitHub knows, and their levels. */
#ifndef SNEK_HARNESS_FAKE_PERMISSIONS_H
#define SNEK_HARNESS_FAKE_PERMISSIONS_H

#include <jansson.h>
#include <stdbool.h>

/* All names with their levels, new. */
json_t *permissions_list(void);
bool permission_exists(const char *name);
/* Does the permission have this level? */
bool permission_has_level(const char *name, const char *level);
bool permission_is_of_repositories(const char *name);
/* Does what is granted include `name` at `level`? */
bool permission_covers(const json_t *granted, const char *name, const char *level);

#endif
