/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The permissions that a token is requested with: the required ones of a plugin, and those of its
 * optional ones that the installation grants. Any thread. */
#ifndef SNEK_BROKER_PERMISSION_SET_H
#define SNEK_BROKER_PERMISSION_SET_H

#include "base/json.h"

/* `required` and `optional` are JSON objects of texts, {"issues":"write"}. `required` may be "",
 * which stands for all that are granted: then the result is "". `optional` may be "": none.
 * `granted` is the object of the installation's permissions; NULL takes all optional ones. Returns
 * a JSON object, which the caller frees; NULL when memory is short. */
char *permission_set_merge(const char *required, const char *optional,
                           const struct json_value *granted);

/* The required permissions that `granted` lacks, in words: "issues: write, members: read"; "" none.
 * The caller frees it; NULL when memory is short. */
char *permission_set_lacking(const char *required, const struct json_value *granted);

#endif
