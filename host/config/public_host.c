/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Judges hosts by the registries of special names and addresses (RFC 6761, RFC 6890). */
#include "config/public_host.h"

#include "base/array.h"
#include "config/url.h"

#include <netinet/in.h>

/* IPv4, in host byte order. */
static bool is_private4(uint32_t bits) {
    return bits >> 24 == 0 || bits >> 24 == 10 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8 ||
           bits >> 16 == 0xA9FE || bits >> 22 == 0x191;
}

/* "[ADDRESS]". */
static bool read_address6(const char *host, struct in6_addr *address) {
    char text[INET6_ADDRSTRLEN];
    size_t bytes = strlen(host);
    if (bytes < 2 || bytes - 2 >= sizeof text || host[0] != '[' || host[bytes - 1] != ']') {
        return false;
    }
    memcpy(text, host + 1, bytes - 2);
    text[bytes - 2] = '\0';
    return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_private6(const struct in6_addr *address) {
    return (address->s6_addr[0] & 0xFE) == 0xFC || IN6_IS_ADDR_LINKLOCAL(address) ||
           IN6_IS_ADDR_SITELOCAL(address) || IN6_IS_ADDR_UNSPECIFIED(address);
}

enum place { PLACE_NAME, PLACE_PUBLIC, PLACE_PRIVATE, PLACE_LOOPBACK };

static enum place place_of4(uint32_t bits) {
    if (bits >> 24 == 127) {
        return PLACE_LOOPBACK;
    }
    return is_private4(bits) ? PLACE_PRIVATE : PLACE_PUBLIC;
}

static enum place place_of(const char *host) {
    struct in_addr address4;
    struct in6_addr address;
    if (inet_pton(AF_INET, host, &address4) == 1) {
        return place_of4(ntohl(address4.s_addr));
    }
    if (!read_address6(host, &address)) {
        return PLACE_NAME;
    }
    if (IN6_IS_ADDR_LOOPBACK(&address)) {
        return PLACE_LOOPBACK;
    }
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        uint32_t bits;
        memcpy(&bits, &address.s6_addr[12], sizeof bits);
        return place_of4(ntohl(bits));
    }
    return is_private6(&address) ? PLACE_PRIVATE : PLACE_PUBLIC;
}

/* Is `host` the domain or a name below it? A dot at its end changes nothing. */
static bool is_below(const char *host, const char *domain) {
    size_t bytes = strlen(host), domain_bytes = strlen(domain);
    bytes -= bytes > 0 && host[bytes - 1] == '.' ? 1 : 0;
    if (bytes < domain_bytes || strncasecmp(host + bytes - domain_bytes, domain, domain_bytes)) {
        return false;
    }
    return bytes == domain_bytes || host[bytes - domain_bytes - 1] == '.';
}

static bool is_below_any(const char *host, const char *const *domains, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (is_below(host, domains[i])) {
            return true;
        }
    }
    return false;
}

static const char *name_problem(const char *host, bool own_server) {
    static const char *const examples[] = {"example.com", "example.net", "example.org", "example",
                                           "test"};
    static const char *const local[] = {"local", "internal", "lan", "home.arpa"};
    if (is_below_any(host, examples, ARRAY_LENGTH(examples))) {
        return "is a name for examples, which belongs to nobody";
    }
    if (own_server) {
        return NULL;
    }
    if (is_below_any(host, local, ARRAY_LENGTH(local)) || !strchr(host, '.')) {
        return "is a name of a private network";
    }
    return NULL;
}

const char *public_host_problem(const char *host, const char *api_url) {
    AUTO_URL CURLU *url = curl_url();
    AUTO_URL_PART char *api = NULL;
    bool known = url && curl_url_set(url, CURLUPART_URL, api_url, 0) == CURLUE_OK &&
                 curl_url_get(url, CURLUPART_HOST, &api, 0) == CURLUE_OK;
    bool fake = known && url_is_loopback(api);
    bool own_server = known && !is_below(api, "api.github.com") && !is_below(api, "ghe.com");
    enum place place = place_of(host);
    if (place == PLACE_LOOPBACK || is_below(host, "localhost")) {
        return "is this machine itself";
    }
    if (is_below(host, "invalid")) {
        return "does not exist: no name ends in .invalid";
    }
    if (place == PLACE_PRIVATE) {
        return own_server ? NULL : "is an address of a private network";
    }
    return fake || place == PLACE_PUBLIC ? NULL : name_problem(host, own_server);
}
