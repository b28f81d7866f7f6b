/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Matches installations and repositories against the patterns of the configuration. */
#include "dispatch/scope.h"

#include "inbox/limits.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool scope_matches(char *const *patterns, const char *text) {
    if (!patterns) {
        return true;
    }
    for (; *patterns; patterns++) {
        if (fnmatch(*patterns, text, FNM_NOESCAPE | FNM_CASEFOLD) == 0) {
            return true;
        }
    }
    return false;
}

/* The part after the scheme and the host. The broker checks those two. */
static const char *path_of(const char *url) {
    const char *host = strstr(url, "://");
    return url[0] == '/' || !host ? url : host + 3 + strcspn(host + 3, "/?#");
}

const char *scope_path(const char *api_url, const char *url) {
    const char *root = path_of(api_url); /* "/api/v3" */
    bool absolute = url[0] != '/';
    url = path_of(url);
    return absolute && strncmp(url, root, strlen(root)) == 0 ? url + strlen(root) : url;
}

bool scope_covers(char *const *patterns, const char *api_url, const char *url) {
    static const char below[] = "/repos/";
    char repository[2 * INBOX_NAME_MAX + 2];
    if (!patterns) {
        return true;
    }
    url = scope_path(api_url, url);
    if (strncmp(url, below, sizeof below - 1) != 0) {
        return strncasecmp(url, below, sizeof below - 1) != 0;
    }
    url += sizeof below - 1;
    size_t owner_bytes = strcspn(url, "/?#");
    size_t name_bytes = url[owner_bytes] == '/' ? strcspn(url + owner_bytes + 1, "/?#") : 0;
    size_t bytes = owner_bytes + 1 + name_bytes;
    if (owner_bytes == 0 || name_bytes == 0 || bytes >= sizeof repository) {
        return false;
    }
    snprintf(repository, sizeof repository, "%.*s", (int)bytes, url);
    /* Names need no percent-encoding, and an encoded name would pass the patterns. */
    return !strchr(repository, '%') && scope_matches(patterns, repository);
}

bool scope_is_owners_config(const char *repository, const char *api_url, const char *method,
                            const char *url) {
    static const char file[] = "/.github/contents/.github/", ending[] = ".yml";
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char begin[sizeof "/repos/" + INBOX_NAME_MAX + sizeof file];
    int owner_bytes = repository ? (int)strcspn(repository, "/") : 0;
    if (strcmp(method, "GET") != 0 || owner_bytes == 0 || owner_bytes > INBOX_NAME_MAX) {
        return false;
    }
    size_t bytes =
        (size_t)snprintf(begin, sizeof begin, "/repos/%.*s%s", owner_bytes, repository, file);
    url = scope_path(api_url, url);
    if (strncasecmp(url, begin, bytes) != 0) {
        return false;
    }
    size_t name_bytes = strspn(url + bytes, letters);
    return name_bytes > 0 && strcmp(url + bytes + name_bytes, ending) == 0;
}
