/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides whether a URL stays at the configured origin. */
#include "broker/url.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <snekomatic/types.h>

#include <ctype.h>
#include <curl/curl.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

/* E.g. repos, OWNER, NAME. */
#define ROUTING_SEGMENTS 3

static void cleanup_url(CURLU **url) {
    curl_url_cleanup(*url);
}

static void cleanup_part(char **part) {
    curl_free(*part);
}

#define AUTO_URL CLEANUP(cleanup_url)
#define AUTO_PART CLEANUP(cleanup_part)

/* The origin and a URL that is compared with it are split in the same way, into the same forms. */
struct parts {
    char *scheme, *host, *port, *path, *query;
};

static void parts_finish(struct parts *parts) {
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_free(parts->path);
    curl_free(parts->query);
}

#define AUTO_PARTS CLEANUP(parts_finish)

/* 0, or -1 and the reason. */
static int split(const char *text, struct parts *parts, const char **reason) {
    *reason = "it is no URL";
    const char *colon = strstr(text, "://");
    /* curl would accept one slash, and three. */
    if (!colon || strcspn(text, "/") < (size_t)(colon - text) || colon[3] == '/') {
        return -1;
    }
    AUTO_URL CURLU *url = curl_url();
    if (!url) {
        *reason = "no memory";
        return -1;
    }
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
    if (code == CURLUE_USER_NOT_ALLOWED) {
        *reason = "it names a user";
    }
    AUTO_PART char *user = NULL, *password = NULL;
    if (code || !curl_url_get(url, CURLUPART_USER, &user, 0) ||
        !curl_url_get(url, CURLUPART_PASSWORD, &password, 0) ||
        curl_url_get(url, CURLUPART_SCHEME, &parts->scheme, 0) ||
        curl_url_get(url, CURLUPART_HOST, &parts->host, 0) ||
        curl_url_get(url, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT) ||
        curl_url_get(url, CURLUPART_PATH, &parts->path, 0)) {
        return -1;
    }
    code = curl_url_get(url, CURLUPART_QUERY, &parts->query, 0);
    return code == CURLUE_OK || code == CURLUE_NO_QUERY ? 0 : -1;
}

/* Characters with which parsers disagree about where a URL's parts end. */
static const char *check_text(const char *url) {
    if (strnlen(url, URL_MAX + 1) > URL_MAX) {
        return "it is longer than 8192 bytes";
    }
    for (const unsigned char *c = (const unsigned char *)url; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F) {
            return "it has characters that must be percent-encoded";
        }
        if (*c == '\\' || *c == '#') {
            return "it has a backslash or a fragment";
        }
    }
    return NULL;
}

static bool has_dot_segment(const char *path) {
    while (*path) {
        path += strspn(path, "/\\");
        size_t bytes = strcspn(path, "/\\");
        if ((bytes == 1 || bytes == 2) && strncmp(path, "..", bytes) == 0) {
            return true;
        }
        path += bytes;
    }
    return false;
}

int origin_init(struct origin *origin, const char *api_url, struct error *err) {
    AUTO_PARTS struct parts parts = {0};
    const char *reason = check_text(api_url);
    if (reason || split(api_url, &parts, &reason) < 0) {
        return error_set(err, "the API's URL cannot be used: %s", reason);
    }
    if ((strcmp(parts.scheme, "https") != 0 && strcmp(parts.scheme, "http") != 0) || parts.query ||
        has_dot_segment(parts.path)) {
        return error_set(err, "the API's URL must be http(s)://host[:port][/path]");
    }
    size_t path_bytes = strlen(parts.path);
    while (path_bytes > 0 && parts.path[path_bytes - 1] == '/') {
        path_bytes--;
    }
    struct origin made = {.scheme = strdup(parts.scheme),
                          .host = strdup(parts.host),
                          .port = strdup(parts.port),
                          .prefix = strndup(parts.path, path_bytes)};
    bool usual = strcmp(parts.port, strcmp(parts.scheme, "https") == 0 ? "443" : "80") == 0;
    if (asprintf(&made.root, "%s://%s%s%s", parts.scheme, parts.host, usual ? "" : ":",
                 usual ? "" : parts.port) < 0) {
        made.root = NULL;
    }
    if (!made.root || !made.scheme || !made.host || !made.port || !made.prefix) {
        origin_finish(&made);
        return error_set(err, "no memory");
    }
    *origin = made;
    return 0;
}

void origin_finish(struct origin *origin) {
    free(origin->root);
    free(origin->scheme);
    free(origin->host);
    free(origin->port);
    free(origin->prefix);
    *origin = (struct origin){0};
}

/* NULL, or the reason why `parts` are not of the origin. */
static const char *compare(const struct origin *origin, const struct parts *parts) {
    if (strcmp(parts->scheme, origin->scheme) != 0) {
        return "its scheme differs";
    }
    if (strcasecmp(parts->host, origin->host) != 0 || strcmp(parts->port, origin->port) != 0) {
        return "its host or port differs";
    }
    size_t prefix_bytes = strlen(origin->prefix);
    const char *rest = parts->path + prefix_bytes;
    if (strncmp(parts->path, origin->prefix, prefix_bytes) != 0 || (*rest && *rest != '/')) {
        return "its path lies outside of the API";
    }
    return strncmp(rest, "//", 2) == 0 ? "its path starts with two slashes" : NULL;
}

/* Reads the next part of a path. True if it is `name` (NULL: any), compared as a lenient server
 * would: extra slashes, case, ".json" and ";parameters" do not matter. */
static bool take_part(const char **at, const char *name) {
    *at += strspn(*at, "/\\");
    size_t bytes = strcspn(*at, "/\\"), bare = strcspn(*at, "/\\.;");
    bool same = bytes > 0 && (!name || (strlen(name) == bare && strncasecmp(*at, name, bare) == 0));
    *at += bytes;
    return same;
}

static bool is_end(const char *at) {
    return at[strspn(at, "/\\")] == '\0';
}

/* "/app/installations/{id}/access_tokens", "/installation/token" */
static bool is_of_tokens(const char *path) {
    const char *made = path, *revoked = path;
    return (take_part(&made, "app") && take_part(&made, "installations") &&
            take_part(&made, NULL) && take_part(&made, "access_tokens") && is_end(made)) ||
           (take_part(&revoked, "installation") && take_part(&revoked, "token") && is_end(revoked));
}

/* The first segments decide which rule holds for a path: /repos/OWNER/NAME, /search/code. The names
 * in them need no encoding, and a server would decode one that hides there. */
static bool hides_a_segment(const char *path) {
    unsigned segment = 0;
    for (const char *at = path; *at && segment <= ROUTING_SEGMENTS; at++) {
        segment += *at == '/';
        if (*at != '%' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2])) {
            continue;
        }
        const char digits[] = {at[1], at[2], '\0'};
        int c = (int)strtol(digits, NULL, 16);
        if (isalnum(c) || (c != 0 && strchr("-._~/\\%", c))) {
            return true;
        }
    }
    return false;
}

/* `path` is below the prefix; decoded once, as a server would. */
static const char *check_path(const char *path, struct target *target) {
    int bytes = 0;
    AUTO_PART char *decoded = curl_easy_unescape(NULL, path, 0, &bytes);
    if (!decoded) {
        return "no memory";
    }
    for (int i = 0; i < bytes; i++) {
        if ((unsigned char)decoded[i] < ' ' || decoded[i] == 0x7F) {
            return "its path has control characters";
        }
    }
    if (has_dot_segment(decoded)) {
        return "its path has . or .. in it";
    }
    const char *first = decoded + strspn(decoded, "/\\");
    target->of_tokens = is_of_tokens(decoded);
    target->as_app =
        (strncasecmp(first, "app", 3) == 0 && (first[3] == '\0' || strchr("/\\", first[3]))) ||
        fnmatch("orgs/*/installation", first, FNM_PATHNAME | FNM_NOESCAPE) == 0 ||
        fnmatch("users/*/installation", first, FNM_PATHNAME | FNM_NOESCAPE) == 0 ||
        fnmatch("repos/*/*/installation", first, FNM_PATHNAME | FNM_NOESCAPE) == 0;
    /* The app's own paths have rules of their own, for the decoded path. */
    if (!target->as_app && !target->of_tokens && hides_a_segment(path)) {
        return "the beginning of its path has letters, digits or slashes that are percent-encoded";
    }
    return NULL;
}

void url_show(char out[URL_SHOWN + 1], const char *url) {
    const char *slashes = strstr(url, "//");
    const char *host = slashes ? slashes + 2 : url;
    const char *at = memrchr(host, '@', strcspn(host, "/?#\\"));
    const char *from = slashes && at ? at + 1 : url;
    text_clean(out, URL_SHOWN + 1, from, strcspn(from, "?#"));
}

static int32_t reject(const struct origin *origin, const char *url, const char *reason,
                      struct error *err) {
    char shown[URL_SHOWN + 1];
    url_show(shown, url);
    error_set(err, "the URL %s cannot be asked for below %s%s: %s", shown, origin->root,
              origin->prefix, reason);
    return SNEK_E_FOREIGN_ORIGIN;
}

/* https://HOST/api/v3 has its GraphQL at https://HOST/api/graphql. */
static int32_t resolve_graphql(const struct origin *origin, struct target *target,
                               struct error *err) {
    size_t bytes = strlen(origin->prefix);
    bool beside = bytes >= 3 && strcmp(origin->prefix + bytes - 3, "/v3") == 0;
    struct target made = {.path = strdup("/graphql")};
    if (asprintf(&made.url, "%s%.*s/graphql", origin->root, (int)(bytes - (beside ? 3 : 0)),
                 origin->prefix) < 0) {
        made.url = NULL;
    }
    if (!made.path || !made.url) {
        target_finish(&made);
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    *target = made;
    return 0;
}

int32_t origin_redirect(const struct origin *origin, const struct target *from,
                        const char *location, struct target *target, struct error *err) {
    const char *reason = check_text(location);
    AUTO_URL CURLU *url = curl_url();
    AUTO_PART char *whole = NULL;
    if (reason) {
        return reject(origin, location, reason, err);
    }
    if (!url || curl_url_set(url, CURLUPART_URL, from->url, CURLU_PATH_AS_IS) ||
        curl_url_set(url, CURLUPART_URL, location, CURLU_PATH_AS_IS) ||
        curl_url_get(url, CURLUPART_URL, &whole, 0)) {
        return reject(origin, location, "it is no URL", err);
    }
    return origin_resolve(origin, whole, target, err);
}

int32_t origin_resolve(const struct origin *origin, const char *url, struct target *target,
                       struct error *err) {
    if (strcmp(url, "/graphql") == 0) {
        return resolve_graphql(origin, target, err);
    }
    const char *reason = check_text(url);
    if (!reason && strncmp(url, "//", 2) == 0) {
        reason = "it starts with two slashes";
    }
    AUTO_FREE char *whole = NULL;
    AUTO_PARTS struct parts parts = {0};
    if (!reason) {
        bool below = url[0] == '/';
        if (asprintf(&whole, "%s%s%s", below ? origin->root : "", below ? origin->prefix : "",
                     url) < 0) {
            whole = NULL;
            reason = "no memory";
        }
    }
    if (reason || split(whole, &parts, &reason) < 0) {
        return reject(origin, url, reason, err);
    }
    struct target made = {0};
    reason = compare(origin, &parts);
    if (!reason) {
        reason = check_path(parts.path + strlen(origin->prefix), &made);
    }
    if (reason) {
        return reject(origin, url, reason, err);
    }
    const char *rest = parts.path + strlen(origin->prefix);
    made.path = strdup(*rest ? rest : "/");
    if (asprintf(&made.url, "%s%s%s%s", origin->root, parts.path, parts.query ? "?" : "",
                 parts.query ? parts.query : "") < 0) {
        made.url = NULL;
    }
    if (!made.path || !made.url) {
        target_finish(&made);
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    *target = made;
    return 0;
}

void target_finish(struct target *target) {
    free(target->url);
    free(target->path);
    *target = (struct target){0};
}
