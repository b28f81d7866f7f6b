/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Puts together what the store knows about a delivery's runs, what the host would do with it today,
 * and what the plugins' workers find in its payload. */
#include "cli/deliveries_why.h"

#include "base/cleanup.h"
#include "cli/deliveries_output.h"
#include "cli/plugin_inspection.h"
#include "dispatch/explain.h"
#include "inbox/admin.h"
#include "inbox/bot_user.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define VERB "deliveries"

struct why {
    const struct config *config;
    struct inbox_list list;
    struct inbox_body body;
    struct explained_plugin plugins[CONFIG_PLUGINS_MAX];
};

/* ---- the store ---- */

static int read_bot_user(struct store_client *store_client, const struct config *config,
                         int64_t *id) {
    AUTO_FREE char *app = NULL;
    if (!config->github.app_id) {
        return EX_OK;
    }
    if (asprintf(&app, "%s %s", config->github.api_url, config->github.app_id) < 0) {
        app = NULL;
        return EX_OSERR;
    }
    struct inbox_bot_user bot = {.operation = {.kind = INBOX_BOT_USER_GET}, .app = app};
    if (store_client_do(store_client, VERB, &bot.operation) < 0) {
        return EX_TEMPFAIL;
    }
    *id = bot.user;
    return EX_OK;
}

/* Without the payload only the host's reasons are known. */
static int read_delivery(struct store_client *store_client, const char *guid, struct why *why) {
    why->list =
        (struct inbox_list){.operation = {.kind = INBOX_LIST}, .guid = guid, .most = SIZE_MAX};
    int found = store_client_do(store_client, VERB, &why->list.operation);
    if (found != 0) {
        if (found > 0) {
            fprintf(stderr, "snekomatic " VERB ": the store has no delivery '%s'\n", guid);
        }
        return found < 0 ? EX_TEMPFAIL : EX_DATAERR;
    }
    why->body = (struct inbox_body){.operation = {.kind = INBOX_BODY}, .guid = guid};
    int result = store_client_do(store_client, VERB, &why->body.operation);
    return result < 0 ? EX_TEMPFAIL : EX_OK;
}

/* ---- output ---- */

static const struct inbox_entry *run_of(const struct why *why, const char *plugin) {
    for (size_t i = 0; i < why->list.n_entries; i++) {
        if (strcmp(why->list.entries[i].plugin, plugin) == 0) {
            return &why->list.entries[i];
        }
    }
    return NULL;
}

static const char *name_of(const struct why *why, size_t index) {
    const struct description *description = why->plugins[index].description;
    return description ? description->name : why->config->plugins[index].as_written;
}

static json_t *json_handlers(const struct explained_plugin *plugin) {
    json_t *list = json_array();
    for (size_t i = 0; i < plugin->n_items; i++) {
        const struct explained *item = &plugin->items[i];
        char sentence[EXPLAINED_SENTENCE_MAX + 1];
        explained_sentence(item, sentence);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kind",
                                              explained_kind_name(item->kind), "name", item->name,
                                              "verdict", explained_verdict_name(item->verdict),
                                              "condition", item->condition, "saw", item->saw, "why",
                                              sentence));
    }
    return list;
}

static json_t *json_plugin(const struct why *why, size_t index, enum explain_host host,
                           const char *sentence) {
    const struct inbox_entry *run = run_of(why, name_of(why, index));
    json_t *plugin = json_pack("{s:s, s:s, s:s, s:o}", "plugin", name_of(why, index), "host",
                               explain_host_name(host), "why", sentence, "handlers",
                               json_handlers(&why->plugins[index]));
    json_object_set_new(plugin, "state", run ? json_string(run->state) : json_null());
    json_object_set_new(plugin, "label", run ? json_string(run->label) : json_null());
    json_object_set_new(plugin, "reason", run ? json_string(run->reason) : json_null());
    return plugin;
}

static void print_plugin(const struct why *why, size_t index, enum explain_host host,
                         const char *sentence) {
    const struct explained_plugin *plugin = &why->plugins[index];
    const struct inbox_entry *run = run_of(why, name_of(why, index));
    printf("\nplugin        ");
    deliveries_print_text(name_of(why, index), 0);
    printf(": ");
    if (run) {
        bool same = strcmp(run->state, run->label) == 0 || !*run->label;
        printf("its run is %s%s", run->state, same ? "" : ", ");
        deliveries_print_text(same ? "" : run->label, 0);
        printf("%s", *run->reason ? ": " : "");
        deliveries_print_text(run->reason, 0);
    } else {
        printf("it has no run");
    }
    printf("\n");
    if (host != EXPLAIN_ROUTED) {
        printf("  the host    ");
        deliveries_print_text(sentence, 0);
        printf("\n");
    }
    if (plugin->rejection) {
        printf("  its worker  ");
        deliveries_print_text(plugin->rejection, 0);
        printf("\n");
    }
    for (size_t i = 0; i < plugin->n_items; i++) {
        char reason[EXPLAINED_SENTENCE_MAX + 1];
        explained_sentence(&plugin->items[i], reason);
        printf("  %s ", explained_kind_name(plugin->items[i].kind));
        deliveries_print_text(plugin->items[i].name, 0);
        printf(": ");
        deliveries_print_text(reason, 0);
        printf("\n");
    }
}

static int print(const struct why *why, const struct explain_delivery *delivery, bool json) {
    json_t *plugins = json_array();
    if (!json) {
        printf("delivery      ");
        deliveries_print_text(delivery->guid, 0);
        printf("\nevent         ");
        deliveries_print_text(delivery->event, 0);
        printf("%s", *delivery->action ? "." : "");
        deliveries_print_text(delivery->action, 0);
        printf("\nby today's configuration%s\n",
               why->body.body ? ""
                              : "; its payload was pruned, so filters and commands are not known");
    }
    for (size_t i = 0; i < why->config->n_plugins; i++) {
        char sentence[EXPLAIN_SENTENCE_MAX + 1];
        enum explain_host host =
            explain_host_reason(&why->config->plugins[i], why->plugins[i].description, delivery);
        explain_host_sentence(host, delivery, sentence);
        if (json) {
            json_array_append_new(plugins, json_plugin(why, i, host, sentence));
        } else {
            print_plugin(why, i, host, sentence);
        }
    }
    if (!json) {
        json_decref(plugins);
        return EX_OK;
    }
    return deliveries_print_json(json_pack("{s:s, s:s, s:s, s:o}", "delivery", delivery->guid,
                                           "event", delivery->event, "action", delivery->action,
                                           "plugins", plugins));
}

/* ---- */

static int explain(struct store_client *store_client, struct why *why, bool json) {
    const struct inbox_entry *entry = &why->list.entries[0];
    const struct explain_delivery delivery = {
        .guid = entry->guid,
        .event = entry->event,
        .action = entry->action,
        .installation = entry->installation,
        .repository = entry->repository,
        .received_ms = entry->received_ms,
        .payload = why->body.body ? why->body.body->data : NULL,
        .payload_bytes = why->body.body ? why->body.body->bytes : 0};
    struct worker_process_run frame = {.run = 1,
                                       .event = entry->event,
                                       .action = entry->action,
                                       .guid = entry->guid,
                                       .installation = entry->installation,
                                       .attempt = 1,
                                       .received_ms = entry->received_ms,
                                       .app = why->config->github.app_id,
                                       .payload = why->body.body};
    int status = read_bot_user(store_client, why->config, &frame.bot_user);
    if (status != EX_OK) {
        return status;
    }
    plugin_inspection_explain(why->config, &frame, why->plugins);
    return print(why, &delivery, json);
}

int deliveries_why(struct store_client *store_client, const struct config *config, const char *guid,
                   bool json) {
    struct why *why = calloc(1, sizeof *why);
    if (!why) {
        fputs("snekomatic " VERB ": out of memory\n", stderr);
        return EX_OSERR;
    }
    why->config = config;
    int status = read_delivery(store_client, guid, why);
    if (status == EX_OK) {
        status = explain(store_client, why, json);
    }
    for (size_t i = 0; i < CONFIG_PLUGINS_MAX; i++) {
        explained_plugin_finish(&why->plugins[i]);
    }
    payload_unref(why->body.body);
    inbox_entries_free(why->list.entries, why->list.n_entries);
    free(why);
    return status;
}
