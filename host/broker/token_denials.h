/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts the tokens of one repository that GitHub denied. A plugin that asks for ever new ones
 * would use up the app's own rate limit, and then every installation would wait. A denial because
 * of the repository counts for the plugin. A denial because of the installation (a permission that
 * is not granted) counts for the plugin in that installation, so that a plugin that waits for the
 * consent of many owners stays below the limit.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_TOKEN_DENIALS_H
#define SNEK_BROKER_TOKEN_DENIALS_H

#include "base/error.h"
#include "inbox/limits.h"

#include <stdint.h>

/* So many denials within so long: until that time ends, the broker asks for no other token. */
#define TOKEN_DENIALS_MAX 20
#define TOKEN_DENIALS_FOR_MS 60000
#define TOKEN_DENIALS_ROWS 64

struct token_denials {
    struct token_denials_row {
        char plugin[INBOX_NAME_MAX + 1];
        /* "": any. */
        char installation[INBOX_NAME_MAX + 1];
        /* 0: the row is free. */
        unsigned count;
        /* Monotonic: of the first denial. */
        int64_t since_ms;
    } rows[TOKEN_DENIALS_ROWS];
};

/* GitHub denied a token, with this outcome (enum snek_error). */
void token_denials_count(struct token_denials *denials, const char *plugin,
                         const char *installation, int32_t outcome);

/* 0: the broker may ask GitHub; or a negative enum snek_error and a sentence. Never
 * SNEK_E_NOT_GRANTED: a run parked for that would wait for a consent that may exist already. */
int32_t token_denials_check(const struct token_denials *denials, const char *plugin,
                            const char *installation, struct error *err);

#endif
