/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a plugin is: a constant descriptor, returned by the one function that it exports.
 *
 *   host                        worker (a process of the plugin's own)
 *    |  start, load              |
 *    |-------------------------->| dlopen, snek_plugin_entry() -> descriptor
 *    |                           | create(host, &state)
 *    |<--------------------------| what it subscribes to, its commands, its permissions
 *    |  a delivery that matches  |
 *    |-------------------------->| handler(run) ... blocks as it likes ... returns a result
 *    |          ...              |      (up to `concurrency` of them at once, each on its thread)
 *    |  stop                     |
 *    |-------------------------->| destroy(state), exit
 *
 * The descriptor is data: the host lists what a plugin wants without running a handler.
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

/* One plugin's handling of one delivery. Valid until the handler returns, on the handler's own
 * thread. Made and owned by the host. */
struct snek_run {
    const struct snek_host *host; /* the vtable, for this run [since 1.0] */
    void *state;                  /* what create() gave; NULL without create [since 1.0] */
};

/* A handler. It may block. It is called on a thread with 512 KiB of stack, up to `concurrency` of
 * them at the same time. Returns an enum snek_result, or a negative enum snek_error. */
typedef int32_t (*snek_handler)(struct snek_run *run);

/* A permission that the app must be granted, as GitHub names them ("members", "write"):
 * docs.github.com "Permissions required for GitHub Apps". Tokens are asked for with these only;
 * a plugin that declares none gets {"metadata", "read"}. */
struct snek_permission {
    const char *name;   /* "issues" [since 1.0] */
    const char *access; /* "read", "write" or "admin" [since 1.0] */
};

enum snek_filter_kind {
    SNEK_IS = 0,     /* the field is the one value given [since 1.0] */
    SNEK_IN = 1,     /* the field is one of the values given [since 1.0] */
    SNEK_EXISTS = 2, /* the field is there, and is not null [since 1.0] */
};

#define SNEK_FILTER_VALUES_MAX 8

/* A condition on a field of the payload. Values are compared with the field's text: a string as it
 * is, a number as it is written, "true", "false" or "null". A field that is absent never matches.
 */
struct snek_filter {
    const char *path;  /* "pull_request.merged", "labels[0].name" [since 1.0] */
    uint32_t kind;     /* enum snek_filter_kind [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */
    const char *values[SNEK_FILTER_VALUES_MAX]; /* up to the first NULL [since 1.0] */
};

#define SNEK_SUBSCRIPTION_FILTERS_MAX 4

/* An event that the plugin handles. All of its filters must match. When several subscriptions match
 * one delivery, their handlers are called in the table's order, then the commands', within one run,
 * until one does not return SNEK_DONE or SNEK_SKIPPED. */
struct snek_subscription {
    const char *event;    /* "pull_request": the X-GitHub-Event header [since 1.0] */
    const char *action;   /* "closed"; NULL for any, or for an event that has none [since 1.0] */
    snek_handler handler; /* [since 1.0] */
    struct snek_filter
        filters[SNEK_SUBSCRIPTION_FILTERS_MAX]; /* up to the first NULL path [since 1.0] */
};

/* Who may give a command, by `author_association` of what they wrote. Others are ignored, with a
 * line in the log. */
enum snek_who {
    SNEK_WHO_ANYBODY = 0,      /* [since 1.0] */
    SNEK_WHO_COLLABORATOR = 1, /* COLLABORATOR, MEMBER or OWNER [since 1.0] */
    SNEK_WHO_MEMBER = 2,       /* MEMBER or OWNER [since 1.0] */
    SNEK_WHO_OWNER = 3,        /* OWNER [since 1.0] */
};

/* A slash command: a line of a new issue, pull request, comment, review or review comment that
 * starts with `/name`, as commands.h says. No two plugins of a host may have the same. */
struct snek_command {
    const char *name;     /* "ping": without the slash, no white space [since 1.0] */
    const char *usage;    /* for people: "/ping: answers pong" [since 1.0] */
    uint32_t who;         /* enum snek_who [since 1.0] */
    uint32_t reserved;    /* 0 [since 1.0] */
    snek_handler handler; /* snek_argument() gives the words [since 1.0] */
};

/* The descriptor. A table's `_bytes` is the size of one item, as the plugin knows it; SNEK_TABLE
 * fills all three. Names are at most 100 bytes, tables at most 256 items. */
struct snek_plugin {
    struct snek_abi_head head; /* SNEK_PLUGIN fills it [since 1.0] */
    const char *name; /* a-z, 0-9, - and _; unique in a host; its sets and keys are stored under it
                         [since 1.0] */
    const char *version; /* for people [since 1.0] */
    const char *summary; /* for people, one line [since 1.0] */

    const struct snek_permission *permissions;     /* [since 1.0] */
    uint32_t permissions_count;                    /* [since 1.0] */
    uint32_t permissions_bytes;                    /* [since 1.0] */
    const struct snek_subscription *subscriptions; /* [since 1.0] */
    uint32_t subscriptions_count;                  /* [since 1.0] */
    uint32_t subscriptions_bytes;                  /* [since 1.0] */
    const struct snek_command *commands;           /* [since 1.0] */
    uint32_t commands_count;                       /* [since 1.0] */
    uint32_t commands_bytes;                       /* [since 1.0] */

    /* Optional. Called once, on the worker's main thread, before any handler: checks the
     * configuration (snek_config_…) and makes what the handlers share. 0, or negative after
     * snek_reject_start(), which rejects to start, with that sentence. `host` is valid until
     * destroy() returns. [since 1.0] */
    int32_t (*create)(const struct snek_host *host, void **state);
    /* Optional. Called once, when no handler runs any more; not after a crash. [since 1.0] */
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

/* The three members of a table that is an array of that very name. */
#define SNEK_TABLE(array)                                                                          \
    .array = (array), .array##_count = SNEK_COUNT(array),                                          \
    .array##_bytes = (uint32_t)sizeof((array)[0])

/* Defines the descriptor and the one exported function. In C++, which before C++20 has no
 * designated initialisers, fill a `struct snek_plugin` and write the function by hand. */
#define SNEK_PLUGIN(...)                                                                           \
    static const struct snek_plugin snek_plugin_descriptor = {.head = SNEK_ABI_HEAD, __VA_ARGS__}; \
    SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void);                                 \
    SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void) {                                \
        return &snek_plugin_descriptor;                                                            \
    }

#ifdef __cplusplus
}
#endif

#endif
