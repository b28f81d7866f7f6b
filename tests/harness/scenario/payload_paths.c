/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the list of payloads' paths, and looks paths up. The list is a graph: an object that many
 * events have is in it once. */
#include "scenario/payload_paths.h"

#include "base/buffer.h"
#include "base/suggest.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 4096
#define LINE_BYTES_MAX (64u << 10)
/* Objects in objects, when the nearest path is looked for. */
#define DEPTH_MAX 5

/* A member of an object; borrowed from the object's line. */
struct member {
    const char *name;
    size_t name_bytes;
    /* 1 for a list, 2 for a list of lists. */
    unsigned lists;
    /* The number of its object, from 1; 0: it has no members. */
    size_t object;
};

struct payload_paths {
    /* Lines of the file, ours. Objects count from 1; the events follow them. */
    char **objects, **events;
    size_t n_objects, n_events;
};

/* -- reading -- */

/* The member at `*at` of a line, which moves behind it. False at the end. */
static bool next_member(const char **at, struct member *member) {
    const char *text = *at + strspn(*at, " ");
    size_t bytes = strcspn(text, " ");
    const char *colon = memchr(text, ':', bytes);
    *member = (struct member){.name = text, .name_bytes = colon ? (size_t)(colon - text) : bytes};
    if (bytes == 0) {
        return false;
    }
    member->object = colon ? strtoul(colon + 1, NULL, 10) : 0;
    while (member->name_bytes > 2 && memcmp(text + member->name_bytes - 2, "[]", 2) == 0) {
        member->name_bytes -= 2;
        member->lists++;
    }
    *at = text + bytes;
    return true;
}

static int add_line(struct payload_paths *paths, const char *line) {
    bool is_event = strncmp(line, "event ", 6) == 0;
    size_t *count = is_event ? &paths->n_events : &paths->n_objects;
    if (*count == OBJECTS_MAX) {
        return -1;
    }
    char *copy = strdup(is_event ? line + 6 : line);
    (is_event ? paths->events : paths->objects)[*count] = copy;
    *count += copy != NULL;
    return copy ? 0 : -1;
}

struct payload_paths *payload_paths_new(const char *file, struct error *err) {
    FILE *stream = fopen(file, "re");
    if (!stream) {
        error_set(err, "cannot read %s: %s", file, strerror(errno));
        return NULL;
    }
    struct payload_paths *paths = calloc(1, sizeof *paths);
    char *line = malloc(LINE_BYTES_MAX);
    bool good = paths && line;
    if (paths) {
        paths->objects = calloc(OBJECTS_MAX, sizeof *paths->objects);
        paths->events = calloc(OBJECTS_MAX, sizeof *paths->events);
        good = good && paths->objects && paths->events;
    }
    while (good && fgets(line, LINE_BYTES_MAX, stream)) {
        line[strcspn(line, "\n")] = '\0';
        good = *line == '#' || *line == '\0' || add_line(paths, line) == 0;
    }
    free(line);
    fclose(stream);
    if (!good) {
        error_set(err, "%s has too many lines, or memory is short", file);
        payload_paths_free(paths);
        return NULL;
    }
    return paths;
}

void payload_paths_free(struct payload_paths *paths) {
    for (size_t i = 0; paths && i < paths->n_objects; i++) {
        free(paths->objects[i]);
    }
    for (size_t i = 0; paths && i < paths->n_events; i++) {
        free(paths->events[i]);
    }
    if (paths) {
        free(paths->objects);
        free(paths->events);
        free(paths);
    }
}

/* -- looking up -- */

static bool find_member(const struct payload_paths *paths, size_t object, const char *name,
                        size_t bytes, struct member *member) {
    const char *at = object > 0 && object <= paths->n_objects ? paths->objects[object - 1] : "";
    bool any = false;
    while (next_member(&at, member)) {
        if (member->name_bytes == bytes && memcmp(member->name, name, bytes) == 0) {
            return true;
        }
        any |= member->name_bytes == 1 && *member->name == '*';
    }
    /* A name of the author's, with anything in it. */
    *member = (struct member){.object = SIZE_MAX};
    return any;
}

/* The object of the event; false when GitHub has no such event. */
static bool find_event(const struct payload_paths *paths, const char *event, size_t *object) {
    for (size_t i = 0; i < paths->n_events; i++) {
        const char *at = paths->events[i];
        struct member member;
        if (next_member(&at, &member) && member.name_bytes == strlen(event) &&
            memcmp(member.name, event, member.name_bytes) == 0) {
            *object = member.object;
            return true;
        }
    }
    return false;
}

/* The bytes of the path that exist, whole segments; all of them when the path does. `*object` is
 * where it ends then, or that with the first member that is not there. */
static size_t resolve(const struct payload_paths *paths, size_t *object, const char *path) {
    size_t known = 0;
    for (const char *at = path; *at;) {
        at += *at == '.';
        size_t bytes = strcspn(at, ".[");
        struct member member;
        if (!find_member(paths, *object, at, bytes, &member)) {
            return known;
        }
        if (member.object == SIZE_MAX) {
            return strlen(path);
        }
        unsigned indexes = 0;
        for (at += bytes; *at == '['; indexes++) {
            at += strcspn(at, "]");
            at += *at == ']';
        }
        /* A list as a whole may be read, but only its items have members. */
        if (indexes > member.lists || (*at && indexes < member.lists)) {
            return known;
        }
        known = (size_t)(at - path);
        *object = member.object;
    }
    return known;
}

/* -- the nearest path -- */

struct search {
    const struct payload_paths *paths;
    const char *wanted;
    /* The wanted path's last member. */
    const char *leaf;
    size_t best_distance;
    char *best;
    char path[PAYLOAD_PATH_MAX];
};

static void consider(struct search *search, const struct member *member) {
    size_t distance = suggest_distance(search->path, search->wanted);
    bool same_leaf = member->name_bytes == strlen(search->leaf) &&
                     memcmp(member->name, search->leaf, member->name_bytes) == 0;
    if (distance < search->best_distance &&
        (same_leaf || suggest_is_near(search->wanted, distance))) {
        search->best_distance = distance;
        snprintf(search->best, PAYLOAD_PATH_MAX, "%s", search->path);
    }
}

static void visit(struct search *search, size_t object, size_t used, unsigned depth) {
    const char *line =
        object > 0 && object <= search->paths->n_objects ? search->paths->objects[object - 1] : "";
    struct member member;
    while (next_member(&line, &member)) {
        int bytes = snprintf(search->path + used, sizeof search->path - used, "%s%.*s%s",
                             used > 0 ? "." : "", (int)member.name_bytes, member.name,
                             member.lists > 0 ? "[0]" : "");
        if (bytes < 0 || used + (size_t)bytes >= sizeof search->path || *member.name == '*') {
            continue;
        }
        consider(search, &member);
        if (depth < DEPTH_MAX) {
            visit(search, member.object, used + (size_t)bytes, depth + 1);
        }
    }
}

/* The same path of the event's own object: "pull_request.title" for "issue.title". */
static bool find_in_own_object(const struct payload_paths *paths, const char *event,
                               size_t event_object, const char *path,
                               char nearest[PAYLOAD_PATH_MAX]) {
    const char *rest = strchr(path, '.'), *line = "";
    struct member member;
    if (rest && event_object > 0 && event_object <= paths->n_objects) {
        line = paths->objects[event_object - 1];
    }
    while (next_member(&line, &member)) {
        bool is_own = strncmp(event, member.name, member.name_bytes) == 0;
        size_t object = member.object;
        if (is_own && object > 0 && resolve(paths, &object, rest + 1) == strlen(rest + 1)) {
            snprintf(nearest, PAYLOAD_PATH_MAX, "%.*s%s", (int)member.name_bytes, member.name,
                     rest);
            return true;
        }
    }
    return false;
}

static void find_nearest(const struct payload_paths *paths, size_t event_object, const char *path,
                         size_t known_bytes, char nearest[PAYLOAD_PATH_MAX]) {
    const char *dot = strrchr(path, '.');
    struct search search = {.paths = paths,
                            .wanted = path,
                            .leaf = dot ? dot + 1 : path,
                            .best_distance = SIZE_MAX,
                            .best = nearest};
    /* Without a similar one, the part that exists. */
    snprintf(nearest, PAYLOAD_PATH_MAX, "%.*s", (int)known_bytes, path);
    visit(&search, event_object, 0, 1);
}

bool payload_paths_has(const struct payload_paths *paths, const char *event, const char *path,
                       char nearest[PAYLOAD_PATH_MAX]) {
    size_t event_object = 0;
    *nearest = '\0';
    if (!find_event(paths, event, &event_object) || strlen(path) >= PAYLOAD_PATH_MAX) {
        return true;
    }
    size_t object = event_object, known_bytes = resolve(paths, &object, path);
    if (known_bytes == strlen(path)) {
        return true;
    }
    if (!find_in_own_object(paths, event, event_object, path, nearest)) {
        find_nearest(paths, event_object, path, known_bytes, nearest);
    }
    return false;
}

bool payload_paths_has_anywhere(const struct payload_paths *paths, const char *path) {
    /* The events snekomatic.timer and snekomatic.schedule have these. */
    if (strncmp(path, "timer.", 6) == 0 || strncmp(path, "schedule.", 9) == 0) {
        return true;
    }
    for (size_t i = 0; i < paths->n_events; i++) {
        const char *at = paths->events[i];
        struct member member;
        if (next_member(&at, &member) && resolve(paths, &member.object, path) == strlen(path)) {
            return true;
        }
    }
    return false;
}
