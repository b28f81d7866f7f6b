/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --plugin FILE`: each trial has workers of its own, without a store, without
 * GitHub and without credentials. */
#include "cli/plugin_check.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/install_path.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/payload_variants.h"
#include "cli/plugin_trial.h"
#include "plugin_file/plugin_file.h"

#include <snekomatic/timer.h>

#include <assert.h>
#include <dirent.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The default of plugin.memory_mib. */
#define MEMORY_MIB 256
/* Starts and ends of the plugin. */
#define LIVES 100
/* Runs of one payload in which an allocation fails. Up to ALLOCATIONS_EACH each allocation fails
 * once; beyond it the steps grow, because a handler that takes so many has a loop. */
#define ALLOCATION_RUNS 60
#define ALLOCATIONS_EACH 40
/* For all payloads. */
#define ALLOCATIONS_TOTAL_S 30
/* An event, a dot and an action. */
#define TURN_BYTES_MAX (NAME_MAX + FRAME_NAME_MAX + 2)
/* Failures that are printed; the rest are counted. */
#define FAILURES_SHOWN 10

enum pass { PASS_VARIANTS, PASS_CANCELLED, PASS_ALLOCATIONS };

struct check {
    const char *path, *payloads, *config_path;
    struct loop loop;
    struct direct_starter direct;
    struct worker_process_spec spec;
    struct trial *trial;
    enum pass pass;
    /* PASS_ALLOCATIONS: the events and actions that had their turn. */
    json_t *had_turns;
    int64_t until_ms;
    bool cut_short;
    unsigned failed_allocations;
    /* The delivery under trial. */
    const char *event, *action, *file;
    unsigned deliveries, failures;
    unsigned all_failures;
    /* A call did not return. Nothing more is tried, because each call may take 10 s. */
    bool stalled;
    char last_why[600];
};

/* ---- reports ---- */

/* A crash at one place is shown once. */
static void report(struct check *check, const char *where, const char *what, const char *why) {
    check->failures++;
    check->all_failures++;
    check->stalled = trial_was_late(check->trial);
    if (check->failures > FAILURES_SHOWN || strncmp(why, check->last_why, 500) == 0) {
        return;
    }
    snprintf(check->last_why, sizeof check->last_why, "%s", why);
    printf("FAIL %s%s%s: %s\n", where, *what ? " " : "", what, why);
}

static void conclude(struct check *check, const char *what) {
    if (check->failures == 0) {
        printf("ok   %s\n", what);
    } else {
        printf("FAIL %s: %u failed%s\n", what, check->failures,
               check->stalled ? ", and no more was tried, because the plugin stalls" : "");
    }
    check->failures = 0;
    check->last_why[0] = '\0';
}

/* ---- trials ---- */

/* The first start says more than a hundredth would. The worker goes on: it is the first life. */
static int try_to_load(struct check *check) {
    const char *why;
    if (trial_start(check->trial, &why) < 0) {
        printf("FAIL %s does not load: %s\n", check->path, why);
        return -1;
    }
    const struct description *description = trial_description(check->trial);
    assert(description);
    printf("ok   it loads: %s %s (ABI %u.%u)\n", description->name, description->version,
           description->abi_major, description->abi_minor);
    return 0;
}

static void try_lives(struct check *check) {
    const char *why;
    for (unsigned i = 0; i < LIVES && !check->stalled; i++) {
        if (trial_start(check->trial, &why) < 0 || trial_end(check->trial, &why) < 0) {
            report(check, "create() and destroy()", "", why);
        }
    }
    conclude(check, "create() and destroy(), 100 times");
}

static void deliver(struct check *check, enum trial_github github, const char *what,
                    const char *json, size_t bytes) {
    if (check->stalled) {
        return;
    }
    const char *why;
    const struct trial_delivery delivery = {.event = check->event,
                                            .action = check->action,
                                            .json = json,
                                            .bytes = bytes,
                                            .github = github,
                                            .cancelled = check->pass == PASS_CANCELLED};
    check->deliveries++;
    int result = trial_deliver(check->trial, &delivery, &why);
    if (result == 0 && check->pass == PASS_ALLOCATIONS) {
        result = trial_end(check->trial, &why);
    }
    if (result < 0) {
        char allocation[200];
        const char *function = trial_failed_allocation(check->trial);
        if (*function) {
            snprintf(allocation, sizeof allocation,
                     "when allocation %llu of the handler fails (%s)",
                     (unsigned long long)check->spec.failing_allocation, function);
            what = allocation;
        }
        report(check, check->file, what, why);
    }
}

static void name_turn(const struct check *check, char name[TURN_BYTES_MAX]) {
    snprintf(name, TURN_BYTES_MAX, "%s.%s", check->event, check->action);
}

/* One payload of each event and action is enough, if its handler takes memory. */
static bool had_turn(const struct check *check) {
    char name[TURN_BYTES_MAX];
    name_turn(check, name);
    return check->pass == PASS_ALLOCATIONS && json_object_get(check->had_turns, name);
}

static void note_turn(struct check *check) {
    char name[TURN_BYTES_MAX];
    name_turn(check, name);
    /* Without memory the next payload has a turn too. */
    (void)json_object_set_new(check->had_turns, name, json_true());
}

/* Each run has a worker of its own. The last run takes fewer allocations than the number that was
 * to fail. */
static void fail_allocations(struct check *check, const char *json, size_t bytes) {
    uint64_t number = 1;
    for (unsigned i = 0; i < ALLOCATION_RUNS && !check->stalled; i++) {
        if (clock_monotonic_ms() >= check->until_ms) {
            check->cut_short = true;
            return;
        }
        check->spec.failing_allocation = number;
        deliver(check, TRIAL_GITHUB_OBJECT, "", json, bytes);
        if (!*trial_failed_allocation(check->trial)) {
            return;
        }
        check->failed_allocations++;
        note_turn(check);
        number += number < ALLOCATIONS_EACH ? 1 : number / 8;
    }
}

/* Every way for a whole payload; the variants take turns. For failing allocations only the whole
 * payload. */
static int on_payload(void *context, const char *what, const char *json, size_t bytes) {
    struct check *check = context;
    if (check->pass == PASS_ALLOCATIONS) {
        fail_allocations(check, json, bytes);
        return 1;
    }
    if (*what) {
        deliver(check, check->deliveries % TRIAL_GITHUB_KINDS, what, json, bytes);
        return 0;
    }
    for (int github = 0; github < TRIAL_GITHUB_KINDS; github++) {
        deliver(check, (enum trial_github)github, what, json, bytes);
    }
    return 0;
}

static const char *string_at(json_t *payload, const char *key) {
    const char *text = json_string_value(json_object_get(payload, key));
    return text ? text : "";
}

/* A payload of a comment asks for each command in turn. */
static void try_commands(struct check *check, json_t *payload) {
    const struct description *description = trial_description(check->trial);
    json_t *comment = json_object_get(payload, "comment");
    if (!comment || !description_may_hold_command(description, check->event, check->action)) {
        return;
    }
    for (size_t i = 0; i < description->n_commands; i++) {
        AUTO_FREE char *text = NULL;
        if (asprintf(&text, "/%s one two", description->commands[i].name) < 0) {
            return;
        }
        json_object_set_new(comment, "body", json_string(text));
        payload_variants(payload, on_payload, check);
    }
}

/* The check run, or the check suite, becomes the app's own. A button of it is each of the plugin's.
 */
static void try_check_actions(struct check *check, json_t *payload) {
    const struct description *description = trial_description(check->trial);
    json_t *run = json_object_get(payload, check->event);
    if (!run || !description_may_be_check_action(description, check->event, check->action)) {
        return;
    }
    json_object_set_new(json_object_get(run, "app"), "id", json_integer(atoi(TRIAL_APP)));
    for (size_t i = 0; i < description->n_check_actions; i++) {
        const struct described_check_action *action = &description->check_actions[i];
        if (*action->check) {
            json_object_set_new(run, "name", json_string(action->check));
        }
        json_object_set_new(json_object_get(payload, "requested_action"), "identifier",
                            json_string(action->identifier));
        payload_variants(payload, on_payload, check);
    }
}

static void try_payload(struct check *check, json_t *payload, const char *event) {
    AUTO_FREE char *action = strdup(string_at(payload, "action"));
    const struct description *description = trial_description(check->trial);
    check->event = event;
    check->action = action;
    if (!action || !description_wants(description, event, action) || had_turn(check)) {
        return;
    }
    if (check->pass == PASS_CANCELLED) {
        AUTO_FREE char *json = json_dumps(payload, JSON_COMPACT);
        if (json) {
            on_payload(check, "", json, strlen(json));
        }
        return;
    }
    payload_variants(payload, on_payload, check);
    try_commands(check, payload);
    try_check_actions(check, payload);
}

static void try_file(struct check *check, const char *name) {
    char path[PATH_MAX], event[NAME_MAX + 1];
    json_error_t where;
    size_t event_bytes = strcspn(name, ".");
    const char *ending = strrchr(name, '.');
    if (!ending || strcmp(ending, ".json") != 0 || event_bytes > NAME_MAX) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s", check->payloads, name);
    snprintf(event, sizeof event, "%.*s", (int)event_bytes, name);
    json_t *payload = json_load_file(path, 0, &where);
    check->file = name;
    if (json_is_object(payload)) {
        try_payload(check, payload, event);
    } else {
        fprintf(stderr, "%s is no JSON object: %s\n", path, where.text);
    }
    json_decref(payload);
}

/* The events that the host makes. */
static void try_times(struct check *check) {
    const struct description *description = trial_description(check->trial);
    static const char place[] = "\"installation\":{\"id\":1,\"account\":{\"login\":\"acme\"}},"
                                "\"repository\":{\"id\":2,\"name\":\"site\",\"full_name\":\"acme/"
                                "site\",\"owner\":{\"login\":\"acme\",\"id\":3}}";
    char json[1024];
    check->file = "a schedule";
    for (size_t i = 0; i < description->n_schedules; i++) {
        const char *name = description->schedules[i].name;
        snprintf(json, sizeof json,
                 "{\"action\":\"%.100s\",\"schedule\":{\"name\":\"%.100s\",\"slot\":"
                 "\"2026-01-02T03:04:05Z\"},%s}",
                 name, name, place);
        json_t *payload = json_loads(json, 0, NULL);
        try_payload(check, payload, SNEK_SCHEDULE_EVENT);
        json_decref(payload);
    }
    check->file = "a timer";
    snprintf(json, sizeof json,
             "{\"timer\":{\"key\":\"a key\",\"data\":{\"number\":1}},\"key\":\"a key\",%s}", place);
    json_t *payload = json_loads(json, 0, NULL);
    try_payload(check, payload, SNEK_TIMER_EVENT);
    json_decref(payload);
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void conclude_allocations(struct check *check) {
    char what[120];
    snprintf(what, sizeof what, "%u runs in which one allocation fails", check->failed_allocations);
    if (check->cut_short) {
        snprintf(what + strlen(what), sizeof what - strlen(what), "; stopped after %d s",
                 ALLOCATIONS_TOTAL_S);
    }
    conclude(check, what);
}

/* 0, or -1 when there is no folder. */
static int try_payloads(struct check *check, enum pass pass) {
    static const char *const how[] = {[PASS_VARIANTS] =
                                          "whole, and with each value missing or null",
                                      [PASS_CANCELLED] = "cancelled at once"};
    struct dirent **names;
    char what[120];
    const char *why;
    int count = scandir(check->payloads, &names, NULL, compare_names);
    if (count < 0) {
        fprintf(stderr, "%s: %m\n", check->payloads);
        return -1;
    }
    check->pass = pass;
    check->until_ms = clock_monotonic_ms() + ALLOCATIONS_TOTAL_S * 1000;
    check->deliveries = 0;
    for (int i = 0; i < count; i++) {
        try_file(check, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    try_times(check);
    if (trial_end(check->trial, &why) < 0) {
        report(check, "after the payloads", "", why);
    }
    if (pass == PASS_ALLOCATIONS) {
        conclude_allocations(check);
        return 0;
    }
    if (check->deliveries == 0) {
        printf("none no payload in %s is of an event that the plugin wants; give others with "
               "--payloads\n",
               check->payloads);
        return 0;
    }
    snprintf(what, sizeof what, "%u deliveries, %s", check->deliveries, how[pass]);
    conclude(check, what);
    return 0;
}

/* ---- the plugin and its surroundings ---- */

/* The table of the plugin with this file; NULL: none. */
static const struct config_plugin *find_plugin(const struct config *config, const char *path) {
    for (size_t i = 0; config && i < config->n_plugins; i++) {
        AUTO_FREE char *real = realpath(config->plugins[i].path, NULL);
        if (real && strcmp(real, path) == 0) {
            return &config->plugins[i];
        }
    }
    return NULL;
}

static int run_trials(struct check *check) {
    check->trial = trial_new(&check->loop, &check->direct.starter, &check->spec);
    if (!check->trial) {
        fprintf(stderr, "no memory\n");
        return EX_OSERR;
    }
    check->had_turns = json_object();
    int status = EX_CONFIG;
    if (try_to_load(check) == 0) {
        try_lives(check);
        if (!check->stalled && try_payloads(check, PASS_VARIANTS) == 0 && !check->stalled &&
            try_payloads(check, PASS_CANCELLED) == 0 && !check->stalled &&
            try_payloads(check, PASS_ALLOCATIONS) == 0 && check->all_failures == 0) {
            status = EX_OK;
        }
    }
    json_decref(check->had_turns);
    trial_free(check->trial);
    return status;
}

static void close_files(struct plugin_files **files) {
    plugin_files_close(*files);
}

/* `path` is absolute. */
static int start(struct check *check, const char *path, const struct config_plugin *configured) {
    struct error err = {.text = "no memory"};
    CLEANUP(close_files) struct plugin_files *files = NULL;
    CLEANUP(plugin_copy_finish) struct plugin_copy copy = {.path = NULL};
    /* A constructor of a plugin may read /proc/PPID/environ. */
    secret_scrub_whole_environment();
    if (plugin_files_open(&files, &err) < 0 ||
        plugin_files_copy(files, path, NULL, &copy, &err) < 0 || loop_init(&check->loop) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EX_CONFIG;
    }
    if (direct_starter_init(&check->direct, &check->loop, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        loop_finish(&check->loop);
        return EX_CONFIG;
    }
    check->spec =
        (struct worker_process_spec){.plugin_path = copy.path,
                                     .plugin_shown = check->path,
                                     .config_json = configured ? configured->config_json : "{}",
                                     .concurrency = 1,
                                     .memory_mib = configured ? configured->memory_mib : MEMORY_MIB,
                                     .sandbox = FRAME_SANDBOX_BEST,
                                     .log_level = SNEK_LEVEL_ERROR};
    int status = run_trials(check);
    direct_starter_finish(&check->direct);
    loop_finish(&check->loop);
    return status;
}

bool plugin_check_is_asked(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plugin") == 0 || strncmp(argv[i], "--plugin=", 9) == 0) {
            return true;
        }
    }
    return false;
}

/* -1: go on. */
static int parse(int argc, char **argv, const char *usage, struct check *check) {
    static const struct option options[] = {{"plugin", required_argument, NULL, 'p'},
                                            {"payloads", required_argument, NULL, 'l'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            check->path = optarg;
            break;
        case 'l':
            check->payloads = optarg;
            break;
        case 'c':
            check->config_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            return cli_usage_error("check", "see its options");
        }
    }
    if (optind < argc) {
        return cli_usage_error("check", "unexpected argument %s", argv[optind]);
    }
    return -1;
}

static char *find_payloads(const char *given) {
    char *installed =
        given ? realpath(given, NULL) : install_path_beside("../share/snekomatic/payloads");
    return installed || given ? installed : install_path_beside("../tests/payloads");
}

int plugin_check(int argc, char **argv, const char *usage) {
    struct check check = {.path = NULL};
    struct config *config = NULL;
    int status = parse(argc, argv, usage, &check);
    if (status >= 0) {
        return status;
    }
    if (check.config_path) {
        status = cli_load_config(check.config_path, CONFIG_NEED_NOTHING, &config);
        if (status != 0) {
            return status;
        }
    }
    AUTO_FREE char *path = realpath(check.path, NULL);
    AUTO_FREE char *payloads = path ? find_payloads(check.payloads) : NULL;
    if (!payloads) {
        fprintf(stderr, "snekomatic check: %s: %m\n",
                path ? "the folder of payloads (--payloads)" : check.path);
        config_free(config);
        return EX_NOINPUT;
    }
    check.payloads = payloads;
    const struct config_plugin *configured = find_plugin(config, path);
    if (config && !configured) {
        fprintf(stderr, "%s has no [[plugin]] with this path: its configuration is empty here\n",
                check.config_path);
    }
    status = start(&check, path, configured);
    config_free(config);
    return status;
}
