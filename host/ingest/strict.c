/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks of the request line and the headers, and of where libmicrohttpd put them in memory. */
#include "ingest/strict.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Each of these may occur once. If there were two, proxy and host could read two different
 * requests. */
static const char *const single[] = {
    "Content-Length",      "Transfer-Encoding", "Host",           "Content-Type",
    "X-Hub-Signature-256", "X-Hub-Signature",   "X-GitHub-Event", "X-GitHub-Delivery",
};
#define N_SINGLE (sizeof single / sizeof *single)
enum { CONTENT_LENGTH, TRANSFER_ENCODING, HOST };
#define HOST_NAME_BYTES_MAX 255

struct check {
    const char *wrong;
    /* Where the next line must start. NULL: not checked. */
    const char *expected;
    unsigned count[N_SINGLE];
    const char *value[N_SINGLE];
    size_t value_bytes[N_SINGLE];
};

static bool is_token(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7F || strchr("\"(),/:;<=>?@[\\]{}", c)) {
            return false;
        }
    }
    return bytes > 0;
}

static bool has_control(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return true;
        }
    }
    return false;
}

const char *strict_check_uri(const char *uri) {
    if (has_control(uri, strlen(uri)) || strchr(uri, '\t') || strchr(uri, ' ')) {
        return "blank or control character in the URL";
    }
    return strstr(uri, "%00") ? "NUL in the URL" : NULL;
}

/* libmicrohttpd up to 0.9.77 accepts texts up to their first NUL, lines that end in a bare LF, and
 * continued lines (it appends the continuation to the header's *name*), and reports none of it. But
 * its texts lie in the bytes that arrived, where two NULs replace each CR LF. So RFC 9112 is
 * violated if a header does not start two bytes after the end of the value before it. libmicrohttpd
 * 1.0 and later checks this by itself. */
static void check_place(struct check *check, const char *key, size_t key_bytes, const char *value,
                        size_t value_bytes) {
    if (!check->expected || check->wrong) {
        return;
    }
    if (key != check->expected) {
        check->wrong = "NUL, bare LF or continued line in the headers";
        return;
    }
    for (const char *at = key + key_bytes + 1; at < value; at++) {
        if (*at != ' ' && *at != '\t') {
            check->wrong = "NUL in a header";
            return;
        }
    }
    check->expected = value + value_bytes + 2;
}

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_bytes, const char *value, size_t value_bytes) {
    struct check *check = cls;
    (void)kind;
    if (!is_token(key, key_bytes)) {
        check->wrong = "header name with a character that names cannot have";
    } else if (has_control(value, value_bytes)) {
        check->wrong = "control character in a header";
    } else {
        check_place(check, key, key_bytes, value, value_bytes);
    }
    for (size_t i = 0; i < N_SINGLE && !check->wrong; i++) {
        if (strcasecmp(key, single[i]) == 0) {
            check->count[i]++;
            check->value[i] = value;
            check->value_bytes[i] = value_bytes;
        }
    }
    return check->wrong ? MHD_NO : MHD_YES;
}

static bool is_ipv6(const char *text, size_t bytes) {
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (bytes >= sizeof address) {
        return false;
    }
    memcpy(address, text, bytes);
    address[bytes] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* RFC 3986's reg-name, which an IPv4 address is too. */
static bool is_name(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        bool escape = text[i] == '%' && i + 2 < bytes && isxdigit((unsigned char)text[i + 1]) &&
                      isxdigit((unsigned char)text[i + 2]);
        if (!escape && !isalnum((unsigned char)text[i]) &&
            (text[i] == '\0' || !strchr("-._~!$&'()*+,;=", text[i]))) {
            return false;
        }
        i += escape ? 2 : 0;
    }
    return bytes > 0 && bytes <= HOST_NAME_BYTES_MAX;
}

static bool is_port(const char *text, size_t bytes) {
    unsigned port = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > UINT16_MAX) {
            return false;
        }
    }
    return true;
}

/* HOST, HOST:PORT or [IPV6]:PORT; RFC 9112 section 3.2, RFC 3986 section 3.2.2. */
static bool is_host(const char *value, size_t bytes) {
    while (bytes > 0 && (value[bytes - 1] == ' ' || value[bytes - 1] == '\t')) {
        bytes--;
    }
    bool literal = bytes > 0 && value[0] == '[';
    const char *end = literal ? memchr(value, ']', bytes) : memchr(value, ':', bytes);
    if (literal && (!end || !is_ipv6(value + 1, (size_t)(end - value) - 1))) {
        return false;
    }
    size_t host_bytes = end ? (size_t)(end - value) + literal : bytes;
    if (!literal && !is_name(value, host_bytes)) {
        return false;
    }
    return host_bytes == bytes ||
           (value[host_bytes] == ':' && is_port(value + host_bytes + 1, bytes - host_bytes - 1));
}

static const char *check_counts(const struct check *check, bool http_1_1) {
    static const char *const twice[N_SINGLE] = {
        "more than one Content-Length",
        "more than one Transfer-Encoding",
        "more than one Host",
        "more than one Content-Type",
        "more than one X-Hub-Signature-256",
        "more than one X-Hub-Signature",
        "more than one X-GitHub-Event",
        "more than one X-GitHub-Delivery",
    };
    for (size_t i = 0; i < N_SINGLE; i++) {
        if (check->count[i] > 1) {
            return twice[i];
        }
    }
    if (check->count[TRANSFER_ENCODING]) {
        if (check->count[CONTENT_LENGTH]) {
            return "both Content-Length and Transfer-Encoding";
        }
        if (!http_1_1 || strcasecmp(check->value[TRANSFER_ENCODING], "chunked") != 0) {
            return "Transfer-Encoding other than chunked";
        }
    }
    if (!check->count[HOST]) {
        return http_1_1 ? "HTTP/1.1 without the header Host" : NULL;
    }
    return is_host(check->value[HOST], check->value_bytes[HOST]) ? NULL : "malformed header Host";
}

const char *strict_check(struct MHD_Connection *connection, const struct strict_request *request) {
    struct check check = {0};
    bool look_at_places = MHD_get_version()[0] == '0';
    if (look_at_places) {
        if (request->method + strlen(request->method) + 1 != request->uri ||
            request->uri + request->uri_bytes + 1 != request->version) {
            return "request line with more than one blank, or a NUL";
        }
        check.expected = request->version + strlen(request->version) + 2;
    }
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each_header, &check);
    if (check.wrong) {
        return check.wrong;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (look_at_places &&
        (!info || request->method + info->header_size != check.expected + strlen("\r\n"))) {
        return "NUL, bare LF or continued line in the headers";
    }
    return check_counts(&check, strcmp(request->version, "HTTP/1.1") == 0);
}
