/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The comparison of an App with the needs of the plugins. */
#include "cli/app_check.h"

#include "base/text.h"
#include "cli/app_needs_text.h"
#include "cli/cli.h"
#include "github_app/events.h"
#include "setup/origins.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names of plugins in a sentence. */
#define PLUGINS_TEXT_MAX 256
#define ACCOUNT_MAX 128
#define EVENTS_TEXT_MAX 1024

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

void app_settings_url(const struct config *config, const json_t *app, char url[APP_URL_MAX]) {
    const json_t *owner = json_object_get(app, "owner");
    const char *slug = text_at(app, "slug"), *login = text_at(owner, "login"),
               *type = text_at(owner, "type");
    char web_url[SETUP_ORIGIN_MAX];
    url[0] = '\0';
    if (!slug || !setup_web_url(config->github.api_url, web_url)) {
        return;
    }
    if (login && type && strcmp(type, "Organization") == 0) {
        snprintf(url, APP_URL_MAX, "%s/organizations/%s/settings/apps/%s", web_url, login, slug);
    } else {
        snprintf(url, APP_URL_MAX, "%s/settings/apps/%s", web_url, slug);
    }
}

/* The `html_url` of an object of GitHub's, at the web address that belongs to github.api_url. */
static const char *page_of(const struct app_check *check, const json_t *object,
                           const char *otherwise, char url[APP_URL_MAX]) {
    const char *page = text_at(object, "html_url"), *host = page ? strstr(page, "://") : NULL;
    const char *path = host ? strchr(host + 3, '/') : NULL;
    char web_url[SETUP_ORIGIN_MAX];
    if (path && setup_web_url(check->config->github.api_url, web_url)) {
        snprintf(url, APP_URL_MAX, "%s%s", web_url, path);
    } else {
        snprintf(url, APP_URL_MAX, "%s", otherwise);
    }
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
            findings_warning(check->findings,
                             "permission %s: the App has \"%s\", so %s works without this optional "
                             "permission: to use it, set %s",
                             need->name, github_permission_words(level),
                             name_plugins(check, need->plugins, plugins),
                             app_needs_permission_place(need, place));
        } else if (level < need->required) {
            findings_problem(
                check->findings,
                "permission %s: the App has \"%s\", which is too little for %s: set %s", need->name,
                github_permission_words(level), name_plugins(check, need->plugins, plugins),
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

/* GitHub lists no event although the plugins need some: no subscription is checked. */
static void report_no_events(const struct app_check *check) {
    char titles[EVENTS_TEXT_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < check->needs->n_events && used < sizeof titles; i++) {
        char title[GITHUB_EVENT_TITLE_MAX];
        used += (size_t)snprintf(titles + used, sizeof titles - used, "%s%s", i > 0 ? ", " : "",
                                 github_event_title(check->needs->events[i].name, title));
    }
    findings_problem(check->findings,
                     "events: the App subscribes to none, so GitHub sends it nothing that a plugin "
                     "needs: check " APP_FORM_PERMISSIONS " > Subscribe to events > %s",
                     titles);
}

static bool needs_listed_event(const struct app_check *check) {
    for (size_t i = 0; i < check->needs->n_events; i++) {
        if (!comes_with_checks(check, check->needs->events[i].name)) {
            return true;
        }
    }
    return false;
}

void app_check_events(const struct app_check *check) {
    const json_t *events = json_object_get(check->app, "events");
    if (json_is_array(events) && json_array_size(events) == 0 && needs_listed_event(check)) {
        report_no_events(check);
        return;
    }
    for (size_t i = 0; i < check->needs->n_events; i++) {
        const struct app_need *need = &check->needs->events[i];
        char place[APP_NEED_PLACE_MAX], plugins[PLUGINS_TEXT_MAX];
        if (!lists(events, need->name) && !comes_with_checks(check, need->name)) {
            bool one = __builtin_popcountll(need->plugins) == 1;
            findings_idle(
                check->findings,
                "event %s: %s %s it, and the App does not seem to subscribe to it: check %s "
                "(GitHub does not list every event; ignore this if it is checked)",
                need->name, name_plugins(check, need->plugins, plugins), one ? "needs" : "need",
                app_needs_event_place(need, place));
        }
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
    char page[APP_URL_MAX];
    page_of(check, installation, "GitHub", page);
    for (size_t i = 0; i < needs->n_permissions; i++) {
        struct app_need need = needs->permissions[i];
        char place[APP_NEED_PLACE_MAX], plugins[PLUGINS_TEXT_MAX];
        need.level = expected(check, &need);
        if (level_at(granted, need.name) < need.level) {
            lacking |= need.plugins;
            findings_idle(
                check->findings,
                "installation %s (%s) has not accepted a permission yet, so %s can do nothing "
                "there: an owner accepts it at %s > Review request: %s",
                id, account, name_plugins(check, need.plugins, plugins), page,
                strstr(app_needs_permission_place(&need, place), " > ") + 3);
        }
    }
    return lacking;
}

void app_check_installation(const struct app_check *check, const json_t *installation) {
    const struct description *descriptions[CONFIG_PLUGINS_MAX] = {NULL};
    const char *account = text_at(json_object_get(installation, "account"), "login"),
               *since = text_at(installation, "suspended_at");
    struct app_needs needs;
    uint64_t present = 0;
    char id[24], shown[ACCOUNT_MAX], page[APP_URL_MAX];
    snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(installation, "id")));
    account = account ? account : "?";
    text_clean(shown, sizeof shown, account, strlen(account));
    printf("installation    %s on %s\n", id, shown);
    if (since) {
        findings_idle(
            check->findings,
            "installation %s (%s) is suspended since %s, so the bot does nothing there: an owner "
            "ends that at %s > Unsuspend",
            id, shown, since, page_of(check, installation, "GitHub", page));
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
        findings_problem(check->findings, "installation %s: out of memory", id);
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
        findings_problem(
            check->findings,
            "installations: %s can act in none of them: the warnings above have the reason; "
            "otherwise plugin.installations names none of these installations",
            name_plugins(check, unable, plugins));
    }
}

void app_check_installed(const struct app_check *check, size_t count) {
    char page[APP_URL_MAX];
    if (count == 0) {
        findings_problem(
            check->findings,
            "installations: there is none, so the bot gets no event: Settings > Install App, or "
            "open %s/installations/new",
            page_of(check, check->app, "the App's page", page));
        return;
    }
    check_able(check);
}
