/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the headers that a plugin adds. */
#include "broker/headers.h"

#include <string.h>
#include <strings.h>

/* Without '_': some servers read "Content_Length" as Content-Length. */
#define NAME_CHARACTERS                                                                            \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!#$%&'*+^`|~"

/* Headers that identify the client, describe the body, make the request conditional, or belong to
 * the connection. The host sets them. Accept and Content-Type have fields of their own. */
static const char *const owned[] = {"accept",
                                    "accept-encoding",
                                    "authorization",
                                    "connection",
                                    "content-length",
                                    "content-type",
                                    "cookie",
                                    "expect",
                                    "host",
                                    "if-match",
                                    "if-modified-since",
                                    "if-none-match",
                                    "if-range",
                                    "if-unmodified-since",
                                    "keep-alive",
                                    "proxy-authorization",
                                    "proxy-connection",
                                    "range",
                                    "te",
                                    "trailer",
                                    "transfer-encoding",
                                    "upgrade",
                                    "user-agent",
                                    "x-http-method",
                                    "x-http-method-override",
                                    "x-method-override"};

static bool is_owned(const char *name, size_t bytes) {
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        if (strlen(owned[i]) == bytes && strncasecmp(owned[i], name, bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_visible(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < ' ' || text[i] >= 0x7F) {
            return false;
        }
    }
    return true;
}

bool headers_is_value(const char *text) {
    return is_visible(text, strlen(text));
}

int headers_check(const char *lines, struct error *err) {
    for (const char *at = lines; at && *at;) {
        size_t bytes = strcspn(at, "\n"), name_bytes = strspn(at, NAME_CHARACTERS);
        if (name_bytes > 0 && name_bytes < 100 && at[name_bytes] == '_') {
            return error_set(err, "the header name %.*s_... has a '_': write '-' instead",
                             (int)name_bytes, at);
        }
        if (at[bytes] != '\n' || name_bytes == 0 || strncmp(at + name_bytes, ": ", 2) != 0 ||
            name_bytes > 100 || !is_visible(at + name_bytes, bytes - name_bytes)) {
            return error_set(err, "a header of the request is malformed: each is one line \"name: "
                                  "value\\n\" of visible ASCII");
        }
        if (is_owned(at, name_bytes)) {
            return error_set(err, "the header %.*s is set by the host: remove it from the request",
                             (int)name_bytes, at);
        }
        at += bytes + 1;
    }
    return 0;
}

const char *headers_find(const char *lines, const char *name, size_t *bytes) {
    size_t name_bytes = strlen(name);
    for (const char *at = lines; at && *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (strncasecmp(at, name, name_bytes) == 0 && strncmp(at + name_bytes, ": ", 2) == 0) {
            *bytes = strcspn(at, "\n") - name_bytes - 2;
            return at + name_bytes + 2;
        }
    }
    return NULL;
}
