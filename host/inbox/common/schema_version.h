/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Judges the version of a store's schema, in the same words for both stores. */
#ifndef SNEK_INBOX_COMMON_SCHEMA_VERSION_H
#define SNEK_INBOX_COMMON_SCHEMA_VERSION_H

#include "base/error.h"

#include <stdint.h>

/* `version` is the newest migration that was applied (0: none), `rows` how many the store has
 * recorded, and `known` the newest one of this build. 0, or -1 when this build must leave the store
 * alone. */
int schema_version_check(int64_t version, int64_t rows, int64_t known, struct error *err);
/* 0, or -1 when the store is not migrated to `known` yet. */
int schema_version_check_current(int64_t version, int64_t known, struct error *err);

#endif
