/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installations: those that wait for a rate limit or for a permission, the end of their waits,
 * and the quotas at GitHub. */
#include "inbox/installations.h"
#include "console/app_view.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/view.h"
#include "metrics/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resources[] = {[INBOX_RATE_LIMIT_ALL] = "all requests",
                                        [INBOX_RATE_LIMIT_SEARCH] = "searches",
                                        [INBOX_RATE_LIMIT_GRAPHQL] = "GraphQL"};

/* The reasons for which an installation waits. */
struct waits {
    int64_t parked;
    bool limits;
};

static struct waits waits_of(const struct inbox_installations *found, const char *installation) {
    struct waits waits = {.parked = 0};
    for (size_t i = 0; i < found->n_rows; i++) {
        const struct inbox_waiting_installation *row = &found->rows[i];
        if (strcmp(row->installation, installation) == 0) {
            waits.parked += row->parked;
            waits.limits = waits.limits || !*row->plugin;
        }
    }
    return waits;
}

/* The action ends all waits of the installation. */
static void put_release(struct console_task *task, const char *installation,
                        const struct waits *waits) {
    struct buffer *page = &task->page;
    char path[CONSOLE_PATH_MAX], text[80];
    const char *runs = waits->parked == 1 ? "run" : "runs";
    snprintf(text, sizeof text, "Go on without waiting");
    if (waits->parked > 0) {
        http_page_html(page,
                       "<p>After the owner has accepted, GitHub tells the host, and the runs go "
                       "on by themselves. If they still wait then, press this button. ");
        http_page_html(page,
                       waits->limits ? "It ends the wait for GitHub’s limit too.</p>\n" : "</p>\n");
        snprintf(text, sizeof text, "Run the %" PRId64 " parked %s now", waits->parked, runs);
    } else {
        http_page_html(page, "<p>The host goes on by itself at this time. Earlier requests would "
                             "probably be rejected by GitHub.</p>\n");
    }
    snprintf(path, sizeof path, "/installations/%s/release", installation);
    if (view_form_begin(task, path)) {
        http_page_put(page,
                      "<p class=\"actions\"><button class=\"quiet\">%s<span class=\"hidden\"> of %s"
                      "</span></button></p>\n",
                      text, installation);
        view_form_end(page);
    }
}

/* GitHub's page of an installation, where its owner accepts permissions. False: not known. */
static bool find_installation(const struct app_view *view, const char *id,
                              struct app_installation *found) {
    for (size_t i = 0; app_view_installation(view, i, found); i++) {
        if (strcmp(found->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* The store cuts a long reason. */
static bool is_cut(const struct inbox_waiting_installation *row) {
    return strlen(row->reason) == sizeof row->reason - 1;
}

static void put_parked(struct buffer *page, const struct app_view *view,
                       const struct inbox_waiting_installation *row,
                       const struct app_installation *at_github) {
    char settings[APP_VIEW_URL_MAX];
    app_view_settings_url(view, settings);
    http_page_html(page, "<li><a href=\"" CONSOLE_PATH "/deliveries?state=parked&amp;plugin=");
    view_put_part(page, row->plugin);
    http_page_put(page, "\">%lld parked run%s of %s</a>: ", (long long)row->parked,
                  row->parked == 1 ? "" : "s", row->plugin);
    view_long_text(page, row->reason);
    http_page_html(page, is_cut(row) ? "…" : "");
    http_page_html(page, "<ol>\n<li><a href=\"" CONSOLE_PATH "/plugins/");
    view_put_part(page, row->plugin);
    http_page_put(
        page,
        "#permissions\">Compare the permissions of %s</a> with those of the App and of its "
        "installations.</li>\n<li>If the App does not ask for the missing one, add it in ",
        row->plugin);
    if (*settings) {
        http_page_put(page,
                      "<a href=\"%s/permissions\" rel=\"noreferrer\">the settings of the App at "
                      "GitHub</a>.</li>\n",
                      settings);
    } else {
        http_page_html(page, "the settings of the App at GitHub.</li>\n");
    }
    http_page_html(page, "<li>An owner of the account accepts it for this installation ");
    if (at_github && *at_github->url) {
        http_page_put(page, "<a href=\"%s\" rel=\"noreferrer\">on its page at GitHub</a>",
                      at_github->url);
    } else {
        http_page_html(page, "at GitHub, in <em>Settings, Applications, Configure</em>");
    }
    http_page_html(page, ".</li>\n</ol></li>\n");
}

static void put_row(struct console_task *task, const struct app_view *view,
                    const struct inbox_waiting_installation *row,
                    const struct app_installation *at_github) {
    struct buffer *page = &task->page;
    if (*row->plugin) {
        put_parked(page, view, row, at_github);
        return;
    }
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        if (row->until_ms[i] > 0) {
            http_page_put(page, "<li>GitHub's limit for %s ends ", resources[i]);
            view_time(page, row->until_ms[i], task->now_ms);
            http_page_html(page, "</li>\n");
        }
    }
}

static bool has_other_before(const struct inbox_installations *found, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(found->rows[i].installation, found->rows[index].installation) == 0) {
            return true;
        }
    }
    return false;
}

static void put_waiting(struct console_task *task, const struct inbox_installations *found,
                        const struct app_view *view) {
    struct buffer *page = &task->page;
    struct app_installation at_github;
    http_page_html(page, "<h2>Waiting</h2>\n");
    if (found->n_rows == 0) {
        http_page_html(page, "<p class=\"health good\">No installation waits for a rate limit or a "
                             "permission.</p>\n");
    }
    for (size_t i = 0; i < found->n_rows; i++) {
        const char *installation = found->rows[i].installation;
        if (has_other_before(found, i)) {
            continue;
        }
        bool known = find_installation(view, installation, &at_github);
        http_page_put(page,
                      "<section class=\"card\" id=\"i%s\">\n<h3>Installation %s %s</h3>\n<ul>\n",
                      installation, installation, known ? at_github.account : "");
        for (size_t j = i; j < found->n_rows; j++) {
            if (strcmp(found->rows[j].installation, installation) == 0) {
                put_row(task, view, &found->rows[j], known ? &at_github : NULL);
            }
        }
        http_page_html(page, "</ul>\n");
        const struct waits waits = waits_of(found, installation);
        put_release(task, installation, &waits);
        http_page_html(page, "</section>\n");
    }
}

static void put_quota(struct console_task *task, const struct app_view *view,
                      const struct metrics_quota *quota) {
    struct buffer *page = &task->page;
    struct app_installation at_github;
    bool known = find_installation(view, quota->installation, &at_github);
    long long share = quota->limit > 0 ? (long long)(quota->remaining * 100 / quota->limit) : 0;
    bool of_app = strcmp(quota->installation, "(app)") == 0;
    http_page_put(page, "<tr><th scope=\"row\">%s %s</th><td>%s</td><td class=\"nowrap\">",
                  of_app ? "the App itself" : quota->installation, known ? at_github.account : "",
                  quota->resource);
    http_page_put(page, "%lld of %lld are left</td><td>", (long long)quota->remaining,
                  (long long)quota->limit);
    http_page_put(page,
                  "<svg class=\"%s\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" "
                  "role=\"img\" aria-label=\"%lld %%\"><rect x=\"0\" y=\"1\" width=\"%lld\" "
                  "height=\"6\"/></svg></td><td class=\"nowrap\">",
                  share < 20 ? "bar low" : "bar", share, share);
    view_time(page, quota->reset_ms, task->now_ms);
    http_page_html(page, "</td><td class=\"nowrap\">");
    /* This page's own questions to GitHub came after its time. */
    view_time(page, quota->at_ms < task->now_ms ? quota->at_ms : task->now_ms, task->now_ms);
    http_page_html(page, "</td></tr>\n");
}

static void put_quotas(struct console_task *task, const struct app_view *view) {
    struct metrics_quota quotas[METRICS_LIMITS_MAX];
    size_t count = metrics_read_quotas(quotas);
    struct buffer *page = &task->page;
    http_page_html(page, "<h2 id=\"quotas\">Quotas at GitHub</h2>\n");
    if (count == 0) {
        http_page_html(page, "<p>This host has had no response from GitHub yet.</p>\n");
        return;
    }
    http_page_html(page, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                         "aria-labelledby=\"quotas\"><table class=\"list quotas\">\n<thead><tr><th "
                         "scope=\"col\">Installation</th><th scope=\"col\">Quota</th><th "
                         "scope=\"col\">Requests</th><th scope=\"col\">Left</th><th scope=\"col\">"
                         "Reset</th><th scope=\"col\">Reported</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        put_quota(task, view, &quotas[i]);
    }
    http_page_html(page, "</tbody></table></div>\n<p class=\"hint\">By the last responses to this "
                         "host. After its reset a quota is whole again.</p>\n");
}

static void put_installation(struct console_task *task, const struct inbox_installations *found,
                             const struct app_installation *one) {
    struct buffer *page = &task->page;
    const struct waits waits = waits_of(found, one->id);
    bool waiting = waits.limits || waits.parked > 0;
    http_page_html(page, "<tr><th scope=\"row\"");
    if (!waiting) {
        http_page_put(page, " id=\"i%s\"", one->id);
    }
    http_page_put(page, ">%s</th><td>%s</td><td>%s repositories</td><td>", one->account, one->id,
                  *one->repositories ? one->repositories : "its");
    if (one->suspended) {
        view_state(page, "suspended");
    } else if (waiting) {
        view_state(page, waits.parked > 0 ? "parked" : "waiting");
    }
    http_page_put(
        page, "</td><td><a href=\"" CONSOLE_PATH "/deliveries?installation=%s\">Its deliveries</a>",
        one->id);
    if (*one->url) {
        http_page_put(page, ", <a href=\"%s\" rel=\"noreferrer\">at GitHub</a>", one->url);
    }
    http_page_html(page, "</td></tr>\n");
}

static void put_all(struct console_task *task, const struct inbox_installations *found,
                    const struct app_view *view) {
    struct buffer *page = &task->page;
    struct app_installation one;
    char settings[APP_VIEW_URL_MAX];
    app_view_settings_url(view, settings);
    http_page_html(page, "<h2 id=\"all\">All installations</h2>\n");
    if (*settings) {
        http_page_put(
            page,
            "<p><a href=\"%s\" rel=\"noreferrer\">The settings of the App at GitHub</a></p>\n",
            settings);
    }
    if (!app_view_is_known(view)) {
        http_page_put(page,
                      "<p class=\"notice\">GitHub has not listed them yet. %s Load this page "
                      "again.</p>\n",
                      view->problem);
        return;
    }
    http_page_html(page, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                         "aria-labelledby=\"all\"><table class=\"list\">\n<thead><tr><th "
                         "scope=\"col\">Account</th><th scope=\"col\">Installation</th><th "
                         "scope=\"col\">Access</th><th scope=\"col\">State</th><th "
                         "scope=\"col\">Links</th></tr></thead>\n<tbody>\n");
    size_t count = 0;
    for (; app_view_installation(view, count, &one); count++) {
        put_installation(task, found, &one);
    }
    http_page_html(page, "</tbody></table></div>\n");
    if (count == APP_VIEW_INSTALLATIONS_MAX) {
        http_page_put(page, "<p class=\"hint\">These are the first %d of them.</p>\n",
                      APP_VIEW_INSTALLATIONS_MAX);
    }
}

static void put_page(struct console_task *task, const struct inbox_installations *found) {
    const struct app_view *view = app_view_read(task->console);
    view_begin(task, "Installations", true);
    view_notice(task);
    put_waiting(task, found, view);
    put_all(task, found, view);
    put_quotas(task, view);
    view_end(&task->page);
}

static void put_json_quotas(struct buffer *json) {
    struct metrics_quota quotas[METRICS_LIMITS_MAX];
    size_t count = metrics_read_quotas(quotas);
    view_json_open(json, "quotas", '[');
    for (size_t i = 0; i < count; i++) {
        view_json_open(json, NULL, '{');
        view_json_text(json, "installation", quotas[i].installation);
        view_json_text(json, "resource", quotas[i].resource);
        view_json_number(json, "limit", quotas[i].limit);
        view_json_number(json, "remaining", quotas[i].remaining);
        view_json_time(json, "reset", quotas[i].reset_ms);
        view_json_time(json, "reported", quotas[i].at_ms);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
}

static void put_json_all(struct buffer *json, const struct app_view *view) {
    struct app_installation one;
    view_json_bool(json, "github_known", app_view_is_known(view));
    view_json_open(json, "installations", '[');
    for (size_t i = 0; app_view_installation(view, i, &one); i++) {
        view_json_open(json, NULL, '{');
        view_json_text(json, "installation", one.id);
        view_json_text(json, "account", one.account);
        view_json_text(json, "repositories", one.repositories);
        view_json_bool(json, "suspended", one.suspended);
        view_json_text(json, "url", one.url);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
}

static void put_json(struct console_task *task, const struct inbox_installations *found) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "waiting", '[');
    for (size_t i = 0; i < found->n_rows; i++) {
        const struct inbox_waiting_installation *row = &found->rows[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "installation", row->installation);
        view_json_text(json, "plugin", row->plugin);
        view_json_number(json, "parked", row->parked);
        view_json_text(json, "reason", row->reason);
        view_json_time(json, "all_until", row->until_ms[INBOX_RATE_LIMIT_ALL]);
        view_json_time(json, "search_until", row->until_ms[INBOX_RATE_LIMIT_SEARCH]);
        view_json_time(json, "graphql_until", row->until_ms[INBOX_RATE_LIMIT_GRAPHQL]);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    put_json_all(json, app_view_read(task->console));
    put_json_quotas(json);
    view_json_close(json, '}');
}

void page_installations(struct console_task *task) {
    struct error err;
    struct inbox_installations found = {.operation = {.kind = INBOX_INSTALLATIONS},
                                        .now_ms = task->now_ms};
    if (room_read(task->console, &found.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (task->wants_json) {
        put_json(task, &found);
    } else {
        put_page(task, &found);
    }
    free(found.rows);
}

/* POST /console/installations/ID/release */
void action_installation(struct console_task *task) {
    static const char action[] = "/release";
    struct error err;
    char id[CONSOLE_PATH_MAX], path[CONSOLE_PATH_MAX];
    snprintf(id, sizeof id, "%s", task_rest(task));
    size_t bytes = strlen(id), action_bytes = strlen(action);
    if (bytes <= action_bytes || strcmp(id + bytes - action_bytes, action) != 0 ||
        strspn(id, "0123456789") != bytes - action_bytes) {
        view_problem(task, 404, "No such action", "The path names no installation to release.",
                     "Use the buttons on the page of installations.");
        return;
    }
    id[bytes - action_bytes] = '\0';
    struct inbox_installation_release release = {.operation = {.kind = INBOX_INSTALLATION_RELEASE},
                                                 .installation = id,
                                                 .now_ms = task->now_ms};
    int result = room_change(task->console, &release.operation, &err);
    int64_t count = release.limits + release.delayed + release.parked;
    room_note_action(task, "release installation", id, result, &err, count);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    snprintf(path, sizeof path, "/installations?what=installation&value=%" PRId64, count);
    view_redirect(task, path);
}
