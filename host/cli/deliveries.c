/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic deliveries`: what is in the store, and runs made due again or ended by hand. The host
 * may run meanwhile, or not. */
#include "cli/deliveries.h"

#include "base/clock.h"
#include "base/suggest.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define VERB "deliveries"
#define LIMIT 50           /* entries listed, unless said otherwise */
#define PART ((size_t)500) /* of a list, asked for at once */

static const char usage[] =
    "Usage: snekomatic deliveries list [--state STATE] [--plugin NAME] [--event EVENT]\n"
    "                                  [--since TIME] [--limit N] [--json]\n"
    "       snekomatic deliveries show GUID [--json | --body]\n"
    "       snekomatic deliveries retry GUID [--plugin NAME]\n"
    "       snekomatic deliveries discard GUID [--plugin NAME]\n"
    "\n"
    "Shows and changes what is in the store, whether the host runs or not. A delivery has one run\n"
    "for each plugin that wanted it.\n"
    "\n"
    "  list     a line for each run, the newest delivery first\n"
    "  show     one delivery, its runs, and what they changed at GitHub\n"
    "  retry    runs that are dead or parked, or wait for their next attempt, are due now, from "
    "attempt 1\n"
    "  discard  runs that are queued, running or parked are ended: dead, with the label discarded\n"
    "\n"
    "      --state STATE  queued, running, parked, done or dead\n"
    "      --plugin NAME  only this plugin's runs\n"
    "      --event EVENT  only this event's, such as pull_request\n"
    "      --since TIME   received since then: 90s, 15m, 2h, 3d, 1w ago, or a time such as\n"
    "                     2025-01-31 or 2025-01-31T12:00:00Z (UTC, unless it ends in an offset)\n"
    "      --limit N      at most N lines (default 50; 0: all)\n"
    "      --json         as JSON\n"
    "      --body         print the payload, as it came, and nothing else\n"
    "  -c, --config FILE  the configuration that the host runs with (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0; 64 wrong usage; 65 no such delivery, or none of its runs can be changed so;\n"
    "66 the store is not there, or not this version's; 75 the store failed, try again; 78 the\n"
    "configuration is wrong.\n";

enum action { LIST, SHOW, RETRY, DISCARD };
static const char *const actions[] = {"list", "show", "retry", "discard", NULL};
static const char *const states[] = {"queued", "running", "parked", "done", "dead", NULL};

struct question {
    enum action action;
    const char *config_path, *guid;
    const char *state, *plugin, *event;
    int64_t since_ms;
    size_t limit;
    bool json, body;
};

enum { STATE = 256, PLUGIN, EVENT, SINCE, LIMITED, JSON, BODY };

static int index_of(const char *const *words, const char *text) {
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *nearest_of(const char *const *words, const char *text) {
    for (int i = 0; words[i]; i++) {
        if (suggest_is_near(text, suggest_distance(text, words[i]))) {
            return words[i];
        }
    }
    return NULL;
}

static int read_limit(const char *text, size_t *limit) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end || *text == '-' || number > 1000000000) {
        return cli_usage_error(VERB, "--limit must be a number, not '%s'", text);
    }
    *limit = number == 0 ? SIZE_MAX : (size_t)number;
    return EX_OK;
}

static int take_option(struct question *question, int option) {
    switch (option) {
    case 'c':
        question->config_path = optarg;
        break;
    case STATE:
        if (index_of(states, optarg) < 0) {
            const char *nearest = nearest_of(states, optarg);
            return cli_usage_error(
                VERB, "--state is queued, running, parked, done or dead, not '%s'%s%s%s", optarg,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
        }
        question->state = optarg;
        break;
    case PLUGIN:
        question->plugin = optarg;
        break;
    case EVENT:
        question->event = optarg;
        break;
    case SINCE:
        if (store_client_read_time(optarg, clock_wall_ms(), &question->since_ms) < 0) {
            return cli_usage_error(VERB,
                                   "--since '%s' is neither a duration such as 2h or 3d, nor "
                                   "a time such as 2025-01-31T12:00:00Z",
                                   optarg);
        }
        break;
    case LIMITED:
        return read_limit(optarg, &question->limit);
    case JSON:
        question->json = true;
        break;
    case BODY:
        question->body = true;
        break;
    default:
        return EX_USAGE; /* getopt has said what is wrong */
    }
    return EX_OK;
}

/* Which options go with which action. */
static int check_options(const struct question *question, unsigned given) {
    static const struct {
        unsigned option;
        const char *name;
        unsigned of; /* bits of enum action */
    } options[] = {
        {STATE, "--state", 1U << LIST},
        {PLUGIN, "--plugin", 1U << LIST | 1U << RETRY | 1U << DISCARD},
        {EVENT, "--event", 1U << LIST},
        {SINCE, "--since", 1U << LIST},
        {LIMITED, "--limit", 1U << LIST},
        {JSON, "--json", 1U << LIST | 1U << SHOW},
        {BODY, "--body", 1U << SHOW},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (given & 1U << (options[i].option - STATE) &&
            !(options[i].of & 1U << question->action)) {
            return cli_usage_error(VERB, "%s is not for %s", options[i].name,
                                   actions[question->action]);
        }
    }
    return question->json && question->body
               ? cli_usage_error(VERB, "--json and --body exclude each other")
               : EX_OK;
}

static int take_words(struct question *question, int argc, char **argv) {
    if (optind == argc) {
        return cli_usage_error(VERB, "list, show, retry or discard is wanted");
    }
    int action = index_of(actions, argv[optind]);
    if (action < 0) {
        const char *nearest = nearest_of(actions, argv[optind]);
        return cli_usage_error(VERB, "there is no '%s'%s%s%s", argv[optind],
                               nearest ? "; did you mean " : "", nearest ? nearest : "",
                               nearest ? "?" : "");
    }
    question->action = (enum action)action;
    int wanted = action == LIST ? 0 : 1;
    if (argc - optind - 1 < wanted) {
        return cli_usage_error(VERB, "%s wants the GUID of a delivery", actions[action]);
    }
    if (argc - optind - 1 > wanted) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 1 + wanted]);
    }
    question->guid = wanted ? argv[optind + 1] : NULL;
    return EX_OK;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct question *question) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"state", required_argument, NULL, STATE},
                                            {"plugin", required_argument, NULL, PLUGIN},
                                            {"event", required_argument, NULL, EVENT},
                                            {"since", required_argument, NULL, SINCE},
                                            {"limit", required_argument, NULL, LIMITED},
                                            {"json", no_argument, NULL, JSON},
                                            {"body", no_argument, NULL, BODY},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    unsigned given = 0;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return EX_OK;
        }
        int status = take_option(question, option);
        if (status != EX_OK) {
            return status;
        }
        given |= option >= STATE ? 1U << (option - STATE) : 0;
    }
    int status = take_words(question, argc, argv);
    if (status == EX_OK) {
        status = check_options(question, given);
    }
    return status == EX_OK ? -1 : status;
}

static int unknown(const struct question *question) {
    (void)fprintf(stderr, "snekomatic " VERB ": there is no delivery '%s' in the store\n",
                  question->guid);
    return EX_DATAERR;
}

static int pruned(const struct question *question) {
    (void)fprintf(stderr,
                  "snekomatic " VERB ": the payload of '%s' was pruned; within 3 days GitHub can "
                  "deliver it again (the app's settings, Advanced, Redeliver)\n",
                  question->guid);
    return EX_DATAERR;
}

static int list(struct store_client *store_client, const struct question *question) {
    struct deliveries_output output;
    deliveries_begin(&output, question->json);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST},
                              .state = question->state,
                              .plugin = question->plugin,
                              .event = question->event,
                              .since_ms = question->since_ms,
                              .before = INT64_MAX};
    size_t left = question->limit;
    do {
        list.most = left < PART ? left : PART;
        if (store_client_do(store_client, VERB, &list.operation) < 0) {
            deliveries_abandon(&output);
            return EX_TEMPFAIL;
        }
        size_t take = list.n_entries < left ? list.n_entries : left;
        for (size_t i = 0; i < take; i++) {
            deliveries_add(&output, &list.entries[i]);
        }
        inbox_entries_free(list.entries, list.n_entries);
        left -= take;
        list.before = list.next;
    } while (left > 0 && list.next != 0);
    return deliveries_end(&output);
}

static int show(struct store_client *store_client, const struct question *question) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST},
                              .guid = question->guid,
                              .before = INT64_MAX,
                              .most = SIZE_MAX};
    int result = store_client_do(store_client, VERB, &list.operation);
    if (result != 0) {
        return result < 0 ? EX_TEMPFAIL : unknown(question);
    }
    struct inbox_journal_read *journals = calloc(list.n_entries, sizeof *journals);
    for (size_t i = 0; journals && i < list.n_entries && result == 0; i++) {
        journals[i] = (struct inbox_journal_read){.operation = {.kind = INBOX_JOURNAL_READ},
                                                  .run = list.entries[i].run};
        result = store_client_do(store_client, VERB, &journals[i].operation);
    }
    int status = journals && result == 0
                     ? deliveries_show(list.entries, journals, list.n_entries, question->json)
                     : EX_TEMPFAIL;
    for (size_t i = 0; journals && i < list.n_entries; i++) {
        inbox_records_free(journals[i].records, journals[i].n_records);
    }
    free(journals);
    inbox_entries_free(list.entries, list.n_entries);
    return status;
}

static int show_body(struct store_client *store_client, const struct question *question) {
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = question->guid};
    int result = store_client_do(store_client, VERB, &body.operation);
    if (result != 0) {
        return result < 0               ? EX_TEMPFAIL
               : result == INBOX_PRUNED ? pruned(question)
                                        : unknown(question);
    }
    (void)fwrite(body.body->data, 1, body.body->bytes, stdout); /* cli_run() looks at its errors */
    (void)payload_unref(body.body);
    return EX_OK;
}

static int change(struct store_client *store_client, const struct question *question) {
    bool retry = question->action == RETRY;
    struct inbox_change change = {.operation = {.kind = retry ? INBOX_RERUN : INBOX_DISCARD},
                                  .guid = question->guid,
                                  .plugin = question->plugin,
                                  .now_ms = clock_wall_ms()};
    switch (store_client_do(store_client, VERB, &change.operation)) {
    case 0:
        (void)printf("%llu run%s %s\n", (unsigned long long)change.runs,
                     change.runs == 1 ? "" : "s", retry ? "due now" : "discarded");
        return EX_OK;
    case INBOX_UNKNOWN:
        return unknown(question);
    case INBOX_PRUNED:
        return pruned(question);
    case INBOX_UNCHANGED:
        (void)fprintf(stderr,
                      "snekomatic " VERB ": %s%s of '%s' %s; `snekomatic deliveries show` tells "
                      "how they are\n",
                      question->plugin ? "no run of plugin " : "no run",
                      question->plugin ? question->plugin : "", question->guid,
                      retry ? "is dead, parked or waits" : "is queued, running or parked");
        return EX_DATAERR;
    default:
        return EX_TEMPFAIL;
    }
}

int cli_deliveries(int argc, char **argv) {
    struct question question = {.limit = LIMIT};
    struct store_client store_client;
    struct config *config = NULL;
    int status = parse(argc, argv, &question);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(question.config_path, CONFIG_NEED_HOST, &config);
    if (status != EX_OK) {
        return status;
    }
    bool write = question.action == RETRY || question.action == DISCARD;
    status = store_client_open(&store_client, VERB, config, write);
    if (status == EX_OK) {
        status = write                     ? change(&store_client, &question)
                 : question.action == LIST ? list(&store_client, &question)
                 : question.body           ? show_body(&store_client, &question)
                                           : show(&store_client, &question);
    }
    store_client_close(&store_client);
    config_free(config);
    return status;
}
