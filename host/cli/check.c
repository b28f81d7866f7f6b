/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check`: reads everything that serve would read, and reports every problem with its
 * fix. */
#include "cli/cli.h"
#include "cli/host_url.h"
#include "cli/online.h"
#include "cli/plugin_check.h"
#include "cli/plugin_inspection.h"
#include "cli/secret_check.h"

#include "base/cleanup.h"
#include "base/listen_socket.h"
#include "config/config.h"
#include "config/webhook_secrets.h"
#include "inbox/inbox.h"
#include "supervisor/key.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ADMIN_TOKEN "SNEKOMATIC_ADMIN_TOKEN"

static const char usage[] =
    "Usage: snekomatic check [--online] [-c FILE]\n"
    "       snekomatic check --plugin FILE [--payloads FOLDER] [-c FILE]\n"
    "\n"
    "Checks the configuration, the credentials, the listen address, the store and every plugin\n"
    "(each in a worker of its own, as serve does). It prints what it found, and each problem with\n"
    "its fix. It changes nothing, and the host may run at the same time.\n"
    "\n"
    "With --plugin it tries instead what one plugin must survive, without a store, GitHub or\n"
    "credentials: create() and destroy() 100 times; each payload, whole, and with each of its "
    "values\n"
    "missing or null, while GitHub responds in seven ways; each command, schedule and timer;\n"
    "handlers that are cancelled at once; and handlers in which each allocation of memory in turn\n"
    "fails. It prints each failure with the place of the crash.\n"
    "\n"
    "  --online           also ask GitHub, through the same proxy and with the same certificates "
    "as\n"
    "                     serve: which App the key belongs to, and whether the App's permissions,\n"
    "                     events, webhook and installations are what the plugins need, and how "
    "the\n"
    "                     last deliveries went\n"
    "  --plugin FILE      the built plugin, NAME.so\n"
    "  --payloads FOLDER  payloads in files EVENT.anything.json (default: the installed ones)\n"
    "  -c, --config FILE  the configuration (default as for serve); with --plugin, a file that "
    "has\n"
    "                     the plugin's own table, [plugin.config], under the same path (default: "
    "none)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 no problem, perhaps warnings; 64 wrong usage; 66 no such plugin or folder;\n"
    "78 something is wrong.\n";

/* With --online a child process holds the key, so this process does not parse it again. */
static unsigned start_signer(const struct config *config, int *messages_fd) {
    struct error err;
    /* the child would write the buffered output again */
    fflush(stdout);
    if (supervisor_start_signer(config, messages_fd, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("private key     ok\n");
    return 0;
}

/* For people. Before a variable is forgotten, because the key was read. */
static const char *key_source(const struct config *config) {
    bool from_variable = settings_variable(config->settings, "GITHUB_PRIVATE_KEY") != NULL;
    return from_variable ? "the variable GITHUB_PRIVATE_KEY" : config->github.private_key_file;
}

static unsigned check_key(const struct config *config, const char *source) {
    struct error err;
    AUTO_SECRET struct secret text = {0};
    struct app_key *key = NULL;
    int result = config_private_key(config, &text, &err);
    if (result == 0) {
        result = app_key_parse(&text, &key, &err);
    }
    if (result < 0) {
        fprintf(stderr, "private key (%s): %s\n", source, err.text);
        return 1;
    }
    printf("private key     ok; only `check --online` can tell whether it belongs to app %s\n",
           config->github.app_id);
    app_key_free(key);
    return 0;
}

static unsigned check_secrets(const struct config *config, struct findings *findings) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    size_t count = 0;
    int64_t until_ms;
    if (config_webhook_secrets(config, secrets, &count, &until_ms, &err) < 0) {
        fprintf(stderr, "webhook secret: %s\n", err.text);
        return 1;
    }
    secret_check_length(secrets, count, findings);
    for (size_t i = 0; i < count; i++) {
        secret_finish(&secrets[i]);
    }
    if (config->github.receive == CONFIG_RECEIVE_PULL) {
        printf("receives        by pull: reads GitHub's list of deliveries every %u s; needs no "
               "webhook secret\n",
               config->github.pull_interval_seconds);
        return 0;
    }
    printf("webhook secret  ok%s\n", count > 1 ? ", and those of a rotation" : "");
    return 0;
}

static int try_to_listen(const struct listen_place *place, struct error *err) {
    AUTO_CLOSE int fd = -1;
    return listen_socket_open(place, &fd, err);
}

/* First with a port that the kernel chooses: a host may listen on the configured one already. */
static unsigned check_address(const char *host, uint16_t port, const char *key,
                              const char *port_key) {
    struct error err;
    struct listen_place place = {
        .host = host, .port = 0, .shown_port = port, .key = key, .port_key = port_key};
    int result = try_to_listen(&place, &err);
    if (result == 0 && port != 0) {
        place.port = port;
        result = try_to_listen(&place, &err);
        if (result != 0 && host_url_responds(host, port)) {
            printf("                a host runs there\n");
            return 0;
        }
    }
    if (result == 0) {
        return 0;
    }
    fprintf(stderr, "%s: %s\n", key, err.text);
    return 1;
}

static unsigned check_console(const struct config *config) {
    struct error err;
    const char *public_url = config->server.public_url;
    if (config_check_console_tokens(config, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!config->console.token_file && !settings_variable(config->settings, ADMIN_TOKEN)) {
        printf("console         off: console.token_file or " ADMIN_TOKEN " turns it on\n");
        return 0;
    }
    if (config->console.host) {
        AUTO_FREE char *own = host_url_at(config->console.host, config->console.port, "/console");
        printf("console         %s (from another machine through a tunnel)\n", own ? own : "");
        return check_address(config->console.host, config->console.port, "console.listen",
                             "console.listen");
    }
    AUTO_FREE char *local = host_url(config, "/console");
    printf("console         %s%s%s%s\n", public_url ? public_url : "",
           public_url ? "/console, on this machine " : "", local ? local : "",
           public_url ? "" : " (from another machine through a tunnel)");
    return 0;
}

static unsigned check_listen(const struct config *config) {
    return check_address(config->server.host, config->server.port, "server.listen",
                         "server.listen or the variable PORT");
}

static unsigned check_store(const struct config *config) {
    const char *url = config->store.url;
    struct error err;
    AUTO_FREE char *shown = inbox_show_url(url, &err);
    if (!shown) {
        fprintf(stderr, "store: %s\n", err.text);
        return 1;
    }
    printf("store           %s\n", shown);
    fflush(stdout);
    if (inbox_check(url, &err) < 0) {
        fprintf(stderr, "store: %s\n", err.text);
        return 1;
    }
    return 0;
}

static unsigned check_authorities(const struct config *config) {
    const char *path = config->github.ca_file;
    if (!path) {
        return 0;
    }
    if (access(path, R_OK) < 0) {
        fprintf(stderr, "github.ca_file: cannot read %s: %s\n", path, strerror(errno));
        return 1;
    }
    gnutls_certificate_credentials_t credentials;
    int found = gnutls_certificate_allocate_credentials(&credentials);
    if (found == 0) {
        found = gnutls_certificate_set_x509_trust_file(credentials, path, GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(credentials);
    }
    if (found <= 0) {
        fprintf(stderr, "github.ca_file: %s contains no usable certificates: %s\n", path,
                found < 0 ? gnutls_strerror(found) : "they must be in PEM");
        return 1;
    }
    return 0;
}

/* A variable that is set wins over the file. */
static void check_files(const struct config *config, const struct webhook_secret_paths *paths,
                        struct findings *findings) {
    const struct {
        const char *label, *variable, *path;
    } files[] = {
        {"private key", "GITHUB_PRIVATE_KEY", config->github.private_key_file},
        {"next private key", "GITHUB_PRIVATE_KEY_NEXT", config->github.private_key_next_file},
        {"webhook secret", "GITHUB_WEBHOOK_SECRET", config->github.webhook_secret_file},
        {"next webhook secret", NULL, paths->next},
        {"previous webhook secret", "GITHUB_WEBHOOK_SECRET_PREVIOUS", paths->previous},
        {"console's token", ADMIN_TOKEN, config->console.token_file},
        {"console's token for reading", NULL, config->console.read_token_file},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bool from_variable =
            files[i].variable && settings_variable(config->settings, files[i].variable) != NULL;
        secret_check_file(files[i].label, from_variable ? NULL : files[i].path, findings);
    }
}

static void check_all(const struct config *config, bool online, struct findings *findings) {
    AUTO_CLOSE int messages_fd = -1;
    CLEANUP(webhook_secret_paths_finish) struct webhook_secret_paths paths = {NULL};
    if (webhook_secret_paths(config, &paths) < 0) {
        fputs("out of memory\n", stderr);
        findings->problems++;
        return;
    }
    check_files(config, &paths, findings);
    const char *source = key_source(config);
    unsigned problems = check_listen(config) + check_store(config);
    problems += online ? start_signer(config, &messages_fd) : check_key(config, source);
    problems += check_secrets(config, findings) + check_console(config) + check_authorities(config);
    struct inspected_plugins plugins;
    problems += plugin_inspection(config, &plugins);
    findings->warnings += plugins.warnings;
    if (messages_fd >= 0) {
        online_check(config, messages_fd, source, &plugins, findings);
    }
    inspected_plugins_finish(&plugins);
    findings->problems += problems;
}

static int report(const struct findings *findings) {
    fflush(stdout);
    if (findings->problems > 0) {
        fprintf(stderr, "%u problem%s to fix\n", findings->problems,
                findings->problems == 1 ? "" : "s");
        return EX_CONFIG;
    }
    const char *s = findings->warnings == 1 ? "" : "s";
    if (findings->idle > 0) {
        printf("%u warning%s, no problem; with %u of them, a plugin may do nothing\n",
               findings->warnings, s, findings->idle);
    } else if (findings->warnings > 0) {
        printf("%u warning%s, no problem\n", findings->warnings, s);
    } else {
        printf("all is well\n");
    }
    return EX_OK;
}

int cli_check(int argc, char **argv) {
    if (plugin_check_is_asked(argc, argv)) {
        return plugin_check(argc, argv, usage);
    }
    const char *path = NULL;
    bool online = false;
    struct config *config = NULL;
    int status = cli_config_switch(argc, argv, usage, &path, "online", &online);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(path, CONFIG_NEED_EVERYTHING, &config);
    if (status != 0) {
        return status;
    }
    printf("configuration   %s\napp             %s at %s\nlisten on       %s port %u\n",
           config->file ? config->file : "the environment", config->github.app_id,
           config->github.api_url, config->server.host, config->server.port);
    struct findings findings = {0};
    check_all(config, online, &findings);
    config_free(config);
    return report(&findings);
}
