/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A scenario: a TOML file with GitHub's state at the start, the steps, and what each step expects.
 * docs/scenarios.md describes its form. This module reads and checks it, so that the others can
 * rely on names and types. */
#ifndef SNEK_SCENARIO_SCENARIO_H
#define SNEK_SCENARIO_SCENARIO_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scenario {
    /* The path that the caller gave; borrowed. */
    const char *file;
    /* Absolute: relative paths of the file start here. */
    char *directory;
    /* The whole file as JSON. */
    json_t *root;
};

/* 0, or -1 with file, line and what to fix. */
int scenario_read(const char *file, struct scenario *scenario, struct error *err);
/* Also accepts an empty one. */
void scenario_finish(struct scenario *scenario);

/* "10 s", "2 min" in milliseconds; -1 when the text is no duration. */
int64_t scenario_duration_ms(const char *text);

/* A text such as "PUT /orgs/x -> 404" in parts, which are cut to fit. */
#define REQUEST_PATH_MAX 512
struct expected_request {
    char method[16];
    /* With * and ?; or with a "?" and the query after it. */
    char path[REQUEST_PATH_MAX];
    /* 0: any 2xx, or 304. -1: dropped. */
    int status;
};
/* 0, or -1 with what is wrong. */
int scenario_request(const char *text, struct expected_request *request, struct error *err);

#endif
