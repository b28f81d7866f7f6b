/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic token`: requests an installation's token, for git or curl. It needs no running host:
 * a child process holds the app's key, and a broker lives for one request. */
#include "cli/broker_client.h"
#include "cli/cli.h"

#include "base/buffer.h"
#include "base/log.h"
#include "github_app/permissions.h"
#include "supervisor/supervisor.h"

#include <snekomatic/types.h>

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#define VERB "token"
#define PERMISSIONS_MAX 8192

static const char usage[] =
    "Usage: snekomatic " VERB " INSTALLATION [OPTIONS]\n"
    "\n"
    "Prints a token of an installation of the app. GitHub accepts it for about an hour. This git\n"
    "command keeps it off the command line and out of .git/config:\n"
    "\n"
    "  git -c credential.helper='!echo username=x-access-token;\n"
    "      echo password=$(snekomatic " VERB " 12345); :' clone https://github.com/OWNER/NAME\n"
    "\n"
    "  -p, --permissions LIST  only these permissions: contents=read,issues=write (default: all\n"
    "                          that the installation has granted)\n"
    "  -r, --repository NAME   only this repository: OWNER/NAME (default: all repositories of the\n"
    "                          installation)\n"
    "  -c, --config FILE       the configuration (default: ./snekomatic.toml, then\n"
    "                          /etc/snekomatic/snekomatic.toml, then the environment alone)\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 69 GitHub cannot be reached; 77 GitHub rejects the\n"
    "request; 78 the configuration or the key is wrong.\n";

struct options {
    const char *config_path, *installation, *repository;
    /* A JSON object; "": all permissions. */
    struct buffer permissions;
};

/* ---- options ---- */

/* Only a warning: GitHub may have new permissions that this version does not know. */
static void warn_of_permission(const char *name) {
    const char *nearest;
    char suggestion[CLI_SUGGESTION_MAX];
    if (!github_permission_find(name, &nearest)) {
        fprintf(stderr,
                "warning: --permissions names %s, a permission that this version does not know%s\n",
                name, cli_suggestion(nearest, suggestion));
    }
}

/* Writes "contents=read,issues=write" as a JSON object. 0 or -1. */
static int read_permissions(const char *list, struct buffer *json) {
    AUTO_FREE char *copy = strdup(list);
    char *rest = copy;
    json->bytes = 0;
    int failed = copy ? buffer_append_text(json, "{") : -1;
    for (char *one; !failed && (one = strsep(&rest, ","));) {
        char *level = strchr(one, '=');
        if (!level || level == one || !level[1]) {
            return -1;
        }
        *level++ = '\0';
        warn_of_permission(one);
        failed |= buffer_append_text(json, json->bytes > 1 ? "," : "");
        failed |= buffer_append_json_string(json, one, strlen(one));
        failed |= buffer_append_text(json, ":");
        failed |= buffer_append_json_string(json, level, strlen(level));
    }
    return failed | buffer_append_text(json, "}");
}

static int read_option(struct options *options, int option) {
    switch (option) {
    case 'c':
        options->config_path = optarg;
        return EX_OK;
    case 'p':
        if (read_permissions(optarg, &options->permissions) < 0) {
            return cli_usage_error(VERB, "--permissions must be NAME=LEVEL,..., not '%s'", optarg);
        }
        return EX_OK;
    case 'r':
        options->repository = optarg;
        if (!cli_is_repository(optarg)) {
            return cli_usage_error(VERB, "--repository must be OWNER/NAME, not '%s'", optarg);
        }
        return EX_OK;
    default:
        return cli_usage_error(VERB, "this option does not exist, or lacks its value");
    }
}

/* -1: continue; else the exit status. */
static int parse(struct options *options, int argc, char **argv) {
    static const struct option known[] = {{"permissions", required_argument, NULL, 'p'},
                                          {"repository", required_argument, NULL, 'r'},
                                          {"config", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "p:r:c:h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EX_OK;
        }
        int status = read_option(options, option);
        if (status != EX_OK) {
            return status;
        }
    }
    if (optind + 1 != argc || !argv[optind][0]) {
        return cli_usage_error(
            VERB,
            "one INSTALLATION is needed: the number in the URL of the installation's settings");
    }
    if (!cli_is_id(argv[optind])) {
        return cli_usage_error(VERB,
                               "INSTALLATION is the number in the URL of the installation's "
                               "settings, not '%s'",
                               argv[optind]);
    }
    options->installation = argv[optind];
    return -1;
}

/* ---- the request ---- */

static int status_of(int32_t outcome) {
    switch (outcome) {
    case 0:
        return EX_OK;
    case SNEK_E_FORBIDDEN:
    case SNEK_E_NOT_GRANTED:
    case SNEK_E_VALIDATION:
        return EX_NOPERM;
    default:
        return EX_UNAVAILABLE;
    }
}

static int request_token(struct broker_client *client, const struct options *options) {
    struct broker_request request = {.kind = BROKER_TOKEN,
                                     .plugin = "snekomatic " VERB,
                                     .installation = options->installation,
                                     .permissions =
                                         options->permissions.data ? options->permissions.data : "",
                                     .repository = options->repository ? options->repository : ""};
    broker_client_call(client, &request);
    struct buffer *token = &request.response;
    int status = status_of(request.outcome);
    if (request.outcome == 0) {
        printf("%s\n", token->data);
        explicit_bzero(token->data, token->capacity);
    } else {
        fprintf(stderr, "snekomatic " VERB ": %s\n", request.error.text);
    }
    broker_request_finish(&request);
    return status;
}

static int print_token(const struct config *config, const struct options *options) {
    AUTO_CLOSE int messages_fd = -1;
    struct broker_client client;
    struct error err = {.text = ""};
    if (supervisor_start_signer(config, &messages_fd, &err) < 0 ||
        broker_client_open(&client, config, messages_fd, &err) < 0) {
        fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        return EX_CONFIG;
    }
    int status = request_token(&client, options);
    broker_client_close(&client);
    return status;
}

int cli_token(int argc, char **argv) {
    struct options options = {.permissions = BUFFER_INIT(PERMISSIONS_MAX)};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status < 0) {
        status = cli_load_config(options.config_path, CONFIG_NEED_EVERYTHING, &config);
        if (status == EX_OK) {
            /* Standard output is the token's. */
            log_setup(SNEK_LEVEL_ERROR, config->log.format);
            status = print_token(config, &options);
        }
        config_free(config);
    }
    buffer_finish(&options.permissions);
    return status;
}
