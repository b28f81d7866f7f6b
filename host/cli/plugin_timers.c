/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists the pending timers of the store, the next one first. It only reads, so the host may run. */
#include "cli/plugin_timers.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/plugin_holds.h"
#include "cli/store_client.h"
#include "inbox/timers.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define VERB "plugins"
/* A timer has at most 72 KiB. */
#define TIMERS_SHOWN 500

struct options {
    const char *config_path, *plugin;
    bool json;
};

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, const char *usage, struct options *options) {
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->config_path = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            /* getopt has reported the error */
            return EX_USAGE;
        }
    }
    if (argc - optind > 2) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 2]);
    }
    options->plugin = argc - optind == 2 ? argv[optind + 1] : NULL;
    if (options->plugin && strlen(options->plugin) > INBOX_NAME_MAX) {
        return cli_usage_error(VERB, "no plugin has such a long name");
    }
    return -1;
}

static json_t *body_of(const struct inbox_due_timer *timer) {
    return json_loadb(timer->body.data ? timer->body.data : "", timer->body.bytes, 0, NULL);
}

static void print_timer(const struct inbox_due_timer *timer) {
    char due[TIME_TEXT_MAX], key[201] = "?";
    json_t *body = body_of(timer);
    const char *text = json_string_value(json_object_get(json_object_get(body, "timer"), "key"));
    if (text) {
        text_clean(key, sizeof key, text, strlen(text));
    }
    time_text(timer->due_ms, due);
    printf("%s  %s at installation %s: %s\n", due, timer->plugin, timer->installation, key);
    json_decref(body);
}

/* NULL when memory is short. */
static json_t *json_of(const struct inbox_due_timer *timer) {
    char due[TIME_TEXT_MAX];
    json_t *body = body_of(timer);
    json_t *about = json_object_get(body, "timer");
    time_text(timer->due_ms, due);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:O?, s:O?, s:O?}", "due", due, "plugin", timer->plugin,
                  "installation", timer->installation, "delivery", timer->guid, "key",
                  json_object_get(about, "key"), "data", json_object_get(about, "data"),
                  "repository", json_object_get(json_object_get(body, "repository"), "full_name"));
    json_decref(body);
    return json;
}

static int print_json(const struct inbox_timers_due *due) {
    json_t *list = json_array();
    for (size_t i = 0; i < due->n_timers; i++) {
        json_array_append_new(list, json_of(&due->timers[i]));
    }
    int result = list ? json_dumpf(list, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(list);
    return result == 0 ? EX_OK : EX_OSERR;
}

static int print_text(const struct inbox_timers_due *due) {
    for (size_t i = 0; i < due->n_timers; i++) {
        print_timer(&due->timers[i]);
    }
    if (due->n_timers == 0) {
        printf("no timer is set\n");
    } else if (due->n_timers == TIMERS_SHOWN) {
        printf("only the next %d timers are shown\n", TIMERS_SHOWN);
    }
    return EX_OK;
}

static int list_timers(struct store_client *client, const struct config *config,
                       const void *context) {
    const struct options *options = context;
    char names[INBOX_NAME_MAX + 3];
    snprintf(names, sizeof names, "\n%s\n", options->plugin ? options->plugin : "");
    struct inbox_timers_due due = {.operation = {.kind = INBOX_TIMERS_DUE},
                                   .now_ms = INT64_MAX,
                                   .plugins = options->plugin ? names : NULL,
                                   .most = TIMERS_SHOWN};
    if (store_client_do(client, VERB, &due.operation) < 0) {
        return EX_TEMPFAIL;
    }
    int status = EX_OK;
    if (options->plugin && due.n_timers == 0) {
        status = plugin_holds_check_name(client, config, options->plugin, false);
    }
    if (status == EX_OK) {
        status = options->json ? print_json(&due) : print_text(&due);
    }
    inbox_due_timers_free(due.timers, due.n_timers);
    return status;
}

int plugin_timers_list(int argc, char **argv, const char *usage) {
    struct options options = {.json = false};
    int status = parse(argc, argv, usage, &options);
    return status >= 0 ? status
                       : store_client_run(VERB, options.config_path, CONFIG_NEED_NOTHING, false,
                                          list_timers, &options);
}
