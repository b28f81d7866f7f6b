/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic token`: an installation's token, for git or curl. It needs no running host: the key
 * is read here, and a thread plays the supervisor to a broker that lives for one question. */
#include "cli/cli.h"

#include "base/buffer.h"
#include "broker/broker.h"
#include "supervisor/supervisor.h"

#include <snekomatic/types.h>

#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define VERB "token"

static const char usage[] =
    "Usage: snekomatic " VERB " INSTALLATION [OPTIONS]\n"
    "\n"
    "Prints a token of an installation of the app, which GitHub takes for about an hour:\n"
    "\n"
    "  git clone https://x-access-token:$(snekomatic " VERB " 12345)@github.com/OWNER/NAME\n"
    "\n"
    "  -p, --permissions LIST  only these: contents=read,issues=write (default: all that the\n"
    "                          installation has granted)\n"
    "  -r, --repository NAME   only this repository: OWNER/NAME (default: all of the "
    "installation's)\n"
    "  -c, --config FILE       the configuration (default: ./snekomatic.toml, then\n"
    "                          /etc/snekomatic/snekomatic.toml, then the environment alone)\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0; 64 wrong usage; 69 GitHub is not to be had; 77 GitHub rejects; 78 the\n"
    "configuration or the key is wrong.\n";

struct wish {
    const char *config_path, *installation, *repository;
    struct buffer permissions; /* JSON; "" all */
};

/* ---- options ---- */

/* "contents=read,issues=write" as a JSON object. 0 or -1. */
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
        failed |= buffer_append_text(json, json->bytes > 1 ? "," : "");
        failed |= buffer_append_json_string(json, one, strlen(one));
        failed |= buffer_append_text(json, ":");
        failed |= buffer_append_json_string(json, level, strlen(level));
    }
    return failed | buffer_append_text(json, "}");
}

static int take_option(struct wish *wish, int option) {
    const char *slash = optarg ? strchr(optarg, '/') : NULL;
    switch (option) {
    case 'c':
        wish->config_path = optarg;
        return EX_OK;
    case 'p':
        return read_permissions(optarg, &wish->permissions) < 0
                   ? cli_usage_error(VERB, "--permissions is NAME=LEVEL,..., not '%s'", optarg)
                   : EX_OK;
    case 'r':
        wish->repository = optarg;
        return !slash || slash == optarg || !slash[1] || strchr(slash + 1, '/')
                   ? cli_usage_error(VERB, "--repository is OWNER/NAME, not '%s'", optarg)
                   : EX_OK;
    default:
        return cli_usage_error(VERB, "no such option, or one without its value");
    }
}

/* -1: go on; else the exit status. */
static int parse(struct wish *wish, int argc, char **argv) {
    static const struct option options[] = {{"permissions", required_argument, NULL, 'p'},
                                            {"repository", required_argument, NULL, 'r'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "p:r:c:h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return EX_OK;
        }
        int status = take_option(wish, option);
        if (status != EX_OK) {
            return status;
        }
    }
    if (optind + 1 != argc || !argv[optind][0]) {
        return cli_usage_error(VERB, "it wants the id of one installation");
    }
    wish->installation = argv[optind];
    return -1;
}

/* ---- the question ---- */

struct question {
    struct broker_request request;
    bool answered;
};

static void note_answer(struct broker_request *request) {
    CONTAINER_OF(request, struct question, request)->answered = true;
}

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

static int ask(struct broker *broker, const struct wish *wish) {
    struct mailbox mailbox;
    if (mailbox_init(&mailbox) < 0) {
        return EX_OSERR;
    }
    struct question question = {
        .request = {.kind = BROKER_TOKEN,
                    .reply_to = &mailbox,
                    .done = note_answer,
                    .plugin = "snekomatic " VERB,
                    .installation = wish->installation,
                    .permissions = wish->permissions.data ? wish->permissions.data : "",
                    .repository = wish->repository ? wish->repository : ""}};
    broker_submit(broker, &question.request);
    while (!question.answered) {
        struct pollfd fd = {.fd = mailbox.event_fd, .events = POLLIN};
        (void)poll(&fd, 1, -1);
        (void)mailbox_drain(&mailbox);
    }
    mailbox_finish(&mailbox);
    struct buffer *token = &question.request.answer;
    if (question.request.outcome == 0) {
        (void)printf("%s\n", token->data);
        explicit_bzero(token->data, token->capacity);
    } else {
        (void)fprintf(stderr, "snekomatic " VERB ": %s\n", question.request.error.text);
    }
    broker_request_finish(&question.request);
    return status_of(question.request.outcome);
}

static int answer(const struct config *config, const struct wish *wish) {
    AUTO_CLOSE int messages_fd = -1;
    struct broker *broker = NULL;
    struct error err = {""};
    struct broker_options options = {.api_url = config->github.api_url,
                                     .user_agent = config->github.user_agent,
                                     .ca_file = config->github.ca_file,
                                     .proxy = &config->proxy};
    int result = supervisor_start_signer(config, &messages_fd, &err);
    options.supervisor_fd = messages_fd;
    if (result < 0 || broker_new(&options, &broker, &err) < 0) {
        (void)fprintf(stderr, "snekomatic " VERB ": %s\n", err.text);
        return EX_CONFIG;
    }
    int status = ask(broker, wish);
    broker_free(broker);
    return status;
}

int cli_token(int argc, char **argv) {
    struct wish wish = {.permissions = BUFFER_INIT(8192)};
    struct config *config = NULL;
    (void)prctl(PR_SET_DUMPABLE, 0); /* first: the environment may hold the app's key */
    int status = parse(&wish, argc, argv);
    if (status < 0) {
        status = cli_load_config(wish.config_path, true, &config);
        if (status == 0) {
            log_setup(SNEK_LEVEL_ERROR, config->log.format); /* standard output is the token's */
            status = answer(config, &wish);
        }
        config_free(config);
    }
    buffer_finish(&wish.permissions);
    return status;
}
