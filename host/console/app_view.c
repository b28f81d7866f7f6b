/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks GitHub with two requests, one after the other, and reads their JSON. */
#include "console/app_view.h"

#include "base/clock.h"
#include "base/time_text.h"
#include "console/room.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define AGE_MAX_MS 60000
/* A page waits so long for GitHub, because other pages wait meanwhile. */
#define WAIT_MS 2000
#define POLL_MS 100

static void submit(struct console *console, const char *url,
                   void (*on_done)(struct broker_request *request)) {
    struct app_view *view = &console->app_view;
    view->request = (struct broker_request){.kind = BROKER_APP,
                                            .method = "GET",
                                            .url = url,
                                            .reply_to = &console->results,
                                            .on_done = on_done};
    view->busy = true;
    console->options.request(console->options.context, &view->request);
}

/* Takes the response over. False: the question has ended with a problem. */
static bool take(struct app_view *view, struct buffer *json) {
    struct broker_request *request = &view->request;
    bool fine = request->outcome == 0;
    view->busy = false;
    view->read_ms = clock_monotonic_ms();
    snprintf(view->problem, sizeof view->problem, "%s", fine ? "" : request->error.text);
    if (fine) {
        buffer_finish(json);
        *json = request->response;
        request->response = (struct buffer)BUFFER_INIT(0);
    }
    broker_request_finish(request);
    return fine;
}

static struct console *console_of(struct broker_request *request) {
    return CONTAINER_OF(CONTAINER_OF(request, struct app_view, request), struct console, app_view);
}

static void on_installations(struct broker_request *request) {
    struct app_view *view = &console_of(request)->app_view;
    take(view, &view->installations);
}

static void on_app(struct broker_request *request) {
    struct console *console = console_of(request);
    if (take(&console->app_view, &console->app_view.app) && !atomic_load(&console->closing)) {
        submit(console, "/app/installations?per_page=100", on_installations);
    }
}

struct app_view *app_view_read(struct console *console) {
    struct app_view *view = &console->app_view;
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + WAIT_MS;
    /* Out of the mailbox: a response that came since the last page. */
    mailbox_drain(&console->results);
    bool asks = !view->busy && (view->read_ms == 0 || now_ms - view->read_ms > AGE_MAX_MS);
    if (asks) {
        submit(console, "/app", on_app);
    }
    while (asks && view->busy && !atomic_load(&console->closing) &&
           clock_monotonic_ms() < until_ms) {
        struct pollfd mail = {.fd = console->results.event_fd, .events = POLLIN};
        (void)poll(&mail, 1, POLL_MS);
        mailbox_drain(&console->results);
    }
    return view;
}

void app_view_finish(struct app_view *view) {
    buffer_finish(&view->app);
    buffer_finish(&view->installations);
}

/* ---- reading ---- */

static bool find(const struct buffer *json, const char *path, struct json_value *value) {
    return json->data && json_find(json->data, json->bytes, path, value);
}

static void read_text(const char *json, size_t bytes, const char *path,
                      char text[APP_VIEW_TEXT_MAX]) {
    struct json_value value;
    text[0] = '\0';
    if (json_find(json, bytes, path, &value) && value.type == JSON_STRING &&
        value.raw_bytes < APP_VIEW_TEXT_MAX) {
        text[json_unescape(value.raw + 1, value.raw_bytes - 2, text)] = '\0';
    }
}

static bool is_address(const char *text) {
    return strncmp(text, "https://", strlen("https://")) == 0 ||
           strncmp(text, "http://", strlen("http://")) == 0;
}

bool app_view_is_known(const struct app_view *view) {
    struct json_value value;
    return find(&view->app, "permissions", &value) && find(&view->installations, "", &value) &&
           value.type == JSON_ARRAY_BEGIN;
}

void app_view_permission(const struct app_view *view, const char *name,
                         char level[APP_VIEW_TEXT_MAX]) {
    char path[APP_VIEW_TEXT_MAX];
    snprintf(path, sizeof path, "permissions.%s", name);
    read_text(view->app.data, view->app.bytes, path, level);
}

bool app_view_has_event(const struct app_view *view, const char *name) {
    char path[32];
    struct json_value value;
    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof path, "events[%u]", i);
        if (!find(&view->app, path, &value)) {
            return false;
        }
        if (value.type == JSON_STRING &&
            json_text_is(value.raw + 1, value.raw_bytes - 2, name, strlen(name))) {
            return true;
        }
    }
}

/* The App's page is at https://HOST/apps/SLUG, or at https://HOST/github-apps/SLUG. */
void app_view_settings_url(const struct app_view *view, char url[APP_VIEW_URL_MAX]) {
    char page[APP_VIEW_TEXT_MAX], slug[APP_VIEW_TEXT_MAX], login[APP_VIEW_TEXT_MAX],
        type[APP_VIEW_TEXT_MAX];
    url[0] = '\0';
    if (!view->app.data) {
        return;
    }
    read_text(view->app.data, view->app.bytes, "html_url", page);
    read_text(view->app.data, view->app.bytes, "slug", slug);
    read_text(view->app.data, view->app.bytes, "owner.login", login);
    read_text(view->app.data, view->app.bytes, "owner.type", type);
    char *host = strstr(page, "://");
    char *path = host ? strchr(host + strlen("://"), '/') : NULL;
    if (!is_address(page) || !path || !*slug) {
        return;
    }
    *path = '\0';
    if (strcmp(type, "Organization") == 0) {
        snprintf(url, APP_VIEW_URL_MAX, "%s/organizations/%s/settings/apps/%s", page, login, slug);
    } else {
        snprintf(url, APP_VIEW_URL_MAX, "%s/settings/apps/%s", page, slug);
    }
}

bool app_view_installation(const struct app_view *view, size_t index,
                           struct app_installation *installation) {
    char path[32];
    struct json_value *json = &installation->json, id;
    snprintf(path, sizeof path, "[%zu]", index);
    if (index >= APP_VIEW_INSTALLATIONS_MAX || !find(&view->installations, path, json)) {
        return false;
    }
    bool named =
        json_find(json->raw, json->raw_bytes, "id", &id) && id.raw_bytes < sizeof installation->id;
    snprintf(installation->id, sizeof installation->id, "%.*s", named ? (int)id.raw_bytes : 0,
             named ? id.raw : "");
    read_text(json->raw, json->raw_bytes, "account.login", installation->account);
    read_text(json->raw, json->raw_bytes, "html_url", installation->url);
    if (!is_address(installation->url)) {
        installation->url[0] = '\0';
    }
    char suspended[APP_VIEW_TEXT_MAX];
    read_text(json->raw, json->raw_bytes, "suspended_at", suspended);
    installation->suspended = *suspended;
    read_text(json->raw, json->raw_bytes, "repository_selection", installation->repositories);
    return true;
}

void app_installation_permission(const struct app_installation *installation, const char *name,
                                 char level[APP_VIEW_TEXT_MAX]) {
    char path[APP_VIEW_TEXT_MAX];
    snprintf(path, sizeof path, "permissions.%s", name);
    read_text(installation->json.raw, installation->json.raw_bytes, path, level);
}
