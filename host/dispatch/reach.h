/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a plugin acts: plugin.installations and plugin.repositories. From any thread. */
#ifndef SNEK_DISPATCH_REACH_H
#define SNEK_DISPATCH_REACH_H

#include <stdbool.h>
#include <stddef.h>

/* Does one of the patterns, in which * stands for anything, fit? NULL: everything does. */
bool reach_lists(char *const *patterns, const char *text);

/* May a request go to this URL, below the API's root or absolute? False when it is in a repository,
 * /repos/OWNER/NAME, that the patterns do not list, or when which one cannot be told. */
bool reach_covers(char *const *patterns, const char *api_url, const char *url);

#endif
