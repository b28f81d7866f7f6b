/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small table of counters, whose oldest row is reused. */
#include "broker/token_denials.h"

#include "base/clock.h"
#include "base/text.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <string.h>

static bool is_over(const struct token_denials_row *row, int64_t now_ms) {
    return row->count == 0 || now_ms - row->since_ms >= TOKEN_DENIALS_FOR_MS;
}

static bool is_of(const struct token_denials_row *row, const char *plugin,
                  const char *installation) {
    return strcmp(row->plugin, plugin) == 0 && strcmp(row->installation, installation) == 0;
}

void token_denials_count(struct token_denials *denials, const char *plugin,
                         const char *installation, int32_t outcome) {
    int64_t now_ms = clock_monotonic_ms();
    const char *where = outcome == SNEK_E_VALIDATION ? "" : installation;
    /* Its own row, or a free one, or the oldest. */
    struct token_denials_row *row = denials->rows;
    for (struct token_denials_row *at = denials->rows; at < denials->rows + TOKEN_DENIALS_ROWS;
         at++) {
        if (at->count > 0 && is_of(at, plugin, where)) {
            row = at;
            break;
        }
        bool older = at->since_ms < row->since_ms;
        if (row->count > 0 && (at->count == 0 || older)) {
            row = at;
        }
    }
    if (is_over(row, now_ms) || !is_of(row, plugin, where)) {
        *row = (struct token_denials_row){.since_ms = now_ms};
        snprintf(row->plugin, sizeof row->plugin, "%s", plugin);
        snprintf(row->installation, sizeof row->installation, "%s", where);
    }
    row->count++;
}

int32_t token_denials_check(const struct token_denials *denials, const char *plugin,
                            const char *installation, struct error *err) {
    int64_t now_ms = clock_monotonic_ms();
    for (const struct token_denials_row *row = denials->rows;
         row < denials->rows + TOKEN_DENIALS_ROWS; row++) {
        if (is_over(row, now_ms) || row->count < TOKEN_DENIALS_MAX ||
            !(is_of(row, plugin, "") || is_of(row, plugin, installation))) {
            continue;
        }
        char where[101];
        text_clean(where, sizeof where, installation, strlen(installation));
        error_set(err,
                  "GitHub denied plugin %s %d tokens of one repository within a minute%s%s: "
                  "the host asks for no other in the next %lld s",
                  plugin, TOKEN_DENIALS_MAX, row->installation[0] ? " in installation " : "",
                  row->installation[0] ? where : "",
                  (long long)((row->since_ms + TOKEN_DENIALS_FOR_MS - now_ms + 999) / 1000));
        return row->installation[0] ? SNEK_E_FORBIDDEN : SNEK_E_VALIDATION;
    }
    return 0;
}
