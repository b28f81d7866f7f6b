/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic-test: what an author of plugins tests with. This file is the command line. */
#include "fake/fake.h"
#include "scenario/run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char help[] = "usage: snekomatic-test VERB [OPTION]...\n"
                           "\n"
                           "Tests plugins and bots without GitHub.\n"
                           "\n"
                           "  run           run scenarios, which test plugins\n"
                           "  fake-github   serve a fake of GitHub's API on this machine\n"
                           "\n"
                           "`snekomatic-test VERB --help` describes the verb.\n";

static const char fake_help[] =
    "usage: snekomatic-test fake-github [--app-id N --app-key FILE] [OPTION]...\n"
    "\n"
    "Serves a fake of GitHub's API that is as strict as the real one. Its first line names its\n"
    "address; after it comes a line for each request. SIGTERM or SIGINT ends it.\n"
    "Without --app-id and --app-key there is no App until somebody makes one by a manifest, as\n"
    "snekomatic's setup does.\n"
    "\n"
    "  --listen HOST:PORT   where to listen; port 0 picks one (default 127.0.0.1:0)\n"
    "  --public-url URL     the start of URLs in responses, for a fake behind a proxy (default\n"
    "                       http://HOST:PORT)\n"
    "  --app-id N           the app's id, which is the JWTs' issuer\n"
    "  --app-slug SLUG      the app's slug; it acts as SLUG[bot] (default snekomatic-test)\n"
    "  --app-key FILE       the app's RSA key, private or public, as PEM; verifies the JWTs.\n"
    "                       Given twice, both count, as during a rotation\n"
    "  --state FILE         the state at the start, as JSON (default: nothing exists)\n"
    "  --webhook-url URL    the app's webhook (http://HOST:PORT/webhook/github)\n"
    "  --webhook-secret-file FILE\n"
    "                       the secret that signs webhooks; white space at its end is ignored\n"
    "  --quiet              no line for each request\n"
    "  --help               this text\n"
    "\n"
    "The manual, fake-github.md, describes the state and the control API (/_fake/...). It is in "
    "the\n"
    "folder that `pkg-config --variable=docdir snekomatic` prints.\n";

static int usage(const char *problem, const char *detail) {
    fprintf(stderr, "snekomatic-test: %s%s; see --help\n", problem, detail);
    return EX_USAGE;
}

static bool parse_id(const char *text, int64_t *id) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value <= 0) {
        return false;
    }
    *id = value;
    return true;
}

/* Reads the options. -1, or the exit status. */
static int parse_fake(int argc, char *argv[], struct fake_options *options) {
    static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
                                          {"public-url", required_argument, NULL, 'p'},
                                          {"app-id", required_argument, NULL, 'i'},
                                          {"app-slug", required_argument, NULL, 's'},
                                          {"app-key", required_argument, NULL, 'k'},
                                          {"state", required_argument, NULL, 'f'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"webhook-url", required_argument, NULL, 'u'},
                                          {"webhook-secret-file", required_argument, NULL, 'w'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'l':
            options->listen = optarg;
            break;
        case 'p':
            options->public_url = optarg;
            break;
        case 'i':
            if (!parse_id(optarg, &options->app_id)) {
                return usage("--app-id wants a positive number, not ", optarg);
            }
            break;
        case 's':
            options->app_slug = optarg;
            break;
        case 'k':
            if (options->n_app_keys == FAKE_KEYS_MAX) {
                return usage("too many --app-key", "");
            }
            options->app_keys[options->n_app_keys++] = optarg;
            break;
        case 'f':
            options->state_file = optarg;
            break;
        case 'u':
            options->webhook_url = optarg;
            break;
        case 'w':
            options->webhook_secret_file = optarg;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            fputs(fake_help, stdout);
            return EX_OK;
        default:
            /* Getopt has printed the error. */
            return EX_USAGE;
        }
    }
    return -1;
}

static int fake_github(int argc, char *argv[]) {
    struct fake_options options = {.listen = "127.0.0.1:0", .app_slug = "snekomatic-test"};
    int status = parse_fake(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    if (optind < argc) {
        return usage("unexpected argument ", argv[optind]);
    }
    if ((options.app_id == 0) != (options.n_app_keys == 0)) {
        return usage("--app-id and --app-key belong together", "");
    }
    struct error err = {0};
    if (fake_run(&options, &err) < 0) {
        fprintf(stderr, "snekomatic-test: %s\n", err.text);
        return EX_CONFIG;
    }
    return EX_OK;
}

int main(int argc, char *argv[]) {
    const char *verb = argc > 1 ? argv[1] : NULL;
    if (!verb) {
        fputs(help, stderr);
        return EX_USAGE;
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "help") == 0) {
        fputs(help, stdout);
        return EX_OK;
    }
    if (strcmp(verb, "run") == 0) {
        return scenario_run(argc - 1, argv + 1);
    }
    if (strcmp(verb, "fake-github") == 0) {
        return fake_github(argc - 1, argv + 1);
    }
    return usage("no such verb: ", verb);
}
