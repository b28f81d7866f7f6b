/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Warnings of a scenario, which fail nothing: paths of payloads that GitHub does not have, in the
 * plugin's reads and in the scenario's own payloads. Each is printed once, as a comment of TAP. */
#ifndef SNEK_HARNESS_SCENARIO_WARNINGS_H
#define SNEK_HARNESS_SCENARIO_WARNINGS_H

#include "base/error.h"
#include "scenario/lines.h"

#include <jansson.h>

struct payload_paths;

struct warnings {
    struct payload_paths *paths;
    /* The texts that were printed. */
    json_t *printed;
};

/* `payloads` is the folder of the bundled payloads. 0 or -1; finish it in both cases. */
int warnings_init(struct warnings *warnings, const char *payloads, struct error *err);
void warnings_finish(struct warnings *warnings);

/* The paths in `value`, which is at `at` of the event's payload ("": it is the whole). */
void warnings_check_payload(struct warnings *warnings, const char *event, const char *at,
                            const json_t *value);
/* The paths that plugins read, by the host's log from `from` on. */
void warnings_check_log(struct warnings *warnings, const struct lines *lines, size_t from);

#endif
