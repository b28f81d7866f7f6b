/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules by which GitHub accepts the manifest of an App. */
#ifndef SNEK_HARNESS_FAKE_MANIFEST_CHECK_H
#define SNEK_HARNESS_FAKE_MANIFEST_CHECK_H

#include "fake/instance.h"

/* An array with a sentence for each error, the caller's. `names` has the names that are taken. */
json_t *manifest_check(json_t *manifest, const json_t *names);

#endif
