/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares a request with a pattern of its path and with values of its query. */
#include "fake/request_pattern.h"

#include "base/cleanup.h"

#include <fnmatch.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool request_pattern_fits(const char *pattern, const char *path, const char *query) {
    AUTO_FREE char *target = NULL;
    if (query && strchr(pattern, '?') && asprintf(&target, "%s?%s", path, query) < 0) {
        target = NULL;
    }
    const char *whole = target ? target : path;
    return strcmp(pattern, whole) == 0 || fnmatch(pattern, whole, 0) == 0;
}

char *request_query_value(const char *query, const char *name) {
    AUTO_FREE char *copy = query ? strdup(query) : NULL;
    char *rest = copy;
    size_t name_bytes = strlen(name);
    for (char *pair; (pair = strsep(&rest, "&")) != NULL;) {
        if (strncmp(pair, name, name_bytes) == 0 && pair[name_bytes] == '=') {
            char *value = strdup(pair + name_bytes + 1);
            if (value) {
                for (char *plus = value; (plus = strchr(plus, '+')) != NULL;) {
                    *plus = ' ';
                }
                (void)MHD_http_unescape(value);
            }
            return value;
        }
    }
    return NULL;
}

bool request_query_has(const char *query, const json_t *wanted) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)wanted, name, value) {
        AUTO_FREE char *given = request_query_value(query, name);
        char number[24];
        const char *text = json_string_value(value);
        if (json_is_integer(value)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            text = number;
        }
        if (!given || !text || strcmp(given, text) != 0) {
            return false;
        }
    }
    return true;
}
