/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Merges the permissions and events of descriptions. */
#include "github_app/needs.h"

#include "base/array.h"
#include "github_app/events.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The events of this prefix are the host's own: timers and schedules. */
#define OWN_EVENTS "snekomatic."

static struct app_need *find(struct app_need *list, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

/* 0, or -1 when memory is short. */
static int add(struct app_need **list, size_t *count, const char *name, enum permission_level level,
               bool optional, uint64_t plugin) {
    struct app_need *need = find(*list, *count, name);
    if (!need) {
        char *copy = strdup(name);
        need = copy ? ARRAY_ADD(*list, *count) : NULL;
        if (!need) {
            free(copy);
            return -1;
        }
        need->name = copy;
    }
    need->plugins |= plugin;
    if (level > need->level) {
        need->level = level;
    }
    if (!optional && level > need->required) {
        need->required = level;
    }
    return 0;
}

static int add_permissions(struct app_needs *needs, const struct description *d, uint64_t plugin) {
    for (size_t i = 0; i < d->n_permissions; i++) {
        if (add(&needs->permissions, &needs->n_permissions, d->permissions[i].name,
                github_permission_level(d->permissions[i].access), d->permissions[i].optional,
                plugin) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_event(struct app_needs *needs, const char *name, uint64_t plugin) {
    const struct github_event *event = github_event_find(name, NULL);
    if (strncmp(name, OWN_EVENTS, strlen(OWN_EVENTS)) == 0 || (event && event->automatic)) {
        return 0;
    }
    return add(&needs->events, &needs->n_events, name, PERMISSION_NONE, false, plugin);
}

static int add_events_of_checks(struct app_needs *needs, const struct description *d,
                                uint64_t plugin) {
    static const char *const events[] = {DESCRIPTION_CHECK_RUN, DESCRIPTION_CHECK_SUITE,
                                         "pull_request"};
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++) {
        bool wanted = description_may_be_check_action(d, events[i], DESCRIPTION_REQUESTED) ||
                      description_may_be_check_action(d, events[i], DESCRIPTION_REREQUESTED) ||
                      description_may_check_settings(d, events[i], DESCRIPTION_REREQUESTED) ||
                      description_may_check_settings(d, events[i], "opened");
        if (wanted && result == 0) {
            result = add_event(needs, events[i], plugin);
        }
    }
    return result;
}

static int add_events(struct app_needs *needs, const struct description *d, uint64_t plugin) {
    const char *of_commands[DESCRIPTION_COMMAND_EVENTS_MAX];
    size_t n_of_commands = description_command_events(d, of_commands);
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        if (add_event(needs, d->subscriptions[i].event, plugin) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < n_of_commands; i++) {
        if (add_event(needs, of_commands[i], plugin) < 0) {
            return -1;
        }
    }
    return add_events_of_checks(needs, d, plugin);
}

/* An App can subscribe to an event only with one of its permissions. */
static int add_permission_of_event(struct app_needs *needs, const struct app_need *need) {
    const struct github_event *event = github_event_find(need->name, NULL);
    if (!event || !event->permissions[0]) {
        return 0;
    }
    for (size_t i = 0; i < GITHUB_EVENT_PERMISSIONS_MAX && event->permissions[i]; i++) {
        if (app_needs_permission(needs, event->permissions[i])) {
            return 0;
        }
    }
    return add(&needs->permissions, &needs->n_permissions, event->permissions[0], PERMISSION_READ,
               false, need->plugins);
}

static const struct github_permission *known(const struct app_need *need) {
    static const struct github_permission unknown = {"", "", PERMISSION_SECTIONS};
    const struct github_permission *permission = github_permission_find(need->name, NULL);
    return permission ? permission : &unknown;
}

static int in_order_of_form(const void *a, const void *b) {
    const struct app_need *first = a, *second = b;
    const struct github_permission *one = known(first), *other = known(second);
    if (one->section != other->section) {
        return one->section < other->section ? -1 : 1;
    }
    int titles = strcmp(one->title, other->title);
    return titles != 0 ? titles : strcmp(first->name, second->name);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct app_need *)a)->name, ((const struct app_need *)b)->name);
}

static int collect(struct app_needs *needs, const struct description *const *descriptions,
                   size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct description *d = descriptions[i];
        uint64_t plugin = UINT64_C(1) << i;
        if (d && (add_permissions(needs, d, plugin) < 0 || add_events(needs, d, plugin) < 0)) {
            return -1;
        }
    }
    for (size_t i = 0; i < needs->n_events; i++) {
        if (add_permission_of_event(needs, &needs->events[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int app_needs_merge(struct app_needs *needs, const struct description *const *descriptions,
                    size_t count) {
    assert(count <= APP_NEEDS_PLUGINS_MAX);
    *needs = (struct app_needs){.permissions = NULL};
    int result = collect(needs, descriptions, count);
    if (needs->n_permissions > 0) {
        qsort(needs->permissions, needs->n_permissions, sizeof *needs->permissions,
              in_order_of_form);
    }
    if (needs->n_events > 0) {
        qsort(needs->events, needs->n_events, sizeof *needs->events, by_name);
    }
    return result;
}

static void free_list(struct app_need *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
    }
    free(list);
}

void app_needs_finish(struct app_needs *needs) {
    free_list(needs->permissions, needs->n_permissions);
    free_list(needs->events, needs->n_events);
    *needs = (struct app_needs){.permissions = NULL};
}

const struct app_need *app_needs_permission(const struct app_needs *needs, const char *name) {
    return find(needs->permissions, needs->n_permissions, name);
}
