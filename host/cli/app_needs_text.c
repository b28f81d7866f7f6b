/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints the needs of the App, and warnings about names that nobody knows. */
#include "cli/app_needs_text.h"

#include "cli/cli.h"
#include "github_app/events.h"

#include <stdio.h>
#include <string.h>

/* The events that only a host makes. */
#define OWN_EVENTS "snekomatic."
#define LINE_WIDTH 78

/* GitHub's words; those of a new permission are close to its name. */
static const char *title_of(const struct app_need *permission, char title[GITHUB_EVENT_TITLE_MAX]) {
    const struct github_permission *known = github_permission_find(permission->name, NULL);
    if (known) {
        snprintf(title, GITHUB_EVENT_TITLE_MAX, "%s", known->title);
        return title;
    }
    return github_event_title(permission->name, title);
}

static const char *section_of(const struct app_need *permission) {
    const struct github_permission *known = github_permission_find(permission->name, NULL);
    return known ? github_permission_section(known->section) : "Permissions";
}

const char *app_needs_permission_place(const struct app_need *permission,
                                       char place[APP_NEED_PLACE_MAX]) {
    char title[GITHUB_EVENT_TITLE_MAX];
    snprintf(place, APP_NEED_PLACE_MAX, APP_FORM_PERMISSIONS " > %s > %s: %s",
             section_of(permission), title_of(permission, title),
             github_permission_words(permission->level));
    return place;
}

const char *app_needs_event_place(const struct app_need *event, char place[APP_NEED_PLACE_MAX]) {
    char title[GITHUB_EVENT_TITLE_MAX];
    snprintf(place, APP_NEED_PLACE_MAX, APP_FORM_PERMISSIONS " > Subscribe to events > %s",
             github_event_title(event->name, title));
    return place;
}

static void print_permissions(const struct app_needs *needs) {
    const char *section = "";
    for (size_t i = 0; i < needs->n_permissions; i++) {
        const struct app_need *need = &needs->permissions[i];
        char title[GITHUB_EVENT_TITLE_MAX];
        if (strcmp(section, section_of(need)) != 0) {
            section = section_of(need);
            printf("  %s\n", section);
        }
        printf("    %s: %s%s\n", title_of(need, title), github_permission_words(need->level),
               need->required < need->level ? " (optional)" : "");
    }
}

static void print_events(const struct app_needs *needs) {
    int column = 0;
    if (needs->n_events > 0) {
        printf("  Subscribe to events\n");
    }
    for (size_t i = 0; i < needs->n_events; i++) {
        char title[GITHUB_EVENT_TITLE_MAX];
        const char *comma = i + 1 < needs->n_events ? "," : "";
        int width = (int)strlen(github_event_title(needs->events[i].name, title));
        if (column > 0 && column + width + 2 > LINE_WIDTH) {
            printf("\n");
            column = 0;
        }
        column += printf("%s%s%s", column == 0 ? "    " : " ", title, comma);
    }
    if (needs->n_events > 0) {
        printf("\n");
    }
}

void app_needs_print(const struct app_needs *needs) {
    if (needs->n_permissions == 0 && needs->n_events == 0) {
        return;
    }
    printf("your App needs (%s):\n", APP_FORM_PERMISSIONS);
    print_permissions(needs);
    print_events(needs);
}

static unsigned warn_of_permission(const struct description *d, const char *name) {
    const char *nearest;
    char suggestion[CLI_SUGGESTION_MAX];
    if (github_permission_find(name, &nearest)) {
        return 0;
    }
    fprintf(stderr,
            "warning: plugin %s declares the permission %s, which this version does not know%s\n",
            d->name, name, cli_suggestion(nearest, suggestion));
    return 1;
}

static unsigned warn_of_subscription(const struct description *d,
                                     const struct described_subscription *s) {
    const char *nearest;
    char suggestion[CLI_SUGGESTION_MAX], nearest_action[GITHUB_EVENT_TITLE_MAX];
    const struct github_event *event = github_event_find(s->event, &nearest);
    if (strncmp(s->event, OWN_EVENTS, strlen(OWN_EVENTS)) == 0) {
        return 0;
    }
    if (!event) {
        fprintf(stderr,
                "warning: plugin %s subscribes to the event %s, which this version does not "
                "know%s\n",
                d->name, s->event, cli_suggestion(nearest, suggestion));
        return 1;
    }
    if (!*s->action || github_event_has_action(event, s->action, nearest_action)) {
        return 0;
    }
    fprintf(stderr,
            "warning: plugin %s subscribes to %s.%s, an action that this version does not know%s\n",
            d->name, s->event, s->action,
            cli_suggestion(*nearest_action ? nearest_action : NULL, suggestion));
    return 1;
}

unsigned app_needs_warn(const struct description *d) {
    unsigned warnings = 0;
    fflush(stdout);
    for (size_t i = 0; i < d->n_permissions; i++) {
        warnings += warn_of_permission(d, d->permissions[i].name);
    }
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        warnings += warn_of_subscription(d, &d->subscriptions[i]);
    }
    return warnings;
}
