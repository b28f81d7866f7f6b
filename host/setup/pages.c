/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The setup's pages. Each works without scripts. */
#include "setup/guide.h"

#include "github_app/events.h"
#include "github_app/permissions.h"
#include "ingest/page.h"

#include <inttypes.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (512 << 10)
#define SELF "'self'"

static void begin(struct buffer *page, const char *title) {
    http_page_begin(page, title);
    http_page_html(page, "<h1>");
    http_page_html(page, title);
    http_page_html(page, "</h1>\n");
}

/* `text` from anywhere between two pieces of HTML. */
static void put(struct buffer *page, const char *before, const char *text, const char *after) {
    http_page_html(page, before);
    http_page_text(page, text);
    http_page_html(page, after);
}

static void put_form_token(struct buffer *page, const struct guide *guide) {
    put(page, "<input type=\"hidden\" name=\"form\" value=\"", guide->session.form, "\">\n");
}

static void put_button(struct buffer *page, const struct guide *guide, const char *action,
                       bool second, const char *text) {
    put(page, "<form method=\"post\" action=\"", action, "\">\n");
    put_form_token(page, guide);
    http_page_html(page, second ? "<p><button class=\"second\">" : "<p><button>");
    put(page, "", text, "</button></p>\n</form>\n");
}

/* ---- what the plugins need ---- */

static void put_plugin_names(struct buffer *page, const struct guide *guide, uint64_t plugins) {
    const char *separator = "";
    for (size_t i = 0; i < guide->options->n_plugins; i++) {
        if (plugins & UINT64_C(1) << i && guide->options->plugins[i]) {
            put(page, separator, guide->options->plugins[i]->name, "");
            separator = ", ";
        }
    }
}

static void put_needs(struct buffer *page, const struct guide *guide) {
    const struct app_needs *needs = &guide->needs;
    http_page_html(page, "<h3 id=\"permissions\">Permissions of the App</h3>\n"
                         "<table aria-labelledby=\"permissions\">\n<thead><tr><th "
                         "scope=\"col\">Permission</th><th scope=\"col\">Access</th><th "
                         "scope=\"col\">Plugins</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < needs->n_permissions; i++) {
        const struct app_need *need = &needs->permissions[i];
        const struct github_permission *known = github_permission_find(need->name, NULL);
        put(page, "<tr><th scope=\"row\">", known ? known->title : need->name, "");
        if (known && known->section != PERMISSION_OF_REPOSITORIES) {
            put(page, " (", github_permission_section(known->section), ")");
        }
        http_page_html(page, "</th>");
        put(page, "<td>", github_permission_words(need->level),
            need->required < need->level ? " (optional)</td><td>" : "</td><td>");
        put_plugin_names(page, guide, need->plugins);
        http_page_html(page, "</td></tr>\n");
    }
    http_page_html(page, "</tbody>\n</table>\n<p class=\"hint\">GitHub adds <em>Metadata: "
                         "Read-only</em>.</p>\n<h3 id=\"events\">Events that GitHub sends</h3>\n"
                         "<ul aria-labelledby=\"events\">\n");
    for (size_t i = 0; i < needs->n_events; i++) {
        char title[GITHUB_EVENT_TITLE_MAX];
        put(page, "<li>", github_event_title(needs->events[i].name, title), " (");
        put_plugin_names(page, guide, needs->events[i].plugins);
        http_page_html(page, ")</li>\n");
    }
    http_page_html(page, needs->n_events > 0 ? "</ul>\n" : "<li>none</li>\n</ul>\n");
}

static void put_plugins(struct buffer *page, const struct guide *guide) {
    http_page_html(page, "<h2>The bot's plugins</h2>\n<ul>\n");
    for (size_t i = 0; i < guide->options->n_plugins; i++) {
        const struct description *plugin = guide->options->plugins[i];
        if (plugin) {
            put(page, "<li><strong>", plugin->name, "</strong> ");
            put(page, "", plugin->version, ": ");
            put(page, "", plugin->summary, "</li>\n");
        }
    }
    http_page_html(page, "</ul>\n");
    put_needs(page, guide);
}

/* ---- the first page ---- */

static void put_problem(struct buffer *page, const char *id, const char *problem) {
    if (*problem) {
        put(page, "<p class=\"error\" id=\"", id, "-problem\">");
        put(page, "", problem, "</p>\n");
    }
}

/* The attributes of an entry that may be wrong. */
static void put_entry(struct buffer *page, const char *id, const char *value, const char *problem) {
    put(page, " id=\"", id, "\"");
    put(page, " name=\"", id, "\"");
    put(page, " value=\"", value, "\" aria-describedby=\"");
    put(page, "", id, "-hint");
    if (*problem) {
        put(page, " ", id, "-problem\" aria-invalid=\"true");
    }
    http_page_html(page, "\" autocomplete=\"off\" spellcheck=\"false\">\n");
}

static void put_owner(struct buffer *page, const struct guide *guide,
                      const struct setup_choices *choices, const struct setup_problems *problems) {
    bool organization = !choices->account;
    http_page_html(page, "<fieldset>\n<legend>Who owns the App?</legend>\n"
                         "<p class=\"choice\"><input type=\"radio\" name=\"owner\" "
                         "value=\"organization\" id=\"owner-organization\"");
    http_page_html(page, organization ? " checked" : "");
    http_page_html(page, "> <label for=\"owner-organization\">An organization (you must be its "
                         "owner)</label></p>\n<div class=\"field\"><label for=\"organization\">"
                         "Organization</label>\n<p class=\"hint\" id=\"organization-hint\">As in "
                         "the address ");
    put(page, "", guide->web_url, "/ORGANIZATION</p>\n");
    put_problem(page, "organization", problems->organization);
    http_page_html(page, "<input type=\"text\" maxlength=\"39\"");
    put_entry(page, "organization", choices->organization, problems->organization);
    http_page_html(page, "</div>\n<p class=\"choice\"><input type=\"radio\" name=\"owner\" "
                         "value=\"account\" id=\"owner-account\"");
    http_page_html(page, organization ? "" : " checked");
    http_page_html(page, "> <label for=\"owner-account\">My own account</label></p>\n"
                         "</fieldset>\n");
}

static void put_name(struct buffer *page, const struct setup_choices *choices,
                     const struct setup_problems *problems) {
    http_page_html(page, "<div class=\"field\"><label for=\"name\">Name of the App</label>\n"
                         "<p class=\"hint\" id=\"name-hint\">People see it beside the bot's "
                         "comments. No other App at GitHub may have it. At most 34 "
                         "characters.</p>\n");
    put_problem(page, "name", problems->name);
    http_page_html(page, "<input type=\"text\" maxlength=\"34\"");
    put_entry(page, "name", choices->name, problems->name);
    http_page_html(page, "</div>\n");
}

static void put_reach(struct buffer *page, const struct guide *guide,
                      const struct setup_choices *choices, const struct setup_problems *problems) {
    const struct config *config = guide->options->config;
    bool only_pull = config->github.receive == CONFIG_RECEIVE_PULL;
    http_page_html(page, "<fieldset>\n<legend>How do events reach the bot?</legend>\n");
    if (!only_pull) {
        http_page_html(page, "<p class=\"choice\"><input type=\"radio\" name=\"pull\" value=\"no\" "
                             "id=\"push\"");
        http_page_html(page, choices->pull ? "" : " checked");
        http_page_html(
            page, "> <label for=\"push\">GitHub posts events to this address</label></p>\n"
                  "<div class=\"field\"><label for=\"address\">Public address</label>\n"
                  "<p class=\"hint\" id=\"address-hint\">https://HOST, as in "
                  "https://bot.example.org. A proxy with a certificate passes the events on to "
                  "this host.</p>\n");
        put_problem(page, "address", problems->address);
        http_page_html(page, "<input type=\"url\" maxlength=\"300\"");
        put_entry(page, "address", choices->address, problems->address);
        http_page_html(page, "</div>\n");
    }
    http_page_html(page, "<p class=\"choice\"><input type=\"radio\" name=\"pull\" value=\"yes\" "
                         "id=\"pull\"");
    http_page_html(page, choices->pull || only_pull ? " checked" : "");
    http_page_html(page, "> <label for=\"pull\">I have no public address: the bot asks GitHub for "
                         "events every ");
    if (config->github.pull_interval_seconds > 1) {
        buffer_printf(page, "%u seconds", config->github.pull_interval_seconds);
    } else {
        http_page_html(page, "second");
    }
    http_page_html(page, "</label></p>\n</fieldset>\n");
}

static void put_summary(struct buffer *page, const struct setup_problems *problems) {
    const struct {
        const char *id, *problem;
    } all[] = {{"organization", problems->organization},
               {"name", problems->name},
               {"address", problems->address}};
    if (!problems->any) {
        return;
    }
    http_page_html(page,
                   "<div class=\"error\" role=\"alert\">\n<p>Please correct this:</p>\n<ul>\n");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i].problem) {
            put(page, "<li><a href=\"#", all[i].id, "\">");
            put(page, "", all[i].problem, "</a></li>\n");
        }
    }
    http_page_html(page, "</ul>\n</div>\n");
}

void page_ask(struct guide *guide, struct http_request *request, unsigned status,
              const struct setup_choices *choices, const struct setup_problems *problems) {
    AUTO_WIPED_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    begin(&page, "Set up your bot");
    put_summary(&page, problems);
    http_page_html(&page, "<p>A bot acts at GitHub as a <em>GitHub App</em>. This page makes one "
                          "that has exactly the permissions and events that the bot's plugins "
                          "need, and stores its key on this machine.</p>\n");
    put_plugins(&page, guide);
    http_page_html(&page, "<h2>The App</h2>\n<form method=\"post\" action=\"/setup/manifest\">\n");
    put_form_token(&page, guide);
    put_owner(&page, guide, choices, problems);
    put_name(&page, choices, problems);
    put_reach(&page, guide, choices, problems);
    http_page_html(&page, "<p><button>Continue</button></p>\n</form>\n");
    http_respond_page(request, status, &page, SELF);
}

/* ---- to GitHub ---- */

void page_send(struct guide *guide, struct http_request *request,
               const struct setup_attempt *attempt, const char *origin) {
    AUTO_WIPED_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    AUTO_FREE char *manifest =
        setup_manifest(&guide->needs, &attempt->choices, origin, guide->web_url);
    char target[SETUP_TARGET_MAX], policy[SETUP_ORIGIN_MAX];
    if (!manifest || !setup_manifest_target(attempt, guide->web_url, target)) {
        http_reject(request, 503, "the host is out of memory", "try again");
        return;
    }
    begin(&page, "Create the App at GitHub");
    put(&page, "<p>The button leads to GitHub. There, GitHub asks you to confirm the name <strong>",
        attempt->choices.name, "</strong>, and then leads back here.</p>\n");
    if (attempt->choices.pull) {
        http_page_html(&page, "<p>GitHub shows a webhook address that does not exist. The bot "
                              "needs it, to read GitHub's list of deliveries.</p>\n");
    } else {
        put(&page, "<p>GitHub will post events to <code>", attempt->choices.address,
            "/webhook/github</code>.</p>\n");
    }
    put(&page, "<form method=\"post\" action=\"", target, "\">\n");
    put(&page, "<input type=\"hidden\" name=\"manifest\" value=\"", manifest, "\">\n");
    http_page_html(&page, "<p><button>Create the App at GitHub</button></p>\n</form>\n"
                          "<p><a href=\"/setup\">Change something</a></p>\n<details>\n"
                          "<summary>What GitHub gets</summary>\n");
    put(&page, "<pre tabindex=\"0\">", manifest, "</pre>\n</details>\n");
    snprintf(policy, sizeof policy, "%s", guide->web_url);
    http_respond_page(request, 200, &page, policy);
}

/* ---- there is an App ---- */

static void put_installation(struct buffer *page, const struct guide *guide) {
    put(page, "<p><a href=\"", guide->app.page, "/installations/new\">Install ");
    put(page, "", guide->app.slug, " on GitHub</a>: choose the repositories for it. ");
    http_page_html(page, "Without an installation the bot does nothing.</p>\n");
}

static void put_stored(struct buffer *page, const struct guide *guide) {
    char key[SETUP_FILE_NAME_MAX], secret[SETUP_FILE_NAME_MAX];
    if (!guide->stored) {
        put(page, "<p class=\"error\">The App's key is not stored: ", guide->not_stored.text,
            ". Show the lines below, and store them yourself. This page has the only copy of the "
            "key.</p>\n");
        return;
    }
    setup_files_names(&guide->app, key, secret);
    put(page, "<p>The configuration is <code>", guide->files->file, "</code>. ");
    put(page, "The App's private key is in the file <code>", key, "</code> beside it");
    if (guide->app.webhook_secret.bytes > 0) {
        put(page, ", and the webhook secret in <code>", secret, "</code>");
    }
    http_page_html(page, ". Only the bot's user can read them.</p>\n");
}

static void put_own_secret(struct buffer *page, const struct guide *guide) {
    if (guide->own_secret && !guide->choices.pull) {
        put(page,
            "<p class=\"note\">GitHub made no webhook secret, so this host has made one. "
            "Enter it at GitHub: open <a href=\"",
            guide->app.page,
            "\">the App</a>, then <em>App settings</em>, <em>Webhook</em>, "
            "<em>Secret</em>. The lines below show it.</p>\n");
    }
}

void page_made(struct guide *guide, struct http_request *request) {
    AUTO_WIPED_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, guide->app.id);
    begin(&page, "Your App exists");
    put(&page, "<p class=\"state\">GitHub has made the App <strong>", guide->app.slug,
        "</strong> with the id ");
    put(&page, "", id, ".</p>\n");
    put_stored(&page, guide);
    put_own_secret(&page, guide);
    if (guide->choices.pull) {
        http_page_html(&page,
                       "<p class=\"note\">Start the bot before you install the App: it takes "
                       "only the events after its first start.</p>\n");
    }
    if (guide->stored) {
        bool starts = !guide->options->by_terminal;
        http_page_html(&page, starts
                                  ? "<h2>Start the bot</h2>\n<p>The setup ends, and the bot starts "
                                    "with the App. It also does so in 10 minutes by itself.</p>\n"
                                  : "<h2>End the setup</h2>\n<p>Then start the bot from the "
                                    "terminal.</p>\n");
        put_button(&page, guide, "/setup/finish", false,
                   starts ? "Start the bot" : "End the setup");
    }
    http_page_html(&page, "<h2>On a platform with config vars</h2>\n<p>Heroku and others keep no "
                          "files. There the bot reads its App from variables.</p>\n");
    if (guide->shown) {
        http_page_html(&page, "<p>This setup has shown them already, and shows them once.</p>\n");
    } else {
        http_page_html(&page, "<p>The next page shows them, with the private key, once.</p>\n");
        put_button(&page, guide, "/setup/lines", true, "Show the variables once");
    }
    if (!guide->stored) {
        put_button(&page, guide, "/setup/finish", true, "End the setup");
    }
    http_respond_page(request, 200, &page, SELF);
}

/* ---- the variables ---- */

static int put_key(struct buffer *lines, const struct secret *key) {
    size_t bytes = BASE64_ENCODE_RAW_LENGTH(key->bytes);
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(2 * CONFIG_SECRET_MAX);
    if (buffer_reserve(&text, bytes + 1) < 0) {
        return -1;
    }
    base64_encode_raw(text.data, key->bytes, (const uint8_t *)key->data);
    text.bytes = bytes;
    buffer_append_text(lines, "GITHUB_PRIVATE_KEY=");
    buffer_append(lines, text.data, bytes);
    return buffer_append_text(lines, "\n");
}

static int put_variables(struct buffer *lines, const struct guide *guide) {
    const struct setup_app *app = &guide->app;
    buffer_printf(lines, "GITHUB_APP_ID=%" PRId64 "\n", app->id);
    if (app->webhook_secret.bytes > 0) {
        buffer_printf(lines, "GITHUB_WEBHOOK_SECRET=%s\n", app->webhook_secret.data);
    }
    if (*guide->choices.address) {
        buffer_printf(lines, "SNEKOMATIC_PUBLIC_URL=%s\n", guide->choices.address);
    }
    return put_key(lines, &app->key);
}

int page_lines(struct guide *guide, struct http_request *request) {
    AUTO_WIPED_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    AUTO_WIPED_BUFFER struct buffer lines = BUFFER_INIT(4 * CONFIG_SECRET_MAX);
    AUTO_BUFFER struct buffer config = BUFFER_INIT(CONFIG_SECRET_MAX);
    if (buffer_reserve(&page, PAGE_MAX) < 0 || buffer_reserve(&lines, lines.max) < 0 ||
        put_variables(&lines, guide) < 0) {
        http_reject(request, 503, "the host is out of memory", "try again");
        return -1;
    }
    begin(&page, "The bot's variables");
    http_page_html(
        &page, "<p class=\"note\">Copy these lines now. They are shown once, and "
               "whoever has them can act as your bot.</p>\n<h2 id=\"variables\">Variables</h2>\n"
               "<p>Each line is a name, an equals sign and a value, for the page of "
               "config vars or for a file of variables.</p>\n");
    put(&page, "<pre tabindex=\"0\" role=\"region\" aria-labelledby=\"variables\">", lines.data,
        "</pre>\n");
    if (!guide->stored && setup_files_lines(guide->files, guide->options->config, &guide->app,
                                            &guide->choices, &config) == 0) {
        put(&page,
            "<h2 id=\"file\">Or the lines of the configuration</h2>\n<pre tabindex=\"0\" "
            "role=\"region\" aria-labelledby=\"file\">",
            config.data, "</pre>\n");
    }
    if (guide->choices.pull) {
        http_page_html(&page, "<p>No variable turns pull mode on: the configuration needs "
                              "<code>receive = \"pull\"</code> in its table "
                              "<code>[github]</code>.</p>\n");
    }
    http_page_html(&page, "<p><a href=\"/setup\">Back</a></p>\n");
    http_respond_page(request, 200, &page, SELF);
    return 0;
}

/* ---- the end ---- */

static bool has_plugin(const struct guide *guide, const char *name) {
    for (size_t i = 0; i < guide->options->n_plugins; i++) {
        const struct description *plugin = guide->options->plugins[i];
        if (plugin && strcmp(plugin->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void put_start(struct buffer *page, const struct guide *guide, bool starts) {
    if (starts) {
        http_page_html(page, "<p>In a moment the bot is up: <a href=\"/\">see its page</a>.</p>\n");
        if (guide->choices.pull && !guide->options->config->server.listen_given) {
            http_page_html(page, "<p>It listens on this machine only, because nobody else needs "
                                 "its pages in pull mode.</p>\n");
        }
    } else if (guide->stored) {
        put(page, "<p>In the terminal: <code>snekomatic serve -c ", guide->files->file,
            "</code></p>\n");
    } else {
        http_page_html(page, "<p>Set the variables, and start the bot again.</p>\n");
    }
}

void page_finished(struct guide *guide, struct http_request *request) {
    AUTO_WIPED_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    bool starts = guide->stored && !guide->options->by_terminal;
    begin(&page, starts ? "The bot starts" : "The setup has ended");
    if (!starts) {
        http_page_html(&page, "<h2>Start the bot</h2>\n");
    }
    put_start(&page, guide, starts);
    http_page_html(&page, "<h2>Install the App</h2>\n");
    put_installation(&page, guide);
    http_page_html(&page, "<h2>Check it</h2>\n");
    if (guide->stored) {
        put(&page,
            "<p>Ask GitHub in a terminal whether all is well: <code>snekomatic check "
            "--online -c ",
            guide->files->file, "</code></p>\n");
    }
    if (has_plugin(guide, "ping")) {
        http_page_html(&page,
                       "<p>Write <code>/ping</code> in an issue of a repository where the App "
                       "is installed: the bot responds with a comment.</p>\n");
    }
    http_respond_page(request, 200, &page, NULL);
}

void page_problem(struct http_request *request, unsigned status, const char *title,
                  const char *problem, const char *fix, bool again) {
    AUTO_BUFFER struct buffer page = BUFFER_INIT(PAGE_MAX);
    begin(&page, title);
    put(&page, "<p class=\"error\">", problem, "</p>\n");
    put(&page, "<p>", fix, "</p>\n");
    if (again) {
        http_page_html(&page, "<p><a href=\"/setup\">To the setup's page</a></p>\n");
    }
    http_respond_page(request, status, &page, NULL);
}
