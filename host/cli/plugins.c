/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic plugins`: lists the descriptions of the configured plugins. */
#include "cli/cli.h"
#include "cli/plugin_inspection.h"

#include <sysexits.h>

static const char usage[] =
    "Usage: snekomatic plugins [-c FILE]\n"
    "\n"
    "Lists the subscriptions, commands and permissions of the configured plugins. It loads each\n"
    "plugin in a worker of its own, as serve does. It reads no credentials, so a build may run "
    "it.\n"
    "\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 78 the configuration or a plugin is wrong.\n";

int cli_plugins(int argc, char **argv) {
    const char *path = NULL;
    struct config *config = NULL;
    int status = cli_config_option(argc, argv, usage, &path);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(path, CONFIG_NEED_NOTHING, &config);
    if (status != EX_OK) {
        return status;
    }
    unsigned problems = plugin_inspection(config);
    config_free(config);
    return problems > 0 ? EX_CONFIG : EX_OK;
}
