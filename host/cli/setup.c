/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic setup`, and the start of the setup's process for `serve`. */
#include "cli/setup.h"

#include "cli/cli.h"
#include "cli/setup_by_hand.h"

#include "base/install_path.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_NAME "snekomatic.toml"

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

static bool has_variable(const struct config *config, const char *name) {
    return settings_variable(config->settings, name) != NULL;
}

enum setup_credentials setup_credentials(const struct config *config) {
    bool id = config->github.app_id != NULL;
    bool key = config->github.private_key_file || has_variable(config, "GITHUB_PRIVATE_KEY");
    bool secret =
        config->github.webhook_secret_file || has_variable(config, "GITHUB_WEBHOOK_SECRET");
    bool pulls = config->github.receive == CONFIG_RECEIVE_PULL;
    if (id && key && (secret || pulls)) {
        return SETUP_CREDENTIALS_ALL;
    }
    return id || key || secret ? SETUP_CREDENTIALS_SOME : SETUP_CREDENTIALS_NONE;
}

static int load_variables(struct config **config) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    struct settings *settings = NULL;
    struct error err = {.text = ""};
    if (settings_read_variables(&settings, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EX_CONFIG;
    }
    if (config_load_settings(settings, CONFIG_NEED_NOTHING, config, &problems) < 0) {
        fputs(problems.text ? problems.text : "out of memory\n", stderr);
        return EX_CONFIG;
    }
    return EX_OK;
}

int setup_load_config(const char *path, struct config **config) {
    cli_keep_config_path(path);
    if (path && access(path, F_OK) < 0 && errno == ENOENT) {
        return load_variables(config);
    }
    return cli_load_config(path, CONFIG_NEED_NOTHING, config);
}

/* The configuration that the setup has completed. 0, or EX_CONFIG. */
static int load_again(const char *file, struct config **config) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    struct settings *settings = NULL;
    struct config *complete = NULL;
    struct error err = {.text = ""};
    if (settings_read_other((*config)->settings, file, &settings, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EX_CONFIG;
    }
    if (config_load_settings(settings, CONFIG_NEED_EVERYTHING, &complete, &problems) < 0) {
        fputs(problems.text ? problems.text : "out of memory\n", stderr);
        return EX_CONFIG;
    }
    config_free(*config);
    *config = complete;
    return EX_OK;
}

/* The place of the configuration, which may not exist yet. The caller frees it. */
static char *find_file(const char *path, const struct config *config) {
    if (config->file) {
        return strdup(config->file);
    }
    if (path && *path == '/') {
        return strdup(path);
    }
    AUTO_FREE char *here = getcwd(NULL, 0);
    char *file = NULL;
    if (!here || asprintf(&file, "%s/%s", here, path ? path : FILE_NAME) < 0) {
        return NULL;
    }
    return file;
}

/* Only the person who sets the bot up needs the pages, so they are for this machine, unless an
 * address or a port is configured: then a platform or a proxy leads to it. */
static const char *page_host(const struct config *config) {
    bool configured =
        config->server.listen_given || config->server.public_url || has_variable(config, "PORT");
    return configured ? config->server.host : "127.0.0.1";
}

int setup_start(const char *path, enum setup_reason reason, struct config **config,
                struct supervisor_opened *opened, bool *stored) {
    static const char *const words[] = {[SETUP_WANTED] = "wanted",
                                        [SETUP_AUTOMATIC] = "automatic",
                                        [SETUP_BY_TERMINAL] = "terminal"};
    AUTO_FREE char *self = install_path_self();
    AUTO_FREE char *file = find_file(path, *config);
    AUTO_FREE char *host = strdup(page_host(*config));
    char verb[] = "setup-page", word[16];
    *stored = false;
    if (!host) {
        fputs("out of memory\n", stderr);
        return EX_OSERR;
    }
    if (!self || !file) {
        fprintf(stderr, "snekomatic: cannot find its own program file: %s\n", strerror(errno));
        return EX_OSERR;
    }
    snprintf(word, sizeof word, "%s", words[reason]);
    char *argv[] = {self, verb, word, file, NULL};
    int status = supervisor_setup(*config, host, argv, opened, stored);
    if (!*stored) {
        return status;
    }
    status = load_again(file, config);
    if (status == EX_OK && strcmp(host, (*config)->server.host) != 0) {
        status = supervisor_move(opened, *config);
    }
    if (status != EX_OK) {
        *stored = false;
        supervisor_close(opened);
    }
    return status;
}

/* ---- the verb ---- */

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
        AUTO_FREE char *file = find_file(path, config);
        status = file ? setup_by_hand(config, file) : EX_OSERR;
    } else {
        status = serve_page(path, &config);
    }
    config_free(config);
    return status;
}
