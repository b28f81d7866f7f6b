/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The order of GitHub's levels of access, from its page "Permissions required for GitHub Apps". */
#include "protocol/access.h"

#include "base/array.h"

#include <string.h>

int access_rank(const char *access, size_t bytes) {
    static const char *const by_rank[] = {"read", "write", "admin"};
    for (size_t i = 0; i < ARRAY_LENGTH(by_rank); i++) {
        if (strlen(by_rank[i]) == bytes && memcmp(by_rank[i], access, bytes) == 0) {
            return (int)i + 1;
        }
    }
    return 0;
}
