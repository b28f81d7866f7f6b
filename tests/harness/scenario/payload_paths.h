/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The paths that the payloads of GitHub's webhooks have, by GitHub's own description: the bundled
 * file paths.txt, whose form tests/conformance/payload_paths.py explains. */
#ifndef SNEK_HARNESS_SCENARIO_PAYLOAD_PATHS_H
#define SNEK_HARNESS_SCENARIO_PAYLOAD_PATHS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a path, with its NUL. A longer one counts as known. */
#define PAYLOAD_PATH_MAX 256

struct payload_paths;

/* Reads the file. NULL with the reason. */
struct payload_paths *payload_paths_new(const char *file, struct error *err);
void payload_paths_free(struct payload_paths *paths);

/* Can a payload of the event have "labels[0].name"? True for an event that GitHub does not have.
 * False with the nearest path that exists in `nearest` ("" when there is none). */
bool payload_paths_has(const struct payload_paths *paths, const char *event, const char *path,
                       char nearest[PAYLOAD_PATH_MAX]);

/* Can a payload of any event of GitHub's, or of the host's own, have the path? */
bool payload_paths_has_anywhere(const struct payload_paths *paths, const char *path);

#endif
