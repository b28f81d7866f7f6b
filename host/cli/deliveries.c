/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic deliveries`: shows the store, makes runs due again, and ends runs by hand. The host
 * may run at the same time. */
#include "cli/deliveries_output.h"

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
/* Lines of a list by default. */
#define LIMIT 50
/* Entries that one operation reads. */
#define PART ((size_t)500)

static const char usage[] =
    "Usage: snekomatic deliveries list [--state STATE] [--plugin NAME] [--event EVENT]\n"
    "                                  [--since TIME] [--limit N] [--json]\n"
    "       snekomatic deliveries show GUID [--json | --body]\n"
    "       snekomatic deliveries retry GUID [--plugin NAME]\n"
    "       snekomatic deliveries discard GUID [--plugin NAME]\n"
    "\n"
    "Shows and changes the store, whether the host runs or not. A delivery has one run for each\n"
    "plugin that subscribes to it.\n"
    "\n"
    "  list     prints a line for each run, the newest delivery first\n"
    "  show     prints one delivery, its runs, and their effects at GitHub\n"
    "  retry    makes runs due now, from attempt 1, that are dead, parked, blocked or wait for a\n"
    "           retry. It ends no hold\n"
    "  discard  ends runs that are queued, blocked, held, running or parked: they are dead, with\n"
    "           the label discarded\n"
    "\n"
    "      --state STATE  queued, blocked, held, running, parked, waiting, done or dead\n"
    "      --plugin NAME  only runs of this plugin\n"
    "      --event EVENT  only deliveries of this event, such as pull_request\n"
    "      --since TIME   only deliveries received since TIME: 90s, 15m, 2h, 3d, 1w ago, or a "
    "time\n"
    "                     such as 2025-01-31 or 2025-01-31T12:00:00Z (UTC by default)\n"
    "      --limit N      at most N lines (default 50; 0: all)\n"
    "      --json         as JSON\n"
    "      --body         print only the payload, exactly as GitHub sent it\n"
    "  -c, --config FILE  the host's configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage; 65 the delivery does not exist, or none of its runs "
    "can\n"
    "be changed this way; 66 the store does not exist, or belongs to another version; 75 the "
    "store\n"
    "failed, so retry later; 78 the configuration is wrong.\n";

enum action { LIST, SHOW, RETRY, DISCARD };
static const char *const actions[] = {"list", "show", "retry", "discard", NULL};
static const char *const states[] = {"queued",  "blocked", "held", "running", "parked",
                                     "waiting", "done",    "dead", NULL};

struct options {
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

static int read_option(struct options *options, int option) {
    char suggestion[CLI_SUGGESTION_MAX];
    switch (option) {
    case 'c':
        options->config_path = optarg;
        break;
    case STATE:
        if (index_of(states, optarg) < 0) {
            return cli_usage_error(VERB,
                                   "--state must be queued, blocked, held, running, parked, "
                                   "waiting, done or dead, not '%s'%s",
                                   optarg, cli_suggestion(nearest_of(states, optarg), suggestion));
        }
        options->state = optarg;
        break;
    case PLUGIN:
        options->plugin = optarg;
        break;
    case EVENT:
        options->event = optarg;
        break;
    case SINCE:
        if (store_client_read_time(optarg, clock_wall_ms(), &options->since_ms) < 0) {
            return cli_usage_error(VERB,
                                   "--since '%s' is neither a duration such as 2h or 3d, nor "
                                   "a time such as 2025-01-31T12:00:00Z",
                                   optarg);
        }
        break;
    case LIMITED:
        return read_limit(optarg, &options->limit);
    case JSON:
        options->json = true;
        break;
    case BODY:
        options->body = true;
        break;
    default:
        /* getopt has reported the error */
        return EX_USAGE;
    }
    return EX_OK;
}

/* Rejects options that do not belong to the action. */
static int check_options(const struct options *options, unsigned given) {
    static const struct {
        unsigned option;
        const char *name;
        /* bits of enum action */
        unsigned of;
    } allowed[] = {
        {STATE, "--state", 1U << LIST},
        {PLUGIN, "--plugin", 1U << LIST | 1U << RETRY | 1U << DISCARD},
        {EVENT, "--event", 1U << LIST},
        {SINCE, "--since", 1U << LIST},
        {LIMITED, "--limit", 1U << LIST},
        {JSON, "--json", 1U << LIST | 1U << SHOW},
        {BODY, "--body", 1U << SHOW},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        if (given & 1U << (allowed[i].option - STATE) && !(allowed[i].of & 1U << options->action)) {
            return cli_usage_error(VERB, "%s is not an option of %s", allowed[i].name,
                                   actions[options->action]);
        }
    }
    return options->json && options->body
               ? cli_usage_error(VERB, "--json and --body exclude each other")
               : EX_OK;
}

static int read_words(struct options *options, int argc, char **argv) {
    if (optind == argc) {
        return cli_usage_error(VERB, "one of list, show, retry and discard is needed");
    }
    int action = index_of(actions, argv[optind]);
    if (action < 0) {
        char suggestion[CLI_SUGGESTION_MAX];
        return cli_usage_error(VERB, "the action '%s' does not exist%s", argv[optind],
                               cli_suggestion(nearest_of(actions, argv[optind]), suggestion));
    }
    options->action = (enum action)action;
    int wanted = action == LIST ? 0 : 1;
    if (argc - optind - 1 < wanted) {
        return cli_usage_error(VERB, "%s needs the GUID of a delivery", actions[action]);
    }
    if (argc - optind - 1 > wanted) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 1 + wanted]);
    }
    options->guid = wanted ? argv[optind + 1] : NULL;
    return EX_OK;
}

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, struct options *options) {
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
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
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EX_OK;
        }
        int status = read_option(options, option);
        if (status != EX_OK) {
            return status;
        }
        given |= option >= STATE ? 1U << (option - STATE) : 0;
    }
    int status = read_words(options, argc, argv);
    if (status == EX_OK) {
        status = check_options(options, given);
    }
    return status == EX_OK ? -1 : status;
}

static int unknown(const struct options *options) {
    fprintf(stderr, "snekomatic " VERB ": the store has no delivery '%s'\n", options->guid);
    return EX_DATAERR;
}

static int pruned(const struct options *options) {
    fprintf(stderr,
            "snekomatic " VERB ": the payload of '%s' was pruned; within 3 days GitHub can "
            "redeliver it (the app's settings, Advanced, Redeliver)\n",
            options->guid);
    return EX_DATAERR;
}

static int list(struct store_client *store_client, const struct options *options) {
    struct deliveries_output output;
    deliveries_begin(&output, options->json);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST},
                              .state = options->state,
                              .plugin = options->plugin,
                              .event = options->event,
                              .since_ms = options->since_ms};
    size_t left = options->limit;
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
    } while (left > 0 && list.next.delivery != 0);
    return deliveries_end(&output);
}

/* The audit outlives the delivery. */
static int show_forgotten(struct store_client *store_client, const struct options *options) {
    struct inbox_audit_read audit = {.operation = {.kind = INBOX_AUDIT_READ},
                                     .delivery = options->guid};
    if (store_client_do(store_client, VERB, &audit.operation) < 0) {
        return EX_TEMPFAIL;
    }
    int status =
        audit.n_entries > 0 ? deliveries_show_audit(&audit, options->json) : unknown(options);
    inbox_audit_free(audit.entries, audit.n_entries);
    return status;
}

static int show(struct store_client *store_client, const struct options *options) {
    struct inbox_audit_read audit = {.operation = {.kind = INBOX_AUDIT_READ},
                                     .delivery = options->guid};
    struct inbox_list list = {
        .operation = {.kind = INBOX_LIST}, .guid = options->guid, .most = SIZE_MAX};
    int result = store_client_do(store_client, VERB, &list.operation);
    if (result != 0) {
        return result < 0 ? EX_TEMPFAIL : show_forgotten(store_client, options);
    }
    result = store_client_do(store_client, VERB, &audit.operation);
    struct inbox_journal_read *journals = calloc(list.n_entries, sizeof *journals);
    for (size_t i = 0; journals && i < list.n_entries && result == 0; i++) {
        journals[i] = (struct inbox_journal_read){.operation = {.kind = INBOX_JOURNAL_READ},
                                                  .run = list.entries[i].run};
        result = store_client_do(store_client, VERB, &journals[i].operation);
    }
    int status = journals && result == 0 ? deliveries_show(list.entries, journals, list.n_entries,
                                                           &audit, options->json)
                                         : EX_TEMPFAIL;
    for (size_t i = 0; journals && i < list.n_entries; i++) {
        inbox_records_free(journals[i].records, journals[i].n_records);
    }
    free(journals);
    inbox_audit_free(audit.entries, audit.n_entries);
    inbox_entries_free(list.entries, list.n_entries);
    return status;
}

static int show_body(struct store_client *store_client, const struct options *options) {
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = options->guid};
    int result = store_client_do(store_client, VERB, &body.operation);
    if (result != 0) {
        if (result < 0) {
            return EX_TEMPFAIL;
        }
        return result == INBOX_PRUNED ? pruned(options) : unknown(options);
    }
    /* cli_run() checks for output errors. */
    fwrite(body.body->data, 1, body.body->bytes, stdout);
    payload_unref(body.body);
    return EX_OK;
}

static int change(struct store_client *store_client, const struct options *options) {
    bool retry = options->action == RETRY;
    struct inbox_change change = {.operation = {.kind = retry ? INBOX_RERUN : INBOX_DISCARD},
                                  .guid = options->guid,
                                  .plugin = options->plugin,
                                  .now_ms = clock_wall_ms()};
    switch (store_client_do(store_client, VERB, &change.operation)) {
    case 0:
        printf("%llu run%s %s\n", (unsigned long long)change.runs, change.runs == 1 ? "" : "s",
               retry ? "due now" : "discarded");
        return EX_OK;
    case INBOX_UNKNOWN:
        return unknown(options);
    case INBOX_PRUNED:
        return pruned(options);
    case INBOX_UNCHANGED:
        fprintf(stderr,
                "snekomatic " VERB ": %s%s of '%s' %s; `snekomatic deliveries show` shows "
                "their state\n",
                options->plugin ? "no run of plugin " : "no run",
                options->plugin ? options->plugin : "", options->guid,
                retry ? "is dead, parked or waits" : "is queued, blocked, held, running or parked");
        return EX_DATAERR;
    default:
        return EX_TEMPFAIL;
    }
}

static int act(struct store_client *store_client, const struct options *options) {
    switch (options->action) {
    case LIST:
        return list(store_client, options);
    case SHOW:
        return options->body ? show_body(store_client, options) : show(store_client, options);
    default:
        return change(store_client, options);
    }
}

int cli_deliveries(int argc, char **argv) {
    struct options options = {.limit = LIMIT};
    struct store_client store_client;
    struct config *config = NULL;
    int status = parse(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(options.config_path, CONFIG_NEED_HOST, &config);
    if (status != EX_OK) {
        return status;
    }
    bool write = options.action == RETRY || options.action == DISCARD;
    status = store_client_open(&store_client, VERB, config, write);
    if (status == EX_OK) {
        status = act(&store_client, &options);
    }
    store_client_close(&store_client);
    config_free(config);
    return status;
}
