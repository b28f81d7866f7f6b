/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The comparison of an App with the needs of the plugins. */
#include "cli/app_check.h"

#include "base/text.h"
#include "cli/app_needs_text.h"
#include "cli/cli.h"
#include "github_app/events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names of plugins in a sentence. */
#define PLUGINS_TEXT_MAX 256
#define ACCOUNT_MAX 128

__attribute__((format(printf, 2, 0))) static void print_finding(const char *prefix,
                                                                const char *format, va_list args) {
    char text[2048];
    fflush(stdout);
    vsnprintf(text, sizeof text, format, args);
    /* Names and URLs come from GitHub. */
    text_clean_in_place(text);
    fprintf(stderr, "%s%s\n", prefix, text);
}

__attribute__((format(printf, 2, 3))) static void problem(const struct app_check *check,
                                                          const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("", format, args);
    va_end(args);
    check->findings->problems++;
}

__attribute__((format(printf, 2, 3))) static void warning(const struct app_check *check,
                                                          const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("warning: ", format, args);
    va_end(args);
    check->findings->warnings++;
}

/* A warning with which a plugin may do nothing. */
__attribute__((format(printf, 2, 3))) static void idle(const struct app_check *check,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("warning: ", format, args);
    va_end(args);
    check->findings->warnings++;
    check->findings->idle++;
}

static const char *text_at(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* "plugin invite", "plugins invite and ping". */
static const char *name_plugins(const struct app_check *check, uint64_t plugins,
                                char text[PLUGINS_TEXT_MAX]) {
    size_t count = (size_t)__builtin_popcountll(plugins), used, seen = 0;
    used = (size_t)snprintf(text, PLUGINS_TEXT_MAX, "%s", count == 1 ? "plugin" : "plugins");
    for (size_t i = 0; i < CONFIG_PLUGINS_MAX && used < PLUGINS_TEXT_MAX; i++) {
        const struct description *d = check->plugins->descriptions[i];
        const char *joint = " ";
        if (!(plugins & (UINT64_C(1) << i)) || !d) {
            continue;
        }
        if (seen > 0) {
            joint = seen + 1 == count ? " and " : ", ";
        }
        seen++;
        used += (size_t)snprintf(text + used, PLUGINS_TEXT_MAX - used, "%s%s", joint, d->name);
    }
    return text;
}

void app_settings_url(const json_t *app, char url[APP_URL_MAX]) {
    const json_t *owner = json_object_get(app, "owner");
    const char *page = text_at(app, "html_url"), *slug = text_at(app, "slug"),
               *login = text_at(owner, "login"), *type = text_at(owner, "type");
    const char *host = page ? strstr(page, "://") : NULL;
    url[0] = '\0';
    if (!host || !slug) {
        return;
    }
    int origin_bytes = (int)(host + 3 - page + (ptrdiff_t)strcspn(host + 3, "/"));
    if (login && type && strcmp(type, "Organization") == 0) {
        snprintf(url, APP_URL_MAX, "%.*s/organizations/%s/settings/apps/%s", origin_bytes, page,
                 login, slug);
    } else {
        snprintf(url, APP_URL_MAX, "%.*s/settings/apps/%s", origin_bytes, page, slug);
    }
}

const char *app_webhook_url(const char *public_url, char url[APP_URL_MAX]) {
    snprintf(url, APP_URL_MAX, "%s" APP_WEBHOOK_PATH, public_url);
    return url;
}

/* -- permissions and events -- */

static enum permission_level level_at(const json_t *permissions, const char *name) {
    return github_permission_level(text_at(permissions, name));
}

void app_check_permissions(const struct app_check *check) {
    const json_t *granted = json_object_get(check->app, "permissions");
    for (size_t i = 0; i < check->needs->n_permissions; i++) {
        const struct app_need *need = &check->needs->permissions[i];
        enum permission_level level = level_at(granted, need->name);
        char place[APP_NEED_PLACE_MAX], plugins[PLUGINS_TEXT_MAX];
        if (level < need->level && level >= need->required) {
            warning(check,
                    "permission %s: the App has \"%s\", so %s works without this optional "
                    "permission: to use it, set %s",
                    need->name, github_permission_words(level),
                    name_plugins(check, need->plugins, plugins),
                    app_needs_permission_place(need, place));
        } else if (level < need->required) {
            problem(check, "permission %s: the App has \"%s\", which is too little for %s: set %s",
                    need->name, github_permission_words(level),
                    name_plugins(check, need->plugins, plugins),
                    app_needs_permission_place(need, place));
        }
    }
}

static bool lists(const json_t *events, const char *name) {
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) {
        if (json_is_string(event) && strcmp(json_string_value(event), name) == 0) {
            return true;
        }
    }
    return false;
}

/* An App that may write checks gets their events without a subscription. */
static bool comes_with_checks(const struct app_check *check, const char *event) {
    return (strcmp(event, "check_run") == 0 || strcmp(event, "check_suite") == 0) &&
           level_at(json_object_get(check->app, "permissions"), "checks") >= PERMISSION_WRITE;
}

void app_check_events(const struct app_check *check) {
    const json_t *events = json_object_get(check->app, "events");
    for (size_t i = 0; i < check->needs->n_events; i++) {
        const struct app_need *need = &check->needs->events[i];
        char place[APP_NEED_PLACE_MAX], plugins[PLUGINS_TEXT_MAX];
        if (!lists(events, need->name) && !comes_with_checks(check, need->name)) {
            bool one = __builtin_popcountll(need->plugins) == 1;
            idle(check,
                 "event %s: %s %s it, and the App does not seem to subscribe to it: check %s "
                 "(GitHub does not list every event; ignore this if it is checked)",
                 need->name, name_plugins(check, need->plugins, plugins), one ? "needs" : "need",
                 app_needs_event_place(need, place));
        }
    }
}

/* -- the webhook -- */

static bool ends_with(const char *text, const char *end) {
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

bool app_pull_host(const char *host) {
    return ends_with(host, ".invalid");
}

/* In pull mode nobody receives at the URL. */
static void check_pull_url(const struct app_check *check, const char *url) {
    char host[APP_URL_MAX];
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(start, ":/?#"), start);
    if (!app_pull_host(host)) {
        warning(check,
                "webhook URL: it is %s, and GitHub sends all payloads there, though the host pulls "
                "them: set " APP_FORM_WEBHOOK " > Webhook URL: " APP_PULL_URL,
                url);
    }
}

/* The URL that the form should have. */
static const char *wanted_url(const struct app_check *check, char url[APP_URL_MAX]) {
    const char *public_url = check->config->server.public_url;
    if (check->config->github.receive == CONFIG_RECEIVE_PULL) {
        return APP_PULL_URL;
    }
    return public_url ? app_webhook_url(public_url, url) : "https://YOUR-HOST" APP_WEBHOOK_PATH;
}

static void check_url(const struct app_check *check, const char *url) {
    if (check->config->github.receive == CONFIG_RECEIVE_PULL) {
        check_pull_url(check, url);
        return;
    }
    const char *public_url = check->config->server.public_url;
    char wanted[APP_URL_MAX];
    if (public_url && strcmp(url, app_webhook_url(public_url, wanted)) != 0) {
        problem(check,
                "webhook URL: it is %s, not that of server.public_url: set " APP_FORM_WEBHOOK
                " > Webhook URL: %s, or run `%s`",
                url, wanted, cli_command("hook --set-url").text);
    } else if (!ends_with(url, APP_WEBHOOK_PATH)) {
        problem(check,
                "webhook URL: it is %s, but the host receives webhooks at " APP_WEBHOOK_PATH
                " only: set " APP_FORM_WEBHOOK " > Webhook URL: "
                "https://YOUR-HOST" APP_WEBHOOK_PATH,
                url);
    } else if (!public_url) {
        printf("                set server.public_url to have this URL compared\n");
    }
}

static void check_way(const struct app_check *check, const json_t *config) {
    const char *type = text_at(config, "content_type"), *insecure = text_at(config, "insecure_ssl");
    if (type && strcmp(type, "json") != 0) {
        warning(check,
                "webhook content type: it is %s, and the signature then covers an encoded form: "
                "set " APP_FORM_WEBHOOK " > Content type: application/json, or run "
                "`%s`",
                type, cli_command("hook --set-url").text);
    }
    if (insecure && strcmp(insecure, "0") != 0) {
        warning(check, "webhook SSL verification: it is off, so GitHub sends webhooks to anybody "
                       "who answers at this address: set " APP_FORM_WEBHOOK
                       " > SSL verification: Enable SSL verification");
    }
}

void app_check_webhook(const struct app_check *check, const json_t *config) {
    const char *url = text_at(config, "url"), *secret = text_at(config, "secret");
    bool pulls = check->config->github.receive == CONFIG_RECEIVE_PULL;
    char wanted[APP_URL_MAX];
    if (!url || !*url) {
        problem(check,
                "webhook: the App has none, or it is not active%s: check " APP_FORM_WEBHOOK
                " > Active, and set Webhook URL: %s",
                pulls ? ", so GitHub lists no deliveries" : "", wanted_url(check, wanted));
        return;
    }
    AUTO_FREE char *shown = strdup(url);
    if (shown) {
        text_clean_in_place(shown);
        printf("webhook         %s\n", shown);
    }
    check_url(check, url);
    if (!pulls) {
        check_way(check, config);
    }
    if (!pulls && (!secret || !*secret)) {
        problem(check, "webhook secret: the App has none, so the host rejects every webhook: "
                       "set " APP_FORM_WEBHOOK " > Secret: the one of github.webhook_secret_file");
    }
}

/* -- installations -- */

static bool acts_in(const struct config_plugin *plugin, const char *id) {
    if (!plugin->installations) {
        return true;
    }
    for (size_t i = 0; plugin->installations[i]; i++) {
        if (strcmp(plugin->installations[i], id) == 0 ||
            strcmp(plugin->installations[i], "*") == 0) {
            return true;
        }
    }
    return false;
}

/* The level that the installation should have accepted: it may lack what is optional. */
static enum permission_level expected(const struct app_check *check, const struct app_need *need) {
    enum permission_level offered =
        level_at(json_object_get(check->app, "permissions"), need->name);
    return offered < need->required ? offered : need->required;
}

/* Returns the plugins that lack a permission. */
static uint64_t check_accepted(const struct app_check *check, const struct app_needs *needs,
                               const json_t *installation, const char *id, const char *account) {
    uint64_t lacking = 0;
    const json_t *granted = json_object_get(installation, "permissions");
    const char *page = text_at(installation, "html_url");
    for (size_t i = 0; i < needs->n_permissions; i++) {
        struct app_need need = needs->permissions[i];
        char place[APP_NEED_PLACE_MAX], plugins[PLUGINS_TEXT_MAX];
        need.level = expected(check, &need);
        if (level_at(granted, need.name) < need.level) {
            lacking |= need.plugins;
            idle(check,
                 "installation %s (%s) has not accepted a permission yet, so %s can do nothing "
                 "there: an owner accepts it at %s > Review request: %s",
                 id, account, name_plugins(check, need.plugins, plugins), page ? page : "GitHub",
                 strstr(app_needs_permission_place(&need, place), " > ") + 3);
        }
    }
    return lacking;
}

void app_check_installation(const struct app_check *check, const json_t *installation) {
    const struct description *descriptions[CONFIG_PLUGINS_MAX] = {NULL};
    const char *account = text_at(json_object_get(installation, "account"), "login"),
               *since = text_at(installation, "suspended_at"),
               *page = text_at(installation, "html_url");
    struct app_needs needs;
    uint64_t present = 0;
    char id[24], shown[ACCOUNT_MAX];
    snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(installation, "id")));
    account = account ? account : "?";
    text_clean(shown, sizeof shown, account, strlen(account));
    printf("installation    %s on %s\n", id, shown);
    if (since) {
        idle(check,
             "installation %s (%s) is suspended since %s, so the bot does nothing there: an owner "
             "ends that at %s > Unsuspend",
             id, shown, since, page ? page : "GitHub");
        return;
    }
    for (size_t i = 0; i < check->config->n_plugins; i++) {
        if (acts_in(&check->config->plugins[i], id)) {
            descriptions[i] = check->plugins->descriptions[i];
            present |= descriptions[i] ? UINT64_C(1) << i : 0;
        }
    }
    if (app_needs_merge(&needs, descriptions, check->config->n_plugins) == 0) {
        *check->able |= present & ~check_accepted(check, &needs, installation, id, shown);
    } else {
        problem(check, "installation %s: out of memory", id);
    }
    app_needs_finish(&needs);
}

/* With warnings about single installations, the bot may still work in others. */
static void check_able(const struct app_check *check) {
    uint64_t unable = 0;
    char plugins[PLUGINS_TEXT_MAX];
    for (size_t i = 0; i < check->config->n_plugins; i++) {
        if (check->plugins->descriptions[i] && !(*check->able & UINT64_C(1) << i)) {
            unable |= UINT64_C(1) << i;
        }
    }
    if (unable != 0) {
        problem(check,
                "installations: %s can act in none of them: the warnings above have the reason; "
                "otherwise plugin.installations names none of these installations",
                name_plugins(check, unable, plugins));
    }
}

void app_check_installed(const struct app_check *check, size_t count) {
    const char *page = text_at(check->app, "html_url");
    if (count == 0) {
        problem(
            check,
            "installations: there is none, so the bot gets no event: Settings > Install App, or "
            "open %s/installations/new",
            page ? page : "the App's page");
        return;
    }
    check_able(check);
}
