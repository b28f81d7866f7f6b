/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One plugin: what it needs, compared with GitHub's settings of the App and with what each
 * installation grants. */
#include "console/app_view.h"
#include "console/pages.h"
#include "console/plugins.h"
#include "console/room.h"
#include "console/view.h"
#include "github_app/events.h"
#include "github_app/needs.h"
#include "github_app/permissions.h"

#include <string.h>

/* Installations of one sentence. */
#define NAMED_MAX 20

static bool is_enough(const char *level, enum permission_level needed) {
    return github_permission_level(level) >= needed;
}

/* ---- HTML ---- */

/* *all: the installations that GitHub lists. */
static size_t count_lacking(const struct app_view *view, const struct app_need *need, size_t *all) {
    struct app_installation one;
    size_t lacking = 0;
    char level[APP_VIEW_TEXT_MAX];
    for (*all = 0; app_view_installation(view, *all, &one); (*all)++) {
        app_installation_permission(&one, need->name, level);
        lacking += !is_enough(level, need->level);
    }
    return lacking;
}

/* The installations that grant less than the plugin needs, with the place where owners accept. */
static void put_lacking(struct buffer *page, const struct app_view *view,
                        const struct app_need *need) {
    struct app_installation one;
    size_t all, named = 0, lacking = count_lacking(view, need, &all);
    char level[APP_VIEW_TEXT_MAX];
    if (lacking == 0) {
        http_page_put(page, "granted by all (%zu)", all);
        return;
    }
    http_page_put(page,
                  lacking == 1 ? "%zu of %zu does not grant it: " : "%zu of %zu do not grant it: ",
                  lacking, all);
    for (size_t i = 0; named < NAMED_MAX && app_view_installation(view, i, &one); i++) {
        app_installation_permission(&one, need->name, level);
        if (is_enough(level, need->level)) {
            continue;
        }
        http_page_html(page, named++ == 0 ? "" : ", ");
        if (*one.url) {
            http_page_put(page, "<a href=\"%s\" rel=\"noreferrer\">%s</a>", one.url, one.account);
        } else {
            http_page_text(page, one.account);
        }
        http_page_put(page, " (%s)", github_permission_words(github_permission_level(level)));
    }
    http_page_html(page, lacking > named ? ", …" : "");
}

static bool declares(const struct description *description, const char *permission) {
    for (size_t i = 0; i < description->n_permissions; i++) {
        if (strcmp(description->permissions[i].name, permission) == 0) {
            return true;
        }
    }
    return false;
}

/* Without an optional permission the plugin does its other work. */
static bool is_optional(const struct description *description, const struct app_need *need) {
    return declares(description, need->name) && need->required == PERMISSION_NONE;
}

static const char *kind_of_need(const struct description *description,
                                const struct app_need *need) {
    if (!declares(description, need->name)) {
        return " (for its events)";
    }
    return is_optional(description, need) ? " (optional)" : "";
}

static void put_permission(struct buffer *page, const struct app_view *view,
                           const struct description *description, const struct app_need *need) {
    char level[APP_VIEW_TEXT_MAX];
    const struct github_permission *known = github_permission_find(need->name, NULL);
    app_view_permission(view, need->name, level);
    bool enough = is_enough(level, need->level);
    http_page_put(page, "<tr><th scope=\"row\">%s</th><td>%s%s</td><td>",
                  known ? known->title : need->name, github_permission_words(need->level),
                  kind_of_need(description, need));
    const char *lack = is_optional(description, need) ? "not requested" : "missing";
    view_state(page, enough ? "requested" : lack);
    http_page_put(page, " %s</td><td class=\"wide\">",
                  github_permission_words(github_permission_level(level)));
    put_lacking(page, view, need);
    http_page_html(page, "</td></tr>\n");
}

/* "the settings of the App", as a link where it is known. */
static void put_settings_link(struct buffer *page, const struct app_view *view) {
    char url[APP_VIEW_URL_MAX];
    app_view_settings_url(view, url);
    if (*url) {
        http_page_put(page,
                      "<a href=\"%s/permissions\" rel=\"noreferrer\">the settings of the App at "
                      "GitHub</a>",
                      url);
    } else {
        http_page_html(page, "the settings of the App at GitHub");
    }
}

static void put_permissions(struct buffer *page, const struct app_view *view,
                            const struct description *description, const struct app_needs *needs) {
    http_page_html(page, "<h2 id=\"permissions\">Permissions</h2>\n");
    if (needs->n_permissions == 0) {
        http_page_html(page, "<p>It needs none but <code>metadata: read</code>.</p>\n");
        return;
    }
    http_page_html(page, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                         "aria-labelledby=\"permissions\"><table class=\"list "
                         "grants\">\n<thead><tr><th scope=\"col\">"
                         "Permission</th><th scope=\"col\">The plugin declares</th><th "
                         "scope=\"col\">The App requests</th><th scope=\"col\">Installations "
                         "grant it</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < needs->n_permissions; i++) {
        put_permission(page, view, description, &needs->permissions[i]);
    }
    http_page_html(page, "</tbody></table></div>\n<p class=\"hint\">Add a missing permission in ");
    put_settings_link(page, view);
    http_page_html(page, ". Then an owner of each installation accepts it on the page of the "
                         "installation, and the parked runs go on by themselves.</p>\n");
}

static void put_events(struct buffer *page, const struct app_view *view,
                       const struct app_needs *needs) {
    http_page_html(page, "<h2 id=\"events\">Events</h2>\n<ul>\n");
    for (size_t i = 0; i < needs->n_events; i++) {
        char title[GITHUB_EVENT_TITLE_MAX];
        const char *name = needs->events[i].name;
        http_page_put(page, "<li><code>%s</code> ", name);
        if (app_view_has_event(view, name)) {
            view_state(page, "subscribed");
            http_page_html(page, "</li>\n");
        } else {
            view_state(page, "not subscribed");
            http_page_put(page, " GitHub sends none: tick “%s” in ",
                          github_event_title(name, title));
            put_settings_link(page, view);
            http_page_html(page, ".</li>\n");
        }
    }
    http_page_html(page, needs->n_events > 0 ? "</ul>\n"
                                             : "<li>none that an App subscribes to</li></ul>\n");
}

static void put_github(struct console_task *task, const struct description *description) {
    struct buffer *page = &task->page;
    struct app_needs needs;
    const struct app_view *view = app_view_read(task->console);
    if (!app_view_is_known(view)) {
        http_page_put(page,
                      "<h2>Permissions and events at GitHub</h2>\n<p class=\"notice\">GitHub has "
                      "not said yet what it grants. %s Load this page again.</p>\n",
                      view->problem);
        return;
    }
    if (app_needs_merge(&needs, &description, 1) == 0) {
        put_permissions(page, view, description, &needs);
        put_events(page, view, &needs);
    }
    app_needs_finish(&needs);
}

/* ---- JSON ---- */

static void put_json_permission(struct buffer *json, const struct app_view *view,
                                const struct app_need *need) {
    struct app_installation one;
    char level[APP_VIEW_TEXT_MAX];
    app_view_permission(view, need->name, level);
    view_json_open(json, NULL, '{');
    view_json_text(json, "name", need->name);
    view_json_text(json, "declared", github_permission_words(need->level));
    view_json_bool(json, "optional", need->required == PERMISSION_NONE);
    view_json_text(json, "app", level);
    view_json_open(json, "granted", '{');
    for (size_t i = 0; app_view_installation(view, i, &one); i++) {
        app_installation_permission(&one, need->name, level);
        view_json_text(json, one.id, level);
    }
    view_json_close(json, '}');
    view_json_close(json, '}');
}

static void put_json_github(struct console_task *task, const struct description *description) {
    struct buffer *json = &task->page;
    struct app_needs needs;
    const struct app_view *view = app_view_read(task->console);
    view_json_bool(json, "github_known", app_view_is_known(view));
    if (!app_view_is_known(view)) {
        return;
    }
    char url[APP_VIEW_URL_MAX];
    app_view_settings_url(view, url);
    view_json_text(json, "app_settings", url);
    if (app_needs_merge(&needs, &description, 1) == 0) {
        view_json_open(json, "permissions", '[');
        for (size_t i = 0; i < needs.n_permissions; i++) {
            put_json_permission(json, view, &needs.permissions[i]);
        }
        view_json_close(json, ']');
        view_json_open(json, "events", '{');
        for (size_t i = 0; i < needs.n_events; i++) {
            view_json_bool(json, needs.events[i].name,
                           app_view_has_event(view, needs.events[i].name));
        }
        view_json_close(json, '}');
    }
    app_needs_finish(&needs);
}

/* ---- GET /console/plugins/NAME ---- */

void page_plugin(struct console_task *task) {
    const struct console_options *options = &task->console->options;
    const struct description *description = NULL;
    bool more = true;
    size_t index = 0;
    for (size_t i = 0; more && !description; i++) {
        description = options->describe(options->context, i, &more);
        index = i;
        if (description && strcmp(description->name, task_rest(task)) != 0) {
            description = NULL;
        }
    }
    if (!description) {
        view_problem(task, 404, "No such plugin", "No plugin of this name is loaded here.",
                     "Look at the page of plugins.");
        return;
    }
    if (task->wants_json) {
        if (plugins_put_json_one(task, description->name) == 0) {
            put_json_github(task, description);
            view_json_close(&task->page, '}');
        }
        return;
    }
    if (plugins_put_one(task, index, description) == 0) {
        put_github(task, description);
        view_end(&task->page);
    }
}
