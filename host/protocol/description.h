/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin's description of itself, checked and copied out of its worker's frame. Routing, `check`,
 * `plugins` and the app's manifest use it. */
#ifndef SNEK_PROTOCOL_DESCRIPTION_H
#define SNEK_PROTOCOL_DESCRIPTION_H

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/command_search.h"
#include "protocol/frames.h"
#include "protocol/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct described_permission {
    char *name, *access;
    /* The plugin also works without it. */
    bool optional;
};

struct described_subscription {
    /* `action` is "" for any. */
    char *event, *action;
    /* For people. */
    char *filters;
    /* enum snek_subscription_flag. */
    uint32_t flags;
};

struct described_command {
    char *name, *usage;
    /* Any number of enum snek_role_flag, and an enum snek_denied. */
    uint32_t roles, denied;
};

struct described_effect {
    /* `url` is a template of the path. */
    char *method, *url;
};

struct described_schedule {
    char *name;
    /* The times that the plugin declares; `cron` is "" with a period. */
    uint32_t every_minutes;
    char *cron;
    struct schedule_times times;
    /* enum snek_schedule_target. */
    uint32_t target;
};

struct described_check_action {
    /* enum snek_check_action_kind. */
    uint32_t kind;
    /* `identifier` is "" for a re-run, `check` is "" for any check run. */
    char *identifier, *check;
    /* Any number of enum snek_role_flag. */
    uint32_t roles;
};

struct description {
    char *name, *version, *summary;
    uint32_t abi_major, abi_minor;
    /* enum snek_order. */
    uint32_t order;
    struct described_permission *permissions;
    size_t n_permissions;
    struct described_subscription *subscriptions;
    size_t n_subscriptions;
    struct described_command *commands;
    size_t n_commands;
    struct described_effect *effects;
    size_t n_effects;
    struct described_schedule *schedules;
    size_t n_schedules;
    struct described_check_action *check_actions;
    size_t n_check_actions;
    /* "stale" for `.github/stale.yml`, when the plugin declares its values; else "". */
    char *repository_config;
    /* The required and the optional permissions; canonical, as the broker takes them. The second is
     * "" when there are none. */
    char *permissions_json, *optional_json;
};

/* Parses the body of a DESCRIBED frame. 0 and `*description`; -1 when it is malformed. */
int description_parse(const void *body, size_t bytes, struct description **description,
                      struct error *err);
/* The argument may be NULL. */
void description_free(struct description *description);

/* True when the plugin wants this event and action: by a subscription, for a check action, or
 * because one of its commands might be in it. The worker evaluates filters and finds the commands.
 * Any thread. */
bool description_wants(const struct description *description, const char *event,
                       const char *action);

/* Like description_wants() for a delivery with this payload. A command counts only if the payload
 * may have it. */
bool description_wants_payload(const struct description *description, const char *event,
                               const char *action, struct command_search *payload);

/* True when the plugin may make this effect: it declared it, or it declared no effects at all.
 * `path` is below the API's root and may have a query. */
bool description_allows_effect(const struct description *description, const char *method,
                               const char *path);

/* Compares the declared permissions with `permitted`, a NULL-terminated list of "NAME:ACCESS" in
 * which a higher access includes the lower ones; NULL permits all. Takes the optional permissions
 * that are not in it out of the description. 0; or -1 and a sentence when a required one is not in
 * it, or memory is short. */
int description_permit(struct description *description, char *const *permitted, struct error *err);

/* True when one of the plugin's commands may be in this event. */
bool description_may_hold_command(const struct description *description, const char *event,
                                  const char *action);

/* True when one of the plugin's check actions may be this event. */
bool description_may_be_check_action(const struct description *description, const char *event,
                                     const char *action);

/* True when this event may start the check of the plugin's repository configuration. */
bool description_may_check_settings(const struct description *description, const char *event,
                                    const char *action);

/* The events of check actions. */
#define DESCRIPTION_CHECK_RUN "check_run"
#define DESCRIPTION_CHECK_SUITE "check_suite"
#define DESCRIPTION_REQUESTED "requested_action"
#define DESCRIPTION_REREQUESTED "rerequested"

/* GitHub's limit for the identifier of a button: bytes. */
#define CHECK_IDENTIFIER_MAX 20

/* The events in which a plugin's commands may be; none without a command. Returns their number. */
#define DESCRIPTION_COMMAND_EVENTS_MAX 7
size_t description_command_events(const struct description *description,
                                  const char *events[DESCRIPTION_COMMAND_EVENTS_MAX]);

/* True when routing, claims and tokens are the same for both. */
bool description_routes_alike(const struct description *a, const struct description *b);

/* A positive number for the subscriptions that match this event and action, if all of them
 * coalesce; 0 otherwise. It is the same for equal sets of subscriptions. `*takes_own`: all of them
 * take the bot's own events. */
int64_t description_coalesces(const struct description *description, const char *event,
                              const char *action, bool *takes_own);

/* "item", "repository", "installation"; "" without an order. */
const char *description_order(uint32_t order);

/* 0, or -1 and a sentence when two plugins have one name, one command, or one button of a check
 * run. NULLs are skipped. */
int descriptions_conflict(const struct description *const *descriptions, size_t count,
                          struct error *err);

#define DESCRIPTION_ROLES_MAX 100

/* "anybody", or "author, triage": for people. */
void description_roles(uint32_t roles, char text[DESCRIPTION_ROLES_MAX]);

#endif
