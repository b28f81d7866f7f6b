/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the item of an effect from its URL, from its body (checks), or from its run. */
#include "dispatch/effect_item.h"

#include "base/array.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"
/* A check's body is scanned for its commit up to this size. */
#define BODY_MAX 65536

static void write_item(char item[EFFECT_ITEM_MAX + 1], const char *repository,
                       size_t repository_bytes, const char *kind, const char *name,
                       size_t name_bytes) {
    snprintf(item, EFFECT_ITEM_MAX + 1, "%.*s%s%.*s", (int)repository_bytes, repository, kind,
             (int)name_bytes, name);
    text_to_lower(item);
}

/* The rest of `path` after "/WORD/", or NULL. */
static const char *after(const char *path, const char *word) {
    size_t bytes = strlen(word);
    return path[0] == '/' && strncmp(path + 1, word, bytes) == 0 && path[1 + bytes] == '/'
               ? path + 2 + bytes
               : NULL;
}

static bool is_end(char c) {
    return c == '\0' || c == '/' || c == '?' || c == '#';
}

/* The kind of item that the path names, with its name; NULL when it names none. */
static const char *find_item(const char *path, const char **name, size_t *bytes) {
    static const struct {
        const char *word, *characters, *kind;
    } kinds[] = {{"issues", DIGITS, "#"},
                 {"pulls", DIGITS, "#"},
                 {"discussions", DIGITS, "#"},
                 {"commits", DIGITS "abcdefABCDEF", "@"},
                 {"statuses", DIGITS "abcdefABCDEF", "@"},
                 {"check-runs", DIGITS, "@check-run-"}};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        *name = after(path, kinds[i].word);
        *bytes = *name ? strspn(*name, kinds[i].characters) : 0;
        if (*bytes > 0 && is_end((*name)[*bytes])) {
            return kinds[i].kind;
        }
    }
    return NULL;
}

/* A new check run names its commit in its body. */
static bool find_head(const struct effect_target *target, const char *rest,
                      struct json_value *sha) {
    static const char check_runs[] = "/check-runs";
    size_t bytes = sizeof check_runs - 1;
    return strncmp(rest, check_runs, bytes) == 0 && is_end(rest[bytes]) &&
           target->body_bytes <= BODY_MAX &&
           json_find(target->body, target->body_bytes, "head_sha", sha) && sha->type == JSON_STRING;
}

void effect_item(const struct effect_target *target, char item[EFFECT_ITEM_MAX + 1]) {
    static const char below[] = "/repos/";
    const char *path = target->path, *name;
    struct json_value sha;
    size_t bytes;
    item[0] = '\0';
    if (strncmp(path, below, sizeof below - 1) == 0) {
        const char *repository = path + sizeof below - 1;
        size_t owner_bytes = strcspn(repository, "/?#");
        const char *slash = repository + owner_bytes;
        size_t repository_bytes = owner_bytes + (*slash == '/' ? 1 + strcspn(slash + 1, "/?#") : 0);
        const char *rest = repository + repository_bytes;
        const char *kind = find_item(rest, &name, &bytes);
        if (kind) {
            write_item(item, repository, repository_bytes, kind, name, bytes);
            return;
        }
        if (find_head(target, rest, &sha)) {
            write_item(item, repository, repository_bytes, "@", sha.raw + 1, sha.raw_bytes - 2);
            return;
        }
    }
    const char *number = strchr(target->item, '#');
    if (number && *target->repository) {
        write_item(item, target->repository, strlen(target->repository), "#", number + 1,
                   strlen(number + 1));
    }
}
