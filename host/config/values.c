/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the texts of single keys. */
#include "config/values.h"

#include "base/cleanup.h"
#include "config/database_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define DIGITS "0123456789"
#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS
#define APP_ID_MAX 64
#define CLIENT_ID_MIN 10
#define USER_AGENT_MAX 256
/* Sentry's own limit. */
#define ENVIRONMENT_MAX 64

static int keep(char *copy, char **value, struct error *err) {
    if (!copy) {
        return error_set(err, "does not fit into memory");
    }
    *value = copy;
    return 0;
}

char *absolute_path(const char *directory, const char *path) {
    bool relative = path[0] != '/';
    size_t room = (relative ? strlen(directory) : 0) + strlen(path) + 3;
    AUTO_FREE char *whole = malloc(room);
    char *clean = malloc(room);
    if (!whole || !clean) {
        free(clean);
        return NULL;
    }
    snprintf(whole, room, "%s/%s", relative ? directory : "", path);
    size_t used = 0;
    char *rest = whole;
    for (char *part; (part = strtok_r(rest, "/", &rest));) {
        /* ".." stays: only the file system knows where it leads. */
        if (strcmp(part, ".") != 0) {
            used += (size_t)snprintf(clean + used, room - used, "/%s", part);
        }
    }
    snprintf(clean + used, room - used, "%s", used == 0 ? "/" : "");
    return clean;
}

void free_texts(char **list) {
    for (char **text = list; text && *text; text++) {
        free(*text);
    }
    free(list);
}

int read_path(const char *text, const char *directory, char **value, struct error *err) {
    return keep(absolute_path(directory, text), value, err);
}

/* A number above 0, or a client ID: Iv1.0123456789abcdef, Iv23ABCDEFGHIJKLMNOP. */
static bool is_app_id(const char *text, size_t bytes) {
    if (bytes == 0 || bytes > APP_ID_MAX) {
        return false;
    }
    if (strspn(text, DIGITS) >= bytes) {
        return strspn(text, "0") < bytes;
    }
    return bytes >= CLIENT_ID_MIN && strncmp(text, "Iv", 2) == 0 &&
           strspn(text, ALPHANUMERIC ".") >= bytes;
}

int read_app_id(const char *text, const char *directory, char **value, struct error *err) {
    /* A shell's $(cat FILE) or a secret store often leaves a line break behind. */
    static const char space[] = " \t\r\n";
    text += strspn(text, space);
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(space, text[bytes - 1])) {
        bytes--;
    }
    if (!is_app_id(text, bytes)) {
        return error_set(err, "must be the number that GitHub shows as App ID, or the client ID");
    }
    return keep(strndup(text, bytes), value, err);
}

int read_user_agent(const char *text, const char *directory, char **value, struct error *err) {
    for (const char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~' || at - text >= USER_AGENT_MAX) {
            return error_set(err, "must be at most %d printable ASCII characters", USER_AGENT_MAX);
        }
    }
    return keep(strdup(text), value, err);
}

/* No error shows text of a store's URL, which may hold a password. */
int read_store_url(const char *text, const char *directory, char **value, struct error *err) {
    if (strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0) {
        if (!database_url_is_clear(text)) {
            return error_set(err, "must be postgres://USER:PASSWORD@HOST:PORT/DATABASE; write %%XX "
                                  "for a special character of a password: %%2F for \"/\", %%40 "
                                  "for \"@\", %%25 for \"%%\"");
        }
        return keep(strdup(text), value, err);
    }
    if (strncmp(text, STORE_SQLITE, strlen(STORE_SQLITE)) != 0) {
        return error_set(err, "must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE");
    }
    const char *path = text + strlen(STORE_SQLITE);
    if (path[0] == '\0' || strncmp(path, "//", 2) == 0) {
        return error_set(err, "must be sqlite:PATH, with no // before the path");
    }
    if (strcmp(path, ":memory:") == 0) {
        return error_set(err, "must name a file: a store in memory would lose deliveries");
    }
    AUTO_FREE char *absolute = absolute_path(directory, path);
    char *url = NULL;
    if (absolute && asprintf(&url, STORE_SQLITE "%s", absolute) < 0) {
        url = NULL;
    }
    return keep(url, value, err);
}

int read_sentry_environment(const char *text, const char *directory, char **value,
                            struct error *err) {
    if (strlen(text) > ENVIRONMENT_MAX || text[strspn(text, NAME_CHARACTERS)] != '\0') {
        return error_set(err, "must be at most %d letters, digits, dots, - and _", ENVIRONMENT_MAX);
    }
    return keep(strdup(text), value, err);
}

int read_installation(const char *text, const char *directory, char **value, struct error *err) {
    if (text[strspn(text, DIGITS "*")] != '\0') {
        return error_set(err, "must list the numbers of installations, in which * stands for "
                              "anything; plugin.repositories = [\"OWNER/*\"] names an account");
    }
    return keep(strdup(text), value, err);
}

int read_repository(const char *text, const char *directory, char **value, struct error *err) {
    size_t owner = strspn(text, NAME_CHARACTERS "*");
    const char *name = text + owner + 1;
    if (owner == 0 || text[owner] != '/' || *name == '\0' ||
        name[strspn(name, NAME_CHARACTERS "*")] != '\0') {
        return error_set(err, "must list repositories as OWNER/NAME, in which * stands for "
                              "anything");
    }
    return keep(strdup(text), value, err);
}

int read_sha256(const char *text, const char *directory, char **value, struct error *err) {
    static const char digits[] = "0123456789abcdefABCDEF";
    if (strlen(text) != 64 || text[strspn(text, digits)] != '\0') {
        return error_set(err, "must be the 64 hexadecimal digits that `sha256sum FILE` prints");
    }
    char *lower = strdup(text);
    for (char *digit = lower; digit && *digit; digit++) {
        *digit = (char)(*digit >= 'A' && *digit <= 'F' ? *digit + ('a' - 'A') : *digit);
    }
    return keep(lower, value, err);
}

int read_permission(const char *text, const char *directory, char **value, struct error *err) {
    size_t name_bytes = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const char *access = text + name_bytes + 1;
    bool split = name_bytes > 0 && text[name_bytes] == ':';
    if (split) {
        access += strspn(access, " ");
    }
    if (!split || (strcmp(access, "read") != 0 && strcmp(access, "write") != 0 &&
                   strcmp(access, "admin") != 0)) {
        return error_set(err,
                         "must list permissions as NAME:ACCESS, like \"issues:write\", in which "
                         "ACCESS is read, write or admin");
    }
    char *copy = NULL;
    if (asprintf(&copy, "%.*s:%s", (int)name_bytes, text, access) < 0) {
        copy = NULL;
    }
    return keep(copy, value, err);
}

int read_integer(const char *text, int64_t *number) {
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (*digits == '\0' || digits[strspn(digits, DIGITS)] != '\0') {
        return -1;
    }
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0) {
        return -1;
    }
    *number = value;
    return 0;
}

int read_port(const char *text, uint16_t *port, struct error *err) {
    int64_t number;
    if (read_integer(text, &number) < 0 || number < 0 || number > UINT16_MAX) {
        return error_set(err, "must have a port from 0 to 65535, not \"%.40s\"", text);
    }
    *port = (uint16_t)number;
    return 0;
}

static bool is_host(const char *host, bool bracketed) {
    struct in6_addr in6;
    struct in_addr in;
    if (bracketed) {
        return inet_pton(AF_INET6, host, &in6) == 1;
    }
    if (host[strspn(host, "0123456789.")] == '\0') {
        return inet_pton(AF_INET, host, &in) == 1;
    }
    return host[strspn(host, NAME_CHARACTERS)] == '\0';
}

int read_listen(const char *text, char **host, uint16_t *port, struct error *err) {
    const char *colon = strrchr(text, ':');
    if (!colon) {
        return error_set(err, "must be HOST:PORT, as in \"0.0.0.0:8000\"");
    }
    bool bracketed = text[0] == '[' && colon - text >= 2 && colon[-1] == ']';
    const char *start = bracketed ? text + 1 : text, *end = bracketed ? colon - 1 : colon;
    AUTO_FREE char *name = strndup(start, (size_t)(end - start));
    if (!name) {
        return error_set(err, "does not fit into memory");
    }
    if (!bracketed && strchr(name, ':')) {
        return error_set(err, "must have an IPv6 address in brackets, as in \"[::1]:8000\"");
    }
    if (!is_host(name, bracketed)) {
        return error_set(err, "must have an address or a name before the port, as in "
                              "\"0.0.0.0:8000\"");
    }
    if (read_port(colon + 1, port, err) < 0) {
        return -1;
    }
    *host = STEAL(name);
    return 0;
}
