/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares what plugins read, and what scenarios deliver, with the paths of GitHub's payloads. */
#include "scenario/warnings.h"

#include "scenario/payload_paths.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int warnings_init(struct warnings *warnings, const char *payloads, struct error *err) {
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/paths.txt", payloads);
    *warnings = (struct warnings){.paths = payload_paths_new(file, err), .printed = json_object()};
    return warnings->paths ? 0 : -1;
}

void warnings_finish(struct warnings *warnings) {
    payload_paths_free(warnings->paths);
    json_decref(warnings->printed);
    *warnings = (struct warnings){0};
}

/* False when the payloads of the event have no such path; then it has warned. */
static bool check(struct warnings *warnings, const char *who, const char *event, const char *path) {
    char nearest[PAYLOAD_PATH_MAX], text[2 * PAYLOAD_PATH_MAX + 300];
    if (payload_paths_has(warnings->paths, event, path, nearest)) {
        return true;
    }
    snprintf(text, sizeof text,
             "%.100s %s, which GitHub's description of the webhook %.60s does not have%s%s", who,
             path, event, *nearest ? "; the nearest path is " : "", nearest);
    if (!json_object_get(warnings->printed, text)) {
        json_object_set_new(warnings->printed, text, json_true());
        printf("# warning: %s\n", text);
        fflush(stdout);
    }
    return false;
}

void warnings_check_payload(struct warnings *warnings, const char *event, const char *at,
                            const json_t *value) {
    const char *key;
    json_t *member;
    size_t i;
    char path[PAYLOAD_PATH_MAX];
    if (*at && !check(warnings, "the scenario's payload has", event, at)) {
        return;
    }
    json_object_foreach((json_t *)value, key, member) {
        bool fits =
            snprintf(path, sizeof path, "%s%s%s", at, *at ? "." : "", key) < (int)sizeof path;
        if (fits && !strpbrk(key, ".[ ")) {
            warnings_check_payload(warnings, event, path, member);
        }
    }
    json_array_foreach(value, i, member) {
        if (snprintf(path, sizeof path, "%s[%zu]", at, i) < (int)sizeof path) {
            warnings_check_payload(warnings, event, path, member);
        }
    }
}

/* A handler may serve several events and try the paths of each, so only a filter's path must be one
 * of this event. */
static void check_read(struct warnings *warnings, const char *plugin, const char *event,
                       const char *path) {
    char who[120];
    bool is_filter = *path == '@';
    path += is_filter ? 1 : 0;
    if (!*path || (!is_filter && payload_paths_has_anywhere(warnings->paths, path))) {
        return;
    }
    snprintf(who, sizeof who, "%.80s %s", plugin, is_filter ? "has a filter for" : "reads");
    check(warnings, who, event, path);
}

void warnings_check_log(struct warnings *warnings, const struct lines *lines, size_t from) {
    char paths[FIELD_MAX], event[FIELD_MAX], plugin[FIELD_MAX], *rest = paths;
    const char *line;
    size_t bytes;
    while ((line = lines_next(lines, &from, &bytes)) != NULL) {
        if (!line_is(line, bytes, "msg", "payload_read") ||
            !line_field(line, bytes, "paths", paths) || !line_field(line, bytes, "event", event) ||
            !line_field(line, bytes, "plugin", plugin)) {
            continue;
        }
        rest = paths;
        for (char *path; (path = strsep(&rest, " ")) != NULL;) {
            check_read(warnings, plugin, event, path);
        }
    }
}
