/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic plugins`: lists the descriptions of the configured plugins, and holds them. */
#include "cli/app_needs_text.h"
#include "cli/cli.h"
#include "cli/plugin_holds.h"
#include "cli/plugin_inspection.h"
#include "cli/plugin_timers.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] =
    "Usage: snekomatic plugins [-c FILE]\n"
    "       snekomatic plugins pause|resume|release NAME [--installation ID |\n"
    "                          --repository OWNER/REPO | --item OWNER/REPO#N] [--force] [-c FILE]\n"
    "       snekomatic plugins timers [NAME] [--json] [-c FILE]\n"
    "\n"
    "Without an action, lists the subscriptions, commands and permissions of the configured\n"
    "plugins, the holds under which their runs wait, and what the GitHub App needs for them. It\n"
    "loads each plugin in a worker of its own, as serve does. It reads no credentials, so a build\n"
    "may run it.\n"
    "\n"
    "  pause    makes the plugin's runs wait, on all hosts of the store. Runs that have begun go "
    "on.\n"
    "           Nothing is lost: webhooks are stored as usual\n"
    "  resume   ends the pause; the runs that waited are due\n"
    "  release  ends a quarantine, and holds after too many effects on one item\n"
    "  timers   lists the timers that plugins (or the one NAME) have set and that have not fired,\n"
    "           the next one first\n"
    "\n"
    "      --installation ID        only runs of this installation\n"
    "      --repository OWNER/REPO  only runs of this repository\n"
    "      --item OWNER/REPO#N      only runs of this issue, pull request or discussion\n"
    "      --force                  pause also a name that no configured plugin has and the store\n"
    "                               has no run of: another host of the store may have the plugin\n"
    "      --json                   timers: as JSON, with their data\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage, or no such plugin; 66 the store does not exist, or\n"
    "belongs to another version; 69 too many parts of plugins are paused; 75 the store failed, so\n"
    "retry later; 78 the configuration or a plugin is wrong.\n";

/* The first argument that is neither an option nor the configuration's path; NULL: there is none.
 */
static const char *action_of(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        bool path = strcmp(argv[i - 1], "-c") == 0 || strcmp(argv[i - 1], "--config") == 0;
        if (argv[i][0] != '-' && (i == 1 || !path)) {
            return argv[i];
        }
    }
    return NULL;
}

/* Options that need an action. EX_OK: none is given. */
static int check_options(int argc, char **argv) {
    static const struct {
        const char *option, *action;
    } of[] = {{"--force", "pause, resume or release"},
              {"--installation", "pause, resume or release"},
              {"--repository", "pause, resume or release"},
              {"--item", "pause, resume or release"},
              {"--json", "timers"}};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
            size_t bytes = strlen(of[k].option);
            if (strncmp(argv[i], of[k].option, bytes) == 0 &&
                (argv[i][bytes] == '\0' || argv[i][bytes] == '=')) {
                return cli_usage_error("plugins", "%s belongs to the action %s, which comes first",
                                       of[k].option, of[k].action);
            }
        }
    }
    return EX_OK;
}

int cli_plugins(int argc, char **argv) {
    const char *path = NULL;
    struct config *config = NULL;
    const char *action = action_of(argc, argv);
    if (action && strcmp(action, "timers") == 0) {
        return plugin_timers_list(argc, argv, usage);
    }
    if (action) {
        return plugin_holds_act(argc, argv, usage);
    }
    int status = check_options(argc, argv);
    if (status != EX_OK) {
        return status;
    }
    status = cli_config_option(argc, argv, usage, &path);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(path, CONFIG_NEED_NOTHING, &config);
    if (status != EX_OK) {
        return status;
    }
    plugin_holds_print(config);
    struct inspected_plugins plugins;
    struct app_needs needs;
    unsigned problems = plugin_inspection(config, &plugins);
    if (app_needs_merge(&needs, inspected_plugins_list(&plugins), config->n_plugins) < 0) {
        fputs("out of memory\n", stderr);
        problems++;
    } else {
        app_needs_print(&needs);
    }
    app_needs_finish(&needs);
    inspected_plugins_finish(&plugins);
    config_free(config);
    return problems > 0 ? EX_CONFIG : EX_OK;
}
