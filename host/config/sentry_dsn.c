/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes a Sentry DSN apart and checks its parts. */
#include "config/sentry_dsn.h"

#include "config/url.h"

#include <stdlib.h>
#include <string.h>

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* `path` ends with "/PROJECT". */
static int make_url(CURLU *url, const char *path, char **made) {
    AUTO_URL_PART char *whole = NULL;
    AUTO_FREE char *endpoint = NULL;
    const char *project = strrchr(path, '/') + 1;
    int before_bytes = (int)(project - path - 1);
    if (asprintf(&endpoint, "%.*s/api/%s/envelope/", before_bytes, path, project) < 0) {
        endpoint = NULL;
        return -1;
    }
    if (curl_url_set(url, CURLUPART_PATH, endpoint, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK) {
        return -1;
    }
    *made = strdup(whole);
    return *made ? 0 : -1;
}

static bool has_project(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] && slash[1 + strspn(slash + 1, "0123456789")] == '\0';
}

static bool is_key(const char *key) {
    return *key && key[strspn(key, ALPHANUMERIC)] == '\0';
}

int sentry_dsn_parse(const char *text, struct sentry_dsn *dsn, struct error *err) {
    static const char shape[] =
        "must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT, in which PROJECT is a number";
    AUTO_URL CURLU *url = curl_url();
    AUTO_URL_PART char *scheme = NULL, *host = NULL, *key = NULL, *path = NULL;
    *dsn = (struct sentry_dsn){0};
    if (strpbrk(text, "?# ") || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_USER, &key, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK) {
        return error_set(err, "%s", shape);
    }
    dsn->tls = strcmp(scheme, "https") == 0;
    if (!has_project(path) || !is_key(key) || (!dsn->tls && strcmp(scheme, "http") != 0)) {
        return error_set(err, "%s", shape);
    }
    if (!dsn->tls && !url_is_loopback(host)) {
        return error_set(err, "must start with https:// (http:// is for a loopback host only)");
    }
    dsn->key = strdup(key);
    if (!dsn->key || make_url(url, path, &dsn->url) < 0) {
        sentry_dsn_finish(dsn);
        return error_set(err, "does not fit into memory");
    }
    return 0;
}

void sentry_dsn_finish(struct sentry_dsn *dsn) {
    free(dsn->url);
    if (dsn->key) {
        explicit_bzero(dsn->key, strlen(dsn->key));
    }
    free(dsn->key);
    *dsn = (struct sentry_dsn){0};
}
