/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Notes what follows each slash of a payload. A command whose two first characters follow none is
 * not there. For the others the slashes are looked at once more. */
#include "protocol/command_search.h"

#include <assert.h>
#include <string.h>

void command_search_init(struct command_search *search, const char *body, size_t bytes) {
    search->body = body;
    search->bytes = bytes;
    search->is_read = false;
}

/* JSON may write any character as \uXXXX, and a slash, a backslash and a quote after a backslash.
 * The other escapes are control characters, and no command has one. */
static bool may_be_in_command(const char *escape, const char *end) {
    return escape + 1 >= end || !memchr("bfnrt", escape[1], 5);
}

static void note(uint64_t *bits, size_t bit) {
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool is_noted(const uint64_t *bits, size_t bit) {
    return bits[bit / 64] >> bit % 64 & 1;
}

/* Looks for backslashes one by one: a body has few, and memmem() takes many times as long. */
static bool has_escaped_slash(const char *body, const char *end) {
    static const char rest[] = "u002";
    size_t length = sizeof rest - 1;
    const char *at = body;
    while ((at = memchr(at, '\\', (size_t)(end - at)))) {
        at++;
        if ((size_t)(end - at) > length && memcmp(at, rest, length) == 0 &&
            (at[length] == 'f' || at[length] == 'F')) {
            return true;
        }
    }
    return false;
}

static void note_after_slash(struct command_search *search, const char *at, const char *end) {
    size_t pair = 0;
    for (int i = 0; i < 2 && at < end; i++, at++) {
        if (*at == '\\') {
            search->has_escapes = search->has_escapes || may_be_in_command(at, end);
            return;
        }
        pair = pair << 8 | (unsigned char)*at;
        note(i == 0 ? search->firsts : search->pairs, pair);
    }
}

static void read_body(struct command_search *search) {
    const char *at = search->body, *end = at + search->bytes;
    search->is_read = true;
    memset(search->firsts, 0, sizeof search->firsts);
    memset(search->pairs, 0, sizeof search->pairs);
    search->has_escapes = has_escaped_slash(at, end);
    while (!search->has_escapes && (at = memchr(at, '/', (size_t)(end - at)))) {
        note_after_slash(search, ++at, end);
    }
}

/* Does the name, or an escape that may stand for its next character, follow? */
static bool may_follow(const char *at, const char *end, const char *name) {
    while (*name && at < end && *at == *name) {
        at++;
        name++;
    }
    return !*name || (at < end && *at == '\\' && may_be_in_command(at, end));
}

bool command_search_may_hold(struct command_search *search, const char *name) {
    assert(*name);
    if (!search->is_read) {
        read_body(search);
    }
    size_t first = (unsigned char)name[0];
    bool is_there = name[1] ? is_noted(search->pairs, first << 8 | (unsigned char)name[1])
                            : is_noted(search->firsts, first);
    if (search->has_escapes || (is_there && !name[1])) {
        return true;
    }
    const char *at = search->body, *end = at + search->bytes;
    while (is_there && (at = memchr(at, '/', (size_t)(end - at)))) {
        if (may_follow(++at, end, name)) {
            return true;
        }
    }
    return false;
}
