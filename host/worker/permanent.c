/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub has no code for these failures, only messages. So this file lists phrases. A message
 * without them is an ordinary failure, which the host retries. */
#include "worker/permanent.h"

#include "base/json.h"
#include "worker/run.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ERRORS_MAX 10

/* "Unable to create comment because issue is locked.", "Repository was archived so is read-only.",
 * "User is blocked", "You have been blocked", "body is too long (maximum is 65536 characters)".
 * They are long enough not to match failures that may pass: "merging is blocked", "cannot lock
 * ref". */
static const char *const phrases[] = {"is locked",       "was archived", "is archived",
                                      "user is blocked", "been blocked", "is too long"};

static bool contains(const char *text, size_t bytes, const char *phrase) {
    size_t phrase_bytes = strlen(phrase);
    for (size_t at = 0; at + phrase_bytes <= bytes; at++) {
        if (strncasecmp(text + at, phrase, phrase_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_phrase(const char *json, size_t bytes, const char *path) {
    struct json_value found;
    if (!json_find(json, bytes, path, &found) || found.type != JSON_STRING) {
        return false;
    }
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (contains(found.raw, found.raw_bytes, phrases[i])) {
            return true;
        }
    }
    return false;
}

bool permanent_response(int32_t status, const char *json, size_t bytes) {
    if (status == 410 || status == 451) {
        return true;
    }
    /* A failed GraphQL mutation has the status 200. */
    if (status != 200 && status != 403 && status != 422) {
        return false;
    }
    bool found = has_phrase(json, bytes, "message");
    for (int i = 0; i < ERRORS_MAX && !found; i++) {
        char path[32];
        snprintf(path, sizeof path, "errors[%d].message", i);
        found = has_phrase(json, bytes, path);
        snprintf(path, sizeof path, "errors[%d]", i);
        found = found || has_phrase(json, bytes, path);
    }
    return found;
}

bool permanent_text(const char *text) {
    size_t characters = 0;
    for (; *text; text++) {
        characters += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return characters > TEXT_CHARACTERS_MAX;
}

int32_t permanent_check(struct run *run, const char *markdown) {
    if (!markdown) {
        return run_fail_null(run, "a comment needs a text, and got NULL");
    }
    if (!permanent_text(markdown)) {
        return 0;
    }
    run_fail(
        run, SNEK_E_TOO_LARGE,
        "the comment is longer than %d characters, GitHub's limit: shorten or split it, or let "
        "snek_cut() cut it",
        TEXT_CHARACTERS_MAX);
    run_mark_permanent(run, SNEK_E_TOO_LARGE);
    return SNEK_E_TOO_LARGE;
}
