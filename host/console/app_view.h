/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's own view of the App: the permissions and events of its settings, and what each
 * installation grants. It is asked when a page needs it, at most once a minute. The console's
 * thread. */
#ifndef SNEK_CONSOLE_APP_VIEW_H
#define SNEK_CONSOLE_APP_VIEW_H

#include "base/buffer.h"
#include "base/json.h"
#include "broker/broker.h"

#include <stdbool.h>
#include <stdint.h>

/* Installations that one page of GitHub's list has. */
#define APP_VIEW_INSTALLATIONS_MAX 100
#define APP_VIEW_TEXT_MAX 256
#define APP_VIEW_URL_MAX 1024

struct console;

struct app_view {
    struct broker_request request;
    /* The request is with the broker. */
    bool busy;
    /* JSON of GET /app and of GET /app/installations; empty: not known. */
    struct buffer app, installations;
    /* Monotonic clock: the last question ended; 0: none was asked. */
    int64_t read_ms;
    /* Why the last question failed; "": it did not. */
    char problem[ERROR_TEXT_MAX];
};

/* Asks if it is time to, and then waits a moment for the response. Older ones stay until then. */
struct app_view *app_view_read(struct console *console);
/* No thread may use the console any more, and the broker has ended. */
void app_view_finish(struct app_view *view);

/* GitHub's responses are there. */
bool app_view_is_known(const struct app_view *view);
/* The level of the App's own setting: "read", "write" ...; "" for none. */
void app_view_permission(const struct app_view *view, const char *name,
                         char level[APP_VIEW_TEXT_MAX]);
bool app_view_has_event(const struct app_view *view, const char *name);

/* GitHub's page of the App's settings; "" when it is not known. */
void app_view_settings_url(const struct app_view *view, char url[APP_VIEW_URL_MAX]);

/* An installation; its texts are GitHub's. */
struct app_installation {
    struct json_value json;
    char id[APP_VIEW_TEXT_MAX], account[APP_VIEW_TEXT_MAX];
    /* GitHub's page of the installation; "" for anything but an address. */
    char url[APP_VIEW_TEXT_MAX];
    /* "all" or "selected". */
    char repositories[APP_VIEW_TEXT_MAX];
    bool suspended;
};
/* False: there is none with this index. */
bool app_view_installation(const struct app_view *view, size_t index,
                           struct app_installation *installation);
void app_installation_permission(const struct app_installation *installation, const char *name,
                                 char level[APP_VIEW_TEXT_MAX]);

#endif
