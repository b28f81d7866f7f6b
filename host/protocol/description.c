/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies a plugin's description out of a frame, checks it, and answers what routing asks of it. */
#include "protocol/description.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/utf8.h"
#include "protocol/access.h"

#include <snekomatic/plugin.h>
#include <snekomatic/timer.h>

#include <assert.h>
#include <string.h>

#define ROLES_OF_REPOSITORY                                                                        \
    (SNEK_ROLE_TRIAGE | SNEK_ROLE_WRITE | SNEK_ROLE_MAINTAIN | SNEK_ROLE_ADMIN)
#define ROLES_OF_CHECKS (ROLES_OF_REPOSITORY | SNEK_ROLE_ORG_MEMBER)
#define ROLES_ALL (ROLES_OF_REPOSITORY | SNEK_ROLE_AUTHOR | SNEK_ROLE_ORG_MEMBER)

static char *copy_text(struct frame_reader *reader, size_t max_bytes) {
    struct frame_text text = frame_get_text(reader, max_bytes);
    for (size_t at = 0; at < text.bytes;) {
        if (text_unsafe(text.data + at, text.bytes - at) != 0) {
            /* The text goes to logs and terminals. */
            reader->failed = true;
        }
        at += utf8_step(text.data + at, text.bytes - at);
    }
    char *copy = strndup(text.data, text.bytes);
    if (!copy) {
        reader->failed = true;
    }
    return copy;
}

/* A list's count and its zeroed array; NULL for an empty one. */
static void *read_list(struct frame_reader *reader, size_t item_bytes, size_t *count) {
    uint64_t items = frame_get_number(reader);
    *count = 0;
    if (items > FRAME_ITEMS_MAX) {
        reader->failed = true;
    }
    if (reader->failed || items == 0) {
        return NULL;
    }
    void *list = calloc((size_t)items, item_bytes);
    if (!list) {
        reader->failed = true;
        return NULL;
    }
    *count = (size_t)items;
    return list;
}

static void read_lists(struct frame_reader *reader, struct description *d) {
    d->permissions = read_list(reader, sizeof *d->permissions, &d->n_permissions);
    for (size_t i = 0; i < d->n_permissions; i++) {
        d->permissions[i].name = copy_text(reader, FRAME_NAME_MAX);
        d->permissions[i].access = copy_text(reader, FRAME_NAME_MAX);
        uint64_t optional = frame_get_number(reader);
        d->permissions[i].optional = optional == 1;
        reader->failed = reader->failed || optional > 1;
    }
    d->subscriptions = read_list(reader, sizeof *d->subscriptions, &d->n_subscriptions);
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        d->subscriptions[i].event = copy_text(reader, FRAME_NAME_MAX);
        d->subscriptions[i].action = copy_text(reader, FRAME_NAME_MAX);
        d->subscriptions[i].filters = copy_text(reader, FRAME_REASON_MAX);
        d->subscriptions[i].flags = (uint32_t)frame_get_number(reader);
    }
    d->commands = read_list(reader, sizeof *d->commands, &d->n_commands);
    for (size_t i = 0; i < d->n_commands; i++) {
        d->commands[i].name = copy_text(reader, FRAME_NAME_MAX);
        d->commands[i].usage = copy_text(reader, FRAME_REASON_MAX);
        uint64_t roles = frame_get_number(reader), denied = frame_get_number(reader);
        if (roles > ROLES_ALL || denied > SNEK_DENIED_REPLY) {
            reader->failed = true;
        }
        d->commands[i].roles = (uint32_t)roles;
        d->commands[i].denied = (uint32_t)denied;
    }
    d->effects = read_list(reader, sizeof *d->effects, &d->n_effects);
    for (size_t i = 0; i < d->n_effects; i++) {
        d->effects[i].method = copy_text(reader, FRAME_NAME_MAX);
        d->effects[i].url = copy_text(reader, FRAME_REASON_MAX);
    }
}

static void read_schedules(struct frame_reader *reader, struct description *d) {
    d->schedules = read_list(reader, sizeof *d->schedules, &d->n_schedules);
    for (size_t i = 0; i < d->n_schedules; i++) {
        struct described_schedule *schedule = &d->schedules[i];
        struct error ignored;
        schedule->name = copy_text(reader, FRAME_NAME_MAX);
        uint64_t minutes = frame_get_number(reader);
        schedule->cron = copy_text(reader, FRAME_REASON_MAX);
        uint64_t target = frame_get_number(reader);
        schedule->every_minutes = (uint32_t)minutes;
        schedule->target = (uint32_t)target;
        if (minutes > SCHEDULE_MINUTES_MAX || target > SNEK_EACH_REPOSITORY || reader->failed ||
            schedule_parse(schedule->every_minutes, schedule->cron, &schedule->times, &ignored) <
                0) {
            reader->failed = true;
        }
    }
}

static void read_check_actions(struct frame_reader *reader, struct description *d) {
    d->check_actions = read_list(reader, sizeof *d->check_actions, &d->n_check_actions);
    for (size_t i = 0; i < d->n_check_actions; i++) {
        struct described_check_action *action = &d->check_actions[i];
        uint64_t kind = frame_get_number(reader);
        action->identifier = copy_text(reader, CHECK_IDENTIFIER_MAX);
        action->check = copy_text(reader, FRAME_NAME_MAX);
        uint64_t roles = frame_get_number(reader);
        action->kind = (uint32_t)kind;
        action->roles = (uint32_t)roles;
        if (kind > SNEK_RERUN || (roles & ~(uint64_t)ROLES_OF_CHECKS) != 0) {
            reader->failed = true;
        }
    }
}

static bool declares(const struct description *d, const char *permission) {
    for (size_t i = 0; i < d->n_permissions; i++) {
        if (strcmp(d->permissions[i].name, permission) == 0) {
            return true;
        }
    }
    return false;
}

/* The levels of a command are read with `metadata: read`. GitHub adds it to every permission of
 * repositories; a plugin with others only needs it by name. 0, or -1 when memory is short. */
static int add_metadata(struct description *d) {
    bool needed = false;
    for (size_t i = 0; i < d->n_commands; i++) {
        needed = needed || (d->commands[i].roles & ROLES_OF_REPOSITORY) != 0;
    }
    for (size_t i = 0; i < d->n_check_actions; i++) {
        needed = needed || (d->check_actions[i].roles & ROLES_OF_REPOSITORY) != 0;
    }
    if (!needed || declares(d, "metadata")) {
        return 0;
    }
    struct described_permission *list =
        realloc(d->permissions, (d->n_permissions + 1) * sizeof *list);
    if (!list) {
        return -1;
    }
    d->permissions = list;
    list[d->n_permissions++] =
        (struct described_permission){.name = strdup("metadata"), .access = strdup("read")};
    bool copied = list[d->n_permissions - 1].name && list[d->n_permissions - 1].access;
    return copied ? 0 : -1;
}

static int by_name(const void *a, const void *b) {
    const struct described_permission *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* Sorted and without repetition, so that equal needs share one token. NULL when memory is short. */
static char *permissions_json(const struct description *d, bool optional) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(FRAME_ITEMS_MAX * 8 * FRAME_NAME_MAX);
    int result = 0;
    for (size_t i = 0; i < d->n_permissions; i++) {
        const struct described_permission *p = &d->permissions[i];
        if (p->optional != optional) {
            continue;
        }
        result |= buffer_append_text(&json, json.bytes == 0 ? "{" : ",");
        result |= buffer_append_json_string(&json, p->name, strlen(p->name));
        result |= buffer_append_text(&json, ":");
        result |= buffer_append_json_string(&json, p->access, strlen(p->access));
    }
    if (json.bytes == 0) {
        /* Leaving the permissions out would grant all that the installation has. */
        return strdup(optional ? "" : "{\"metadata\":\"read\"}");
    }
    result |= buffer_append_text(&json, "}");
    return result == 0 ? buffer_steal(&json) : NULL;
}

/* 0, or -1 when memory is short. */
static int set_json(struct description *d, struct error *err) {
    if (d->n_permissions > 0) {
        qsort(d->permissions, d->n_permissions, sizeof *d->permissions, by_name);
    }
    free(d->permissions_json);
    free(d->optional_json);
    d->permissions_json = permissions_json(d, false);
    d->optional_json = permissions_json(d, true);
    return d->permissions_json && d->optional_json ? 0 : error_set(err, "out of memory");
}

static int check_names(const struct description *d, struct error *err) {
    if (!*d->name || strspn(d->name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(d->name)) {
        return error_set(err, "its name may have only a-z, 0-9, - and _");
    }
    for (size_t i = 1; i < d->n_permissions; i++) {
        if (strcmp(d->permissions[i - 1].name, d->permissions[i].name) == 0) {
            return error_set(err, "it declares the permission %s twice", d->permissions[i].name);
        }
    }
    return 0;
}

int description_parse(const void *body, size_t bytes, struct description **description,
                      struct error *err) {
    struct frame_reader reader;
    frame_read_begin(&reader, body, bytes);
    if (frame_get_number(&reader) != FRAME_PROTOCOL) {
        return error_set(err, "snekomatic-worker is of another version than this host");
    }
    struct description *d = calloc(1, sizeof *d);
    if (!d) {
        return error_set(err, "out of memory");
    }
    d->name = copy_text(&reader, FRAME_NAME_MAX);
    d->version = copy_text(&reader, FRAME_NAME_MAX);
    d->summary = copy_text(&reader, FRAME_REASON_MAX);
    d->abi_major = (uint32_t)frame_get_number(&reader);
    d->abi_minor = (uint32_t)frame_get_number(&reader);
    uint64_t order = frame_get_number(&reader);
    d->order = (uint32_t)order;
    read_lists(&reader, d);
    read_schedules(&reader, d);
    read_check_actions(&reader, d);
    d->repository_config = copy_text(&reader, FRAME_NAME_MAX);
    int result = frame_read_end(&reader);
    if (result < 0 || order > SNEK_ORDER_INSTALLATION) {
        result = error_set(err, "its description is malformed");
    } else if (add_metadata(d) < 0) {
        result = error_set(err, "out of memory");
    } else {
        result = set_json(d, err) < 0 ? -1 : check_names(d, err);
    }
    if (result < 0) {
        description_free(d);
        return -1;
    }
    *description = d;
    return 0;
}

void description_free(struct description *d) {
    if (!d) {
        return;
    }
    for (size_t i = 0; i < d->n_permissions; i++) {
        free(d->permissions[i].name);
        free(d->permissions[i].access);
    }
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        free(d->subscriptions[i].event);
        free(d->subscriptions[i].action);
        free(d->subscriptions[i].filters);
    }
    for (size_t i = 0; i < d->n_commands; i++) {
        free(d->commands[i].name);
        free(d->commands[i].usage);
    }
    for (size_t i = 0; i < d->n_effects; i++) {
        free(d->effects[i].method);
        free(d->effects[i].url);
    }
    for (size_t i = 0; i < d->n_schedules; i++) {
        free(d->schedules[i].name);
        free(d->schedules[i].cron);
    }
    for (size_t i = 0; i < d->n_check_actions; i++) {
        free(d->check_actions[i].identifier);
        free(d->check_actions[i].check);
    }
    free(d->check_actions);
    free(d->repository_config);
    free(d->schedules);
    free(d->effects);
    free(d->permissions);
    free(d->subscriptions);
    free(d->commands);
    free(d->permissions_json);
    free(d->optional_json);
    free(d->name);
    free(d->version);
    free(d->summary);
    free(d);
}

/* Commands are in these events. */
static const struct {
    const char *event, *action;
    /* Only a plugin that declares it gets these. NULL: every plugin. */
    const char *permission;
} command_events[] = {{"issues", "opened", NULL},
                      {"pull_request", "opened", NULL},
                      {"issue_comment", "created", NULL},
                      {"pull_request_review", "submitted", NULL},
                      {"pull_request_review_comment", "created", NULL},
                      {"discussion", "created", "discussions"},
                      {"discussion_comment", "created", "discussions"}};

static_assert(ARRAY_LENGTH(command_events) == DESCRIPTION_COMMAND_EVENTS_MAX, "one place for each");

size_t description_command_events(const struct description *d,
                                  const char *events[DESCRIPTION_COMMAND_EVENTS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(command_events) && d->n_commands > 0; i++) {
        const char *permission = command_events[i].permission;
        if (!permission || declares(d, permission)) {
            events[count++] = command_events[i].event;
        }
    }
    return count;
}

bool description_may_hold_command(const struct description *d, const char *event,
                                  const char *action) {
    for (size_t i = 0; i < ARRAY_LENGTH(command_events) && d->n_commands > 0; i++) {
        const char *permission = command_events[i].permission;
        if (strcmp(event, command_events[i].event) == 0 &&
            strcmp(action, command_events[i].action) == 0) {
            return !permission || declares(d, permission);
        }
    }
    return false;
}

bool description_may_be_check_action(const struct description *d, const char *event,
                                     const char *action) {
    bool of_run = strcmp(event, DESCRIPTION_CHECK_RUN) == 0;
    bool pressed = of_run && strcmp(action, DESCRIPTION_REQUESTED) == 0;
    bool again = (of_run || strcmp(event, DESCRIPTION_CHECK_SUITE) == 0) &&
                 strcmp(action, DESCRIPTION_REREQUESTED) == 0;
    for (size_t i = 0; i < d->n_check_actions; i++) {
        if (d->check_actions[i].kind == SNEK_RERUN ? again : pressed) {
            return true;
        }
    }
    return false;
}

static bool has_settings(const struct description *d) {
    return d->repository_config && *d->repository_config;
}

bool description_may_check_settings(const struct description *d, const char *event,
                                    const char *action) {
    bool again = strcmp(action, DESCRIPTION_REREQUESTED) == 0;
    bool changed = strcmp(action, "opened") == 0 || strcmp(action, "synchronize") == 0 ||
                   strcmp(action, "reopened") == 0;
    if (!has_settings(d)) {
        return false;
    }
    if (strcmp(event, "pull_request") == 0) {
        return changed;
    }
    return again && (strcmp(event, DESCRIPTION_CHECK_RUN) == 0 ||
                     strcmp(event, DESCRIPTION_CHECK_SUITE) == 0);
}

static bool matches(const struct described_subscription *s, const char *event, const char *action) {
    return strcmp(s->event, event) == 0 && (!*s->action || strcmp(s->action, action) == 0);
}

/* By a subscription, a schedule, a check action or the check of the configuration. */
static bool subscribes(const struct description *d, const char *event, const char *action) {
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        const struct described_subscription *s = &d->subscriptions[i];
        if (matches(s, event, action)) {
            return true;
        }
    }
    for (size_t i = 0; i < d->n_schedules; i++) {
        if (strcmp(event, SNEK_SCHEDULE_EVENT) == 0 && strcmp(action, d->schedules[i].name) == 0) {
            return true;
        }
    }
    return description_may_be_check_action(d, event, action) ||
           description_may_check_settings(d, event, action);
}

bool description_wants(const struct description *d, const char *event, const char *action) {
    return description_may_hold_command(d, event, action) || subscribes(d, event, action);
}

bool description_wants_payload(const struct description *d, const char *event, const char *action,
                               struct command_search *payload) {
    if (subscribes(d, event, action)) {
        return true;
    }
    bool may_hold = description_may_hold_command(d, event, action);
    for (size_t i = 0; may_hold && i < d->n_commands; i++) {
        if (command_search_may_hold(payload, d->commands[i].name)) {
            return true;
        }
    }
    return false;
}

int64_t description_coalesces(const struct description *d, const char *event, const char *action,
                              bool *takes_own) {
    uint64_t hash = HASH_BEGIN;
    bool any = false, own = true;
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        const struct described_subscription *s = &d->subscriptions[i];
        if (!matches(s, event, action)) {
            continue;
        }
        if (!(s->flags & SNEK_COALESCE)) {
            return 0;
        }
        any = true;
        own = own && (s->flags & SNEK_OWN_EVENTS);
        hash = hash_text(hash_text(hash, s->event), s->action);
    }
    *takes_own = own;
    return any ? (int64_t)(hash & INT64_MAX) | 1 : 0;
}

/* Does `path` up to its query fit the template? The worker has checked the template's form. */
static bool path_fits(const char *template, const char *path) {
    while (*template == '/' && *path == '/') {
        template ++;
        path++;
        size_t part = strcspn(template, "/"), segment = strcspn(path, "/?#");
        if (strncmp(template, "{+", 2) == 0) {
            return segment > 0;
        }
        bool fits =
            *template == '{' ? segment > 0 : segment == part && memcmp(template, path, part) == 0;
        if (!fits) {
            return false;
        }
        template += part;
        path += segment;
    }
    return *template == '\0' && (*path == '\0' || *path == '?' || *path == '#');
}

/* The check run of the repository configuration is the worker's own effect. */
static bool is_settings_check(const char *method, const char *path) {
    static const char runs[] = "/repos/{owner}/{repo}/check-runs";
    static const char run[] = "/repos/{owner}/{repo}/check-runs/{id}";
    return (strcmp(method, "POST") == 0 && path_fits(runs, path)) ||
           (strcmp(method, "PATCH") == 0 && path_fits(run, path));
}

bool description_allows_effect(const struct description *d, const char *method, const char *path) {
    bool allowed = d->n_effects == 0 || (has_settings(d) && is_settings_check(method, path));
    for (size_t i = 0; i < d->n_effects && !allowed; i++) {
        allowed = strcmp(d->effects[i].method, method) == 0 && path_fits(d->effects[i].url, path);
    }
    return allowed;
}

static bool permits(const char *permitted, const struct described_permission *permission) {
    size_t bytes = strlen(permission->name);
    if (strncmp(permitted, permission->name, bytes) != 0 || permitted[bytes] != ':') {
        return false;
    }
    const char *access = permitted + bytes + 1;
    /* An access that is none is never permitted: the worker may say anything. */
    int wanted = access_rank(permission->access, strlen(permission->access));
    return wanted > 0 && access_rank(access, strlen(access)) >= wanted;
}

static bool is_permitted(const struct described_permission *permission, char *const *permitted) {
    /* GitHub gives it to every token. */
    bool found = permits("metadata:read", permission);
    for (char *const *one = permitted; *one && !found; one++) {
        found = permits(*one, permission);
    }
    return found;
}

int description_permit(struct description *d, char *const *permitted, struct error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < d->n_permissions && permitted; i++) {
        struct described_permission permission = d->permissions[i];
        bool found = is_permitted(&permission, permitted);
        if (!found && !permission.optional) {
            return error_set(err,
                             "it declares the permission %s: %s, which plugin.permissions does not "
                             "list: add \"%s:%s\" to the list, or disable the plugin",
                             permission.name, permission.access, permission.name,
                             permission.access);
        }
        /* A swap, so that the list owns each text at any time. */
        d->permissions[i] = d->permissions[kept];
        d->permissions[kept] = permission;
        kept += found;
    }
    for (size_t i = kept; i < d->n_permissions && permitted; i++) {
        free(d->permissions[i].name);
        free(d->permissions[i].access);
    }
    d->n_permissions = permitted ? kept : d->n_permissions;
    return set_json(d, err);
}

static const char *shared_command(const struct description *a, const struct description *b) {
    for (size_t i = 0; i < a->n_commands; i++) {
        for (size_t j = 0; j < b->n_commands; j++) {
            if (strcmp(a->commands[i].name, b->commands[j].name) == 0) {
                return a->commands[i].name;
            }
        }
    }
    return NULL;
}

static bool same_text(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

bool description_routes_alike(const struct description *a, const struct description *b) {
    bool same = same_text(a->name, b->name) &&
                same_text(a->permissions_json, b->permissions_json) &&
                same_text(a->optional_json, b->optional_json) && a->order == b->order &&
                a->n_subscriptions == b->n_subscriptions && a->n_commands == b->n_commands &&
                a->n_effects == b->n_effects && a->n_check_actions == b->n_check_actions &&
                same_text(a->repository_config, b->repository_config);
    for (size_t i = 0; same && i < a->n_subscriptions; i++) {
        same = same_text(a->subscriptions[i].event, b->subscriptions[i].event) &&
               same_text(a->subscriptions[i].action, b->subscriptions[i].action);
    }
    for (size_t i = 0; same && i < a->n_effects; i++) {
        same = same_text(a->effects[i].method, b->effects[i].method) &&
               same_text(a->effects[i].url, b->effects[i].url);
    }
    for (size_t i = 0; same && i < a->n_commands; i++) {
        same = same_text(a->commands[i].name, b->commands[i].name);
    }
    for (size_t i = 0; same && i < a->n_check_actions; i++) {
        same = a->check_actions[i].kind == b->check_actions[i].kind;
    }
    return same;
}

/* The button that both plugins would handle; NULL: none. */
static const struct described_check_action *shared_button(const struct description *a,
                                                          const struct description *b) {
    for (size_t i = 0; i < a->n_check_actions; i++) {
        const struct described_check_action *one = &a->check_actions[i];
        for (size_t j = 0; j < b->n_check_actions; j++) {
            const struct described_check_action *other = &b->check_actions[j];
            bool same_check =
                !*one->check || !*other->check || strcmp(one->check, other->check) == 0;
            if (one->kind == SNEK_BUTTON && other->kind == SNEK_BUTTON && same_check &&
                strcmp(one->identifier, other->identifier) == 0) {
                return one;
            }
        }
    }
    return NULL;
}

const char *description_order(uint32_t order) {
    static const char *const names[] = {[SNEK_ORDER_NONE] = "",
                                        [SNEK_ORDER_ITEM] = "item",
                                        [SNEK_ORDER_REPOSITORY] = "repository",
                                        [SNEK_ORDER_INSTALLATION] = "installation"};
    assert(order < sizeof names / sizeof *names);
    return names[order];
}

int descriptions_conflict(const struct description *const *descriptions, size_t count,
                          struct error *err) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            const struct description *a = descriptions[i], *b = descriptions[j];
            if (!a || !b) {
                continue;
            }
            if (strcmp(a->name, b->name) == 0) {
                return error_set(err, "two plugins call themselves %s: disable one", a->name);
            }
            const char *command = shared_command(a, b);
            if (command) {
                return error_set(err,
                                 "the plugins %s and %s both have the command /%s: disable one",
                                 a->name, b->name, command);
            }
            const struct described_check_action *button = shared_button(a, b);
            if (button) {
                return error_set(err,
                                 "the plugins %s and %s both have the button %s of a check run: "
                                 "disable one",
                                 a->name, b->name, button->identifier);
            }
        }
    }
    return 0;
}

void description_roles(uint32_t roles, char text[DESCRIPTION_ROLES_MAX]) {
    static const struct {
        uint32_t role;
        const char *name;
    } names[] = {{SNEK_ROLE_AUTHOR, "author"}, {SNEK_ROLE_TRIAGE, "triage"},
                 {SNEK_ROLE_WRITE, "write"},   {SNEK_ROLE_MAINTAIN, "maintain"},
                 {SNEK_ROLE_ADMIN, "admin"},   {SNEK_ROLE_ORG_MEMBER, "organization member"}};
    size_t used = 0;
    snprintf(text, DESCRIPTION_ROLES_MAX, "anybody");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (roles & names[i].role) {
            used += (size_t)snprintf(text + used, DESCRIPTION_ROLES_MAX - used, "%s%s",
                                     used > 0 ? ", " : "", names[i].name);
        }
    }
}
