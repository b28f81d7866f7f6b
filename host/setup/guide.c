/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The routes below /setup: who may use them, and what each changes. */
#include "setup/guide.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "ingest/form.h"
#include "ingest/origin.h"
#include "ingest/page.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct guide *guide_of(const struct http_request *request) {
    return request->route->context;
}

static void extend(struct guide *guide, int64_t until_ms) {
    atomic_store(&guide->until_ms, until_ms);
}

/* ---- who may ---- */

static bool host_is_ours(struct http_request *request, char origin[HTTP_ORIGIN_MAX]) {
    const struct config *config = guide_of(request)->options->config;
    char local[HTTP_ADDRESS_MAX];
    size_t bytes = 0;
    const char *host = http_header(request, "Host", &bytes);
    http_local_address(request, local);
    if (http_host_is_ours(host, bytes, config->server.public_url, local, origin)) {
        return true;
    }
    page_problem(request, 403, "This address is not accepted",
                 "The setup accepts requests only for the host's public URL, for this machine's "
                 "loopback address, and for the address on which it listens.",
                 "Set server.public_url, or the variable SNEKOMATIC_PUBLIC_URL, to the address "
                 "that you use, and restart the bot. Or open the link through a tunnel to "
                 "127.0.0.1.",
                 false);
    return false;
}

static bool is_known(struct http_request *request) {
    struct guide *guide = guide_of(request);
    size_t bytes = 0;
    const char *cookies = http_header(request, "Cookie", &bytes);
    if (setup_session_knows(&guide->session, cookies, clock_monotonic_ms())) {
        return true;
    }
    page_problem(request, 403, "The setup needs its link",
                 "This browser did not open the link that the log shows, or too much time has "
                 "passed.",
                 "Open the link of the line msg=setup_link in the bot's log. It works once, in one "
                 "browser, for 30 minutes. For another link, restart the bot.",
                 false);
    return false;
}

/* Reads a form that one of our pages sent. False after it has responded. */
static bool read_form(struct http_request *request, struct http_field *fields, size_t count) {
    struct guide *guide = guide_of(request);
    const struct buffer *body = &request->body;
    char origin[HTTP_ORIGIN_MAX];
    if (!host_is_ours(request, origin) || !is_known(request)) {
        return false;
    }
    if (!http_is_form(request)) {
        page_problem(request, 415, "This is not a form",
                     "The request has another content type than a form.",
                     "Use the form of the setup's page.", true);
        return false;
    }
    if (http_form_read(body->data ? body->data : "", body->bytes, fields, count) < 0) {
        page_problem(request, 400, "The form is malformed",
                     "It has an unknown field, a field twice, a control character, or a value that "
                     "is too long.",
                     "Use the form of the setup's page.", true);
        return false;
    }
    const char *token = http_form_value(fields, count, "form");
    if (http_is_from_elsewhere(request) || !setup_session_form_matches(&guide->session, token)) {
        page_problem(request, 403, "This form is not accepted",
                     "Another page sent it, or the bot was restarted since the page was opened.",
                     "Use the form of the setup's page.", true);
        return false;
    }
    return true;
}

/* ---- GET /setup ---- */

static void redirect(struct http_request *request, const char *place) {
    http_respond(request, 303, "text/plain; charset=utf-8", "", 0);
    http_response_header(request, "Location", place);
}

/* The link's token leaves the address bar. */
static void respond_claimed(struct http_request *request, const char *origin) {
    struct guide *guide = guide_of(request);
    char cookie[SETUP_TOKEN_MAX + 160];
    bool https = strncmp(origin, "https:", strlen("https:")) == 0;
    log_event(SNEK_LEVEL_INFO, "setup_begun");
    extend(guide, guide->session.until_ms);
    redirect(request, "/setup");
    snprintf(cookie, sizeof cookie, SETUP_COOKIE "=%s; Path=/setup; HttpOnly; SameSite=Lax%s",
             guide->session.cookie, https ? "; Secure" : "");
    http_response_header(request, "Set-Cookie", cookie);
    explicit_bzero(cookie, sizeof cookie);
}

static void claim(struct http_request *request, const char *link, const char *origin) {
    struct guide *guide = guide_of(request);
    size_t bytes = 0;
    int64_t now_ms = clock_monotonic_ms();
    if (setup_session_knows(&guide->session, http_header(request, "Cookie", &bytes), now_ms)) {
        redirect(request, "/setup");
        return;
    }
    switch (setup_session_claim(&guide->session, link, now_ms)) {
    case SETUP_CLAIMED:
        respond_claimed(request, origin);
        break;
    case SETUP_LINK_USED:
        page_problem(request, 403, "The link was used already",
                     "The link works once, and it was opened before: in another browser, or by a "
                     "program that looks at links.",
                     "Go on in the browser that opened it. If it was not you, restart the bot at "
                     "once. It then logs another link.",
                     false);
        break;
    case SETUP_LINK_LATE:
        page_problem(request, 403, "The link is too old", "The link works for 30 minutes.",
                     "Restart the bot. It then logs another link.", false);
        break;
    default:
        page_problem(request, 403, "The link is wrong", "The setup that runs now has another link.",
                     "Open the newest link of the line msg=setup_link in the bot's log.", false);
        break;
    }
}

/* A person who comes back finds what they entered before. */
static struct setup_choices first_choices(const struct guide *guide) {
    const struct config *config = guide->options->config;
    const struct setup_choices *last = setup_session_last(&guide->session);
    bool pulls = config->github.receive == CONFIG_RECEIVE_PULL;
    struct setup_choices choices = {.pull = pulls || !config->server.public_url};
    if (last) {
        return *last;
    }
    snprintf(choices.address, sizeof choices.address, "%s",
             choices.pull ? "" : config->server.public_url);
    return choices;
}

static void on_setup(struct http_request *request) {
    struct guide *guide = guide_of(request);
    char origin[HTTP_ORIGIN_MAX];
    if (!host_is_ours(request, origin)) {
        return;
    }
    const char *link = http_query(request, "link");
    if (link) {
        claim(request, link, origin);
    } else if (!is_known(request)) {
        return;
    } else if (guide->phase == GUIDE_MADE) {
        page_made(guide, request);
    } else {
        struct setup_choices choices = first_choices(guide);
        struct setup_problems problems = {.any = false};
        page_ask(guide, request, 200, &choices, &problems);
    }
}

/* ---- POST /setup/manifest ---- */

static void on_manifest(struct http_request *request) {
    struct guide *guide = guide_of(request);
    struct http_field fields[] = {{"form"}, {"owner"},   {"organization"},
                                  {"name"}, {"address"}, {"pull"}};
    struct setup_choices choices;
    struct setup_problems problems;
    char origin[HTTP_ORIGIN_MAX];
    if (!read_form(request, fields, ARRAY_LENGTH(fields)) || !host_is_ours(request, origin)) {
        return;
    }
    if (guide->phase != GUIDE_ASKING) {
        redirect(request, "/setup");
        return;
    }
    if (guide->options->config->github.receive == CONFIG_RECEIVE_PULL) {
        /* The setup changes no line of the configuration, and its form asks for no address. */
        (void)snprintf(fields[ARRAY_LENGTH(fields) - 1].value, HTTP_VALUE_MAX, "yes");
        fields[ARRAY_LENGTH(fields) - 2].value[0] = '\0';
    }
    if (!setup_form_check(fields, ARRAY_LENGTH(fields), guide->options->config->github.api_url,
                          &choices, &problems)) {
        page_ask(guide, request, 422, &choices, &problems);
        return;
    }
    const struct setup_attempt *attempt =
        setup_session_begin(&guide->session, &choices, clock_monotonic_ms());
    extend(guide, guide->session.until_ms);
    if (attempt) {
        page_send(guide, request, attempt, origin);
    } else {
        http_reject(request, 503, "the system gives no random bytes", "try again");
    }
}

/* ---- GET /setup/callback ---- */

static void respond_unknown_code(struct http_request *request, const char *reason) {
    char text[ERROR_TEXT_MAX + 200];
    snprintf(text, sizeof text,
             "GitHub does not know the code that came back (%.300s). A code works once, and for "
             "one hour.",
             reason);
    page_problem(request, 409, "The code is used up or too old", text,
                 "Begin again with another name. If GitHub made the App all the same, delete it "
                 "there: Settings, Developer settings, GitHub Apps.",
                 true);
}

/* Back from the main thread. The browser may have left meanwhile; the next page shows the result.
 */
static void on_exchanged(struct mail *mail) {
    struct guide_exchange *exchange = CONTAINER_OF(mail, struct guide_exchange, mail);
    struct guide *guide = exchange->guide;
    struct http_request *request = exchange->request;
    assert(guide->phase == GUIDE_EXCHANGING);
    guide->phase = exchange->result == SETUP_CONVERTED ? GUIDE_MADE : GUIDE_ASKING;
    if (exchange->result == SETUP_CONVERTED) {
        guide->choices = exchange->choices;
        guide->session.until_ms = atomic_load(&guide->until_ms);
        redirect(request, "/setup");
    } else if (exchange->result == SETUP_CODE_UNKNOWN) {
        respond_unknown_code(request, exchange->error.text);
    } else {
        log_event(SNEK_LEVEL_WARNING, "setup_code_not_exchanged",
                  LOG_TEXT("reason", exchange->error.text));
        page_problem(request, 502, "GitHub did not respond", exchange->error.text,
                     "The App exists, and the code is valid for an hour: reload this page.", false);
    }
    free(exchange);
    http_request_unref(request);
}

static void exchange_code(struct http_request *request, const char *code,
                          const struct setup_attempt *attempt) {
    struct guide *guide = guide_of(request);
    struct guide_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        http_reject(request, 503, "the host is out of memory", "reload the page");
        return;
    }
    exchange->mail.open = guide_on_code;
    exchange->guide = guide;
    exchange->request = request;
    exchange->choices = attempt->choices;
    snprintf(exchange->code, sizeof exchange->code, "%s", code);
    SCOPED_LOCK(&guide->lock);
    if (guide->ending) {
        free(exchange);
        http_reject(request, 503, "the setup is ending", "start it again");
        return;
    }
    guide->phase = GUIDE_EXCHANGING;
    http_request_ref(request);
    mailbox_post(guide->main, &exchange->mail);
}

static void on_callback(struct http_request *request) {
    struct guide *guide = guide_of(request);
    char origin[HTTP_ORIGIN_MAX];
    if (!host_is_ours(request, origin) || !is_known(request)) {
        return;
    }
    const char *code = http_query(request, "code"), *state = http_query(request, "state");
    const struct setup_attempt *attempt = state ? setup_session_find(&guide->session, state) : NULL;
    if (!attempt) {
        page_problem(request, 403, "This is not a response to this setup",
                     "The address has no state, or one that this setup did not send.",
                     "Begin again. If GitHub made an App, delete it there: Settings, Developer "
                     "settings, GitHub Apps.",
                     true);
    } else if (!code || !setup_code_is_sound(code)) {
        page_problem(request, 400, "The code is missing or malformed",
                     "GitHub leads back to this page with a code.", "Begin again.", true);
    } else if (guide->phase == GUIDE_MADE) {
        /* The page was loaded again. */
        redirect(request, "/setup");
    } else if (guide->phase == GUIDE_EXCHANGING) {
        page_problem(request, 409, "The code is being exchanged",
                     "The same page is being loaded in another window.",
                     "Reload this page in a few seconds.", false);
    } else {
        exchange_code(request, code, attempt);
    }
}

/* The main thread has posted the exchange back to this mailbox. */
void guide_reply(struct guide_exchange *exchange) {
    exchange->mail.open = on_exchanged;
    mailbox_post(http_mailbox(exchange->request), &exchange->mail);
}

/* ---- POST /setup/lines, POST /setup/finish ---- */

/* False after it has responded. */
static bool is_made(struct http_request *request) {
    struct http_field fields[] = {{"form"}};
    if (!read_form(request, fields, ARRAY_LENGTH(fields))) {
        return false;
    }
    if (guide_of(request)->phase != GUIDE_MADE) {
        redirect(request, "/setup");
        return false;
    }
    return true;
}

static void on_lines(struct http_request *request) {
    struct guide *guide = guide_of(request);
    if (!is_made(request)) {
        return;
    }
    if (guide->shown) {
        page_problem(request, 409, "The key was shown already",
                     guide->stored ? "The page with the private key is shown once. The key is in "
                                     "the file that the setup wrote."
                                   : "The page with the private key is shown once.",
                     "At GitHub, the App's settings make another key: Private keys, Generate a "
                     "private key.",
                     true);
        return;
    }
    if (page_lines(guide, request) == 0) {
        guide->shown = true;
        log_event(SNEK_LEVEL_INFO, "setup_key_shown");
    }
}

static void on_finish(struct http_request *request) {
    struct guide *guide = guide_of(request);
    if (!is_made(request)) {
        return;
    }
    page_finished(guide, request);
    if (!atomic_exchange(&guide->finished, true)) {
        mailbox_post(guide->main, &guide->finish_mail);
    }
}

/* ---- life ---- */

/* It only wakes the main thread, which looks at `finished`. */
static void on_finish_mail(struct mail *mail) {
    (void)mail;
}

int guide_init(struct guide *guide, const struct setup_options *options,
               const struct setup_files *files, struct mailbox *main, struct error *err) {
    *guide = (struct guide){
        .options = options, .files = files, .main = main, .finish_mail = {.open = on_finish_mail}};
    pthread_mutex_init(&guide->lock, NULL);
    const struct http_route routes[GUIDE_ROUTES] = {
        {.path = "/setup", .methods = "GET", .on_request = on_setup},
        {.path = "/setup/callback", .methods = "GET", .on_request = on_callback},
        {.path = "/setup/manifest", .methods = "POST", .on_request = on_manifest},
        {.path = "/setup/lines", .methods = "POST", .on_request = on_lines},
        {.path = "/setup/finish", .methods = "POST", .on_request = on_finish},
    };
    for (size_t i = 0; i < GUIDE_ROUTES; i++) {
        guide->routes[i] = routes[i];
        guide->routes[i].context = guide;
        if (strcmp(routes[i].methods, "POST") == 0) {
            guide->routes[i].max_body_bytes = SETUP_FORM_BYTES_MAX;
        }
    }
    if (!setup_web_url(options->config->github.api_url, guide->web_url)) {
        return error_set(err, "github.api_url is too long");
    }
    if (app_needs_merge(&guide->needs, options->plugins, options->n_plugins) < 0) {
        return error_set(err, "out of memory");
    }
    if (setup_session_init(&guide->session, clock_monotonic_ms(), err) < 0) {
        return -1;
    }
    extend(guide, guide->session.until_ms);
    return 0;
}

void guide_end(struct guide *guide) {
    SCOPED_LOCK(&guide->lock);
    guide->ending = true;
}

void guide_finish(struct guide *guide) {
    pthread_mutex_destroy(&guide->lock);
    app_needs_finish(&guide->needs);
    setup_app_finish(&guide->app);
    setup_session_finish(&guide->session);
}
