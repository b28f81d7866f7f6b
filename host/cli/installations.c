/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic installations`: shows which installations wait for the end of a rate limit or for a
 * permission, and ends their waits. The host may run at the same time. */
#include "inbox/installations.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/deliveries_output.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define VERB "installations"
/* GitHub's logins have at most 39 characters; those of enterprises get a suffix. */
#define ACCOUNT_MAX 80
/* Less than the store's reasons, so that "..." shows where one was cut. */
#define REASON_MAX 240

static const char usage[] =
    "Usage: snekomatic installations list [--json] [-c FILE]\n"
    "       snekomatic installations release ID [-c FILE]\n"
    "\n"
    "  list     prints the installations whose runs wait, and their accounts. They wait for the "
    "end\n"
    "           of a rate limit of GitHub, or are parked, because the App lacks a permission there "
    "or\n"
    "           the installation is suspended\n"
    "  release  ends these waits of the installation with the number ID. Its parked runs, and "
    "those\n"
    "           that waited for the limit, are due now. Running hosts obey within seconds. If the\n"
    "           cause is still there, GitHub responds as before and the runs wait again\n"
    "\n"
    "      --json         as JSON\n"
    "  -c, --config FILE  the host's configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 65 nothing of the installation waits; 66 the store "
    "does\n"
    "not exist, or belongs to another version; 75 the store failed, so retry later; 78 the\n"
    "configuration is wrong.\n";

static const char *const resources[INBOX_RATE_LIMIT_RESOURCES] = {
    [INBOX_RATE_LIMIT_ALL] = "all",
    [INBOX_RATE_LIMIT_SEARCH] = "search",
    [INBOX_RATE_LIMIT_GRAPHQL] = "graphql"};

struct options {
    const char *config_path;
    /* NULL: list. */
    const char *installation;
    bool json;
};

static int read_words(struct options *options, int argc, char **argv) {
    int given = argc - optind;
    bool lists = given > 0 && strcmp(argv[optind], "list") == 0;
    bool releases = given > 0 && strcmp(argv[optind], "release") == 0;
    if (given == 0) {
        return cli_usage_error(VERB, "the action is missing: use list or release");
    }
    if (!lists && !releases) {
        return cli_usage_error(VERB, "the action '%s' does not exist: use list or release",
                               argv[optind]);
    }
    if (given > 1 + releases) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 1 + releases]);
    }
    if (releases && given < 2) {
        return cli_usage_error(VERB, "release needs the number of an installation");
    }
    if (releases && options->json) {
        return cli_usage_error(VERB, "--json is not an option of release");
    }
    if (releases && !cli_is_id(argv[optind + 1])) {
        return cli_usage_error(VERB,
                               "release takes the number of an installation, which list shows, not "
                               "'%s'",
                               argv[optind + 1]);
    }
    options->installation = releases ? argv[optind + 1] : NULL;
    return EX_OK;
}

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, struct options *options) {
    enum { JSON = 256 };
    static const struct option known[] = {{"json", no_argument, NULL, JSON},
                                          {"config", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case JSON:
            options->json = true;
            break;
        case 'c':
            options->config_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            /* getopt has reported the error */
            return EX_USAGE;
        }
    }
    int status = read_words(options, argc, argv);
    return status == EX_OK ? -1 : status;
}

/* ---- list ---- */

/* The account is the owner of OWNER/NAME. */
static void read_row(const struct inbox_waiting_installation *row, char account[ACCOUNT_MAX],
                     char reason[REASON_MAX]) {
    text_clean(account, ACCOUNT_MAX, row->repository, strcspn(row->repository, "/"));
    /* Cut, with "...", if the store has cut it. */
    text_clean(reason, REASON_MAX, row->reason, strlen(row->reason));
}

static void add_json(json_t *list, const struct inbox_waiting_installation *row, int resource) {
    char until[TIME_TEXT_MAX], account[ACCOUNT_MAX], reason[REASON_MAX];
    read_row(row, account, reason);
    json_t *name = *account ? json_string(account) : json_null();
    if (*row->plugin) {
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s, s:I, s:s}", "installation",
                                              row->installation, "account", name, "waits", "parked",
                                              "plugin", row->plugin, "runs",
                                              (json_int_t)row->parked, "reason", reason));
        return;
    }
    time_text(row->until_ms[resource], until);
    json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s, s:s}", "installation",
                                          row->installation, "account", name, "waits", "rate_limit",
                                          "resource", resources[resource], "until", until));
}

static void print_row(const struct inbox_waiting_installation *row, int resource) {
    char until[TIME_TEXT_MAX], account[ACCOUNT_MAX], reason[REASON_MAX];
    read_row(row, account, reason);
    deliveries_print_text(row->installation, 14);
    printf("  ");
    deliveries_print_text(*account ? account : "-", 20);
    if (*row->plugin) {
        printf("  parked      %" PRId64 " of ", row->parked);
        deliveries_print_text(row->plugin, 0);
        printf(": %s\n", reason);
        return;
    }
    time_text(row->until_ms[resource], until);
    printf("  rate limit  %s, until %s\n", resources[resource], until);
}

/* Prints a line for each wait; with `rows`, adds an object instead. */
static void show_row(const struct inbox_installations *list, size_t i, json_t *rows) {
    const struct inbox_waiting_installation *row = &list->rows[i];
    for (int resource = 0; resource < INBOX_RATE_LIMIT_RESOURCES; resource++) {
        bool waits = *row->plugin ? resource == 0 : row->until_ms[resource] > list->now_ms;
        if (waits && rows) {
            add_json(rows, row, resource);
        } else if (waits) {
            print_row(row, resource);
        }
    }
}

static int print_list(const struct inbox_installations *list, bool json) {
    json_t *rows = json ? json_array() : NULL;
    if (!json && list->n_rows > 0) {
        printf("%-14s  %-20s  %-10s  %s\n", "INSTALLATION", "ACCOUNT", "WAITS FOR", "WHICH");
    }
    for (size_t i = 0; i < list->n_rows; i++) {
        show_row(list, i, rows);
    }
    if (json) {
        return deliveries_print_json(rows);
    }
    if (list->n_rows == 0) {
        fputs("no installation waits\n", stderr);
    }
    return EX_OK;
}

static int list_all(struct store_client *store_client, bool json) {
    struct inbox_installations list = {.operation = {.kind = INBOX_INSTALLATIONS},
                                       .now_ms = clock_wall_ms()};
    if (store_client_do(store_client, VERB, &list.operation) < 0) {
        return EX_TEMPFAIL;
    }
    int status = print_list(&list, json);
    free(list.rows);
    return status;
}

/* ---- release ---- */

static int release(struct store_client *store_client, const char *installation) {
    struct inbox_installation_release release = {.operation = {.kind = INBOX_INSTALLATION_RELEASE},
                                                 .installation = installation,
                                                 .now_ms = clock_wall_ms()};
    if (store_client_do(store_client, VERB, &release.operation) < 0) {
        return EX_TEMPFAIL;
    }
    if (release.limits == 0 && release.parked == 0) {
        fprintf(stderr,
                "snekomatic " VERB
                ": nothing of the installation '%s' waits; `%s` shows those that "
                "wait\n",
                installation, cli_command("installations list").text);
        return EX_DATAERR;
    }
    store_client_record(store_client, VERB, "release installation", installation,
                        "%" PRId64 " limits ended, %" PRId64 " parked runs due now", release.limits,
                        release.parked);
    if (release.limits > 0) {
        printf("the rate limits are ended; %" PRId64 " run%s waited for that\n", release.delayed,
               release.delayed == 1 ? "" : "s");
    }
    if (release.parked > 0) {
        printf("%" PRId64 " parked run%s due now\n", release.parked,
               release.parked == 1 ? "" : "s");
    }
    return EX_OK;
}

static int act(struct store_client *store_client, const struct config *config,
               const void *context) {
    const struct options *options = context;
    return options->installation ? release(store_client, options->installation)
                                 : list_all(store_client, options->json);
}

int cli_installations(int argc, char **argv) {
    struct options options = {0};
    int status = parse(argc, argv, &options);
    return status >= 0 ? status
                       : store_client_run(VERB, options.config_path, CONFIG_NEED_NOTHING,
                                          options.installation != NULL, act, &options);
}
