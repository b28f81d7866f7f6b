/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic hook`: shows and changes the configuration of the App's webhook at GitHub. */
#include "cli/hook.h"

#include "base/log.h"
#include "base/text.h"
#include "cli/app_check.h"
#include "cli/cli.h"
#include "supervisor/supervisor.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define VERB "hook"

static const char usage[] =
    "Usage: snekomatic hook [-c FILE]\n"
    "       snekomatic hook --set-url [URL] [-c FILE]\n"
    "\n"
    "Shows the webhook of the GitHub App: its URL, and whether a secret is set. GitHub never "
    "shows\n"
    "the secret itself.\n"
    "\n"
    "      --set-url      make GitHub send webhooks to URL, as JSON. Without a path, the host's "
    "path\n"
    "                     /webhook/github is added. Without URL, server.public_url is taken\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 69 GitHub rejects the request, or the App has no\n"
    "webhook; 75 GitHub cannot be reached, so retry later; 78 the configuration is wrong.\n";

struct options {
    const char *config_path, *url;
    bool set_url;
};

/* -1: continue; else the exit status. */
static int parse(struct options *options, int argc, char **argv) {
    static const struct option names[] = {{"set-url", no_argument, NULL, 'u'},
                                          {"config", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        switch (option) {
        case 'u':
            options->set_url = true;
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
    int status = options->set_url ? set_url(&client, options, config) : show(&client);
    broker_client_close(&client);
    return status;
}

int cli_hook(int argc, char **argv) {
    struct options options = {.set_url = false};
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
