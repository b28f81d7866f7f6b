/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic reload`: asks the running supervisor to reload, waits, and prints the result. It does
 * not read the configuration: the supervisor does, and rejects a wrong one. */
#include "cli/cli.h"
#include "cli/reload_client.h"

#include "config/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define TIMEOUT_S RELOAD_CLIENT_TIMEOUT_S
#define TIMEOUT_MAX_S 86400

static const char usage[] =
    "Usage: snekomatic reload [-c FILE] [--timeout SECONDS]\n"
    "\n"
    "Makes the running host read its configuration and its plugins' files again, as SIGHUP does.\n"
    "It waits until the reload has ended, and prints which plugins changed and which keys need a\n"
    "restart. If something is wrong, the old configuration and plugins stay in force. Run it as\n"
    "the host's user or as root.\n"
    "\n"
    "  -c, --config FILE      the host's configuration (default as for serve)\n"
    "      --timeout SECONDS  how long to wait (default 120); the reload then goes on\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 reloaded; 64 wrong usage; 69 no host runs with this configuration, or it\n"
    "stopped; 75 too many reloads wait, or it takes too long; 78 the configuration or a plugin is\n"
    "wrong, and the old ones stay in force.\n";

static int print(enum reload_result result, const char *text) {
    static const struct {
        int status;
        const char *sentence;
    } results[RELOAD_RESULTS] = {
        [RELOAD_DONE] = {EX_OK, "reloaded"},
        [RELOAD_REJECTED] = {EX_CONFIG, "rejected; the present configuration stays in force:"},
        [RELOAD_FAILED] = {EX_CONFIG, "failed; the old configuration and plugins stay in force:"},
        [RELOAD_BUSY] = {EX_TEMPFAIL, "too many reloads wait already; try again later"},
        [RELOAD_STOPPING] = {EX_UNAVAILABLE, "the host stopped before the reload ended"},
    };
    bool good = results[result].status == EX_OK;
    size_t length = strlen(text);
    const char *end = length > 0 && text[length - 1] != '\n' ? "\n" : "";
    fprintf(good ? stdout : stderr, "%s%s\n%s%s",
            good ? "" : "snekomatic reload: ", results[result].sentence, text, end);
    return results[result].status;
}

static int status_of(enum reload_client_outcome outcome) {
    switch (outcome) {
    case RELOAD_CLIENT_UNKNOWN:
        return EX_SOFTWARE;
    case RELOAD_CLIENT_NO_NAME:
        return EX_CONFIG;
    case RELOAD_CLIENT_SLOW:
        return EX_TEMPFAIL;
    default:
        return EX_UNAVAILABLE;
    }
}

static int reload(const struct settings *settings, int timeout_s) {
    enum reload_result result;
    char text[RELOAD_REPLY_MAX];
    struct error err;
    enum reload_client_outcome outcome =
        reload_client_ask(settings, timeout_s, &result, text, &err);
    if (outcome == RELOAD_CLIENT_ASKED) {
        return print(result, text);
    }
    if (outcome == RELOAD_CLIENT_NO_HOST) {
        fprintf(stderr,
                "snekomatic reload: no host runs with the configuration %s: start it with "
                "`%s`.\nIf one runs, use the same -c FILE, user and "
                "RUNTIME_DIRECTORY, or send SIGHUP to it.\n",
                settings->file ? settings->file : "of the environment in this directory",
                cli_command("serve").text);
    } else {
        fprintf(stderr, "snekomatic reload: %s\n", err.text);
    }
    return status_of(outcome);
}

/* EX_OK or EX_USAGE. */
static int read_timeout(const char *text, int *timeout_s) {
    char *end;
    long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number < 1 || number > TIMEOUT_MAX_S) {
        return cli_usage_error("reload", "--timeout: '%s' is not a number from 1 to %d", text,
                               TIMEOUT_MAX_S);
    }
    *timeout_s = (int)number;
    return EX_OK;
}

/* -1, or an exit status. */
static int read_options(int argc, char **argv, const char **path, int *timeout_s) {
    enum { TIMEOUT = 256 };
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"timeout", required_argument, NULL, TIMEOUT},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EX_OK;
        }
        if (option == 'c') {
            *path = optarg;
        } else if (option != TIMEOUT || read_timeout(optarg, timeout_s) != EX_OK) {
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        return cli_usage_error("reload", "'%s' is one argument too many", argv[optind]);
    }
    return -1;
}

int cli_reload(int argc, char **argv) {
    const char *path = NULL;
    int timeout_s = TIMEOUT_S;
    struct settings *settings = NULL;
    struct error err;
    int status = read_options(argc, argv, &path, &timeout_s);
    if (status >= 0) {
        return status;
    }
    cli_keep_config_path(path);
    if (settings_read(path, &settings, &err) < 0) {
        fprintf(stderr, "snekomatic reload: %s\n", err.text);
        return EX_CONFIG;
    }
    status = reload(settings, timeout_s);
    settings_free(settings);
    return status;
}
