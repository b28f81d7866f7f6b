/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the URLs to which libcurl connects, with libcurl's parser. All programs have this file,
 * except the supervisor's: unjudged_urls.c. */
#include "config/sentry_dsn.h"
#include "config/url.h"
#include "config/values.h"

static int keep(char *copy, char **value, struct error *err) {
    if (!copy) {
        return error_set(err, "does not fit into memory");
    }
    *value = copy;
    return 0;
}

/* Is a part of the path "." or "..", also when it is percent-encoded? */
static bool has_dots(const char *path) {
    for (const char *at = path; *at; at += *at == '/') {
        size_t dots = 0;
        while (*at == '.' || strncasecmp(at, "%2e", 3) == 0) {
            at += *at == '.' ? 1 : 3;
            dots++;
        }
        if ((*at == '/' || *at == '\0') && (dots == 1 || dots == 2)) {
            return true;
        }
        at += strcspn(at, "/");
    }
    return false;
}

/* The parts of an http or https URL, for AUTO_URL_PART; `whole` is libcurl's form of it. */
struct web_url {
    char *scheme, *host, *path, *whole;
};

static void finish_web_url(struct web_url *url) {
    curl_free(url->scheme);
    curl_free(url->host);
    curl_free(url->path);
    curl_free(url->whole);
}

/* Reads a URL: https, or http to this machine, without credentials, query and fragment. */
static int read_web_url(const char *text, struct web_url *parts, struct error *err) {
    if (strpbrk(text, "@?#")) {
        return error_set(err, "must not hold credentials, a query or a fragment");
    }
    AUTO_URL CURLU *url = curl_url();
    /* The path stays as it is: /api/../v3 is a mistake and must not silently become /v3. */
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS);
    if (code == CURLUE_OK) {
        code = curl_url_get(url, CURLUPART_SCHEME, &parts->scheme, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(url, CURLUPART_HOST, &parts->host, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(url, CURLUPART_PATH, &parts->path, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(url, CURLUPART_URL, &parts->whole, 0);
    }
    if (code == CURLUE_UNSUPPORTED_SCHEME || code == CURLUE_BAD_SCHEME ||
        (code == CURLUE_OK && strcmp(parts->scheme, "https") != 0 &&
         strcmp(parts->scheme, "http") != 0)) {
        return error_set(err, "must start with https://");
    }
    if (code != CURLUE_OK) {
        return error_set(err, "is not a URL: %s", curl_url_strerror(code));
    }
    if (strcmp(parts->scheme, "http") == 0 && !url_is_loopback(parts->host)) {
        return error_set(err, "must start with https:// (http:// is for a loopback host only)");
    }
    return 0;
}

static int keep_without_slash(const char *url, char **value, struct error *err) {
    size_t bytes = strlen(url);
    while (bytes > 0 && url[bytes - 1] == '/') {
        bytes--;
    }
    return keep(strndup(url, bytes), value, err);
}

int read_api_url(const char *text, const char *directory, char **value, struct error *err) {
    CLEANUP(finish_web_url) struct web_url url = {0};
    if (read_web_url(text, &url, err) < 0) {
        return -1;
    }
    if (has_dots(url.path)) {
        return error_set(err, "must not have . or .. as a part of its path");
    }
    return keep_without_slash(url.whole, value, err);
}

int read_public_url(const char *text, const char *directory, char **value, struct error *err) {
    CLEANUP(finish_web_url) struct web_url url = {0};
    if (read_web_url(text, &url, err) < 0) {
        return -1;
    }
    if (strcmp(url.path, "/") != 0) {
        return error_set(err, "must be https://HOST or https://HOST:PORT, without a path");
    }
    return keep_without_slash(url.whole, value, err);
}

int read_sentry_dsn(const char *text, const char *directory, char **value, struct error *err) {
    struct sentry_dsn dsn;
    if (sentry_dsn_parse(text, &dsn, err) < 0) {
        return -1;
    }
    sentry_dsn_finish(&dsn);
    return keep(strdup(text), value, err);
}

int show_proxy(const char *url, char **shown) {
    static const char *const schemes[] = {"http",   "https",   "socks4", "socks4a",
                                          "socks5", "socks5h", NULL};
    AUTO_URL CURLU *parts = curl_url();
    AUTO_URL_PART char *scheme = NULL, *host = NULL, *port = NULL;
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0)) {
        return -1;
    }
    size_t known = 0;
    while (schemes[known] && strcasecmp(scheme, schemes[known]) != 0) {
        known++;
    }
    /* The shown URL always has a port, because libcurl's defaults surprise. */
    const char *usual = strcasecmp(scheme, "https") == 0 ? "443" : "1080";
    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) != CURLUE_OK) {
        port = NULL;
    }
    if (!schemes[known] ||
        asprintf(shown, "%s://%s:%s", schemes[known], host, port ? port : usual) < 0) {
        *shown = NULL;
        return -1;
    }
    return 0;
}
