/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Changes and prints the holds in the store, which all hosts of the store obey. */
#include "cli/plugin_holds.h"

#include "base/clock.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/plugin_inspection.h"
#include "cli/store_client.h"
#include "inbox/admin.h"
#include "inbox/holds.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define VERB "plugins"

enum action { PAUSE, RESUME, RELEASE };
static const char *const actions[] = {"pause", "resume", "release"};

struct options {
    enum action action;
    const char *config_path, *plugin, *value;
    /* The plugin's name is not checked. */
    bool force;
    enum inbox_hold_scope scope;
};

static int read_scope(struct options *options, enum inbox_hold_scope scope, const char *value) {
    static const char *const forms[] = {[INBOX_HOLD_INSTALLATION] =
                                            "--installation takes an installation's id",
                                        [INBOX_HOLD_REPOSITORY] = "--repository takes OWNER/REPO",
                                        [INBOX_HOLD_ITEM] = "--item takes OWNER/REPO#N"};
    size_t bytes = cli_repository_bytes(value);
    bool right = cli_is_id(value);
    if (scope == INBOX_HOLD_REPOSITORY) {
        right = cli_is_repository(value);
    } else if (scope == INBOX_HOLD_ITEM) {
        right = bytes > 0 && value[bytes] == '#' && cli_is_id(value + bytes + 1);
    }
    if (!right || strlen(value) > INBOX_HOLD_VALUE_MAX) {
        return cli_usage_error(VERB, "%s, not '%s'", forms[scope], value);
    }
    if (options->value) {
        return cli_usage_error(VERB, "--installation, --repository and --item exclude each other");
    }
    options->scope = scope;
    options->value = value;
    return EX_OK;
}

/* -1: a plugin may have the name; else the exit status. */
static int check_form(const char *name) {
    if (strlen(name) > INBOX_NAME_MAX) {
        return cli_usage_error(VERB, "no plugin has such a long name");
    }
    /* The worker's check of descriptors allows these characters. Even --force may not store a name
     * that no plugin can have. */
    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_")]) {
        return cli_usage_error(VERB,
                               "no plugin may have the name '%s': names have only a-z, 0-9, - "
                               "and _",
                               name);
    }
    return -1;
}

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, const char *usage, struct options *options) {
    static const struct option known[] = {
        {"installation", required_argument, NULL, INBOX_HOLD_INSTALLATION},
        {"repository", required_argument, NULL, INBOX_HOLD_REPOSITORY},
        {"item", required_argument, NULL, INBOX_HOLD_ITEM},
        {"force", no_argument, NULL, 'f'},
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int option, status;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case INBOX_HOLD_INSTALLATION:
        case INBOX_HOLD_REPOSITORY:
        case INBOX_HOLD_ITEM:
            status = read_scope(options, (enum inbox_hold_scope)option, optarg);
            if (status != EX_OK) {
                return status;
            }
            break;
        case 'f':
            options->force = true;
            break;
        case 'c':
            options->config_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            /* getopt has reported the error */
            return EX_USAGE;
        }
    }
    if (optind == argc) {
        return cli_usage_error(VERB, "the action is missing");
    }
    size_t action = 0;
    while (action <= RELEASE && strcmp(actions[action], argv[optind]) != 0) {
        action++;
    }
    if (action > RELEASE) {
        return cli_usage_error(
            VERB, "the action '%s' does not exist: use pause, resume, release or timers",
            argv[optind]);
    }
    options->action = (enum action)action;
    if (argc - optind < 2) {
        return cli_usage_error(VERB, "%s needs the name of a plugin", argv[optind]);
    }
    if (argc - optind > 2) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 2]);
    }
    options->plugin = argv[optind + 1];
    return check_form(options->plugin);
}

/* "ping", or "ping at installation 7". */
static void print_scope(const char *plugin, enum inbox_hold_scope scope, const char *value) {
    printf("%s", plugin);
    if (scope != INBOX_HOLD_PLUGIN) {
        printf(" at %s %s", inbox_hold_scope_name(scope), value);
    }
}

/* Has the store a run of the plugin? Any host of the store may have it. 1, 0, or -1 when the store
 * failed, which store_client_do has reported. */
static int has_runs(struct store_client *client, const char *plugin) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .plugin = plugin, .most = 1};
    if (store_client_do(client, VERB, &list.operation) != 0) {
        return -1;
    }
    bool found = list.n_entries > 0 || list.next.delivery != 0;
    inbox_entries_free(list.entries, list.n_entries);
    return found;
}

static void report_unknown(const char *plugin, const char *nearest, bool force) {
    fprintf(stderr, "error: no configured plugin has the name '%s', and the store has no run of it",
            plugin);
    if (nearest) {
        fprintf(stderr, ": did you mean %s?", nearest);
    }
    fprintf(stderr, "\n`%s` lists the names.%s\n", cli_command("plugins").text,
            force ? " Add --force if only another host of this store has the plugin." : "");
}

/* A wrong name would pause or end nothing, while the operator believes that it did. */
int plugin_holds_check_name(struct store_client *client, const struct config *config,
                            const char *plugin, bool force) {
    int known = has_runs(client, plugin);
    if (known != 0) {
        return known < 0 ? EX_TEMPFAIL : EX_OK;
    }
    struct inspected_plugins plugins;
    plugin_inspection_silent(config, &plugins);
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (!plugins.descriptions[i]) {
            continue;
        }
        const char *name = plugins.descriptions[i]->name;
        size_t distance = suggest_distance(plugin, name);
        if (distance < least) {
            nearest = name;
            least = distance;
        }
    }
    bool found = nearest && strcmp(nearest, plugin) == 0;
    if (!found) {
        report_unknown(plugin, nearest && suggest_is_near(plugin, least) ? nearest : NULL, force);
    }
    inspected_plugins_finish(&plugins);
    return found ? EX_OK : EX_USAGE;
}

static int change(struct store_client *client, const struct options *options,
                  enum inbox_hold_cause cause, bool *changed) {
    bool pauses = options->action == PAUSE;
    struct inbox_hold_change change = {
        .operation = {.kind = pauses ? INBOX_HOLD_PUT : INBOX_HOLD_END},
        .hold = {.scope = options->scope, .cause = cause, .since_ms = clock_wall_ms()},
        .all_scopes = options->action == RELEASE && !options->value};
    snprintf(change.hold.plugin, sizeof change.hold.plugin, "%s", options->plugin);
    snprintf(change.hold.value, sizeof change.hold.value, "%s",
             options->value ? options->value : "");
    snprintf(change.hold.reason, sizeof change.hold.reason, "paused by an operator");
    int result = store_client_do(client, VERB, &change.operation);
    *changed = *changed || result == 0;
    if (pauses && result == INBOX_HOLD_TOO_MANY) {
        fprintf(stderr,
                "error: %d installations, repositories and items are paused, and no more may be: "
                "resume some, or pause the whole plugin\n",
                INBOX_HOLDS_MAX);
        return EX_UNAVAILABLE;
    }
    return result < 0 ? EX_TEMPFAIL : EX_OK;
}

static void print_hold(const struct inbox_hold *hold) {
    char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
    time_text(hold->since_ms, since);
    time_text(hold->until_ms, until);
    printf("hold ");
    print_scope(hold->plugin, hold->scope, hold->value);
    printf(": %s since %s%s%s: %s\n", inbox_hold_cause_name(hold->cause), since,
           hold->until_ms > 0 ? " until " : "", hold->until_ms > 0 ? until : "", hold->reason);
}

/* Prints the holds of one plugin, or of all (NULL). */
static void print_holds(struct store_client *client, const char *plugin) {
    struct inbox_holds holds = {.operation = {.kind = INBOX_HOLDS}, .now_ms = clock_wall_ms()};
    if (store_client_do(client, VERB, &holds.operation) != 0) {
        return;
    }
    for (size_t i = 0; i < holds.n_holds; i++) {
        if (!plugin || strcmp(holds.holds[i].plugin, plugin) == 0) {
            print_hold(&holds.holds[i]);
        }
    }
    free(holds.holds);
}

static void record(struct store_client *client, const struct options *options) {
    char target[INBOX_NAME_MAX + INBOX_HOLD_VALUE_MAX + 40];
    const char *scope = inbox_hold_scope_name(options->scope);
    snprintf(target, sizeof target, "%s%s%s%s%s", options->plugin, options->value ? " at " : "",
             options->value ? scope : "", options->value ? " " : "",
             options->value ? options->value : "");
    store_client_record(client, VERB, actions[options->action], target, "done");
}

static int act(struct store_client *client, const struct config *config, const void *context) {
    const struct options *options = context;
    static const char *const done[] = {"is paused: its runs wait", "goes on", "is released"};
    static const char *const unchanged[] = {"was paused already", "was not paused",
                                            "had no hold to release; `resume` ends a pause"};
    bool changed = false;
    bool releases = options->action == RELEASE;
    int status = EX_OK;
    if (options->action == PAUSE && !options->force) {
        status = plugin_holds_check_name(client, config, options->plugin, true);
    }
    if (status == EX_OK) {
        status = change(client, options, releases ? INBOX_HOLD_QUARANTINED : INBOX_HOLD_PAUSED,
                        &changed);
    }
    if (status == EX_OK && releases) {
        status = change(client, options, INBOX_HOLD_LOOP, &changed);
    }
    if (status == EX_OK && !changed && options->action != PAUSE && !options->force) {
        status = plugin_holds_check_name(client, config, options->plugin, true);
    }
    if (status == EX_OK) {
        if (changed) {
            record(client, options);
        }
        print_scope(options->plugin, options->scope, options->value);
        printf(" %s\n", changed ? done[options->action] : unchanged[options->action]);
        if (options->action != PAUSE) {
            /* Other holds may still cover the same runs. */
            print_holds(client, options->plugin);
        }
    }
    return status;
}

int plugin_holds_act(int argc, char **argv, const char *usage) {
    struct options options = {.action = PAUSE};
    int status = parse(argc, argv, usage, &options);
    return status >= 0 ? status
                       : store_client_run(VERB, options.config_path, CONFIG_NEED_NOTHING, true, act,
                                          &options);
}

void plugin_holds_print(const struct config *config) {
    struct store_client client = {0};
    struct error err;
    if (mailbox_init(&client.mailbox) < 0) {
        return;
    }
    if (inbox_open_tool(config->store.url, false, &client.inbox, &err) < 0) {
        mailbox_finish(&client.mailbox);
        return;
    }
    print_holds(&client, NULL);
    store_client_close(&client);
}
