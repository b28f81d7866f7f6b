/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Measures how far apart two names are. */
#include "base/suggest.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The optimal string alignment distance: three rows of its table are enough. */
size_t suggest_distance(const char *a, const char *b) {
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    size_t rows[3][SUGGEST_NAME_MAX + 1];
    if (a_bytes > SUGGEST_NAME_MAX || b_bytes > SUGGEST_NAME_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_bytes; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_above[j - 2] + 1);
            }
        }
    }
    assert(rows[a_bytes % 3][b_bytes] <= SUGGEST_NAME_MAX);
    return rows[a_bytes % 3][b_bytes];
}

bool suggest_is_near(const char *name, size_t distance) {
    return distance <= 3 && distance * 3 <= strlen(name);
}

bool suggest_is_prefix(const char *name, const char *longer) {
    size_t bytes = strlen(name);
    return bytes >= 4 && strncmp(name, longer, bytes) == 0;
}
