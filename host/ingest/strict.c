/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks of the request line and the headers, and of where libmicrohttpd put them in memory. */
#include "ingest/strict.h"

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
    return http_1_1 && !check->count[HOST] ? "HTTP/1.1 without the header Host" : NULL;
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
