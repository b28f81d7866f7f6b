/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The commands that contributors may use: those of the plugins that are loaded here. */
#include "console/pages.h"
#include "console/room.h"
#include "console/view.h"

#include <string.h>

static const struct description *next_plugin(struct console_task *task, size_t *index) {
    const struct console_options *options = &task->console->options;
    bool more = true;
    while (more) {
        const struct description *one = options->describe(options->context, (*index)++, &more);
        if (one) {
            return one;
        }
    }
    return NULL;
}

/* A usage is "/name ARGUMENTS: explanation" by convention. */
static void put_command(struct buffer *page, const struct described_command *command) {
    const char *colon = strstr(command->usage, ": ");
    http_page_html(page, "<dt><code>");
    if (*command->usage != '/') {
        http_page_put(page, "/%s</code></dt><dd>%s", command->name, command->usage);
        return;
    }
    http_page_text_bytes(page, command->usage,
                         colon ? (size_t)(colon - command->usage) : strlen(command->usage));
    http_page_put(page, "</code></dt><dd>%s", colon ? colon + strlen(": ") : "");
}

/* Such a plugin acts by itself. */
static void put_without_commands(struct buffer *page, const struct description *plugin) {
    http_page_html(page, "<p class=\"hint\">It has no commands. It acts by itself");
    for (size_t i = 0; i < plugin->n_subscriptions; i++) {
        const struct described_subscription *one = &plugin->subscriptions[i];
        http_page_put(page, "%s<code>%s%s%s</code>", i > 0 ? ", " : " on ", one->event,
                      *one->action ? "." : "", one->action);
    }
    http_page_html(page, ".</p>\n");
}

static void put_plugin(struct buffer *page, const struct description *plugin) {
    http_page_put(page, "<h2>%s</h2>\n<p>%s</p>\n", plugin->name, plugin->summary);
    if (plugin->n_commands == 0) {
        put_without_commands(page, plugin);
        return;
    }
    http_page_html(page, "<dl class=\"facts\">\n");
    for (size_t i = 0; i < plugin->n_commands; i++) {
        const struct described_command *command = &plugin->commands[i];
        char roles[DESCRIPTION_ROLES_MAX];
        description_roles(command->roles, roles);
        put_command(page, command);
        http_page_put(page, " <span class=\"soft\">(%s)</span></dd>\n", roles);
    }
    http_page_html(page, "</dl>\n");
}

static void put_page(struct console_task *task) {
    struct buffer *page = &task->page;
    const struct description *plugin;
    size_t index = 0;
    bool any = false;
    view_begin(task, "Commands of this bot", false);
    http_page_html(page,
                   "<p>Write a command on a line of its own, in an issue, a pull request or a "
                   "comment. The bot ignores commands in quotes, lists and code.</p>\n");
    while ((plugin = next_plugin(task, &index))) {
        put_plugin(page, plugin);
        any = true;
    }
    http_page_html(page, any ? "" : "<p class=\"card\">This bot has no plugin.</p>\n");
    view_end(page);
}

static void put_json(struct console_task *task) {
    struct buffer *json = &task->page;
    const struct description *plugin;
    size_t index = 0;
    view_json_open(json, NULL, '{');
    view_json_open(json, "commands", '[');
    while ((plugin = next_plugin(task, &index))) {
        for (size_t i = 0; i < plugin->n_commands; i++) {
            char roles[DESCRIPTION_ROLES_MAX];
            description_roles(plugin->commands[i].roles, roles);
            view_json_open(json, NULL, '{');
            view_json_text(json, "command", plugin->commands[i].name);
            view_json_text(json, "usage", plugin->commands[i].usage);
            view_json_text(json, "plugin", plugin->name);
            view_json_text(json, "roles", roles);
            view_json_close(json, '}');
        }
    }
    view_json_close(json, ']');
    index = 0;
    view_json_open(json, "plugins", '[');
    while ((plugin = next_plugin(task, &index))) {
        view_json_open(json, NULL, '{');
        view_json_text(json, "plugin", plugin->name);
        view_json_text(json, "summary", plugin->summary);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}

void page_help(struct console_task *task) {
    if (task->wants_json) {
        put_json(task);
    } else {
        put_page(task);
    }
}
