/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The start of the setup's process, for `serve` and `setup`. */
#include "cli/setup.h"

#include "cli/cli.h"

#include "base/install_path.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_NAME "snekomatic.toml"

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
    return config_load_settings(settings, CONFIG_NEED_NOTHING, config, &problems) < 0
               ? cli_report_problems(&problems)
               : EX_OK;
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

char *setup_find_file(const char *path, const struct config *config) {
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
    struct error err;
    AUTO_FREE char *program = install_path_program("snekomatic-host", &err);
    AUTO_FREE char *file = setup_find_file(path, *config);
    AUTO_FREE char *host = strdup(page_host(*config));
    char verb[] = "setup-page", word[16];
    *stored = false;
    if (!host || !file) {
        fputs("out of memory\n", stderr);
        return EX_OSERR;
    }
    if (!program) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        return EX_CONFIG;
    }
    snprintf(word, sizeof word, "%s", words[reason]);
    char *argv[] = {program, verb, word, file, NULL};
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
