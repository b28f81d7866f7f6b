/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic recover`: one pass of recovery now, whether the host runs or not. The app's key is
 * held by a child that signs JWTs and has nothing else to do; this process has the network. */
#include "cli/cli.h"
#include "cli/deliveries.h"
#include "cli/store_client.h"

#include "base/clock.h"
#include "maintenance/redelivery_pass.h"
#include "supervisor/supervisor.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define VERB "recover"

static const char usage[] =
    "Usage: snekomatic recover [--dry-run] [--json] [-c FILE]\n"
    "\n"
    "Asks GitHub which webhooks it sent in the last 3 days, compares them with the store, and has\n"
    "GitHub send again those that the store lacks. The host does the same by itself, at its start\n"
    "and every github.recover_interval_minutes; it must be reachable for what is sent again. Each "
    "is\n"
    "asked for at most 3 times in all, and one that GitHub tried within the last minute is left\n"
    "alone.\n"
    "\n"
    "      --dry-run      only show what is missing: ask for nothing, count nothing\n"
    "      --json         as JSON\n"
    "  -c, --config FILE  the configuration that the host runs with (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0; 64 wrong usage; 66 the store is not there, or not this version's; 69 GitHub "
    "was\n"
    "not reached, or rejected; 78 the configuration or the private key is wrong.\n";

struct options {
    const char *config_path;
    bool dry_run, json;
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *options) {
    enum { DRY_RUN = 256, JSON };
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"dry-run", no_argument, NULL, DRY_RUN},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->config_path = optarg;
            break;
        case DRY_RUN:
            options->dry_run = true;
            break;
        case JSON:
            options->json = true;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    return optind < argc ? cli_usage_error(VERB, "'%s' is one argument too many", argv[optind])
                         : -1;
}

static const char *const fates[] = {
    [RECOVER_MISSING] = "missing",   [RECOVER_YOUNG] = "just tried",
    [RECOVER_ASKED] = "asked for",   [RECOVER_CAME] = "came",
    [RECOVER_GIVEN_UP] = "given up", [RECOVER_REJECTED] = "rejected"};

static void print_table(const struct recover *pass) {
    if (pass->missing) {
        (void)printf("%-20s  %-36s  %-28s  %-10s  %s\n", "DELIVERED", "DELIVERY", "EVENT",
                     "GITHUB SAW", "RESULT");
    }
    for (const struct recover_missing *one = pass->missing; one; one = one->next) {
        char delivered[STORE_CLIENT_TIME_MAX];
        store_client_time_text(one->delivered_ms, delivered);
        (void)printf("%-20s  ", delivered);
        deliveries_print_text(one->guid, 36);
        (void)printf("  ");
        deliveries_print_text(one->event, 28);
        (void)printf("  %-10" PRId64 "  %s", one->status, fates[one->fate]);
        if (one->asked > 0) {
            (void)printf(" (%" PRIu32 " of %d times)", one->asked, RECOVER_ASK_MAX);
        }
        if (one->why) {
            (void)printf(": ");
            deliveries_print_text(one->why, 0);
        }
        (void)printf("\n");
    }
    (void)printf("%" PRIu64 " listed by GitHub, %" PRIu64 " missing, %" PRIu64 " asked for\n",
                 pass->listed, pass->n_missing - pass->fates[RECOVER_CAME],
                 pass->fates[RECOVER_ASKED]);
}

static int print_json(const struct recover *pass) {
    json_t *list = json_array();
    for (const struct recover_missing *one = pass->missing; one; one = one->next) {
        char delivered[STORE_CLIENT_TIME_MAX];
        store_client_time_text(one->delivered_ms, delivered);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:I, s:s, s:s, s:I, s:s, s:i, s:s?}", "delivery", one->guid,
                            "id", (json_int_t)one->id, "event", one->event, "delivered", delivered,
                            "github_saw", (json_int_t)one->status, "result", fates[one->fate],
                            "asked", (int)one->asked, "reason", one->why));
    }
    return deliveries_print_json(
        json_pack("{s:I, s:I, s:I, s:o}", "listed", (json_int_t)pass->listed, "missing",
                  (json_int_t)(pass->n_missing - pass->fates[RECOVER_CAME]), "asked",
                  (json_int_t)pass->fates[RECOVER_ASKED], "deliveries", list));
}

static void note(struct recover *pass) {
    *(bool *)pass->context = true;
}

static void make_pass(struct recover *pass) {
    bool done = false;
    pass->done = note;
    pass->context = &done;
    recover_begin(pass);
    while (!done) {
        int64_t now_ms = clock_monotonic_ms(), next_ms = recover_tick(pass, now_ms);
        struct pollfd wanted = {.fd = pass->mailbox->event_fd, .events = POLLIN};
        if (!done) {
            (void)poll(&wanted, 1, next_ms == INT64_MAX ? -1 : (int)(next_ms - now_ms));
            (void)mailbox_drain(pass->mailbox);
        }
    }
}

static int recover(const struct options *options, const struct config *config,
                   struct store_client *store_client, int messages_fd) {
    struct error err;
    struct broker *broker = NULL;
    struct broker_options broker_options = {.api_url = config->github.api_url,
                                            .user_agent = config->github.user_agent,
                                            .ca_file = config->github.ca_file,
                                            .proxy = &config->proxy,
                                            .supervisor_fd = messages_fd};
    if (broker_new(&broker_options, &broker, &err) < 0) {
        (void)fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        return EX_OSERR;
    }
    struct recover pass = {.inbox = store_client->inbox,
                           .broker = broker,
                           .mailbox = &store_client->mailbox,
                           .dry_run = options->dry_run};
    make_pass(&pass);
    int status = EX_OK;
    if (options->json) {
        status = print_json(&pass);
    } else {
        print_table(&pass);
    }
    if (pass.error.text[0]) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "snekomatic " VERB ": it ended early: %s\n", pass.error.text);
        status = EX_UNAVAILABLE;
    }
    recover_finish(&pass);
    broker_free(broker);
    return status;
}

int cli_recover(int argc, char **argv) {
    struct options options = {0};
    struct config *config = NULL;
    struct store_client store_client = {.inbox = NULL};
    struct error err;
    AUTO_CLOSE int messages_fd = -1;
    int status = parse(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    (void)prctl(PR_SET_DUMPABLE, 0); /* first: the environment may hold the app's key */
    (void)signal(SIGPIPE, SIG_IGN);
    status = cli_load_config(options.config_path, CONFIG_NEED_EVERYTHING, &config);
    if (status != EX_OK) {
        return status;
    }
    log_setup(SNEK_LEVEL_ERROR, config->log.format); /* standard output is for what was found */
    if (supervisor_start_signer(config, &messages_fd, &err) < 0) {
        (void)fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        status = EX_CONFIG;
    } else {
        status = store_client_open(&store_client, VERB, config, !options.dry_run);
    }
    if (status == EX_OK) {
        status = recover(&options, config, &store_client, messages_fd);
    }
    store_client_close(&store_client);
    config_free(config);
    return status;
}
