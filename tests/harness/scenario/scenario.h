/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A scenario: a TOML file that says what GitHub has at the start, what happens, and what is then
 * expected. docs/scenarios.md tells its form; here it is read and checked, so that all
 * others can rely on names and types. */
#ifndef SNEK_SCENARIO_SCENARIO_H
#define SNEK_SCENARIO_SCENARIO_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scenario {
    const char *file; /* as it was given */
    char *directory;  /* absolute: where the file's own paths start */
    json_t *root;     /* all of it, as JSON */
};

/* 0, or -1 with file, line and what to fix. */
int scenario_read(const char *file, struct scenario *scenario, struct error *err);
void scenario_finish(struct scenario *scenario); /* takes an empty one */

/* "10 s", "2 min" in milliseconds; -1 when it is no such text. */
int64_t scenario_duration_ms(const char *text);

/* What "PUT /orgs/x -> 404" says; texts are cut to fit. */
#define REQUEST_PATH_MAX 512
struct expected_request {
    char method[16];
    char path[REQUEST_PATH_MAX]; /* with * and ?, or "a ? after which a query comes" */
    int status;                  /* 0: any 2xx, or 304; -1: dropped */
};
/* 0, or -1 with what is wrong. */
int scenario_request(const char *text, struct expected_request *request, struct error *err);

#endif
