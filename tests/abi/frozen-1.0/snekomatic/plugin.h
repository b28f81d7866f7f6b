/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin: a shared object with one exported function, which returns a constant descriptor.
 *
 *   host                             worker, the process of this one plugin
 *    |  starts it                     |
 *    |------------------------------->| dlopen(), snek_plugin_entry() -> descriptor
 *    |                                | create(host, &state)
 *    |<-------------------------------| permissions, subscriptions, commands, schedules
 *    |  a delivery that matches       |
 *    |------------------------------->| handler(run): blocks as long as it needs
 *    |<-------------------------------| result and reason
 *    |     ...                        |   (up to `concurrency` runs at once, each on a thread)
 *    |  closes the socket             |
 *    |------------------------------->| destroy(state), then the process ends
 *
 * The descriptor is data: the host lists what a plugin subscribes to without running a handler.
 *
 * The smallest plugin:
 *
 *   #include <snekomatic/snekomatic.h>
 *
 *   static int32_t hello(struct snek_run *run) {
 *       return snek_reply(run, "Hello!");
 *   }
 *   static const struct snek_permission permissions[] = {{"issues", "write"}};
 *   static const struct snek_command commands[] = {
 *       {.name = "hello", .usage = "/hello", .handler = hello}};
 *
 *   SNEK_PLUGIN(.name = "hello", .version = "1.0", .summary = "Answers /hello.",
 *               SNEK_TABLE(permissions), SNEK_TABLE(commands))
 */
#ifndef SNEKOMATIC_PLUGIN_H
#define SNEKOMATIC_PLUGIN_H

#include <snekomatic/abi.h>
#include <snekomatic/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snek_host; /* host.h */

/* The plugin's handling of one delivery. The host owns it. It is valid until the handler returns.
 */
struct snek_run {
    /* The vtable for this run. */
    const struct snek_host *host;
    /* The state that create() set; NULL without create(). */
    void *state;
};

/* A handler. It may block. The host calls it on a thread with 512 KiB of stack; up to `concurrency`
 * handlers run at the same time. Returns an enum snek_result, or a negative enum snek_error. */
typedef int32_t (*snek_handler)(struct snek_run *run);

/* A permission that the GitHub App needs, by the names of GitHub's page "Permissions required for
 * GitHub Apps". The host requests tokens with these permissions only. For a plugin that declares
 * none it requests {"metadata", "read"}. */
struct snek_permission {
    /* "issues". */
    const char *name;
    /* "read", "write" or "admin". */
    const char *access;
};

enum snek_filter_kind {
    /* The field equals the one value. */
    SNEK_IS = 0,
    /* The field equals one of the values. */
    SNEK_IN = 1,
    /* The field is present and not null. */
    SNEK_EXISTS = 2
};

#define SNEK_FILTER_VALUES_MAX 8

/* A condition on a field of the payload. The host compares values with the text of the field: a
 * string itself, a number as the payload writes it, "true", "false" or "null". An absent field
 * never matches. */
struct snek_filter {
    /* "pull_request.merged", "labels[0].name"; event.h has the grammar. */
    const char *path;
    /* enum snek_filter_kind. */
    uint32_t kind;
    /* 0. */
    uint32_t reserved;
    /* Up to the first NULL. */
    const char *values[SNEK_FILTER_VALUES_MAX];
};

#define SNEK_SUBSCRIPTION_FILTERS_MAX 4

enum snek_subscription_flag {
    /* The plugin wants the bot's own events too. An event is the bot's own when its sender is the
     * app's bot user, or when it reports that a check run or check suite of this app was created or
     * completed. Without this flag the host calls the handler for events of others only, so that a
     * plugin does not react to itself. */
    SNEK_OWN_EVENTS = 1,
    /* If several runs of one key of the plugin's order wait, only the newest runs, because the
     * handler looks at the present state of things, and not at each change. The others end as
     * "superseded". A run is kept when it has made an effect, when a command may be in its event,
     * or when another subscription without this flag matches too. The subscription must have no
     * filters, and the plugin an order. */
    SNEK_COALESCE = 2
};

/* An event that the plugin handles. All of its filters must match. When several subscriptions match
 * a delivery, the host calls their handlers in the order of the table, then those of the commands,
 * all in one run. It stops at the first result other than SNEK_DONE and SNEK_SKIPPED. */
struct snek_subscription {
    /* "pull_request": the header X-GitHub-Event. */
    const char *event;
    /* "closed"; NULL for any action, and for an event that has none. */
    const char *action;
    snek_handler handler;
    /* Up to the first whose path is NULL. */
    struct snek_filter filters[SNEK_SUBSCRIPTION_FILTERS_MAX];
    /* Flags of enum snek_subscription_flag, or 0. */
    uint32_t flags;
    /* 0. */
    uint32_t reserved;
};

/* The plugin's response to a person who has none of a command's roles. */
enum snek_denied {
    /* Nothing. The host logs it. */
    SNEK_DENIED_SILENT = 0,
    /* A reaction to the text. */
    SNEK_DENIED_REACTION = 1,
    /* A reply. */
    SNEK_DENIED_REPLY = 2
};

/* A slash command: a line that starts with `/name`, as commands.h describes. A host rejects two
 * plugins with the same command.
 *
 * The worker checks the roles before it calls the handler, as role.h describes. The check
 * runs in the plugin's own process: it protects the repository from people, not from the plugin,
 * which may act within its permissions for any reason. If GitHub does not respond, the host retries
 * the run. */
struct snek_command {
    /* "ping": without the slash, and without white space. Upper and lower case differ. */
    const char *name;
    /* For people: "/ping: answers pong". */
    const char *usage;
    /* The people who may use it: SNEK_ROLE_AUTHOR | SNEK_ROLE_TRIAGE (enum snek_role_flag).
     * SNEK_ROLE_ANYBODY, which is 0, for everybody. */
    uint32_t roles;
    /* The response to other people: enum snek_denied. They get it at most once per person and item
     * (issue, pull request or discussion) in an hour. */
    uint32_t denied;
    /* snek_argument() returns the words of the command. */
    snek_handler handler;
    /* The Markdown of a SNEK_DENIED_REPLY, at most 65,536 characters. The reaction of a
     * SNEK_DENIED_REACTION, one of those of commands.h; NULL for "-1". NULL for
     * SNEK_DENIED_SILENT. */
    const char *denied_text;
};

/* An effect that the plugin makes. If a plugin lists its effects, the host rejects all others with
 * SNEK_E_FORBIDDEN, also those of snek_reply() and snek_react(), and the responses to denied
 * commands. */
struct snek_effect {
    /* "POST", "PUT", "PATCH" or "DELETE". */
    const char *method;
    /* The path of the URL: "/repos/{owner}/{repo}/issues/{number}/comments". `{name}` stands for
     * one segment, and `{+name}` at the end for one or more. The query does not count. All
     * mutations of GraphQL are {"POST", "/graphql"}. */
    const char *url;
};

/* The targets of a schedule: it fires for each of them, each time. */
enum snek_schedule_target {
    /* Each installation of the app that is not suspended. */
    SNEK_EACH_INSTALLATION = 0,
    /* Each repository of these that is not archived. */
    SNEK_EACH_REPOSITORY = 1
};

/* Times at which the host calls the plugin, for each target. All times are UTC. The delivery is the
 * event "snekomatic.schedule" with the schedule's name as its action; its payload has
 * `installation`, `repository` (for SNEK_EACH_REPOSITORY) and `schedule.slot`, the time. Its run is
 * retried like any other, and goes in the plugin's order.
 *
 * The firings are spread over a tenth of the period, at most 10 minutes. Times at which no host ran
 * count once, late. A target is left out while its last run has not ended. New installations and
 * repositories begin with the next time. */
struct snek_schedule {
    /* "daily": a word. The host remembers the last firing under it. */
    const char *name;
    /* Either the period in minutes, at least 5; or 0, and `cron`. */
    uint32_t every_minutes;
    /* enum snek_schedule_target. */
    uint32_t target;
    /* Five fields: minute, hour, day of the month, month, day of the week. "30 4 * * 1-5" is 4:30
     * on weekdays. Ranges, lists, steps and names of months and days work as in crontab(5); within
     * an hour at least 5 minutes lie between two times. NULL with `every_minutes`. */
    const char *cron;
    snek_handler handler;
};

enum snek_check_action_kind {
    /* People press a button of the check run: GitHub's action "requested_action". */
    SNEK_BUTTON = 0,
    /* People run the check run again, or all checks of the commit: GitHub's action "rerequested"
     * of the events check_run and check_suite. */
    SNEK_RERUN = 1
};

/* A button of the bot's check runs, or their re-run: the host calls the handler when a person asks
 * for it. The filters must match too. The check run must be the bot's own: GitHub also delivers
 * re-runs of other apps' checks to some apps, and the host calls no handler for those.
 *
 * Inside the handler, snek_check() updates the check run of the event's commit. Buttons appear by
 * `actions` of struct snek_check (check.h). The plugin must declare {"checks", "write"}. */
struct snek_check_action {
    /* "set-pass": the button's identifier, at most 20 characters. NULL for SNEK_RERUN. A host
     * rejects two plugins that have the same button of the same check run. */
    const char *identifier;
    /* "DCO": the name of the check run; NULL for any of the bot's. When people run all checks of a
     * commit again, GitHub names none, so the host calls each handler of SNEK_RERUN. */
    const char *check;
    /* enum snek_check_action_kind. */
    uint32_t kind;
    /* The people who may use it, as in struct snek_command, and checked in the same way. There is
     * no SNEK_ROLE_AUTHOR, because the payload does not name an author. The host logs a denial. */
    uint32_t roles;
    snek_handler handler;
    /* Up to the first whose path is NULL. */
    struct snek_filter filters[SNEK_SUBSCRIPTION_FILTERS_MAX];
};

enum snek_setting_kind {
    SNEK_SETTING_STRING = 0,
    /* A whole number. */
    SNEK_SETTING_INTEGER = 1,
    SNEK_SETTING_BOOLEAN = 2,
    /* Any value with anything in it: the plugin checks it. */
    SNEK_SETTING_ANY = 3
};

#define SNEK_SETTING_VALUES_MAX 8

/* A value that the repository's configuration file may have. No value is required. */
struct snek_setting {
    /* "days"; "require.members" in a mapping; "labels[]" for each item of a list, and
     * "rules[].label" in each mapping of a list. Names of keys are words: letters, digits, - and _.
     */
    const char *path;
    /* enum snek_setting_kind. */
    uint32_t kind;
    /* 0. */
    uint32_t reserved;
    /* The smallest and the largest value of a SNEK_SETTING_INTEGER; both 0: any. */
    int64_t least, most;
    /* The texts that a SNEK_SETTING_STRING may be, up to the first NULL. None: any. */
    const char *values[SNEK_SETTING_VALUES_MAX];
};

/* Which of the plugin's runs go one at a time, in the order in which GitHub's deliveries arrived,
 * however many hosts there are. Runs of different items, repositories or installations still go at
 * the same time. A run that fails keeps its place for its first four retries, about 13 minutes.
 * After that later runs pass it; they also pass a run that waits for a permission. */
enum snek_order {
    /* All runs may go at the same time. */
    SNEK_ORDER_NONE = 0,
    /* The runs of one issue, pull request or discussion, with its comments and reviews. Events that
     * are about none of these, such as "push", are not ordered. */
    SNEK_ORDER_ITEM = 1,
    /* The runs of one repository. */
    SNEK_ORDER_REPOSITORY = 2,
    /* The runs of one installation. */
    SNEK_ORDER_INSTALLATION = 3
};

/* The descriptor. Names are at most 100 bytes, tables at most 256 items. The `_bytes` of a table is
 * the size of one item in the plugin's headers; SNEK_TABLE sets it. */
struct snek_plugin {
    /* SNEK_PLUGIN sets it. */
    struct snek_abi_head head;
    /* a-z, 0-9, - and _. Unique in a host. The plugin's sets and keys are stored under it. */
    const char *name;
    /* For people. */
    const char *version;
    /* For people: one line. */
    const char *summary;
    /* enum snek_order. */
    uint32_t order;
    /* 0. */
    uint32_t reserved;

    const struct snek_permission *permissions;
    uint32_t permissions_count;
    uint32_t permissions_bytes;
    /* Permissions that the plugin uses where an installation grants them. A missing one stops no
     * run: the plugin asks with snek_has_permission(). A name is in one of the two tables. */
    const struct snek_permission *optional_permissions;
    uint32_t optional_permissions_count;
    uint32_t optional_permissions_bytes;
    const struct snek_subscription *subscriptions;
    uint32_t subscriptions_count;
    uint32_t subscriptions_bytes;
    const struct snek_command *commands;
    uint32_t commands_count;
    uint32_t commands_bytes;
    /* All effects that the plugin makes. Without the table it may make any. */
    const struct snek_effect *effects;
    uint32_t effects_count;
    uint32_t effects_bytes;
    const struct snek_schedule *schedules;
    uint32_t schedules_count;
    uint32_t schedules_bytes;
    const struct snek_check_action *check_actions;
    uint32_t check_actions_count;
    uint32_t check_actions_bytes;
    /* "stale": the repository's configuration file is `.github/stale.yml`, and may have exactly the
     * values of `settings`. NULL: the file has no schema.
     *
     * With a schema, the host checks the file when the plugin reads it (repository_config.h), and
     * in each pull request that changes it on the default branch: the check run
     * ".github/stale.yml" there shows every error at its line. The plugin must declare {"contents",
     * "read"}, {"pull_requests", "read"} and {"checks", "write"}; as optional permissions if it
     * works without that check run. */
    const char *repository_config;
    const struct snek_setting *settings;
    uint32_t settings_count;
    uint32_t settings_bytes;

    /* [create] Optional. The host calls it once, on the worker's main thread, before any handler.
     * It checks the configuration (snek_config_…) and sets `*state`, which all handlers share and
     * which the plugin owns. 0; or negative after snek_reject_start(): then the plugin does not
     * start, and the host shows the sentence. `host` is valid until destroy() returns. It may
     * block, but the host waits for it only for seconds. */
    int32_t (*create)(const struct snek_host *host, void **state);

    /* [create] Optional. The host calls it once, on the worker's main thread, when no handler runs
     * any more. After a crash it is not called. */
    void (*destroy)(void *state);
};

#if defined(__GNUC__)
#define SNEK_EXPORT __attribute__((visibility("default")))
#else
#define SNEK_EXPORT
#endif

#define SNEK_ABI_HEAD                                                                              \
    { SNEK_ABI_MAGIC, SNEK_ABI_MAJOR, SNEK_ABI_MINOR, 0, 0, (uint32_t)sizeof(struct snek_plugin) }

#define SNEK_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Sets the three members of a table from an array of the same name. */
#define SNEK_TABLE(array)                                                                          \
    .array = (array), .array##_count = SNEK_COUNT(array),                                          \
    .array##_bytes = (uint32_t)sizeof((array)[0])

#ifdef __cplusplus
#define SNEK_EXTERN_C extern "C"
#else
#define SNEK_EXTERN_C
#endif

/* With -Wextra, C++ compilers warn about every member that a designated initializer leaves out, C
 * compilers do not. Plugins leave out most members, so the warning is off behind this header. */
#if defined(__GNUC__) && defined(__cplusplus) && __cplusplus >= 202002L
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

/* Defines the descriptor and the one exported function, in C and C++20. The members must be in the
 * order of struct snek_plugin in C++20. C++ before C++20 has no designated initializers: there,
 * fill a `struct snek_plugin` and write the function by hand, as extern "C". */
#if !defined(__cplusplus) || __cplusplus >= 202002L
#define SNEK_PLUGIN(...)                                                                           \
    static const struct snek_plugin snek_plugin_descriptor = {.head = SNEK_ABI_HEAD, __VA_ARGS__}; \
    SNEK_EXTERN_C SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void);                   \
    SNEK_EXTERN_C SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void) {                  \
        return &snek_plugin_descriptor;                                                            \
    }
#endif

#ifdef __cplusplus
}
#endif

#endif
