/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies and checks a descriptor table by table, with a sentence for each mistake that an author
 * can make, and writes its description for the host. */
#include "worker/descriptor.h"

#include "base/text.h"
#include "protocol/description.h"
#include "protocol/schedule.h"
#include "worker/permanent.h"
#include "worker/reactions.h"
#include "worker/roles.h"
#include "worker/settings.h"
#include "worker/words.h"

#include <string.h>

/* The size of a struct up to and with a member. */
#define UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

/* The sizes in ABI 1.0: every plugin of this major has at least these members. */
#define PLUGIN_BYTES_1_0 UP_TO(struct snek_plugin, destroy)
#define PERMISSION_BYTES_1_0 UP_TO(struct snek_permission, access)
#define SUBSCRIPTION_BYTES_1_0 UP_TO(struct snek_subscription, reserved)
#define COMMAND_BYTES_1_0 UP_TO(struct snek_command, denied_text)
#define EFFECT_BYTES_1_0 UP_TO(struct snek_effect, url)
#define SCHEDULE_BYTES_1_0 UP_TO(struct snek_schedule, handler)
#define CHECK_ACTION_BYTES_1_0 UP_TO(struct snek_check_action, filters)
#define SETTING_BYTES_1_0 UP_TO(struct snek_setting, values)

/* A larger size of a table's item is a number that was never initialised. */
#define ITEM_BYTES_MAX 65536
#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* ---- copying ---- */

static int check_head(const struct snek_abi_head *head, struct error *err) {
    if (head->magic != SNEK_ABI_MAGIC) {
        return error_set(err,
                         SNEK_ENTRY_SYMBOL
                         "() returned no descriptor (its magic is 0x%08X, not "
                         "0x%08X): use SNEK_PLUGIN(...), or set .head = SNEK_ABI_HEAD",
                         (unsigned)head->magic, SNEK_ABI_MAGIC);
    }
    if (head->major != SNEK_ABI_MAJOR) {
        return error_set(
            err,
            "it was built for ABI %u, this host speaks ABI %d: rebuild it with this host's "
            "headers",
            (unsigned)head->major, SNEK_ABI_MAJOR);
    }
    if (head->required_minor > SNEK_ABI_MINOR) {
        return error_set(
            err,
            "it requires ABI %d.%u, this host speaks %d.%d: install a newer snekomatic, "
            "or rebuild it with this host's headers",
            SNEK_ABI_MAJOR, (unsigned)head->required_minor, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
    if (head->struct_bytes < PLUGIN_BYTES_1_0) {
        return error_set(err,
                         "its descriptor has %u bytes, ABI %d.0's has %zu: set .head = "
                         "SNEK_ABI_HEAD, and rebuild it with this host's headers",
                         (unsigned)head->struct_bytes, SNEK_ABI_MAJOR, PLUGIN_BYTES_1_0);
    }
    return 0;
}

struct table {
    const char *name;
    const void *items;
    uint32_t count, stride;
    /* The size of an item in ABI 1.0, and in this host. */
    size_t needed_bytes, our_bytes;
};

/* Our copy of a table. Members that the plugin does not know are zero. NULL with a sentence. */
static void *copy_table(const struct table *table, struct error *err) {
    if (table->count > FRAME_ITEMS_MAX) {
        error_set(err, "it has %u %s, more than %d", (unsigned)table->count, table->name,
                  FRAME_ITEMS_MAX);
        return NULL;
    }
    if (table->count > 0 && !table->items) {
        error_set(err, "its table of %s is NULL, but its count is %u", table->name,
                  (unsigned)table->count);
        return NULL;
    }
    if (table->count > 0 && (table->stride < table->needed_bytes ||
                             table->stride > ITEM_BYTES_MAX || table->stride % sizeof(void *))) {
        error_set(err,
                  "an item of its %s has %u bytes, at least %zu are right: use "
                  "SNEK_TABLE(...), or set %s_bytes to the size of one item",
                  table->name, (unsigned)table->stride, table->needed_bytes, table->name);
        return NULL;
    }
    char *copy = calloc(table->count + 1, table->our_bytes);
    if (!copy) {
        error_set(err, "out of memory");
        return NULL;
    }
    size_t bytes = table->stride < table->our_bytes ? table->stride : table->our_bytes;
    for (size_t i = 0; i < table->count; i++) {
        memcpy(copy + i * table->our_bytes, (const char *)table->items + i * table->stride, bytes);
    }
    return copy;
}

static int copy_tables(struct snek_plugin *p, struct error *err) {
    const struct table permissions = {"permissions",        p->permissions,
                                      p->permissions_count, p->permissions_bytes,
                                      PERMISSION_BYTES_1_0, sizeof *p->permissions};
    const struct table optional = {"optional_permissions",        p->optional_permissions,
                                   p->optional_permissions_count, p->optional_permissions_bytes,
                                   PERMISSION_BYTES_1_0,          sizeof *p->permissions};
    const struct table subscriptions = {"subscriptions",        p->subscriptions,
                                        p->subscriptions_count, p->subscriptions_bytes,
                                        SUBSCRIPTION_BYTES_1_0, sizeof *p->subscriptions};
    const struct table commands = {"commands",        p->commands,       p->commands_count,
                                   p->commands_bytes, COMMAND_BYTES_1_0, sizeof *p->commands};
    const struct table effects = {"effects",        p->effects,       p->effects_count,
                                  p->effects_bytes, EFFECT_BYTES_1_0, sizeof *p->effects};
    const struct table schedules = {"schedules",        p->schedules,       p->schedules_count,
                                    p->schedules_bytes, SCHEDULE_BYTES_1_0, sizeof *p->schedules};
    const struct table check_actions = {"check_actions",        p->check_actions,
                                        p->check_actions_count, p->check_actions_bytes,
                                        CHECK_ACTION_BYTES_1_0, sizeof *p->check_actions};
    const struct table settings = {"settings",        p->settings,       p->settings_count,
                                   p->settings_bytes, SETTING_BYTES_1_0, sizeof *p->settings};
    p->permissions = copy_table(&permissions, err);
    p->optional_permissions = p->permissions ? copy_table(&optional, err) : NULL;
    p->subscriptions = p->optional_permissions ? copy_table(&subscriptions, err) : NULL;
    p->commands = p->subscriptions ? copy_table(&commands, err) : NULL;
    p->effects = p->commands ? copy_table(&effects, err) : NULL;
    p->schedules = p->effects ? copy_table(&schedules, err) : NULL;
    p->check_actions = p->schedules ? copy_table(&check_actions, err) : NULL;
    p->settings = p->check_actions ? copy_table(&settings, err) : NULL;
    return p->settings ? 0 : -1;
}

/* ---- checking ---- */

static bool is_word(const char *text, const char *characters) {
    size_t bytes = text ? strnlen(text, FRAME_NAME_MAX + 1) : 0;
    return bytes > 0 && bytes <= FRAME_NAME_MAX && strspn(text, characters) == bytes;
}

static int check_names(const struct snek_plugin *p, struct error *err) {
    if (!is_word(p->name, "abcdefghijklmnopqrstuvwxyz0123456789-_")) {
        return error_set(err, "its name must be 1 to %d of a-z, 0-9, - and _", FRAME_NAME_MAX);
    }
    if (!text_is_line(p->version, FRAME_NAME_MAX)) {
        return error_set(err, "its version must be a line of 1 to %d bytes of UTF-8",
                         FRAME_NAME_MAX);
    }
    if (!text_is_line(p->summary, FRAME_REASON_MAX)) {
        return error_set(err, "its summary must be a line of 1 to %d bytes of UTF-8",
                         FRAME_REASON_MAX);
    }
    return 0;
}

/* The access of the permission in the list; NULL: it is not there. */
static const char *listed_access(const struct snek_permission *list, uint32_t count,
                                 const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return list[i].access;
        }
    }
    return NULL;
}

static bool is_listed(const struct snek_permission *list, uint32_t count, const char *name) {
    return listed_access(list, count, name) != NULL;
}

static int check_permission(const char *table, const struct snek_permission *list, uint32_t n,
                            struct error *err) {
    const struct snek_permission *permission = &list[n];
    if (!is_word(permission->name, "abcdefghijklmnopqrstuvwxyz0123456789_")) {
        return error_set(err, "%s[%u].name must be GitHub's, like \"issues\"", table, n);
    }
    const char *access = permission->access;
    if (!access || (strcmp(access, "read") != 0 && strcmp(access, "write") != 0 &&
                    strcmp(access, "admin") != 0)) {
        return error_set(err, "%s[%u].access (of %s) must be read, write or admin", table, n,
                         permission->name);
    }
    if (is_listed(list, n, permission->name)) {
        return error_set(err, "it declares the permission %s twice: remove one", permission->name);
    }
    return 0;
}

static int check_permissions(const struct snek_plugin *p, struct error *err) {
    int result = 0;
    for (uint32_t i = 0; i < p->permissions_count && result == 0; i++) {
        result = check_permission("permissions", p->permissions, i, err);
    }
    for (uint32_t i = 0; i < p->optional_permissions_count && result == 0; i++) {
        result = check_permission("optional_permissions", p->optional_permissions, i, err);
        if (result == 0 &&
            is_listed(p->permissions, p->permissions_count, p->optional_permissions[i].name)) {
            result = error_set(err,
                               "it declares the permission %s as required and as optional: remove "
                               "one",
                               p->optional_permissions[i].name);
        }
    }
    return result;
}

/* "a.b[0].c". A filter with a malformed bracket would never match, silently. */
static bool is_path(const char *path) {
    if (!text_is_line(path, FRAME_REASON_MAX)) {
        return false;
    }
    while (*path) {
        if (*path++ == '[') {
            size_t digits = strspn(path, "0123456789");
            if (digits == 0 || path[digits] != ']') {
                return false;
            }
            path += digits;
        }
    }
    return true;
}

static int check_filter(const struct snek_filter *filter, const char *where, struct error *err) {
    if (!is_path(filter->path)) {
        return error_set(err, "%s.path must be like \"pull_request.labels[0].name\"", where);
    }
    uint32_t values = 0;
    while (values < SNEK_FILTER_VALUES_MAX && filter->values[values]) {
        /* An empty value is a value: a label without a description. */
        const char *value = filter->values[values];
        if (*value && !text_is_line(value, FRAME_REASON_MAX)) {
            return error_set(err, "%s.values[%u] must be a line of at most %d bytes of UTF-8",
                             where, values, FRAME_REASON_MAX);
        }
        values++;
    }
    switch (filter->kind) {
    case SNEK_IS:
        return values == 1 ? 0 : error_set(err, "%s: SNEK_IS takes one value", where);
    case SNEK_IN:
        return values > 0 ? 0 : error_set(err, "%s: SNEK_IN takes at least one value", where);
    case SNEK_EXISTS:
        return values == 0 ? 0 : error_set(err, "%s: SNEK_EXISTS takes no value", where);
    default:
        return error_set(err,
                         "%s.kind %u is unknown to this host (ABI %d.%d): use SNEK_IS, SNEK_IN or "
                         "SNEK_EXISTS",
                         where, filter->kind, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
}

/* `table` is for the sentence. */
static int check_filters(const struct snek_filter filters[SNEK_SUBSCRIPTION_FILTERS_MAX],
                         const char *table, uint32_t n, struct error *err) {
    for (uint32_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && filters[i].path; i++) {
        char where[64];
        snprintf(where, sizeof where, "%s[%u].filters[%u]", table, n, i);
        if (check_filter(&filters[i], where, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_subscription(const struct snek_subscription *s, uint32_t n, struct error *err) {
    if (!is_word(s->event, WORD_CHARACTERS)) {
        return error_set(err, "subscriptions[%u].event must be GitHub's, like \"pull_request\"", n);
    }
    if (s->action && !is_word(s->action, WORD_CHARACTERS)) {
        return error_set(err,
                         "subscriptions[%u].action (of %s) must be GitHub's, like \"opened\", or "
                         "NULL for any",
                         n, s->event);
    }
    if (!s->handler) {
        return error_set(err, "subscriptions[%u] (of %s) has no handler", n, s->event);
    }
    if (s->flags & ~(uint32_t)(SNEK_OWN_EVENTS | SNEK_COALESCE)) {
        return error_set(err,
                         "subscriptions[%u] (of %s) has .flags = %u, which has a bit that is no "
                         "enum snek_subscription_flag of ABI %d.%d: use SNEK_OWN_EVENTS, "
                         "SNEK_COALESCE or 0",
                         n, s->event, s->flags, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
    if ((s->flags & SNEK_COALESCE) && s->filters[0].path) {
        return error_set(err,
                         "subscriptions[%u] (of %s) has SNEK_COALESCE and filters: a newer event "
                         "that does not match would replace one that does; check the condition in "
                         "the handler",
                         n, s->event);
    }
    return check_filters(s->filters, "subscriptions", n, err);
}

static bool is_command_name(const char *name) {
    if (!text_is_line(name, FRAME_NAME_MAX) || *name == '/') {
        return false;
    }
    while (*name && words_space(name) == 0) {
        name++;
    }
    return *name == '\0';
}

const char *descriptor_access(const struct snek_plugin *plugin, const char *permission) {
    const char *access = listed_access(plugin->permissions, plugin->permissions_count, permission);
    return access ? access
                  : listed_access(plugin->optional_permissions, plugin->optional_permissions_count,
                                  permission);
}

bool descriptor_declares(const struct snek_plugin *plugin, const char *permission) {
    return descriptor_access(plugin, permission) != NULL;
}

/* `what` is "the command /ping". */
static int check_roles(const struct snek_plugin *p, uint32_t roles, const char *what,
                       struct error *err) {
    if (!roles_are_known(roles)) {
        return error_set(err,
                         "%s has .roles = %u, which are no enum snek_role_flag of ABI %d.%d: "
                         "combine SNEK_ROLE_AUTHOR, _TRIAGE, _WRITE, _MAINTAIN, _ADMIN and "
                         "_ORG_MEMBER with |",
                         what, roles, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
    if (!roles_are_readable(p, roles)) {
        return error_set(err,
                         "%s is for members of the organization, and the plugin may not read them: "
                         "add {\"members\", \"read\"} to its permissions",
                         what);
    }
    return 0;
}

static int check_denied(const struct snek_command *command, struct error *err) {
    const char *text = command->denied_text;
    switch (command->denied) {
    case SNEK_DENIED_SILENT:
        return !text ? 0
                     : error_set(err,
                                 "the command /%s has a .denied_text, but .denied is "
                                 "SNEK_DENIED_SILENT: set .denied = SNEK_DENIED_REPLY",
                                 command->name);
    case SNEK_DENIED_REACTION:
        return !text || reaction_graphql_name(text)
                   ? 0
                   : error_set(err,
                               "the command /%s has a .denied_text that is no reaction: +1, -1, "
                               "laugh, confused, heart, hooray, rocket, eyes, or NULL for -1",
                               command->name);
    case SNEK_DENIED_REPLY:
        return text && *text && text_is_utf8(text, strlen(text)) && !permanent_text(text)
                   ? 0
                   : error_set(err,
                               "the command /%s replies to those whom it denies: its .denied_text "
                               "must have 1 to %d characters of UTF-8",
                               command->name, TEXT_CHARACTERS_MAX);
    default:
        return error_set(err,
                         "the command /%s has .denied = %u, which is no enum snek_denied of ABI "
                         "%d.%d: use SNEK_DENIED_SILENT, _REACTION or _REPLY",
                         command->name, command->denied, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
}

static int check_command(const struct snek_plugin *p, uint32_t n, struct error *err) {
    const struct snek_command *command = &p->commands[n];
    if (!is_command_name(command->name)) {
        return error_set(err,
                         "commands[%u].name must be 1 to %d bytes like \"ping\", without slash and "
                         "white space",
                         n, FRAME_NAME_MAX);
    }
    if (!text_is_line(command->usage, FRAME_REASON_MAX)) {
        return error_set(err, "the command /%s must have a usage, a line of 1 to %d bytes of UTF-8",
                         command->name, FRAME_REASON_MAX);
    }
    char what[FRAME_NAME_MAX + 16];
    snprintf(what, sizeof what, "the command /%s", command->name);
    if (check_roles(p, command->roles, what, err) < 0 || check_denied(command, err) < 0) {
        return -1;
    }
    if (!command->handler) {
        return error_set(err, "the command /%s has no handler", command->name);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(p->commands[i].name, command->name) == 0) {
            return error_set(err, "it has the command /%s twice: remove one", command->name);
        }
    }
    return 0;
}

/* "/repos/{owner}/{repo}/contents/{+path}": each segment is a word or an expression. */
static bool is_template(const char *url) {
    if (!text_is_line(url, FRAME_REASON_MAX) || *url != '/') {
        return false;
    }
    while (*url == '/') {
        url++;
        size_t bytes = strcspn(url, "/");
        if (*url == '{') {
            size_t plus = url[1] == '+';
            size_t name = strspn(url + 1 + plus, "abcdefghijklmnopqrstuvwxyz0123456789_");
            bool last = url[bytes] == '\0';
            if (name == 0 || url[1 + plus + name] != '}' || 2 + plus + name != bytes ||
                (plus > 0 && !last)) {
                return false;
            }
        } else if (bytes == 0 || strcspn(url, "{}?#%") < bytes) {
            return false;
        }
        url += bytes;
    }
    return true;
}

static int check_effect(const struct snek_effect *effect, uint32_t n, struct error *err) {
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods && effect->method; i++) {
        known = known || strcmp(effect->method, methods[i]) == 0;
    }
    if (!known) {
        return error_set(err, "effects[%u].method must be POST, PUT, PATCH or DELETE", n);
    }
    if (!is_template(effect->url)) {
        return error_set(err,
                         "effects[%u].url must be a path like "
                         "\"/repos/{owner}/{repo}/issues/{number}/comments\", in which only the "
                         "last segment may be like {+path}",
                         n);
    }
    return 0;
}

static int check_order(const struct snek_plugin *p, struct error *err) {
    if (p->order <= SNEK_ORDER_INSTALLATION) {
        return 0;
    }
    return error_set(err,
                     "it has .order = %u, which is no enum snek_order of ABI %d.%d: use "
                     "SNEK_ORDER_NONE, SNEK_ORDER_ITEM, SNEK_ORDER_REPOSITORY or "
                     "SNEK_ORDER_INSTALLATION",
                     p->order, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
}

static int check_coalescing(const struct snek_plugin *p, uint32_t n, struct error *err) {
    if (!(p->subscriptions[n].flags & SNEK_COALESCE) || p->order != SNEK_ORDER_NONE) {
        return 0;
    }
    return error_set(err,
                     "subscriptions[%u] (of %s) has SNEK_COALESCE, and the plugin has no order: "
                     "set .order",
                     n, p->subscriptions[n].event);
}

static int check_schedule(const struct snek_plugin *p, uint32_t n, struct error *err) {
    const struct snek_schedule *schedule = &p->schedules[n];
    struct schedule_times times;
    struct error why;
    if (!is_word(schedule->name, WORD_CHARACTERS)) {
        return error_set(err, "schedules[%u].name must be a word, like \"daily\"", n);
    }
    if (schedule_parse(schedule->every_minutes, schedule->cron, &times, &why) < 0) {
        return error_set(err, "the schedule %s: %s", schedule->name, why.text);
    }
    if (schedule->target > SNEK_EACH_REPOSITORY) {
        return error_set(err,
                         "the schedule %s has .target = %u: use SNEK_EACH_INSTALLATION or "
                         "SNEK_EACH_REPOSITORY",
                         schedule->name, schedule->target);
    }
    if (!schedule->handler) {
        return error_set(err, "the schedule %s has no handler", schedule->name);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(p->schedules[i].name, schedule->name) == 0) {
            return error_set(err, "it has the schedule %s twice: rename one", schedule->name);
        }
    }
    return 0;
}

static int check_identifier(const struct snek_check_action *action, uint32_t n, struct error *err) {
    if (action->kind > SNEK_RERUN) {
        return error_set(err,
                         "check_actions[%u].kind %u is unknown to this host (ABI %d.%d): use "
                         "SNEK_BUTTON or SNEK_RERUN",
                         n, action->kind, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
    if (action->kind == SNEK_RERUN) {
        return !action->identifier
                   ? 0
                   : error_set(err,
                               "check_actions[%u] is a SNEK_RERUN with an identifier, and only "
                               "buttons have one: set it to NULL",
                               n);
    }
    if (!text_is_line(action->identifier, CHECK_IDENTIFIER_MAX)) {
        return error_set(err,
                         "check_actions[%u].identifier must be that of a button, a line of 1 to %d "
                         "bytes, like \"set-pass\"",
                         n, CHECK_IDENTIFIER_MAX);
    }
    return 0;
}

static bool is_same_action(const struct snek_check_action *a, const struct snek_check_action *b) {
    const char *one = a->identifier ? a->identifier : "", *check = a->check ? a->check : "";
    return a->kind == b->kind && strcmp(one, b->identifier ? b->identifier : "") == 0 &&
           strcmp(check, b->check ? b->check : "") == 0;
}

static int check_check_action(const struct snek_plugin *p, uint32_t n, struct error *err) {
    const struct snek_check_action *action = &p->check_actions[n];
    char what[40];
    snprintf(what, sizeof what, "check_actions[%u]", n);
    if (check_identifier(action, n, err) < 0 || check_roles(p, action->roles, what, err) < 0 ||
        check_filters(action->filters, "check_actions", n, err) < 0) {
        return -1;
    }
    if (action->check && !text_is_line(action->check, FRAME_NAME_MAX)) {
        return error_set(err,
                         "%s.check must be the name of a check run, a line of 1 to %d bytes of "
                         "UTF-8, or NULL for any",
                         what, FRAME_NAME_MAX);
    }
    if (action->roles & SNEK_ROLE_AUTHOR) {
        return error_set(err,
                         "%s has SNEK_ROLE_AUTHOR, and the event of a check run names no author: "
                         "use SNEK_ROLE_TRIAGE, _WRITE, _MAINTAIN, _ADMIN or _ORG_MEMBER",
                         what);
    }
    if (!action->handler) {
        return error_set(err, "%s has no handler", what);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (is_same_action(&p->check_actions[i], action)) {
            return error_set(err, "check_actions[%u] and [%u] are for the same thing: remove one",
                             i, n);
        }
    }
    return 0;
}

static int check_check_actions(const struct snek_plugin *p, struct error *err) {
    for (uint32_t i = 0; i < p->check_actions_count; i++) {
        if (check_check_action(p, i, err) < 0) {
            return -1;
        }
    }
    if (p->check_actions_count > 0 && !descriptor_declares(p, "checks")) {
        return error_set(err, "it has check_actions, and GitHub sends their events only to an app "
                              "that may write checks: add {\"checks\", \"write\"} to its "
                              "permissions");
    }
    return 0;
}

static int check(const struct snek_plugin *p, struct error *err) {
    int result = check_names(p, err) < 0 ? -1 : check_order(p, err);
    result = result < 0 ? -1 : check_permissions(p, err);
    for (uint32_t i = 0; i < p->subscriptions_count && result == 0; i++) {
        result =
            check_subscription(&p->subscriptions[i], i, err) < 0 ? -1 : check_coalescing(p, i, err);
    }
    for (uint32_t i = 0; i < p->commands_count && result == 0; i++) {
        result = check_command(p, i, err);
    }
    for (uint32_t i = 0; i < p->effects_count && result == 0; i++) {
        result = check_effect(&p->effects[i], i, err);
    }
    for (uint32_t i = 0; i < p->schedules_count && result == 0; i++) {
        result = check_schedule(p, i, err);
    }
    result = result < 0 ? -1 : check_check_actions(p, err);
    result = result < 0 ? -1 : settings_check_declaration(p, err);
    if (result == 0 && p->subscriptions_count == 0 && p->commands_count == 0 &&
        p->schedules_count == 0 && p->check_actions_count == 0) {
        result = error_set(
            err, "it has neither a subscription nor a command nor a schedule nor a check action, "
                 "so the host would never call it: add one");
    }
    return result;
}

int descriptor_copy(const struct snek_plugin *theirs, struct snek_plugin *plugin,
                    struct error *err) {
    if (!theirs) {
        return error_set(err,
                         SNEK_ENTRY_SYMBOL "() returned NULL: return the address of a constant "
                                           "struct snek_plugin");
    }
    if (check_head(&theirs->head, err) < 0) {
        return -1;
    }
    size_t bytes = theirs->head.struct_bytes;
    *plugin = (struct snek_plugin){0};
    memcpy(plugin, theirs, bytes < sizeof *plugin ? bytes : sizeof *plugin);
    return copy_tables(plugin, err) < 0 ? -1 : check(plugin, err);
}

/* ---- describing ---- */

static int describe_filter(const struct snek_filter *filter, struct buffer *text) {
    int result = text->bytes > 0 ? buffer_append_text(text, " and ") : 0;
    if (filter->kind == SNEK_EXISTS) {
        return result | buffer_printf(text, "%s exists", filter->path);
    }
    result |= buffer_printf(text, "%s %s", filter->path, filter->kind == SNEK_IS ? "=" : "in");
    for (size_t i = 0; i < SNEK_FILTER_VALUES_MAX && filter->values[i]; i++) {
        result |= buffer_printf(text, "%s %s", i > 0 ? "," : "", filter->values[i]);
    }
    return result;
}

static int put_subscription(struct frame_writer *writer, const struct snek_subscription *s) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(64 * FRAME_REASON_MAX);
    char line[FRAME_REASON_MAX + 1];
    int result = 0;
    for (size_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && s->filters[i].path; i++) {
        result |= describe_filter(&s->filters[i], &text);
    }
    text_repair(line, sizeof line, text.data, text.bytes);
    frame_put_text(writer, s->event);
    frame_put_text(writer, s->action ? s->action : "");
    frame_put_text(writer, line);
    frame_put_number(writer, s->flags);
    return result;
}

static void put_permissions(struct frame_writer *writer, const struct snek_permission *list,
                            uint32_t count, bool optional) {
    for (uint32_t i = 0; i < count; i++) {
        frame_put_text(writer, list[i].name);
        frame_put_text(writer, list[i].access);
        frame_put_number(writer, optional);
    }
}

int descriptor_frame(const struct snek_plugin *p, struct buffer *buffer) {
    struct frame_writer writer;
    int result = 0;
    frame_begin(&writer, buffer, FRAME_DESCRIBED, 0, 0);
    frame_put_number(&writer, FRAME_PROTOCOL);
    frame_put_text(&writer, p->name);
    frame_put_text(&writer, p->version);
    frame_put_text(&writer, p->summary);
    frame_put_number(&writer, p->head.major);
    frame_put_number(&writer, p->head.minor);
    frame_put_number(&writer, p->order);
    frame_put_number(&writer, p->permissions_count + p->optional_permissions_count);
    put_permissions(&writer, p->permissions, p->permissions_count, false);
    put_permissions(&writer, p->optional_permissions, p->optional_permissions_count, true);
    frame_put_number(&writer, p->subscriptions_count);
    for (uint32_t i = 0; i < p->subscriptions_count; i++) {
        result |= put_subscription(&writer, &p->subscriptions[i]);
    }
    frame_put_number(&writer, p->commands_count);
    for (uint32_t i = 0; i < p->commands_count; i++) {
        frame_put_text(&writer, p->commands[i].name);
        frame_put_text(&writer, p->commands[i].usage);
        frame_put_number(&writer, p->commands[i].roles);
        frame_put_number(&writer, p->commands[i].denied);
    }
    frame_put_number(&writer, p->effects_count);
    for (uint32_t i = 0; i < p->effects_count; i++) {
        frame_put_text(&writer, p->effects[i].method);
        frame_put_text(&writer, p->effects[i].url);
    }
    frame_put_number(&writer, p->schedules_count);
    for (uint32_t i = 0; i < p->schedules_count; i++) {
        frame_put_text(&writer, p->schedules[i].name);
        frame_put_number(&writer, p->schedules[i].every_minutes);
        frame_put_text(&writer, p->schedules[i].cron ? p->schedules[i].cron : "");
        frame_put_number(&writer, p->schedules[i].target);
    }
    frame_put_number(&writer, p->check_actions_count);
    for (uint32_t i = 0; i < p->check_actions_count; i++) {
        const struct snek_check_action *action = &p->check_actions[i];
        frame_put_number(&writer, action->kind);
        frame_put_text(&writer, action->identifier ? action->identifier : "");
        frame_put_text(&writer, action->check ? action->check : "");
        frame_put_number(&writer, action->roles);
    }
    frame_put_text(&writer, p->repository_config ? p->repository_config : "");
    return result | frame_end(&writer);
}
