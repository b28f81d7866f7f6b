/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Builds the local URL of the host, and recognizes its greeting. */
#include "cli/host_url.h"

#include "base/buffer.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define GREETING_MAX 65536
#define TIMEOUT_MS 2000

char *host_url(const struct config *config, const char *path) {
    return host_url_at(config->server.host, config->server.port, path);
}

char *host_url_at(const char *host, uint16_t port, const char *path) {
    char *url = NULL;
    if (strcmp(host, "0.0.0.0") == 0) {
        host = "127.0.0.1";
    } else if (strcmp(host, "::") == 0) {
        host = "::1";
    }
    bool ipv6 = strchr(host, ':') != NULL;
    int bytes =
        asprintf(&url, "http://%s%s%s:%u%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port, path);
    return bytes < 0 ? NULL : url;
}

static size_t on_data(char *data, size_t size, size_t count, void *context) {
    return buffer_append(context, data, size * count) == 0 ? size * count : 0;
}

static void finish_curl(CURL **curl) {
    curl_easy_cleanup(*curl);
}

bool host_url_responds(const char *host, uint16_t port) {
    AUTO_FREE char *url = host_url_at(host, port, "/");
    AUTO_BUFFER struct buffer page = BUFFER_INIT(GREETING_MAX);
    if (!url || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return false;
    }
    CLEANUP(finish_curl) CURL *curl = curl_easy_init();
    if (!curl) {
        return false;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
    return curl_easy_perform(curl) == CURLE_OK && page.data &&
           strstr(page.data, "<title>snekomatic</title>") != NULL;
}
