/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Limits where a plugin acts: plugin.installations and plugin.repositories. Any thread may call
 * these functions. */
#ifndef SNEK_DISPATCH_SCOPE_H
#define SNEK_DISPATCH_SCOPE_H

#include <stdbool.h>

/* True when one of the patterns matches the text. In a pattern, * matches any text. NULL patterns
 * match everything. */
bool scope_matches(char *const *patterns, const char *text);

/* True when a request may go to this URL, which is absolute or starts below the API's root. A URL
 * of a repository (/repos/OWNER/NAME) must match the patterns. A URL whose repository cannot be
 * read is outside the scope. */
bool scope_covers(char *const *patterns, const char *api_url, const char *url);

/* True when the request reads the configuration that an owner has for all repositories: a file
 * .github/NAME.yml of OWNER/.github, where `repository` is OWNER/NAME, or NULL for none. The
 * patterns do not apply to this read. */
bool scope_is_owners_config(const char *repository, const char *api_url, const char *method,
                            const char *url);

/* The part of `url` below the root of the API, which starts with a slash unless the URL is
 * malformed. The broker checks the origin. Points into `url`. */
const char *scope_path(const char *api_url, const char *url);

#endif
