/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a request, and passes it on to the console's thread or responds at once. */
#include "console/gate.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "console/assets.h"
#include "console/room.h"
#include "console/view.h"
#include "ingest/page.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PERSON_MAX 36
/* Bytes of a link with all fields encoded. */
#define URL_MAX (CONSOLE_FIELDS_MAX * (3 * HTTP_VALUE_MAX + 32) + 3 * CONSOLE_PATH_MAX)

/* All parameters that a URL or a form of the console may have. */
static const char *const field_names[] = {
    "form",    "q",     "state",  "plugin", "event", "reason",      "group", "repository",
    "sender",  "since", "until",  "before", "span",  "scope",       "value", "what",
    "preview", "token", "person", "next",   "guid",  "installation"};
static_assert(ARRAY_LENGTH(field_names) <= CONSOLE_FIELDS_MAX, "room for all fields");

static struct console *console_of(const struct http_request *request) {
    return request->route->context;
}

const char *task_field(const struct console_task *task, const char *name) {
    return http_form_value(task->fields, task->n_fields, name);
}

/* ---- responses ---- */

static void respond_json_error(struct http_request *request, unsigned status, const char *error,
                               const char *fix) {
    http_reject(request, status, error, fix);
}

static void respond_problem(struct console_task *task, unsigned status, const char *title,
                            const char *why, const char *fix) {
    if (task->wants_json) {
        respond_json_error(task->request, status, why, fix);
        return;
    }
    AUTO_BUFFER struct buffer page = BUFFER_INIT(CONSOLE_PAGE_MAX);
    view_begin_plain(&page, title);
    http_page_put(&page, "<p class=\"problem\">%s</p>\n<p>%s</p>\n", why, fix);
    view_end(&page);
    http_respond_own_page(task->request, status, &page);
}

static void redirect(struct http_request *request, const char *place) {
    http_respond(request, 303, "text/plain; charset=utf-8", "", 0);
    http_response_header(request, "Location", place);
}

static void set_cookie(struct console_task *task, const char *value, bool ends) {
    char cookie[HTTP_TOKEN_MAX + 160];
    bool https = strncmp(task->origin, "https:", strlen("https:")) == 0;
    snprintf(cookie, sizeof cookie,
             CONSOLE_COOKIE "=%s; Path=" CONSOLE_PATH "; HttpOnly; SameSite=Strict%s%s", value,
             https ? "; Secure" : "", ends ? "; Max-Age=0" : "");
    http_response_header(task->request, "Set-Cookie", cookie);
    explicit_bzero(cookie, sizeof cookie);
}

/* ---- hosts and transports ---- */

static bool check_host(struct console_task *task) {
    char local[HTTP_ADDRESS_MAX];
    size_t bytes = 0;
    const char *host = http_header(task->request, "Host", &bytes);
    const char *public_url = task->console->options.config->server.public_url;
    http_local_address(task->request, local);
    if (http_host_is_ours(host, bytes, public_url, local, task->origin)) {
        return true;
    }
    respond_problem(task, 403, "This address is not accepted",
                    "The console accepts requests only for the host's public URL, for this "
                    "machine's loopback address, and for the address on which it listens.",
                    "Set server.public_url, or the variable SNEKOMATIC_PUBLIC_URL, to the address "
                    "that you use. Or open http://127.0.0.1 through a tunnel (ssh -L).");
    return false;
}

static bool header_is(struct http_request *request, const char *name, const char *value) {
    size_t bytes = 0;
    const char *given = http_header(request, name, &bytes);
    return given && bytes == strlen(value) && memcmp(given, value, bytes) == 0;
}

static bool has_header(struct http_request *request, const char *name) {
    size_t bytes = 0;
    return http_header(request, name, &bytes) != NULL;
}

/* A proxy on this machine has a loopback address too, and some set `Host` to it. */
static bool is_forwarded(struct http_request *request) {
    static const char *const names[] = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                        "X-Real-IP",       "Forwarded",         "Via"};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        any = any || has_header(request, names[i]);
    }
    return any;
}

/* A token must not cross a network in plain text. With an https public_url the proxy in front of
 * the host has the certificate, and it says so if it took the request over plain HTTP. */
static bool check_transport(struct console_task *task) {
    struct http_request *request = task->request;
    if (strncmp(task->origin, "https:", strlen("https:")) == 0) {
        if (!has_header(request, "X-Forwarded-Proto") ||
            header_is(request, "X-Forwarded-Proto", "https")) {
            return true;
        }
    } else if (http_peer_is_loopback(request) && !is_forwarded(request)) {
        return true;
    }
    respond_problem(task, 403, "The console needs https",
                    "This connection is plain HTTP and comes from another machine, or through a "
                    "proxy. Others on the way could read the token.",
                    "Use the https address, and set server.public_url to it. Or open the console "
                    "through a tunnel: ssh -L 8000:127.0.0.1:8000 THIS-MACHINE, then "
                    "http://127.0.0.1:8000/console.");
    return false;
}

/* Browsers send an Origin with each POST: "null" under our policy for referrers. */
static bool is_from_our_page(struct console_task *task) {
    return !http_is_from_elsewhere(task->request) &&
           (!has_header(task->request, "Origin") || header_is(task->request, "Origin", "null") ||
            header_is(task->request, "Origin", task->origin));
}

/* ---- parameters ---- */

static void add_names(struct console_task *task) {
    task->n_fields = ARRAY_LENGTH(field_names);
    for (size_t i = 0; i < task->n_fields; i++) {
        task->fields[i].name = field_names[i];
    }
}

static bool read_query(struct console_task *task) {
    add_names(task);
    for (size_t i = 0; i < task->n_fields; i++) {
        struct http_field *field = &task->fields[i];
        const char *value = http_query(task->request, field->name);
        size_t bytes = value ? strlen(value) : 0;
        if (bytes > HTTP_VALUE_MAX || !text_is_utf8(value ? value : "", bytes)) {
            return false;
        }
        field->given = value != NULL;
        memcpy(field->value, value ? value : "", bytes + 1);
    }
    return true;
}

static bool read_form(struct console_task *task) {
    struct buffer *body = &task->request->body;
    add_names(task);
    int read =
        http_form_read(body->data ? body->data : "", body->bytes, task->fields, task->n_fields);
    if (body->data) {
        /* It may have a token. */
        explicit_bzero(body->data, body->bytes);
    }
    return read == 0 && http_is_form(task->request);
}

/* "/console/plugins.json" has the path "/plugins" and wants JSON; "/console.json" has the
 * overview's,
 * "". */
static bool read_path(struct console_task *task) {
    static const char json[] = ".json";
    const char *path = task->request->path + strlen(CONSOLE_PATH);
    size_t bytes = strlen(path);
    if (bytes >= sizeof task->path || !text_is_utf8(path, bytes)) {
        return false;
    }
    memcpy(task->path, path, bytes + 1);
    if (bytes >= strlen(json) && strcmp(path + bytes - strlen(json), json) == 0) {
        task->path[bytes - strlen(json)] = '\0';
        task->wants_json = true;
    } else if (bytes > 0 && path[bytes - 1] == '/') {
        task->path[bytes - 1] = '\0';
    }
    size_t accept_bytes = 0;
    const char *accept = http_header(task->request, "Accept", &accept_bytes);
    if (accept && memmem(accept, accept_bytes, "application/json", 16) &&
        !memmem(accept, accept_bytes, "text/html", 9)) {
        task->wants_json = true;
    }
    return true;
}

/* ---- login ---- */

/* A person comes back to the page that they asked for, never to another site. */
static bool is_place(const char *place) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "/-_.~?=&%#+";
    size_t prefix = strlen(CONSOLE_PATH);
    return strncmp(place, CONSOLE_PATH, prefix) == 0 &&
           (place[prefix] == '\0' || place[prefix] == '/') &&
           strspn(place, allowed) == strlen(place) && !strstr(place, "//");
}

static void respond_login(struct console_task *task, unsigned status, const char *problem) {
    AUTO_BUFFER struct buffer page = BUFFER_INIT(CONSOLE_PAGE_MAX);
    view_begin_plain(&page, "Log in to the console");
    if (problem) {
        http_page_put(&page, "<p class=\"problem\" role=\"alert\" id=\"problem\">%s</p>\n",
                      problem);
    }
    http_page_put(&page,
                  "<form method=\"post\" action=\"" CONSOLE_PATH "/login\" class=\"login\">\n"
                  "<input type=\"hidden\" name=\"next\" value=\"%s\">\n"
                  "<label for=\"token\">Token</label>\n"
                  "<p class=\"hint\" id=\"token-hint\">The text in the file of "
                  "<code>console.token_file</code> or <code>console.read_token_file</code>, or in "
                  "the variable <code>SNEKOMATIC_ADMIN_TOKEN</code>.</p>\n"
                  "<input type=\"password\" id=\"token\" name=\"token\" required "
                  "autocomplete=\"current-password\" aria-describedby=\"token-hint\" autofocus>\n"
                  "<label for=\"person\">Your name</label>\n"
                  "<p class=\"hint\" id=\"person-hint\">Optional. The list of actions shows it "
                  "beside what you do.</p>\n"
                  "<input type=\"text\" id=\"person\" name=\"person\" maxlength=\"%d\" "
                  "autocomplete=\"username\" aria-describedby=\"person-hint\">\n"
                  "<p><button>Log in</button></p>\n</form>\n",
                  is_place(task_field(task, "next")) ? task_field(task, "next") : CONSOLE_PATH,
                  PERSON_MAX);
    view_end(&page);
    http_respond_own_page(task->request, status, &page);
}

static void peer_of(const struct console_task *task, char address[HTTP_ADDRESS_MAX]) {
    size_t bytes = 0;
    const char *forwarded = http_header(task->request, "X-Forwarded-For", &bytes);
    http_peer_address(task->request, address);
    if (!forwarded || strncmp(task->origin, "https:", strlen("https:")) != 0) {
        return;
    }
    /* The proxy in front of the host adds the last one. */
    const char *last = memrchr(forwarded, ',', bytes);
    last = last ? last + 1 : forwarded;
    while (last < forwarded + bytes && *last == ' ') {
        last++;
    }
    text_clean(address, HTTP_ADDRESS_MAX, last, (size_t)(forwarded + bytes - last));
}

/* The role of a token; responds if it has none. */
static enum console_role attempt(struct console_task *task, const char *token,
                                 const char *address) {
    bool too_soon = false;
    enum console_role role =
        console_login(&task->console->access, token, address, clock_monotonic_ms(), &too_soon);
    if (role == CONSOLE_NOBODY) {
        const char *problem =
            too_soon ? "This token is wrong, like the one a moment ago." : "This token is wrong.";
        if (!too_soon) {
            log_event(SNEK_LEVEL_WARNING, "console_login_failed", LOG_TEXT("address", address));
        }
        if (task->wants_json) {
            respond_json_error(task->request, too_soon ? 429 : 401, problem,
                               "send the token of console.token_file or console.read_token_file");
        } else {
            respond_login(task, too_soon ? 429 : 401, problem);
        }
        if (too_soon) {
            http_response_header(task->request, "Retry-After", "1");
        }
    }
    return role;
}

static void describe_person(enum console_role role, const char *person, const char *address,
                            char who[CONSOLE_WHO_MAX + 1]) {
    char name[PERSON_MAX + 1];
    text_clean(name, sizeof name, person, strlen(person));
    snprintf(who, CONSOLE_WHO_MAX + 1, "console %s%s%s %s",
             role == CONSOLE_ADMIN ? "admin" : "reader", *name ? " " : "", name, address);
}

static void log_in(struct console_task *task) {
    char address[HTTP_ADDRESS_MAX], who[CONSOLE_WHO_MAX + 1];
    const char *next = task_field(task, "next");
    if (!is_from_our_page(task)) {
        respond_problem(task, 403, "This form is not accepted", "Another site sent it.",
                        "Log in on the console's own page.");
        return;
    }
    peer_of(task, address);
    enum console_role role = attempt(task, task_field(task, "token"), address);
    if (role == CONSOLE_NOBODY) {
        return;
    }
    describe_person(role, task_field(task, "person"), address, who);
    struct console_session *session =
        console_session_begin(&task->console->access, role, who, clock_monotonic_ms());
    if (!session) {
        respond_problem(task, 503, "Out of randomness", "The system gives no random bytes.",
                        "Retry.");
        return;
    }
    log_event(SNEK_LEVEL_INFO, "console_login", LOG_TEXT("who", who));
    redirect(task->request, is_place(next) ? next : CONSOLE_PATH);
    set_cookie(task, session->cookie, false);
}

static void log_out(struct console_task *task, struct console_session *session) {
    log_event(SNEK_LEVEL_INFO, "console_logout", LOG_TEXT("who", session->who));
    console_session_end(session);
    redirect(task->request, CONSOLE_PATH "/login");
    set_cookie(task, "", true);
}

/* ---- rights ---- */

/* The token of a program, "Authorization: Bearer TOKEN". It may read only: a browser never sends it
 * by itself, so no form needs protection. False after it has responded. */
static bool check_bearer(struct console_task *task) {
    static const char scheme[] = "Bearer ";
    char token[CONFIG_TOKEN_MAX + 2] = "", address[HTTP_ADDRESS_MAX];
    size_t bytes = 0;
    const char *value = http_header(task->request, "Authorization", &bytes);
    if (!value || task->is_post || bytes < sizeof scheme ||
        strncasecmp(value, scheme, sizeof scheme - 1) != 0) {
        return true;
    }
    bytes -= sizeof scheme - 1;
    if (bytes < sizeof token) {
        memcpy(token, value + sizeof scheme - 1, bytes);
    }
    peer_of(task, address);
    task->role = attempt(task, token, address);
    explicit_bzero(token, sizeof token);
    if (task->role == CONSOLE_NOBODY) {
        return false;
    }
    task->role = CONSOLE_READER;
    return true;
}

static void ask_to_log_in(struct console_task *task) {
    if (task->wants_json) {
        respond_json_error(task->request, 401, "the console needs a login",
                           "send a token as `Authorization: Bearer TOKEN`");
        http_response_header(task->request, "WWW-Authenticate", "Bearer");
        return;
    }
    AUTO_BUFFER struct buffer asked = BUFFER_INIT(URL_MAX), login = BUFFER_INIT(URL_MAX);
    buffer_append_text(&login, CONSOLE_PATH "/login");
    if (!task->is_post) {
        view_url(task, task->path, "before", task_field(task, "before"), &asked);
    }
    /* A longer one would not fit into the form, and an action cannot be repeated by a link. */
    if (asked.bytes > strlen(CONSOLE_PATH) && asked.bytes <= HTTP_VALUE_MAX) {
        buffer_append_text(&login, "?next=");
        view_append_encoded(&login, asked.data);
    }
    redirect(task->request, login.data ? login.data : CONSOLE_PATH "/login");
}

/* A POST changes something, and only a form that we gave to an admin may do that. */
static bool may_post(struct console_task *task, const struct console_session *session) {
    const char *form = task_field(task, "form");
    if (!session) {
        ask_to_log_in(task);
        return false;
    }
    if (!is_from_our_page(task) || !http_token_is(session->form, form, strlen(form))) {
        respond_problem(task, 403, "This form is not accepted",
                        "Another site sent it, or you logged in again since the page was opened.",
                        "Go back, load the page again, and repeat the action.");
        return false;
    }
    if (session->role != CONSOLE_ADMIN && strcmp(task->path, "/logout") != 0) {
        respond_problem(task, 403, "You may only read",
                        "You logged in with the token for reading, which changes nothing.",
                        "Log in with the admin's token.");
        return false;
    }
    return true;
}

/* ---- requests ---- */

static void pass_on(struct console_task *task, const struct console_session *session) {
    if (session) {
        task->role = session->role;
        memcpy(task->form, session->form, sizeof task->form);
        memcpy(task->who, session->who, sizeof task->who);
    }
    http_drop_body(task->request);
    http_request_ref(task->request);
    room_submit(task);
}

static bool is_public(const struct console_task *task) {
    return task->console->options.config->console.public_help && !task->is_post &&
           strcmp(task->path, "/help") == 0;
}

/* True when the console's thread has the task now. */
static bool handle(struct console_task *task) {
    struct http_request *request = task->request;
    size_t bytes = 0;
    bool uses = !has_header(request, "X-Live");
    const char *cookies = http_header(request, "Cookie", &bytes);
    struct console_session *session =
        console_session_find(&task->console->access, cookies, clock_monotonic_ms(), uses);
    if (strcmp(task->path, "/login") == 0) {
        if (task->is_post) {
            log_in(task);
        } else if (session) {
            redirect(request, CONSOLE_PATH);
        } else {
            respond_login(task, 200, NULL);
        }
        return false;
    }
    if (task->is_post) {
        if (!may_post(task, session)) {
            return false;
        }
        if (strcmp(task->path, "/logout") == 0) {
            log_out(task, session);
            return false;
        }
    } else if (!session && !is_public(task)) {
        if (!check_bearer(task)) {
            return false;
        }
        if (task->role == CONSOLE_NOBODY) {
            ask_to_log_in(task);
            return false;
        }
    }
    pass_on(task, session);
    return true;
}

static bool check(struct console_task *task) {
    if (!read_path(task)) {
        respond_problem(task, 404, "There is no such page", "The path is too long or not UTF-8.",
                        "Begin at /console.");
        return false;
    }
    if (!check_host(task)) {
        return false;
    }
    if (!task->is_post && assets_respond(task->request, task->path)) {
        return false;
    }
    if (!is_public(task) && !check_transport(task)) {
        return false;
    }
    bool read = task->is_post ? read_form(task) : read_query(task);
    if (!read) {
        respond_problem(task, 400, "The request is malformed",
                        "A parameter is too long, is not UTF-8, or does not belong to a form of "
                        "the console.",
                        "Use the pages of the console.");
    }
    return read;
}

void gate_on_request(struct http_request *request) {
    struct console_task *task = calloc(1, sizeof *task);
    if (!task) {
        http_reject(request, 503, "the host is out of memory", "retry later");
        return;
    }
    task->console = console_of(request);
    task->request = request;
    task->is_post = strcmp(request->method, "POST") == 0;
    task->page = (struct buffer)BUFFER_INIT(CONSOLE_PAGE_MAX);
    request->state = task;
    if (check(task)) {
        (void)handle(task);
    }
}

void gate_on_left(struct http_request *request) {
    struct console_task *task = request->state;
    if (task) {
        atomic_store(&task->left, true);
    }
}

void gate_release(struct http_request *request) {
    struct console_task *task = request->state;
    if (task) {
        assert(task->console->large_bytes >= task->large_bytes);
        task->console->large_bytes -= task->large_bytes;
        buffer_finish(&task->page);
        explicit_bzero(task, sizeof *task);
        free(task);
    }
}

/* The response is a copy of the page, and a client that reads slowly keeps it for long. */
static bool reserve(struct console_task *task) {
    struct console *console = task->console;
    size_t bytes = task->page.bytes < CONSOLE_LARGE_BYTES ? 0 : task->page.bytes;
    if (bytes > CONSOLE_LARGE_SUM_MAX - console->large_bytes) {
        return false;
    }
    console->large_bytes += bytes;
    task->large_bytes = bytes;
    return true;
}

/* Browsers show it beside the times of the network. */
static void report_wait(struct http_request *request, int64_t waited_ms) {
    char timing[64];
    if (waited_ms > 0) {
        snprintf(timing, sizeof timing, "webhooks;desc=\"webhooks first\";dur=%" PRId64, waited_ms);
        http_response_header(request, "Server-Timing", timing);
    }
}

void gate_on_done(struct mail *mail) {
    struct console_task *task = CONTAINER_OF(mail, struct console_task, mail);
    struct http_request *request = task->request;
    if (task->dropped) {
        http_reject(request, 503, "the client closed its side while the page waited for webhooks",
                    "keep the connection open until the response");
    } else if (*task->location) {
        redirect(request, task->location);
    } else if (!reserve(task)) {
        task->is_file = false;
        http_reject(request, 503, "too many large pages are on their way to slow clients",
                    "retry when one of them has ended");
    } else if (!task->wants_json) {
        http_respond_own_page(request, task->status, &task->page);
    } else if (http_page_is_cut(&task->page)) {
        task->is_file = false;
        http_reject(request, 503, "the JSON does not fit into memory",
                    "retry with a filter that finds less");
    } else {
        http_respond(request, task->status, "application/json",
                     task->page.data ? task->page.data : "", task->page.bytes);
    }
    report_wait(request, task->waited_ms);
    /* The response has a copy, and the connection may stay for long. */
    buffer_finish(&task->page);
    if (task->is_file) {
        http_response_header(request, "Content-Disposition",
                             "attachment; filename=\"payload.json\"");
    }
    http_request_unref(request);
}
