/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic setup`. */
#include "cli/setup.h"

#include "cli/cli.h"
#include "cli/setup_by_hand.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const char usage[] =
    "Usage: snekomatic setup [--by-hand] [-c FILE]\n"
    "\n"
    "Creates the GitHub App of the bot. It serves a page and prints a link to it. Only this "
    "machine\n"
    "reaches the page, unless server.listen, server.public_url or PORT is set.\n"
    "The page shows the permissions and events that the plugins need, and leads to GitHub, which\n"
    "creates the App. Then it stores the App's private key and webhook secret in files beside the\n"
    "configuration, adds the lines that name them, and ends. No host may run meanwhile.\n"
    "`snekomatic serve --setup` does the same and then starts the bot.\n"
    "\n"
    "      --by-hand      without a page: print what to enter into GitHub's form, ask for the "
    "App's\n"
    "                     id and the file of its key, ask GitHub whether they fit, and store them\n"
    "  -c, --config FILE  the configuration, which is created if necessary (default as for serve,\n"
    "                     else ./snekomatic.toml)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 the credentials are stored, or the setup was ended by a signal; 64 wrong "
    "usage;\n"
    "66 the input of --by-hand ended; 69 the address is not available; 71 the system lacks\n"
    "resources; 73 a file cannot be written; 75 nobody finished the setup in time; 78 the\n"
    "configuration, a plugin or a directory is wrong, or the bot has an App already.\n";

static int reject_credentials(const struct config *config) {
    fprintf(stderr,
            "the bot has%s credentials already (github.app_id, github.private_key_file, "
            "github.webhook_secret_file, or their variables), in %s; for another App, remove "
            "them first\n",
            setup_credentials(config) == SETUP_CREDENTIALS_ALL ? "" : " some",
            config->file ? config->file : "the environment");
    return EX_CONFIG;
}

static int serve_page(const char *path, struct config **config) {
    struct supervisor_opened opened;
    bool stored;
    log_setup(SNEK_LEVEL_WARNING, (*config)->log.format);
    int status = setup_start(path, SETUP_BY_TERMINAL, config, &opened, &stored);
    if (stored) {
        supervisor_close(&opened);
        printf("The bot has its App. Everything is stored; the configuration is %s.\n\n"
               "1. Start the bot, and leave it running:\n\n     snekomatic serve -c %s\n\n"
               "2. Install the App on repositories, with the link of the setup's last page.\n"
               "3. Ask GitHub in another terminal whether all is well:\n\n"
               "     snekomatic check --online -c %s\n",
               (*config)->file, (*config)->file, (*config)->file);
    }
    return status;
}

int cli_setup(int argc, char **argv) {
    const char *path = NULL;
    bool by_hand = false;
    struct config *config = NULL;
    int status = cli_config_switch(argc, argv, usage, &path, "by-hand", &by_hand);
    if (status >= 0) {
        return status;
    }
    status = setup_load_config(path, &config);
    if (status != EX_OK) {
        return status;
    }
    if (setup_credentials(config) != SETUP_CREDENTIALS_NONE) {
        status = reject_credentials(config);
    } else if (by_hand) {
        AUTO_FREE char *file = setup_find_file(path, config);
        status = file ? setup_by_hand(config, file) : EX_OSERR;
    } else {
        status = serve_page(path, &config);
    }
    config_free(config);
    return status;
}
