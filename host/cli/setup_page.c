/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic setup-page`, which the supervisor starts instead of the host: asks the plugins what
 * they need, gives up what it does not need itself, and serves the setup's pages. */
#include "cli/cli.h"
#include "cli/plugin_inspection.h"
#include "cli/store_client.h"

#include "base/log.h"
#include "config/config.h"
#include "inbox/admin.h"
#include "inbox/inbox.h"
#include "setup/setup.h"
#include "supervisor/messages.h"
#include "supervisor_client.h"
#include "system_calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

/* 0 and a configuration without credentials, or an exit status. */
static int load_config(struct config **config) {
    struct settings *settings = NULL;
    struct error err = {.text = ""};
    AUTO_CLOSE int descriptions_fd = -1;
    AUTO_PROBLEMS struct config_problems problems = {0};
    if (supervisor_client_hello(&settings, &descriptions_fd, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
        return EX_OSERR;
    }
    if (settings_apply(settings) < 0 ||
        config_load_settings(settings, CONFIG_NEED_NOTHING, config, &problems) < 0) {
        fputs(problems.text ? problems.text : "out of memory\n", stderr);
        return EX_CONFIG;
    }
    return 0;
}

static bool has_delivery(const struct config *config) {
    struct inbox *inbox = NULL;
    struct error err;
    if (inbox_open_tool(config->store.url, false, &inbox, &err) < 0) {
        /* It does not exist yet, or it has none of this version's deliveries. */
        return false;
    }
    struct store_client client = {.inbox = inbox};
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .most = 1};
    bool has = false;
    if (mailbox_init(&client.mailbox) < 0) {
        inbox_free(inbox);
        return false;
    }
    has = store_client_do(&client, "setup", &list.operation) == 0 && list.n_entries > 0;
    inbox_entries_free(list.entries, list.n_entries);
    store_client_close(&client);
    return has;
}

static int reject(const char *reason) {
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", reason));
    return EX_CONFIG;
}

/* A bot that has worked before has only lost its credentials. A store that does not respond may
 * have its deliveries. 0: there are none; else the exit status. */
static int check_store(const struct config *config) {
    struct error err;
    if (inbox_check(config->store.url, &err) < 0) {
        error_wrap(&err, "the store may have deliveries of this bot");
        reject(err.text);
        return err.transient ? EX_TEMPFAIL : EX_CONFIG;
    }
    return has_delivery(config)
               ? reject("not configured: the store has deliveries, so this bot had a GitHub App; "
                        "give its credentials again, or start the setup of another App with "
                        "`snekomatic serve --setup`")
               : 0;
}

static int serve(const struct config *config, const char *file, bool by_terminal,
                 const struct inspected_plugins *plugins) {
    struct error err;
    struct setup_options options = {.config = config,
                                    .file = file,
                                    .plugins = inspected_plugins_list(plugins),
                                    .n_plugins = config->n_plugins,
                                    .by_terminal = by_terminal,
                                    .listen_fd = SUPERVISOR_FD_LISTEN,
                                    .supervisor_fd = SUPERVISOR_FD_CONTROL};
    if (system_calls_restrict(&err) < 0) {
        log_event(SNEK_LEVEL_WARNING, "system_calls_not_restricted", LOG_TEXT("reason", err.text));
    }
    if (log_start(&err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
        return EX_OSERR;
    }
    return setup_run(&options);
}

static int inspect_and_serve(const struct config *config, const char *reason, const char *file) {
    struct inspected_plugins plugins;
    int usable = strcmp(reason, "automatic") == 0 ? check_store(config) : 0;
    if (usable != 0) {
        return usable;
    }
    if (config->n_plugins == 0) {
        return reject("there are no plugins, so the App needs nothing; add a [[plugin]] first");
    }
    int status = plugin_inspection_silent(config, &plugins) > 0
                     ? reject("a plugin was rejected; the lines above have the reason")
                     : serve(config, file, strcmp(reason, "terminal") == 0, &plugins);
    inspected_plugins_finish(&plugins);
    return status;
}

int cli_setup_page(int argc, char **argv) {
    struct supervisor_event probe;
    struct config *config = NULL;
    if (argc != 3 ||
        (recv(SUPERVISOR_FD_CONTROL, &probe, 0, MSG_DONTWAIT | MSG_PEEK) < 0 && errno != EAGAIN)) {
        fputs("`snekomatic setup` starts `snekomatic setup-page`; do not start it by hand\n",
              stderr);
        return EX_USAGE;
    }
    int status = load_config(&config);
    if (status == 0) {
        bool by_terminal = strcmp(argv[1], "terminal") == 0;
        log_setup(by_terminal ? SNEK_LEVEL_WARNING : config->log.level, config->log.format);
        status = inspect_and_serve(config, argv[1], argv[2]);
    }
    log_finish();
    config_free(config);
    return status;
}
