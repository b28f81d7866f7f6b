/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scoped cleanup for libcurl's URL parser, and the one exception to https. libcurl judges each URL,
 * since libcurl will connect: two parsers that read a URL differently open a way in. */
#ifndef SNEK_CONFIG_URL_H
#define SNEK_CONFIG_URL_H

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static inline void url_cleanup(CURLU **url) {
    curl_url_cleanup(*url);
}

static inline void url_part_cleanup(char **part) {
    curl_free(*part);
}

#define AUTO_URL CLEANUP(url_cleanup)
#define AUTO_URL_PART CLEANUP(url_part_cleanup)

/* Is `host`, as curl_url_get() gives it, this machine? Only such a host may be reached by http. */
static inline bool url_is_loopback(const char *host) {
    struct in_addr address;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

#endif
