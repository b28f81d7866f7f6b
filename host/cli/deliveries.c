/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic deliveries`: shows the store, makes runs due again, and ends runs by hand. The host
 * may run at the same time. */
#include "cli/deliveries_bulk.h"
#include "cli/deliveries_output.h"
#include "cli/deliveries_why.h"

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
/* Retries of a preview that are due in a minute, by default. */
#define RATE_PER_MINUTE 60
/* Of a GUID in its text form (RFC 9562). */
#define GUID_CHARACTERS 36
/* Entries that one operation reads. */
#define PART ((size_t)500)

static const char usage[] =
    "Usage: snekomatic deliveries list [FILTER...] [--limit N] [--json]\n"
    "       snekomatic deliveries show GUID [--why] [--json | --body]\n"
    "       snekomatic deliveries retry GUID [--plugin NAME]\n"
    "       snekomatic deliveries retry FILTER... [--json]\n"
    "       snekomatic deliveries retry --yes PREVIEW [--rate N] [--json]\n"
    "       snekomatic deliveries discard GUID [--plugin NAME]\n"
    "       snekomatic deliveries discard FILTER... [--json]\n"
    "       snekomatic deliveries discard --yes PREVIEW [--json]\n"
    "\n"
    "Shows and changes the store, whether the host runs or not. A delivery has one run for each\n"
    "plugin that subscribes to it.\n"
    "\n"
    "  list     prints a line for each run, the newest delivery first\n"
    "  show     prints one delivery, its runs, and their effects at GitHub\n"
    "  retry    makes runs due now, from attempt 1, that are dead, parked, blocked or wait for a\n"
    "           retry; with --plugin also a skipped run without an effect. It ends no hold\n"
    "  discard  ends runs that are queued, waiting, blocked, held, running or parked: they are\n"
    "           dead, with the label discarded\n"
    "\n"
    "With filters instead of a GUID, retry and discard change nothing. They count the runs that "
    "the\n"
    "filters find, and store which these are. --yes with the number that they print then changes\n"
    "exactly these runs. It leaves runs alone whose state has changed meanwhile, and prints them.\n"
    "Without --state, retry takes runs that are dead or parked, and discard takes runs that are\n"
    "queued, waiting, blocked, held or parked. An effect in doubt stays in doubt.\n"
    "\n"
    "Filters:\n"
    "      --state STATE  queued, blocked, held, running, parked, waiting, done or dead\n"
    "      --plugin NAME  only runs of this plugin\n"
    "      --event EVENT  only deliveries of this event, such as pull_request\n"
    "      --since TIME   only deliveries received since TIME: 90s, 15m, 2h, 3d, 1w ago, or a "
    "time\n"
    "                     such as 2025-01-31 or 2025-01-31T12:00:00Z (UTC by default)\n"
    "      --until TIME   only deliveries received before TIME\n"
    "      --repository OWNER/NAME  only deliveries of this repository\n"
    "      --reason TEXT  only runs whose label or reason has TEXT in it\n"
    "\n"
    "      --yes PREVIEW  retry or discard the runs of the preview with this number, within an "
    "hour\n"
    "      --rate N       so many of these retries are due in a minute (default 60; 0: all now)\n"
    "      --limit N      at most N lines (default 50; 0: all)\n"
    "      --json         as JSON\n"
    "      --body         print only the payload, exactly as GitHub sent it\n"
    "      --why          print why each plugin has a run of the delivery, or none, by today's\n"
    "                     configuration. It loads the plugins, and calls none of their handlers\n"
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
    struct deliveries_filter filter;
    size_t limit;
    /* 0: --yes was not given. */
    int64_t preview;
    int64_t per_minute;
    bool json, body, why;
};

enum {
    STATE = 256,
    PLUGIN,
    EVENT,
    SINCE,
    UNTIL,
    REPOSITORY,
    REASON,
    YES,
    RATE,
    LIMITED,
    JSON,
    BODY,
    WHY
};
#define BIT(option) (1U << ((option)-STATE))
/* --plugin narrows a GUID too. */
#define FILTERS (BIT(STATE) | BIT(EVENT) | BIT(SINCE) | BIT(UNTIL) | BIT(REPOSITORY) | BIT(REASON))

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

/* A number from 0 to `most`. */
static int read_number(const char *option, const char *text, uint64_t most, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end || *text == '-' || *number > most) {
        return cli_usage_error(VERB, "%s must be a number up to %llu, not '%s'", option,
                               (unsigned long long)most, text);
    }
    return EX_OK;
}

static int read_limit(const char *text, size_t *limit) {
    uint64_t number;
    int status = read_number("--limit", text, 1000000000, &number);
    if (status == EX_OK) {
        *limit = number == 0 ? SIZE_MAX : (size_t)number;
    }
    return status;
}

static int read_preview(const char *text, int64_t *preview) {
    uint64_t number;
    int status = read_number("--yes", text, 999999999, &number);
    if (status == EX_OK && number == 0) {
        return cli_usage_error(VERB, "--yes takes the number that the preview printed");
    }
    if (status == EX_OK) {
        *preview = (int64_t)number;
    }
    return status;
}

static int read_rate(const char *text, int64_t *per_minute) {
    uint64_t number;
    int status = read_number("--rate", text, 60000, &number);
    if (status == EX_OK) {
        *per_minute = (int64_t)number;
    }
    return status;
}

static int read_time(const char *option, const char *text, int64_t *time_ms) {
    if (time_text_read(text, clock_wall_ms(), time_ms) < 0) {
        return cli_usage_error(VERB,
                               "%s '%s' is neither a duration such as 2h or 3d, nor a time such as "
                               "2025-01-31T12:00:00Z",
                               option, text);
    }
    return EX_OK;
}

static int read_state(const char *text, const char **state) {
    char suggestion[CLI_SUGGESTION_MAX];
    if (index_of(states, text) < 0) {
        return cli_usage_error(VERB,
                               "--state must be queued, blocked, held, running, parked, waiting, "
                               "done or dead, not '%s'%s",
                               text, cli_suggestion(nearest_of(states, text), suggestion));
    }
    *state = text;
    return EX_OK;
}

static int read_option(struct options *options, int option) {
    struct deliveries_filter *filter = &options->filter;
    switch (option) {
    case 'c':
        options->config_path = optarg;
        return EX_OK;
    case STATE:
        return read_state(optarg, &filter->state);
    case PLUGIN:
        filter->plugin = optarg;
        return EX_OK;
    case EVENT:
        filter->event = optarg;
        return EX_OK;
    case REPOSITORY:
        filter->repository = optarg;
        return cli_is_repository(optarg)
                   ? EX_OK
                   : cli_usage_error(VERB, "--repository takes OWNER/NAME, not '%s'", optarg);
    case REASON:
        filter->reason = optarg;
        return EX_OK;
    case SINCE:
        return read_time("--since", optarg, &filter->since_ms);
    case UNTIL:
        return read_time("--until", optarg, &filter->until_ms);
    case YES:
        return read_preview(optarg, &options->preview);
    case RATE:
        return read_rate(optarg, &options->per_minute);
    case LIMITED:
        return read_limit(optarg, &options->limit);
    case JSON:
        options->json = true;
        return EX_OK;
    case BODY:
        options->body = true;
        return EX_OK;
    case WHY:
        options->why = true;
        return EX_OK;
    default:
        /* getopt has reported the error */
        return EX_USAGE;
    }
}

/* Rejects options that do not belong to the action. */
static int check_options(const struct options *options, unsigned given) {
    enum { CHANGE = 1U << RETRY | 1U << DISCARD };
    static const struct {
        unsigned option;
        const char *name;
        /* bits of enum action */
        unsigned of;
    } allowed[] = {
        {STATE, "--state", 1U << LIST | CHANGE},
        {PLUGIN, "--plugin", 1U << LIST | CHANGE},
        {EVENT, "--event", 1U << LIST | CHANGE},
        {SINCE, "--since", 1U << LIST | CHANGE},
        {UNTIL, "--until", 1U << LIST | CHANGE},
        {REPOSITORY, "--repository", 1U << LIST | CHANGE},
        {REASON, "--reason", 1U << LIST | CHANGE},
        {YES, "--yes", CHANGE},
        {RATE, "--rate", 1U << RETRY},
        {LIMITED, "--limit", 1U << LIST},
        {JSON, "--json", 1U << LIST | 1U << SHOW | CHANGE},
        {BODY, "--body", 1U << SHOW},
        {WHY, "--why", 1U << SHOW},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        if (given & BIT(allowed[i].option) && !(allowed[i].of & 1U << options->action)) {
            return cli_usage_error(VERB, "%s is not an option of %s", allowed[i].name,
                                   actions[options->action]);
        }
    }
    if (options->why && options->body) {
        return cli_usage_error(VERB, "--why and --body exclude each other");
    }
    return options->json && options->body
               ? cli_usage_error(VERB, "--json and --body exclude each other")
               : EX_OK;
}

static bool is_change(const struct options *options) {
    return options->action == RETRY || options->action == DISCARD;
}

/* A retry or discard is of a GUID, of filters, or of a preview. */
static int check_change(const struct options *options, unsigned given) {
    const char *action = actions[options->action], *state = options->filter.state;
    bool filters = given & (FILTERS | BIT(PLUGIN));
    if (options->guid && given & (FILTERS | BIT(YES) | BIT(RATE) | BIT(JSON))) {
        return cli_usage_error(VERB, "with a GUID, %s takes no option but --plugin", action);
    }
    if (options->preview > 0 && filters) {
        return cli_usage_error(VERB,
                               "--yes acts on the runs of its preview, so it takes no filter");
    }
    if (!options->guid && options->preview == 0 && !filters) {
        return cli_usage_error(VERB, "%s needs the GUID of a delivery, or a filter", action);
    }
    if (given & BIT(RATE) && options->preview == 0) {
        return cli_usage_error(VERB, "--rate belongs to --yes");
    }
    bool ended = state && (strcmp(state, "done") == 0 || strcmp(state, "dead") == 0);
    if (options->action == DISCARD && ended) {
        return cli_usage_error(VERB, "a run that is %s has ended, so it cannot be discarded",
                               state);
    }
    if (options->action == RETRY && state &&
        (strcmp(state, "done") == 0 || strcmp(state, "running") == 0)) {
        return cli_usage_error(VERB,
                               "a run that is %s cannot be retried; a skipped run can, by its GUID "
                               "and --plugin",
                               state);
    }
    return EX_OK;
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
    int most = action == LIST ? 0 : 1, given = argc - optind - 1;
    if (action == SHOW && given == 0) {
        return cli_usage_error(VERB, "%s needs the GUID of a delivery", actions[action]);
    }
    if (given > most) {
        return cli_usage_error(VERB, "'%s' is one argument too many", argv[optind + 1 + most]);
    }
    options->guid = given > 0 ? argv[optind + 1] : NULL;
    return EX_OK;
}

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, struct options *options) {
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"state", required_argument, NULL, STATE},
                                          {"plugin", required_argument, NULL, PLUGIN},
                                          {"event", required_argument, NULL, EVENT},
                                          {"since", required_argument, NULL, SINCE},
                                          {"until", required_argument, NULL, UNTIL},
                                          {"repository", required_argument, NULL, REPOSITORY},
                                          {"reason", required_argument, NULL, REASON},
                                          {"yes", required_argument, NULL, YES},
                                          {"rate", required_argument, NULL, RATE},
                                          {"limit", required_argument, NULL, LIMITED},
                                          {"json", no_argument, NULL, JSON},
                                          {"body", no_argument, NULL, BODY},
                                          {"why", no_argument, NULL, WHY},
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
        given |= option >= STATE ? BIT(option) : 0;
    }
    int status = read_words(options, argc, argv);
    if (status == EX_OK) {
        status = check_options(options, given);
    }
    if (status == EX_OK && is_change(options)) {
        status = check_change(options, given);
    }
    return status == EX_OK ? -1 : status;
}

static int unknown(const struct options *options) {
    fprintf(stderr, "snekomatic " VERB ": the store has no delivery '%s'", options->guid);
    if (strlen(options->guid) < GUID_CHARACTERS) {
        fprintf(stderr, "; a GUID has 36 characters, as `%s` shows them",
                cli_command("deliveries list").text);
    }
    fputc('\n', stderr);
    return EX_DATAERR;
}

static int pruned(const struct options *options) {
    fprintf(stderr,
            "snekomatic " VERB ": the payload of '%s' was pruned; within 3 days GitHub can "
            "redeliver it (the app's settings, Advanced, Redeliver)\n",
            options->guid);
    return EX_DATAERR;
}

/* Says where and for what the list looked. The URL of a database may have a password. */
static void report_none(const struct config *config, const struct deliveries_filter *filter) {
    const struct {
        const char *option, *text;
    } texts[] = {{"--state", filter->state},
                 {"--plugin", filter->plugin},
                 {"--event", filter->event},
                 {"--repository", filter->repository},
                 {"--reason", filter->reason}};
    const struct {
        const char *word;
        int64_t time_ms;
    } times[] = {{"received since", filter->since_ms}, {"received before", filter->until_ms}};
    bool file = strncmp(config->store.url, "sqlite:", 7) == 0;
    fprintf(stderr, "the store %s has no such delivery",
            file ? config->store.url : "of store.url (PostgreSQL)");
    const char *before = ": ";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].text) {
            fprintf(stderr, "%s%s '%s'", before, texts[i].option, texts[i].text);
            before = ", ";
        }
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char time[TIME_TEXT_MAX];
        if (times[i].time_ms > 0) {
            time_text(times[i].time_ms, time);
            fprintf(stderr, "%s%s %s", before, times[i].word, time);
            before = ", ";
        }
    }
    fputs("\n", stderr);
}

static int list(struct store_client *store_client, const struct config *config,
                const struct options *options) {
    struct deliveries_output output;
    deliveries_begin(&output, options->json);
    struct inbox_list list = deliveries_filter_list(&options->filter);
    size_t left = options->limit;
    do {
        list.most = left < PART ? left : PART;
        if (store_client_do(store_client, VERB, &list.operation) < 0) {
            deliveries_abandon(&output);
            return EX_TEMPFAIL;
        }
        for (size_t i = 0; i < list.n_entries && left > 0; i++) {
            if (deliveries_filter_matches(&options->filter, &list.entries[i])) {
                deliveries_add(&output, &list.entries[i]);
                left--;
            }
        }
        inbox_entries_free(list.entries, list.n_entries);
        list.before = list.next;
    } while (left > 0 && list.next.delivery != 0);
    if (!output.any && !options->json) {
        report_none(config, &options->filter);
    }
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
    struct inbox_actions acts = {.operation = {.kind = INBOX_ACTIONS},
                                 .most = INBOX_ACTIONS_MOST_MAX,
                                 .target = options->guid};
    result = store_client_do(store_client, VERB, &audit.operation);
    if (result == 0) {
        result = store_client_do(store_client, VERB, &acts.operation);
    }
    struct inbox_journal_read *journals = calloc(list.n_entries, sizeof *journals);
    for (size_t i = 0; journals && i < list.n_entries && result == 0; i++) {
        journals[i] = (struct inbox_journal_read){.operation = {.kind = INBOX_JOURNAL_READ},
                                                  .run = list.entries[i].run};
        result = store_client_do(store_client, VERB, &journals[i].operation);
    }
    int status = journals && result == 0 ? deliveries_show(list.entries, journals, list.n_entries,
                                                           &audit, &acts, options->json)
                                         : EX_TEMPFAIL;
    for (size_t i = 0; journals && i < list.n_entries; i++) {
        inbox_records_free(journals[i].records, journals[i].n_records);
    }
    free(journals);
    free(acts.actions);
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

static int unchanged(const struct options *options, bool retry) {
    char words[INBOX_GUID_MAX + sizeof "deliveries show "];
    const char *why = "is queued, waiting, blocked, held, running or parked";
    if (retry) {
        why = options->filter.plugin ? "is dead, parked or waits, or was skipped without an effect"
                                     : "is dead, parked or waits";
    }
    snprintf(words, sizeof words, "deliveries show %s", options->guid);
    const struct cli_command show = cli_command(words);
    fprintf(stderr, "snekomatic " VERB ": %s%s of '%s' %s; `%s` shows their state\n",
            options->filter.plugin ? "no run of plugin " : "no run",
            options->filter.plugin ? options->filter.plugin : "", options->guid, why, show.text);
    return EX_DATAERR;
}

/* A retry ends no hold, so it says which of the runs wait for the end of one. */
static void print_held(struct store_client *store_client, const struct options *options) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST},
                              .guid = options->guid,
                              .plugin = options->filter.plugin,
                              .most = SIZE_MAX};
    if (store_client_do(store_client, VERB, &list.operation) != 0) {
        return;
    }
    for (size_t i = 0; i < list.n_entries; i++) {
        const struct inbox_entry *entry = &list.entries[i];
        if (strcmp(entry->state, "held") != 0 ||
            (options->filter.plugin && strcmp(options->filter.plugin, entry->plugin) != 0)) {
            continue;
        }
        const struct cli_command plugins = cli_command("plugins");
        printf("the run of ");
        deliveries_print_text(entry->plugin, 0);
        printf(" is held (");
        deliveries_print_text(entry->reason, 0);
        printf("), so it begins when the hold ends; `%s` shows the holds\n", plugins.text);
    }
    inbox_entries_free(list.entries, list.n_entries);
}

static int change(struct store_client *store_client, const struct options *options) {
    bool retry = options->action == RETRY;
    struct inbox_change change = {.operation = {.kind = retry ? INBOX_RERUN : INBOX_DISCARD},
                                  .guid = options->guid,
                                  .plugin = options->filter.plugin,
                                  .now_ms = clock_wall_ms()};
    switch (store_client_do(store_client, VERB, &change.operation)) {
    case 0:
        printf("%llu run%s %s\n", (unsigned long long)change.runs, change.runs == 1 ? "" : "s",
               retry ? "due now" : "discarded");
        if (retry) {
            print_held(store_client, options);
        }
        store_client_record(store_client, VERB, actions[options->action], options->guid,
                            "%llu run%s%s%s %s", (unsigned long long)change.runs,
                            change.runs == 1 ? "" : "s", options->filter.plugin ? " of " : "",
                            options->filter.plugin ? options->filter.plugin : "",
                            retry ? "due now" : "discarded");
        return EX_OK;
    case INBOX_UNKNOWN:
        return unknown(options);
    case INBOX_PRUNED:
        return pruned(options);
    case INBOX_UNCHANGED:
        return unchanged(options, retry);
    default:
        return EX_TEMPFAIL;
    }
}

static int act(struct store_client *store_client, const struct config *config,
               const void *context) {
    const struct options *options = context;
    if (options->why) {
        return deliveries_why(store_client, config, options->guid, options->json);
    }
    switch (options->action) {
    case LIST:
        return list(store_client, config, options);
    case SHOW:
        return options->body ? show_body(store_client, options) : show(store_client, options);
    default:
        break;
    }
    bool discards = options->action == DISCARD;
    if (options->preview > 0) {
        return deliveries_bulk_apply(store_client, options->preview, discards, options->per_minute,
                                     options->json);
    }
    return options->guid
               ? change(store_client, options)
               : deliveries_bulk_preview(store_client, &options->filter, discards, options->json);
}

int cli_deliveries(int argc, char **argv) {
    struct options options = {.limit = LIMIT, .per_minute = RATE_PER_MINUTE};
    int status = parse(argc, argv, &options);
    return status >= 0 ? status
                       : store_client_run(VERB, options.config_path, CONFIG_NEED_NOTHING,
                                          is_change(&options), act, &options);
}
