/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "broker/token_denials.h"

#include "base/clock.h"
#include "base/text.h"
#include "broker/answer.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <string.h>

static bool is_over(const struct rejected_row *row, int64_t now_ms) {
    return row->count == 0 || now_ms - row->since_ms >= REJECTED_FOR_MS;
}

static bool is_of(const struct rejected_row *row, const char *plugin, const char *installation) {
    return strcmp(row->plugin, plugin) == 0 && strcmp(row->installation, installation) == 0;
}

void rejected_count(struct rejected *rejected, const char *plugin, const char *installation,
                    int32_t outcome) {
    int64_t now_ms = clock_monotonic_ms();
    const char *where = outcome == SNEK_E_VALIDATION ? "" : installation;
    struct rejected_row *row = rejected->rows; /* its own, or the one that is over, or the oldest */
    for (struct rejected_row *at = rejected->rows; at < rejected->rows + REJECTED_KEPT; at++) {
        if (at->count > 0 && is_of(at, plugin, where)) {
            row = at;
            break;
        }
        bool older = at->since_ms < row->since_ms;
        row = row->count > 0 && (at->count == 0 || older) ? at : row;
    }
    if (is_over(row, now_ms) || !is_of(row, plugin, where)) {
        *row = (struct rejected_row){.since_ms = now_ms};
        (void)snprintf(row->plugin, sizeof row->plugin, "%s", plugin);
        (void)snprintf(row->installation, sizeof row->installation, "%s", where);
    }
    row->count++;
}

int32_t rejected_check(const struct rejected *rejected, const char *plugin,
                       const char *installation, struct error *err) {
    int64_t now_ms = clock_monotonic_ms();
    for (const struct rejected_row *row = rejected->rows; row < rejected->rows + REJECTED_KEPT;
         row++) {
        if (is_over(row, now_ms) || row->count < REJECTED_MAX ||
            !(is_of(row, plugin, "") || is_of(row, plugin, installation))) {
            continue;
        }
        char where[101];
        text_clean(where, sizeof where, installation, strlen(installation));
        (void)error_set(err,
                        "plugin %s asked within a minute for %d tokens of one repository that "
                        "GitHub rejected%s%s: GitHub is asked for no other in the next %lld s",
                        plugin, REJECTED_MAX, row->installation[0] ? " for installation " : "",
                        row->installation[0] ? where : "",
                        (long long)((row->since_ms + REJECTED_FOR_MS - now_ms + 999) / 1000));
        return row->installation[0] ? SNEK_E_FORBIDDEN : SNEK_E_VALIDATION;
    }
    return 0;
}
