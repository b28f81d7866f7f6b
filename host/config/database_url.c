/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Follows libpq's own parser (conninfo_uri_parse_options): the user's part ends at the first "@"
 * that comes before a "/", then come hosts and ports, "/DATABASE" and "?KEY=VALUE&...". */
#include "config/database_url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

/* Percent signs start %XX; nothing is white space, a control character or %00. */
static bool is_encoded(const char *text) {
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c <= ' ' || c == 0x7F) {
            return false;
        }
        if (c == '%' && (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]) ||
                         strncmp(at, "%00", 3) == 0)) {
            return false;
        }
    }
    return true;
}

/* HOST[:PORT] of `bytes` bytes; an IPv6 address is in brackets. */
static bool is_host(const char *text, size_t bytes) {
    const char *end = text + bytes, *colon = memchr(text, ':', bytes);
    if (bytes > 0 && *text == '[') {
        const char *bracket = memchr(text, ']', bytes);
        if (!bracket || (bracket + 1 < end && bracket[1] != ':')) {
            return false;
        }
        colon = bracket + 1 < end ? bracket + 1 : NULL;
    }
    return !colon || colon + 1 + strspn(colon + 1, DIGITS) >= end;
}

static bool are_hosts(const char *text, size_t bytes) {
    const char *end = text + bytes;
    for (;;) {
        size_t length = strcspn(text, ",");
        bool last = text + length >= end;
        if (!is_host(text, last ? (size_t)(end - text) : length)) {
            return false;
        }
        if (last) {
            return true;
        }
        text += length + 1;
    }
}

/* KEY=VALUE, joined by "&". */
static bool are_parameters(const char *text) {
    while (*text) {
        size_t length = strcspn(text, "&"), key = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
        if (key == 0 || text[key] != '=' || memchr(text + key + 1, '=', length - key - 1)) {
            return false;
        }
        text += length + (text[length] == '&');
    }
    return true;
}

bool database_url_is_clear(const char *url) {
    const char *rest = strstr(url, "://");
    if (!rest || !is_encoded(url)) {
        return false;
    }
    rest += 3;
    size_t user_bytes = strcspn(rest, "@/");
    if (rest[user_bytes] == '@') {
        rest += user_bytes + 1;
    }
    if (strchr(rest, '@')) {
        /* The password has a raw "/" before it, or a raw "@". */
        return false;
    }
    size_t host_bytes = strcspn(rest, "/?");
    const char *query = strchr(rest, '?');
    const char *path = rest + host_bytes;
    if (*path == '/' && memchr(path + 1, '/', strcspn(path + 1, "?"))) {
        return false;
    }
    return are_hosts(rest, host_bytes) && (!query || are_parameters(query + 1));
}

static bool has_password(const char *url) {
    const char *rest = strstr(url, "://") + 3;
    size_t user_bytes = strcspn(rest, "@/?");
    bool in_front = rest[user_bytes] == '@' && memchr(rest, ':', user_bytes);
    return in_front || strstr(rest, "?password=") || strstr(rest, "&password=");
}

char *database_url_with_password(const char *url, const char *password) {
    if (!strstr(url, "://") || has_password(url)) {
        return strdup(url);
    }
    size_t room = strlen(url) + sizeof "?password=" + 3 * strlen(password);
    char *complete = malloc(room);
    if (!complete) {
        return NULL;
    }
    int length = snprintf(complete, room, "%s%cpassword=", url, strchr(url, '?') ? '&' : '?');
    for (const char *at = password; *at; at++) {
        bool plain = isalnum((unsigned char)*at);
        char *end = complete + length;
        length +=
            plain ? snprintf(end, 2, "%c", *at) : snprintf(end, 4, "%%%02X", (unsigned char)*at);
    }
    return complete;
}
