/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic recover`: runs one pass of recovery now, whether the host runs or not. A child
 * process holds the app's key and only signs JWTs; this process uses the network. */
#include "cli/broker_client.h"
#include "cli/cli.h"
#include "cli/deliveries_output.h"
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
#include <sysexits.h>

#define VERB "recover"

static const char usage[] =
    "Usage: snekomatic recover [--dry-run] [--json] [-c FILE]\n"
    "\n"
    "Compares the webhooks that GitHub sent in the last 3 days with the store, and asks GitHub to\n"
    "redeliver those that the store lacks. The host does the same by itself, and also fetches the\n"
    "payloads that GitHub has. GitHub must be able to reach the host. Each webhook is requested "
    "at\n"
    "most 3 times, spread over 3 days. A webhook that GitHub tried within the last minute is left\n"
    "alone.\n"
    "\n"
    "      --dry-run      only show what is missing: request nothing, count nothing\n"
    "      --json         as JSON\n"
    "  -c, --config FILE  the host's configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 66 the store does not exist, or belongs to another\n"
    "version; 69 GitHub cannot be reached or rejects the request; 78 the configuration or the\n"
    "private key is wrong.\n";

struct options {
    const char *config_path;
    bool dry_run, json;
};

/* -1: continue; else the exit status. */
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
            fputs(usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind]);
    }
    return -1;
}

static const char *const states[] = {
    [REDELIVERY_MISSING] = "missing",     [REDELIVERY_RECENT] = "tried just now",
    [REDELIVERY_REQUESTED] = "requested", [REDELIVERY_ARRIVED] = "arrived",
    [REDELIVERY_GIVEN_UP] = "given up",   [REDELIVERY_FAILED] = "failed",
    [REDELIVERY_WAITING] = "waiting",     [REDELIVERY_FETCHED] = "fetched"};

static void print_table(const struct redelivery_pass *pass) {
    if (!TAILQ_EMPTY(&pass->missing)) {
        printf("%-20s  %-36s  %-28s  %-6s  %s\n", "DELIVERED", "DELIVERY", "EVENT", "STATUS",
               "RESULT");
    }
    const struct missing_delivery *one;
    TAILQ_FOREACH(one, &pass->missing, link) {
        char delivered[TIME_TEXT_MAX];
        time_text(one->delivered_ms, delivered);
        printf("%-20s  ", delivered);
        deliveries_print_text(one->guid, 36);
        printf("  ");
        deliveries_print_text(one->full_event, 28);
        printf("  %-6" PRId64 "  %s", one->status, states[one->state]);
        if (one->requests > 0) {
            printf(" (%" PRIu32 " of %d times)", one->requests, INBOX_REDELIVERY_REQUESTS_MAX);
        }
        if (one->reason) {
            printf(": ");
            deliveries_print_text(one->reason, 0);
        }
        printf("\n");
    }
    printf("%" PRIu64 " listed by GitHub, %" PRIu64 " missing, %" PRIu64 " requested\n",
           pass->listed, pass->n_missing - pass->counts[REDELIVERY_ARRIVED],
           pass->counts[REDELIVERY_REQUESTED]);
}

static int print_json(const struct redelivery_pass *pass) {
    json_t *list = json_array();
    const struct missing_delivery *one;
    TAILQ_FOREACH(one, &pass->missing, link) {
        char delivered[TIME_TEXT_MAX];
        time_text(one->delivered_ms, delivered);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:s, s:s, s:I, s:s, s:i, s:s?}", "delivery",
                                        one->guid, "id", (json_int_t)one->id, "event",
                                        one->full_event, "delivered", delivered, "github_status",
                                        (json_int_t)one->status, "result", states[one->state],
                                        "requests", (int)one->requests, "reason", one->reason));
    }
    return deliveries_print_json(
        json_pack("{s:I, s:I, s:I, s:o}", "listed", (json_int_t)pass->listed, "missing",
                  (json_int_t)(pass->n_missing - pass->counts[REDELIVERY_ARRIVED]), "requested",
                  (json_int_t)pass->counts[REDELIVERY_REQUESTED], "deliveries", list));
}

static void on_done(struct redelivery_pass *pass) {
    *(bool *)pass->context = true;
}

static void wait_for_pass(struct redelivery_pass *pass) {
    bool done = false;
    pass->on_done = on_done;
    pass->context = &done;
    redelivery_pass_begin(pass);
    while (!done) {
        int64_t now_ms = clock_monotonic_ms(), next_ms = redelivery_pass_tick(pass, now_ms);
        struct pollfd wanted = {.fd = pass->mailbox->event_fd, .events = POLLIN};
        if (!done) {
            poll(&wanted, 1, next_ms == INT64_MAX ? -1 : (int)(next_ms - now_ms));
            mailbox_drain(pass->mailbox);
        }
    }
}

static int run_pass(const struct options *options, const struct config *config,
                    struct store_client *store_client, int messages_fd) {
    struct error err;
    struct broker_client client;
    if (broker_client_open(&client, config, messages_fd, &err) < 0) {
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        return EX_OSERR;
    }
    struct redelivery_pass pass = {.inbox = store_client->inbox,
                                   .broker = client.broker,
                                   .mailbox = &store_client->mailbox,
                                   .retention_ms = redelivery_retention_ms(config->github.api_url),
                                   .dry_run = options->dry_run};
    wait_for_pass(&pass);
    int status = EX_OK;
    if (options->json) {
        status = print_json(&pass);
    } else {
        print_table(&pass);
    }
    if (pass.error.text[0]) {
        fflush(stdout);
        fprintf(stderr, "snekomatic " VERB ": the pass ended early: %s\n", pass.error.text);
        status = EX_UNAVAILABLE;
    }
    redelivery_pass_finish(&pass);
    broker_client_close(&client);
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
    signal(SIGPIPE, SIG_IGN);
    status = cli_load_config(options.config_path, CONFIG_NEED_EVERYTHING, &config);
    if (status != EX_OK) {
        return status;
    }
    if (config->github.receive == CONFIG_RECEIVE_PULL) {
        fputs("snekomatic " VERB ": github.receive is \"pull\": the host fetches all deliveries "
              "itself, and GitHub could not redeliver any; its log and /readyz show what is "
              "missing\n",
              stderr);
        config_free(config);
        return EX_CONFIG;
    }
    /* standard output is for the results */
    log_setup(SNEK_LEVEL_ERROR, config->log.format);
    if (supervisor_start_signer(config, &messages_fd, &err) < 0) {
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        status = EX_CONFIG;
    } else {
        status = store_client_open(&store_client, VERB, config, !options.dry_run);
    }
    if (status == EX_OK) {
        status = run_pass(&options, config, &store_client, messages_fd);
    }
    store_client_close(&store_client);
    config_free(config);
    return status;
}
