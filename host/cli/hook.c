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
#include "supervisor/supervisor.h"

#include <curl/curl.h>
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
    "                     /webhook/github is added. Without URL, server.public_url is taken\n"
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
    fprintf(stderr, "snekomatic " VERB ": %s\n", request->error.text);
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

/* The URL to set, the caller's; NULL after it has reported what is wrong. */
static char *wanted_url(const struct options *options, const struct config *config) {
    const char *given = options->url ? options->url : config->server.public_url;
    char *scheme = NULL, *path = NULL, *whole = NULL, *wanted = NULL;
    CURLU *url = curl_url();
    if (!given) {
        fputs("snekomatic " VERB ": which URL? Give it as an argument, or set server.public_url\n",
              stderr);
    } else if (!url || curl_url_set(url, CURLUPART_URL, given, 0) != CURLUE_OK ||
               curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
               curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
               (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
        fprintf(stderr,
                "snekomatic " VERB ": %s is no URL: give one like https://bot.example.org\n",
                given);
    } else if ((strcmp(path, "/") != 0 ||
                curl_url_set(url, CURLUPART_PATH, APP_WEBHOOK_PATH, 0) == CURLUE_OK) &&
               curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
        wanted = strdup(whole);
    }
    curl_free(scheme);
    curl_free(path);
    curl_free(whole);
    curl_url_cleanup(url);
    return wanted;
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
        printf("%-17s not finished: the new secret is in %s; run `snekomatic hook --rotate`\n",
               "rotation", paths->next);
    }
}

static void print_previous(const struct webhook_secret_paths *paths) {
    struct error err;
    bool exists = false;
    int64_t until_ms = 0;
    char until[STORE_CLIENT_TIME_MAX];
    int result = hook_files_tidy(paths, clock_wall_ms(), &exists, &until_ms, &err);
    if (result < 0) {
        fflush(stdout);
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
    } else if (result > 0) {
        printf("%-17s its time is over, so %s is removed\n", "previous secret", paths->previous);
    } else if (exists && until_ms == 0) {
        printf("%-17s accepted until you remove %s\n", "previous secret", paths->previous);
    } else if (exists) {
        store_client_time_text(until_ms, until);
        printf("%-17s accepted until %s\n", "previous secret", until);
    }
}

static void print_rotation(const struct config *config) {
    CLEANUP(webhook_secret_paths_finish) struct webhook_secret_paths paths = {NULL};
    if (webhook_secret_paths(config, &paths) == 0) {
        print_next(&paths);
        print_previous(&paths);
    }
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
