/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the header Host with the addresses of the host. */
#include "ingest/origin.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HTTPS "https://"

/* The length of the host in HOST, HOST:PORT or [IPV6]:PORT, with the brackets. */
static size_t name_bytes(const char *host, size_t bytes) {
    const char *end = *host == '[' ? memchr(host, ']', bytes) : memchr(host, ':', bytes);
    if (!end) {
        return bytes;
    }
    return (size_t)(end - host) + (*host == '[' ? 1 : 0);
}

/* `host` may add the default port, which `public_url` has no need to name. */
static bool is_public(const char *host, size_t bytes, const char *public_url) {
    bool https = strncmp(public_url, HTTPS, sizeof HTTPS - 1) == 0;
    const char *authority = strstr(public_url, "://");
    const char *port = https ? ":443" : ":80";
    if (!authority) {
        return false;
    }
    authority += strlen("://");
    size_t authority_bytes = strlen(authority);
    if (bytes < authority_bytes || strncasecmp(host, authority, authority_bytes) != 0) {
        return false;
    }
    size_t more = bytes - authority_bytes;
    bool has_port = name_bytes(authority, authority_bytes) != authority_bytes;
    return more == 0 ||
           (!has_port && more == strlen(port) && memcmp(host + authority_bytes, port, more) == 0);
}

static bool is_loopback(const char *name) {
    struct in_addr address;
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static bool is_local(const char *name, const char *local_address) {
    struct in6_addr named, local;
    char inner[INET6_ADDRSTRLEN];
    size_t bytes = strlen(name);
    if (*name != '[') {
        return *local_address && strcmp(name, local_address) == 0;
    }
    if (bytes < 3 || bytes - 2 >= sizeof inner) {
        return false;
    }
    memcpy(inner, name + 1, bytes - 2);
    inner[bytes - 2] = '\0';
    return inet_pton(AF_INET6, inner, &named) == 1 &&
           inet_pton(AF_INET6, local_address, &local) == 1 &&
           memcmp(&named, &local, sizeof named) == 0;
}

bool http_host_is_ours(const char *host, size_t host_bytes, const char *public_url,
                       const char *local_address, char origin[HTTP_ORIGIN_MAX]) {
    char name[256];
    if (!host || host_bytes == 0 || host_bytes >= sizeof name) {
        return false;
    }
    if (public_url && is_public(host, host_bytes, public_url)) {
        return snprintf(origin, HTTP_ORIGIN_MAX, "%s", public_url) < HTTP_ORIGIN_MAX;
    }
    size_t bytes = name_bytes(host, host_bytes);
    memcpy(name, host, bytes);
    name[bytes] = '\0';
    if (!is_loopback(name) && !is_local(name, local_address)) {
        return false;
    }
    return snprintf(origin, HTTP_ORIGIN_MAX, "http://%.*s", (int)host_bytes, host) <
           HTTP_ORIGIN_MAX;
}
