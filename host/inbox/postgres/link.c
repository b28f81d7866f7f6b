/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Connects to the server and waits for it, through libpq's non-blocking calls. */
#include "inbox/postgres/link.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The defaults for parameters that the URL does not set. With keepalives the kernel detects that
 * the server is gone. With target_session_attrs libpq takes the one of several hosts that accepts
 * writes. */
static const char *const defaults[][2] = {{"fallback_application_name", "snekomatic"},
                                          {"client_encoding", "UTF8"},
                                          {"target_session_attrs", "read-write"},
                                          {"keepalives_idle", "5"},
                                          {"keepalives_interval", "2"},
                                          {"keepalives_count", "2"},
                                          {"tcp_user_timeout", "4000"}};

/* The length of an SQLSTATE. */
#define STATE_BYTES 5

static PQconninfoOption *find(const struct link_target *target, const char *keyword) {
    for (PQconninfoOption *option = target->options; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option;
        }
    }
    return NULL;
}

static const char *value_of(const struct link_target *target, const char *keyword,
                            const char *fallback) {
    const PQconninfoOption *option = find(target, keyword);
    return option && option->val && option->val[0] ? option->val : fallback;
}

static int set_default(const struct link_target *target, const char *keyword, const char *value,
                       struct error *err) {
    PQconninfoOption *option = find(target, keyword);
    if (option && (!option->val || !option->val[0])) {
        PQfreemem(option->val);
        /* PQconninfoFree() frees it with free(). */
        option->val = strdup(value);
        if (!option->val) {
            return error_set(err, "out of memory");
        }
    }
    return 0;
}

static bool is_local(const char *host, size_t bytes) {
    char name[INET6_ADDRSTRLEN + 1];
    struct in_addr in;
    struct in6_addr in6;
    if (bytes == 0 || host[0] == '/' || host[0] == '@') {
        /* A socket in the file system. */
        return true;
    }
    if (bytes >= sizeof name) {
        return false;
    }
    memcpy(name, host, bytes);
    name[bytes] = '\0';
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET, name, &in) == 1 && ntohl(in.s_addr) >> 24 == 127) ||
           (inet_pton(AF_INET6, name, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6));
}

/* True when all hosts of a list with commas are local. */
static bool all_local(const char *hosts) {
    for (;;) {
        size_t bytes = strcspn(hosts, ",");
        if (!is_local(hosts, bytes)) {
            return false;
        }
        if (hosts[bytes] == '\0') {
            return true;
        }
        hosts += bytes + 1;
    }
}

int link_target_init(struct link_target *target, const char *url, struct error *err) {
    struct link_target made = {0};
    char *complaint = NULL;
    made.options = PQconninfoParse(url, &complaint);
    /* libpq's message may contain the whole URL with its password. */
    PQfreemem(complaint);
    if (!made.options) {
        return error_set(err, "its URL is not one that PostgreSQL's libpq understands: write "
                              "postgres://USER:PASSWORD@HOST:PORT/DATABASE, and %%XX for what is "
                              "special in a password");
    }
    const char *host = value_of(&made, "host", value_of(&made, "hostaddr", ""));
    const char *user = value_of(&made, "user", "");
    if (asprintf(&made.shown, "postgres://%s:%s/%s", host[0] ? host : "(socket)",
                 value_of(&made, "port", "5432"), value_of(&made, "dbname", user)) < 0) {
        made.shown = NULL;
    }
    bool local = all_local(value_of(&made, "hostaddr", value_of(&made, "host", "")));
    int result = made.shown ? 0 : error_set(err, "out of memory");
    if (result == 0 && !local) {
        result = set_default(&made, "sslmode", "require", err);
    }
    for (size_t i = 0; result == 0 && i < sizeof defaults / sizeof *defaults; i++) {
        result = set_default(&made, defaults[i][0], defaults[i][1], err);
    }
    if (result < 0) {
        link_target_finish(&made);
        return -1;
    }
    *target = made;
    return 0;
}

void link_target_finish(struct link_target *target) {
    for (PQconninfoOption *option = target->options; option && option->keyword; option++) {
        if (option->val) {
            explicit_bzero(option->val, strlen(option->val));
        }
    }
    PQconninfoFree(target->options);
    free(target->shown);
    *target = (struct link_target){0};
}

/* Without this, libpq writes to standard error. */
static void log_notice(void *context, const PGresult *result) {
    (void)context;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool harmless = severity && (strcmp(severity, "NOTICE") == 0 || strcmp(severity, "INFO") == 0);
    log_event(harmless ? SNEK_LEVEL_DEBUG : SNEK_LEVEL_WARNING, "postgres_notice",
              LOG_TEXT("sqlstate", state ? state : ""),
              LOG_TEXT("reason", text ? text : PQresultErrorMessage(result)));
}

bool link_has_name(const struct link_target *target) {
    return value_of(target, "hostaddr", "")[0] == '\0' &&
           resolve_needs(value_of(target, "host", ""));
}

struct resolution *link_resolve(const struct link_target *target) {
    return resolve_begin(value_of(target, "host", ""), value_of(target, "port", ""));
}

/* The resolved lists replace these parameters. NULL: `keyword` is none of them. */
static const char *resolved_value(const struct resolved *resolved, const char *keyword) {
    if (strcmp(keyword, "host") == 0) {
        return resolved->hosts;
    }
    if (strcmp(keyword, "hostaddr") == 0) {
        return resolved->addresses;
    }
    return strcmp(keyword, "port") == 0 ? resolved->ports : NULL;
}

PGconn *link_begin(const struct link_target *target, const struct resolved *resolved) {
    enum { OPTIONS_MAX = 64 };
    const char *keywords[OPTIONS_MAX + 1] = {NULL}, *values[OPTIONS_MAX + 1] = {NULL};
    size_t count = 0;
    for (const PQconninfoOption *option = target->options; option->keyword; option++) {
        const char *value = resolved ? resolved_value(resolved, option->keyword) : NULL;
        value = value ? value : option->val;
        if (value && count < OPTIONS_MAX) {
            keywords[count] = option->keyword;
            values[count++] = value;
        }
    }
    PGconn *connection = PQconnectStartParams(keywords, values, 0);
    if (connection) {
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
        PQsetNoticeReceiver(connection, log_notice, NULL);
    }
    return connection;
}

static int wait_socket(PGconn *connection, short events, int64_t until_ms) {
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        struct pollfd wanted = {.fd = PQsocket(connection), .events = events};
        int ready = poll(&wanted, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready >= 0 || errno != EINTR) {
            return ready;
        }
    }
}

int link_continue(PGconn *connection, int64_t until_ms, struct error *err) {
    if (PQstatus(connection) == CONNECTION_OK) {
        return 0;
    }
    /* Before the first PQconnectPoll() libpq requires a wait until the socket is writable. An
     * earlier call of this function may already have polled, so this waits for reading or writing:
     * an unneeded PQconnectPoll() is harmless. */
    for (PostgresPollingStatusType state = PGRES_POLLING_WRITING;;) {
        if (PQstatus(connection) == CONNECTION_BAD) {
            return link_lost(connection, err, "connecting");
        }
        short events = state == PGRES_POLLING_READING ? POLLIN : POLLIN | POLLOUT;
        if (wait_socket(connection, events, until_ms) <= 0) {
            return 1;
        }
        state = PQconnectPoll(connection);
        if (state == PGRES_POLLING_OK) {
            PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
            return PQsetnonblocking(connection, 1) == 0 ? 0
                                                        : link_lost(connection, err, "connecting");
        }
        if (state == PGRES_POLLING_FAILED) {
            return link_lost(connection, err, "connecting");
        }
    }
}

bool link_is_closed(PGconn *connection) {
    /* The server may send a last message before it closes the connection. */
    for (int i = 0; i < 8 && PQstatus(connection) == CONNECTION_OK; i++) {
        struct pollfd wanted = {.fd = PQsocket(connection), .events = POLLIN};
        if (poll(&wanted, 1, 0) <= 0) {
            return false;
        }
        if (!PQconsumeInput(connection)) {
            return true;
        }
        PQisBusy(connection);
    }
    return PQstatus(connection) != CONNECTION_OK;
}

int link_wait_for(PGconn *connection, int64_t silence_ms, struct error *err) {
    int64_t until_ms = clock_monotonic_ms() + silence_ms;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0) {
            return link_lost(connection, err, "sending to the server");
        }
        if (!PQisBusy(connection)) {
            return 0;
        }
        int ready = wait_socket(connection, unsent ? POLLIN | POLLOUT : POLLIN, until_ms);
        if (ready <= 0) {
            return error_set(err, "the server has not responded for %lld ms",
                             (long long)silence_ms);
        }
        if (!PQconsumeInput(connection)) {
            return link_lost(connection, err, "receiving from the server");
        }
        until_ms = clock_monotonic_ms() + silence_ms; /* the server is alive */
    }
}

int link_wait(PGconn *connection, struct error *err) {
    return link_wait_for(connection, LINK_SILENCE_MS, err);
}

int link_run(PGconn *connection, const char *sql, int64_t silence_ms, PGresult **result,
             struct error *err, const char *what) {
    if (!PQsendQuery(connection, sql)) {
        return link_lost(connection, err, what);
    }
    PGresult *last = NULL;
    int failed = 0;
    for (;;) {
        if (link_wait_for(connection, silence_ms, err) < 0) {
            PQclear(last);
            return error_wrap(err, "%s", what);
        }
        PGresult *next = PQgetResult(connection);
        if (!next) {
            break;
        }
        PQclear(last);
        last = next;
        ExecStatusType status = PQresultStatus(next);
        if (!failed && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            failed = link_rejected(next, err, what);
        }
    }
    if (failed || !result) {
        PQclear(last);
        return failed;
    }
    *result = last;
    return 0;
}

/* Reads the SQLSTATE out of the message of a failed connection, which has it since link_begin()
 * asks for verbose messages: "...: FATAL:  57P03: the database ...". The message is in the server's
 * language. NULL: the server sent no SQLSTATE. */
static const char *find_state(const char *reason) {
    for (const char *at = strstr(reason, ":  "); at; at = strstr(at + 1, ":  ")) {
        size_t letters = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (letters == STATE_BYTES && at[3 + STATE_BYTES] == ':') {
            return at + 3;
        }
    }
    return NULL;
}

static bool state_may_pass(const char *state) {
    /* Classes of errors that may be temporary: connection exception (08), insufficient resources
     * (53), transaction rollback (40), operator intervention such as a start or stop (57), system
     * error (58). 25006: the server is read-only until it becomes the primary. */
    static const char *const classes[] = {"08", "53", "40", "57", "58", "25006"};
    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        if (strncmp(state, classes[i], strlen(classes[i])) == 0) {
            return true;
        }
    }
    return false;
}

bool link_is_temporary(const char *reason) {
    /* Parts of messages of libpq and the C library. They are in English, because the host sets no
     * locale. */
    static const char *const signs[] = {"refused",
                                        "not responded",
                                        "timeout",
                                        "timed out",
                                        "unreachable",
                                        "No route",
                                        "reset by peer",
                                        "Broken pipe",
                                        "No such file",
                                        "Temporary failure",
                                        "closed the connection",
                                        "server is in hot standby mode",
                                        "session is read-only",
                                        "not been resolved",
                                        "could not translate host name"};
    const char *state = find_state(reason);
    if (state) {
        return state_may_pass(state);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(signs); i++) {
        if (strstr(reason, signs[i])) {
            return true;
        }
    }
    return false;
}

/* The length of the first line. In the other lines libpq only guesses the cause. */
static int first_line(const char *text) {
    return (int)strcspn(text, "\n");
}

int link_lost(PGconn *connection, struct error *err, const char *what) {
    const char *why = PQerrorMessage(connection);
    return error_set(err, "%s: %.*s", what, first_line(why), *why ? why : "out of memory");
}

int link_rejected(const PGresult *result, struct error *err, const char *what) {
    const char *why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!why) {
        why = PQresultErrorMessage(result);
        return error_set(err, "%s: %.*s", what, first_line(why), why);
    }
    return error_set(err, "%s: %s (SQLSTATE %s)", what, why, state ? state : "unknown");
}
