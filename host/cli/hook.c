/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic hook`: shows and changes the configuration of the App's webhook at GitHub. */
#include "cli/hook.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/app_check.h"
#include "cli/cli.h"
#include "cli/hook_files.h"
#include "cli/store_client.h"
#include "cli/webhook_check.h"
#include "config/public_host.h"
#include "config/url.h"
#include "supervisor/supervisor.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define VERB "hook"

static const char usage[] =
    "Usage: snekomatic hook [-c FILE]\n"
    "       snekomatic hook --set-url [URL] [-c FILE]\n"
    "       snekomatic hook --rotate [--wait SECONDS] [-c FILE]\n"
    "\n"
    "Shows the webhook of the GitHub App: its URL, and whether a secret is set. GitHub never "
    "shows\n"
    "the secret itself.\n"
    "\n"
    "      --set-url      make GitHub send webhooks to URL, as JSON. Without a path, the host's "
    "path\n"
    "                     /webhook/github is added. Without URL, server.public_url is taken,\n"
    "                     and in pull mode a URL that leads nowhere. A URL that GitHub cannot\n"
    "                     reach is rejected; another URL than that of server.public_url is a\n"
    "                     warning\n"
    "      --rotate       change the secret, here and at GitHub. It writes a new one beside the "
    "old\n"
    "                     one, reloads the host, and waits until every host of the store accepts\n"
    "                     both. Then GitHub gets the new one, and the old one ends 3 days later. "
    "If a\n"
    "                     step before that fails, nothing changes. Run it again after an\n"
    "                     interruption. Until the old secret ends, it does not rotate again. If "
    "it\n"
    "                     cannot change the secret, it prints the steps\n"
    "      --wait SECONDS how long it waits for the hosts (default 60)\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 66 the store does not exist; 69 GitHub rejects the\n"
    "request, or the App has no webhook; 73 a file cannot be written; 75 GitHub cannot be "
    "reached,\n"
    "or a host does not accept both secrets, so retry later; 78 the configuration is wrong.\n";

struct options {
    const char *config_path, *url;
    bool set_url, rotate;
    int64_t wait_ms;
};

#define WAIT_MS 60000
#define WAIT_SECONDS_MAX 3600

/* 0, or -1. */
static int read_seconds(const char *text, int64_t *ms) {
    char *end;
    long seconds = strtol(text, &end, 10);
    if (end == text || *end || seconds < 1 || seconds > WAIT_SECONDS_MAX) {
        return -1;
    }
    *ms = seconds * 1000;
    return 0;
}

/* -1: continue; else the exit status. */
static int parse(struct options *options, int argc, char **argv) {
    static const struct option names[] = {
        {"set-url", no_argument, NULL, 'u'},    {"rotate", no_argument, NULL, 'r'},
        {"wait", required_argument, NULL, 'w'}, {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},       {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        switch (option) {
        case 'u':
            options->set_url = true;
            break;
        case 'r':
            options->rotate = true;
            break;
        case 'w':
            if (read_seconds(optarg, &options->wait_ms) < 0) {
                return cli_usage_error(VERB, "--wait is a number of seconds from 1 to %d",
                                       WAIT_SECONDS_MAX);
            }
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
    if (options->set_url && options->rotate) {
        return cli_usage_error(VERB, "--set-url and --rotate go one at a time");
    }
    if (options->set_url && optind < argc) {
        options->url = argv[optind++];
    }
    if (optind < argc) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind]);
    }
    return -1;
}

int hook_request_failed(const struct broker_request *request) {
    fflush(stdout);
    if (request->status == 404) {
        fputs("snekomatic " VERB
              ": the App has no webhook, or it is not active: check " APP_FORM_WEBHOOK
              " > Active, and set Webhook URL\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    fprintf(stderr, "snekomatic " VERB ": %s%s\n", request->error.text, broker_client_fix(request));
    return request->status >= 400 && request->status < 500 ? EX_UNAVAILABLE : EX_TEMPFAIL;
}

static void print_line(const char *label, const char *text) {
    char shown[APP_URL_MAX];
    text_clean(shown, sizeof shown, text, strlen(text));
    printf("%-17s %s\n", label, shown);
}

static void print_webhook(const json_t *webhook) {
    const char *url = json_string_value(json_object_get(webhook, "url")),
               *type = json_string_value(json_object_get(webhook, "content_type")),
               *insecure = json_string_value(json_object_get(webhook, "insecure_ssl")),
               *secret = json_string_value(json_object_get(webhook, "secret"));
    bool verifies = !insecure || strcmp(insecure, "0") == 0;
    print_line("URL", url ? url : "none");
    print_line("secret", secret && *secret ? "set" : "none: the host rejects every webhook");
    print_line("content type", type ? type : "unknown");
    print_line("SSL verification", verifies ? "on" : "off");
}

/* Frees both. Returns the exit status. */
static int print_response(json_t *webhook, struct broker_request *request) {
    int status = EX_OK;
    if (webhook) {
        print_webhook(webhook);
    } else {
        status = hook_request_failed(request);
    }
    json_decref(webhook);
    broker_request_finish(request);
    return status;
}

static void warn_of_target(const struct webhook_target *target, const char *url,
                           const struct config *config) {
    char wanted[APP_URL_MAX];
    const char *public_url = webhook_public_url(config, wanted);
    if (config->github.receive == CONFIG_RECEIVE_PULL) {
        if (!webhook_pull_host(target->host)) {
            fputs("warning: github.receive is \"pull\", so the host takes no webhook, and GitHub "
                  "sends all payloads to this URL: without URL, --set-url sets " APP_PULL_URL "\n",
                  stderr);
        }
        return;
    }
    if (strcmp(target->scheme, "http") == 0) {
        fputs("warning: GitHub sends the payloads without encryption: use https\n", stderr);
    }
    if (public_url && strcmp(url, public_url) != 0) {
        fprintf(stderr,
                "warning: server.public_url belongs to another URL, %s: change server.public_url "
                "too, or run `%s` without a URL\n",
                public_url, cli_command("hook --set-url").text);
    }
}

/* 0, or -1 after it has reported that GitHub cannot send there. */
static int check_target(const struct webhook_target *target, const struct config *config) {
    bool pulls = config->github.receive == CONFIG_RECEIVE_PULL;
    const char *why = public_host_problem(target->host, config->github.api_url);
    if (!why || (pulls && webhook_pull_host(target->host))) {
        return 0;
    }
    fprintf(stderr,
            "snekomatic " VERB ": GitHub cannot reach %s, because it %s: give a public address, "
            "such as https://bot.example.org. Without one, use pull mode (receive = \"pull\" in "
            "the table [github])\n",
            target->host, why);
    return -1;
}

/* The URL to set, the caller's; NULL after it has reported what is wrong. */
static char *wanted_url(const struct options *options, const struct config *config) {
    bool pulls = config->github.receive == CONFIG_RECEIVE_PULL;
    const char *given = options->url ? options->url : config->server.public_url;
    CLEANUP(webhook_target_finish) struct webhook_target target = {NULL};
    AUTO_URL_PART char *whole = NULL;
    if (pulls && !options->url) {
        return strdup(APP_PULL_URL);
    }
    if (!given) {
        fputs("snekomatic " VERB ": which URL? Give it as an argument, or set server.public_url\n",
              stderr);
        return NULL;
    }
    if (webhook_target_read(&target, given) < 0) {
        fprintf(stderr,
                "snekomatic " VERB ": %s is no URL: give one like https://bot.example.org\n",
                given);
        return NULL;
    }
    if (check_target(&target, config) < 0) {
        return NULL;
    }
    bool bare = strcmp(target.path, "/") == 0;
    if ((bare && curl_url_set(target.url, CURLUPART_PATH, APP_WEBHOOK_PATH, 0) != CURLUE_OK) ||
        curl_url_get(target.url, CURLUPART_URL, &whole, 0) != CURLUE_OK) {
        fputs("snekomatic " VERB ": out of memory\n", stderr);
        return NULL;
    }
    warn_of_target(&target, whole, config);
    return strdup(whole);
}

static int set_url(struct broker_client *client, const struct options *options,
                   const struct config *config) {
    struct broker_request request;
    AUTO_FREE char *url = wanted_url(options, config);
    AUTO_FREE char *body = NULL;
    if (!url) {
        return EX_USAGE;
    }
    json_t *change = json_pack("{s:s, s:s}", "url", url, "content_type", "json");
    body = json_dumps(change, JSON_COMPACT);
    json_decref(change);
    json_t *webhook = broker_client_json(client, "PATCH", HOOK_CONFIG_PATH, body, &request);
    return print_response(webhook, &request);
}

static void print_next(const struct webhook_secret_paths *paths) {
    if (paths->next && access(paths->next, F_OK) == 0) {
        printf("%-17s not finished: the new secret is in %s; run `%s`\n", "rotation", paths->next,
               cli_command("hook --rotate").text);
    }
}

static void print_previous(const char *file, int64_t until_ms) {
    char until[TIME_TEXT_MAX];
    time_text(until_ms, until);
    if (until_ms == 0) {
        printf("%-17s accepted until you remove %s\n", "previous secret", file);
    } else if (until_ms <= clock_wall_ms()) {
        printf("%-17s its time is over; %s can be removed\n", "previous secret", file);
    } else {
        printf("%-17s accepted until %s\n", "previous secret", until);
    }
}

static int read_previous(const struct hook_files *files, bool locked, bool *exists,
                         int64_t *until_ms, struct error *err) {
    AUTO_SECRET struct secret previous = {0};
    if (locked) {
        return hook_files_tidy(files, clock_wall_ms(), exists, until_ms, err);
    }
    int result = webhook_secret_read_previous(&files->paths, &previous, until_ms, err);
    *exists = result == 0;
    return result < 0 ? -1 : 0;
}

/* A rotation that runs may be writing the files, so they change only under its lock. */
static void print_rotation(const struct config *config) {
    struct hook_files files;
    struct error err;
    bool exists = false, fixed = hook_files_are_fixed(&files, config, &err);
    bool locked = !fixed && hook_files_lock(&files);
    int64_t until_ms = 0;
    if (!fixed && !locked) {
        printf("%-17s runs now\n", "rotation");
    } else {
        print_next(&files.paths);
    }
    int result = read_previous(&files, locked, &exists, &until_ms, &err);
    if (result < 0) {
        fflush(stdout);
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
    } else if (result > 0) {
        printf("%-17s its time is over, so %s is removed\n", "previous secret",
               files.paths.previous);
    } else if (exists) {
        print_previous(files.paths.previous, until_ms);
    }
    hook_files_close(&files);
}

static int show(struct broker_client *client) {
    struct broker_request request;
    json_t *webhook = broker_client_json(client, "GET", HOOK_CONFIG_PATH, NULL, &request);
    return print_response(webhook, &request);
}

static int act(const struct options *options, const struct config *config) {
    AUTO_CLOSE int messages_fd = -1;
    struct broker_client client;
    struct error err;
    if (supervisor_start_signer(config, &messages_fd, &err) < 0 ||
        broker_client_open(&client, config, messages_fd, &err) < 0) {
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        return EX_CONFIG;
    }
    int status;
    if (options->rotate) {
        status = hook_rotate(config, &client, options->wait_ms);
    } else if (options->set_url) {
        status = set_url(&client, options, config);
    } else {
        status = show(&client);
        print_rotation(config);
    }
    broker_client_close(&client);
    return status;
}

int cli_hook(int argc, char **argv) {
    struct options options = {.wait_ms = WAIT_MS};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(options.config_path, CONFIG_NEED_EVERYTHING, &config);
    if (status == EX_OK) {
        /* Standard output is for the results. */
        log_setup(SNEK_LEVEL_ERROR, config->log.format);
        status = act(&options, config);
        config_free(config);
    }
    return status;
}
