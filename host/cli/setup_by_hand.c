/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks for each entry until it is right. */
#include "cli/setup_by_hand.h"

#include "cli/app_needs_text.h"
#include "cli/broker_client.h"
#include "cli/cli.h"
#include "cli/plugin_inspection.h"

#include "base/log.h"
#include "base/text.h"
#include "setup/conversion.h"
#include "setup/files.h"
#include "setup/form.h"
#include "setup/manifest.h"
#include "setup/origins.h"
#include "supervisor/key.h"
#include "supervisor/supervisor.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ENTRY_MAX 4096

/* Reads a line without the blanks around it. False at the end of the input. */
static bool ask(const char *question, char entry[ENTRY_MAX]) {
    printf("%s ", question);
    fflush(stdout);
    if (!fgets(entry, ENTRY_MAX, stdin)) {
        printf("\n");
        fprintf(stderr, "the input ended before the setup was complete; the bot has no App yet\n");
        return false;
    }
    size_t bytes = strlen(entry);
    while (bytes > 0 && strchr(" \t\r\n", entry[bytes - 1])) {
        entry[--bytes] = '\0';
    }
    size_t blanks = strspn(entry, " \t");
    memmove(entry, entry + blanks, bytes - blanks + 1);
    return true;
}

/* A name without a letter is perhaps a choice of a menu that does not exist. */
static bool is_surprising(const char *organization) {
    for (const char *at = organization; *at; at++) {
        if (isalpha((unsigned char)*at)) {
            return false;
        }
    }
    return *organization != '\0';
}

static bool ask_organization(struct setup_choices *choices) {
    char entry[ENTRY_MAX], before[ENTRY_MAX] = "";
    for (;;) {
        if (!ask("Organization that will own the App (Enter alone: your own account):", entry)) {
            return false;
        }
        const char *problem = *entry ? setup_check_organization(entry) : NULL;
        if (!problem && is_surprising(entry) && strcmp(entry, before) != 0) {
            snprintf(before, sizeof before, "%s", entry);
            problem =
                "Is this the organization's name, as in the address of its page at GitHub? Then "
                "enter it again.";
        }
        if (!problem) {
            snprintf(choices->organization, sizeof choices->organization, "%.*s", SETUP_LOGIN_MAX,
                     entry);
            return true;
        }
        printf("%s\n", problem);
    }
}

static bool ask_address(const struct config *config, struct setup_choices *choices) {
    char entry[ENTRY_MAX];
    struct error err;
    if (choices->pull) {
        return true;
    }
    if (config->server.public_url) {
        snprintf(choices->address, sizeof choices->address, "%s", config->server.public_url);
        return true;
    }
    for (;;) {
        AUTO_FREE char *origin = NULL;
        if (!ask("Public address at which GitHub reaches the bot, such as https://bot.example.org\n"
                 "(Enter alone: there is none, and the bot fetches its events from GitHub):",
                 entry)) {
            return false;
        }
        choices->pull = !*entry;
        if (choices->pull ||
            setup_check_address(entry, config->github.api_url, &origin, &err) == 0) {
            snprintf(choices->address, sizeof choices->address, "%s", origin ? origin : "");
            return true;
        }
        printf("The public address %s.\n", err.text);
    }
}

static void find_web_url(const struct config *config, char web_url[SETUP_ORIGIN_MAX]) {
    if (!setup_web_url(config->github.api_url, web_url)) {
        snprintf(web_url, SETUP_ORIGIN_MAX, "https://github.com");
    }
}

static void print_form(const struct config *config, const struct app_needs *needs,
                       const struct setup_choices *choices, const struct secret *secret) {
    char web_url[SETUP_ORIGIN_MAX];
    const char *organization = choices->organization;
    find_web_url(config, web_url);
    printf("\nOpen this page in a browser:\n\n  %s%s%s/settings/apps/new\n\nEnter this there, and "
           "leave the rest as it is:\n\n",
           web_url, *organization ? "/organizations/" : "", organization);
    printf("  GitHub App name        any name that no other App has, at most %d characters\n",
           SETUP_NAME_MAX);
    printf("  Homepage URL           %s\n", *choices->address ? choices->address : web_url);
    printf("  Webhook                check Active\n");
    if (choices->pull) {
        printf("  Webhook URL            " SETUP_PULL_URL
               "\n                         (it leads nowhere: GitHub lists the events, and the bot "
               "fetches them)\n\n");
    } else {
        printf("  Webhook URL            %s/webhook/github\n  Secret                 %s\n\n",
               choices->address, secret->data);
    }
    app_needs_print(needs);
    printf("\n  Where can this GitHub App be installed?   Only on this account\n");
    printf(
        "\nPress Create GitHub App. The next page shows the App ID. Press Generate a private key\n"
        "there: the browser downloads a .pem file. Copy it to this machine.\n\n");
}

static bool ask_id(struct setup_app *app) {
    char entry[ENTRY_MAX], *end;
    for (;;) {
        if (!ask("App ID, the number under About:", entry)) {
            return false;
        }
        errno = 0;
        app->id = strtoll(entry, &end, 10);
        if (errno == 0 && end > entry && *end == '\0' && app->id > 0) {
            return true;
        }
        printf("It is the number that the App's page shows as App ID.\n");
    }
}

static bool ask_key(struct setup_app *app) {
    char entry[ENTRY_MAX];
    for (;;) {
        struct error err;
        struct app_key *key = NULL;
        if (!ask("Path of the .pem file on this machine:", entry)) {
            return false;
        }
        secret_finish(&app->key);
        if (config_secret_file(entry, &app->key, &err) == 0 &&
            app_key_parse(&app->key, &key, &err) == 0) {
            app_key_free(key);
            return true;
        }
        printf("%s\n", err.text);
    }
}

/* ---- storing ---- */

/* Is the key one of this App? GitHub's answer; without one, the credentials are stored unchecked.
 */
static int ask_github(const struct config *complete, struct error *err) {
    AUTO_CLOSE int messages_fd = -1;
    struct broker_client client;
    struct broker_request request;
    if (supervisor_start_signer(complete, &messages_fd, err) < 0 ||
        broker_client_open(&client, complete, messages_fd, err) < 0) {
        return -1;
    }
    json_t *app = broker_client_json(&client, "GET", "/app", NULL, &request);
    int result = 0;
    if (request.status == 401 || request.status == 404) {
        error_set(err, "GitHub does not accept this key for the App ID %s (%d). Enter both again.",
                  complete->github.app_id, (int)request.status);
        result = 1;
    } else if (!app) {
        printf("GitHub could not be asked about the App (%s%s). When it can, run `%s`\n",
               request.error.text, broker_client_fix(&request), cli_command("check --online").text);
    }
    json_decref(app);
    broker_request_finish(&request);
    broker_client_close(&client);
    return result;
}

static void print_end(const struct config *config, const struct setup_files *files,
                      const struct setup_choices *choices) {
    char web_url[SETUP_ORIGIN_MAX];
    const char *organization = choices->organization;
    find_web_url(config, web_url);
    printf("\nThe bot has its App. The configuration is %s,\nand the key is stored beside it. "
           "Delete the "
           ".pem file that you named: the bot has its copy.\n\n",
           files->file);
    printf("1. Start the bot, and leave it running:\n\n     snekomatic serve -c %s\n\n",
           files->file);
    printf("2. Install the App on repositories: open %s%s%s/settings/apps,\n   press Edit beside "
           "the App, then Install App.%s\n",
           web_url, *organization ? "/organizations/" : "", organization,
           choices->pull ? " Not before the bot runs: it takes\n   only the events after its first "
                           "start."
                         : "");
    printf("3. Ask GitHub in another terminal whether all is well:\n\n     snekomatic check "
           "--online -c %s\n",
           files->file);
}

/* Asks again for an id and a key that GitHub rejects. */
static int ask_app(const struct config *config, const struct setup_files *files,
                   struct setup_app *app, const struct setup_choices *choices) {
    for (;;) {
        struct error err;
        if (!ask_id(app) || !ask_key(app)) {
            return EX_NOINPUT;
        }
        /* Standard output is for the person. */
        log_setup(SNEK_LEVEL_ERROR, config->log.format);
        int stored = setup_files_store(files, config, app, choices, ask_github, &err);
        if (stored == 0) {
            setup_secret_forget(files);
            print_end(config, files, choices);
            return EX_OK;
        }
        if (stored < 0) {
            fprintf(stderr, "%s\n", err.text);
            return EX_CONFIG;
        }
        printf("%s\n", err.text);
    }
}

static int ask_all(const struct config *config, const struct setup_files *files,
                   const struct app_needs *needs, struct setup_app *app) {
    struct setup_choices choices = {.pull = config->github.receive == CONFIG_RECEIVE_PULL};
    struct error err;
    if (!ask_organization(&choices) || !ask_address(config, &choices)) {
        return EX_NOINPUT;
    }
    if (!choices.pull && setup_secret_keep(files, &app->webhook_secret, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EX_CANTCREAT;
    }
    print_form(config, needs, &choices, &app->webhook_secret);
    return ask_app(config, files, app, &choices);
}

int setup_by_hand(const struct config *config, const char *file) {
    struct setup_files files;
    struct error err;
    if (setup_files_init(&files, file, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EX_CONFIG;
    }
    struct inspected_plugins plugins;
    struct app_needs needs = {.permissions = NULL};
    struct setup_app app = {.id = 0};
    int status = EX_CONFIG;
    if (plugin_inspection_silent(config, &plugins) == 0) {
        status = app_needs_merge(&needs, inspected_plugins_list(&plugins), config->n_plugins) < 0
                     ? EX_OSERR
                     : ask_all(config, &files, &needs, &app);
    }
    app_needs_finish(&needs);
    setup_app_finish(&app);
    inspected_plugins_finish(&plugins);
    return status;
}
