/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic serve`: becomes the supervisor, which starts the host (the program snekomatic-host,
 * with the verb `host`). */
#include "cli/cli.h"
#include "cli/setup.h"

#include "base/install_path.h"
#include "base/log.h"
#include "config/config.h"
#include "supervisor/supervisor.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: snekomatic serve [--setup] [-c FILE]\n"
    "\n"
    "Receives webhooks, passes them to the plugins, and sends their requests to GitHub. It stops "
    "on\n"
    "SIGTERM or Ctrl-C, after it has given runs server.drain_ms to finish. SIGHUP and\n"
    "`snekomatic reload` make it read the configuration and the plugins' files again. The\n"
    "present host goes on until all plugins have loaded. If something is wrong, the old ones "
    "stay\n"
    "in force.\n"
    "\n"
    "      --setup        if the bot has no GitHub App yet, first serve a page that creates one; "
    "the\n"
    "                     log shows the link. This is so without the option too if there is "
    "neither\n"
    "                     a credential nor a configuration, and the store has no delivery\n"
    "  -c, --config FILE  the configuration (default: ./snekomatic.toml, then\n"
    "                     /etc/snekomatic/snekomatic.toml, then the environment alone)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 after SIGTERM; 64 wrong usage; 69 the address is not available; 71 the system\n"
    "lacks resources; 75 the first start failed for a cause that may pass, such as a store that "
    "is\n"
    "away; 78 the configuration, a credential or a plugin is wrong. Once a host was ready, it is\n"
    "always restarted.\n";

/* The setup comes first if a person asks for it and there is no credential, or if there is neither
 * a credential nor a configuration. With a part of the credentials, the error names the others. */
static bool setup_is_first(const struct config *config, bool wanted) {
    return setup_credentials(config) == SETUP_CREDENTIALS_NONE && (wanted || !config->file);
}

static int run(const struct config *config, const struct supervisor_opened *opened) {
    struct error err;
    AUTO_FREE char *worker_path = install_path_program("snekomatic-worker", &err);
    AUTO_FREE char *host_path = worker_path ? install_path_program("snekomatic-host", &err) : NULL;
    char verb[] = "host";
    char *host_argv[] = {host_path, verb, NULL};
    if (!host_path) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        return EX_CONFIG;
    }
    if (log_start(&err) < 0) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        return EX_OSERR;
    }
    return supervisor_run(config, host_argv, worker_path, opened);
}

static int set_up_and_run(const char *path, bool wanted, struct config **config) {
    struct supervisor_opened opened;
    bool stored;
    int status =
        setup_start(path, wanted ? SETUP_WANTED : SETUP_AUTOMATIC, config, &opened, &stored);
    if (!stored) {
        return status;
    }
    log_setup((*config)->log.level, (*config)->log.format);
    return run(*config, &opened);
}

int cli_serve(int argc, char **argv) {
    const char *path = NULL;
    bool setup = false;
    struct config *config = NULL;
    int status = cli_config_switch(argc, argv, usage, &path, "setup", &setup);
    if (status >= 0) {
        return status;
    }
    status = setup ? setup_load_config(path, &config)
                   : cli_load_config(path, CONFIG_NEED_NOTHING, &config);
    if (status != EX_OK) {
        return status;
    }
    log_setup(config->log.level, config->log.format);
    if (setup_is_first(config, setup)) {
        status = set_up_and_run(path, setup, &config);
    } else {
        bool none = setup_credentials(config) == SETUP_CREDENTIALS_NONE;
        config_free(config);
        config = NULL;
        status = cli_load_config(path, CONFIG_NEED_EVERYTHING, &config);
        if (status == EX_OK) {
            status = run(config, NULL);
        } else if (none) {
            fprintf(stderr, "`%s` creates a GitHub App and adds these lines\n",
                    cli_command("serve --setup").text);
        }
    }
    log_finish();
    config_free(config);
    return status;
}
