/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads filters. */
#include "console/search.h"

#include "base/array.h"
#include "base/text.h"
#include "base/time_text.h"
#include "console/room.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const search_states[] = {"queued", "blocked", "held",    "running", "waiting",
                                     "parked", "done",    "skipped", "dead",    "in doubt"};
const size_t n_search_states = ARRAY_LENGTH(search_states);

static bool is_name(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i])) {
            return false;
        }
    }
    return bytes > 0;
}

static int64_t read_number(const char *text, size_t bytes) {
    int64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!isdigit((unsigned char)text[i]) || i > 15) {
            return 0;
        }
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

int64_t search_number(const char *text) {
    return read_number(text, strlen(text));
}

/* "/issues/12" and the like, behind an address of a repository. */
static int64_t number_of_address(const char *rest) {
    static const char *const kinds[] = {"/issues/", "/pull/", "/discussions/"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t bytes = strlen(kinds[i]);
        if (strncmp(rest, kinds[i], bytes) == 0) {
            return read_number(rest + bytes, strcspn(rest + bytes, "/#?"));
        }
    }
    return 0;
}

bool search_read_item(const char *text, char repository[HTTP_VALUE_MAX + 1], int64_t *number) {
    const char *scheme = strstr(text, "://");
    const char *start = text;
    if (scheme) {
        start = strchr(scheme + strlen("://"), '/');
        start = start ? start + 1 : "";
    }
    size_t owner_bytes = strcspn(start, "/");
    const char *name = start + owner_bytes + (start[owner_bytes] == '/' ? 1 : 0);
    size_t name_bytes = strcspn(name, scheme ? "/#?" : "#");
    const char *rest = name + name_bytes;
    if (start[owner_bytes] != '/' || !is_name(start, owner_bytes) || !is_name(name, name_bytes)) {
        return false;
    }
    *number = 0;
    if (scheme) {
        *number = number_of_address(rest);
    } else if (*rest == '#') {
        *number = search_number(rest + 1);
        if (*number == 0) {
            return false;
        }
    }
    snprintf(repository, HTTP_VALUE_MAX + 1, "%.*s/%.*s", (int)owner_bytes, start, (int)name_bytes,
             name);
    return true;
}

static bool is_guid(const char *text) {
    size_t bytes = strlen(text);
    return bytes == strlen("01234567-0123-0123-0123-0123456789ab") &&
           strspn(text, "0123456789abcdefABCDEF-") == bytes;
}

bool search_is_plugin(const struct console_task *task, const char *text) {
    char line[INBOX_NAME_MAX + 3];
    if (!is_name(text, strlen(text)) || strlen(text) > INBOX_NAME_MAX) {
        return false;
    }
    snprintf(line, sizeof line, "\n%s\n", text);
    return strstr(task->console->options.configured, line) != NULL;
}

static const char *after_prefix(const char *text, const char *prefix) {
    size_t bytes = strlen(prefix);
    return strncasecmp(text, prefix, bytes) == 0 && text[bytes] ? text + bytes : NULL;
}

/* "issue_comment.created" is an event and an action. The host's own events have a dot too. */
static void read_event(struct search *search, const char *text) {
    bool own = strncmp(text, INBOX_OWN_EVENTS, strlen(INBOX_OWN_EVENTS)) == 0;
    snprintf(search->event, sizeof search->event, "%s", text);
    char *dot = strchr(search->event + (own ? strlen(INBOX_OWN_EVENTS) : 0), '.');
    search->filter.event = search->event;
    search->filter.action = NULL;
    if (dot) {
        *dot = '\0';
        search->filter.action = text_or_null(dot + 1);
    }
}

/* A person may have the "@" of a mention. */
static const char *login_of(const char *text) {
    return *text == '@' && text[1] ? text + 1 : text;
}

/* "owner/name#12", "owner/name", or the owner or the name alone, also with a number: "name#12". */
static bool read_repository(struct search *search, const char *text) {
    if (search_read_item(text, search->repository, &search->filter.number)) {
        search->filter.repository = search->repository;
        return true;
    }
    size_t bytes = strcspn(text, "#");
    int64_t number = text[bytes] ? search_number(text + bytes + 1) : 0;
    if (!is_name(text, bytes) || (text[bytes] && number == 0)) {
        return false;
    }
    if (number > 0) {
        search->filter.number = number;
    }
    snprintf(search->repository_part, sizeof search->repository_part, "%.*s", (int)bytes, text);
    search->filter.repository_part = search->repository_part;
    return true;
}

/* "plugin:invite" and the like. */
static bool read_named(struct search *search, const char *text) {
    struct inbox_search_filter *filter = &search->filter;
    const struct {
        const char *prefix;
        const char **value;
    } names[] = {{"guid:", &filter->guid},   {"person:", &filter->sender},
                 {"@", &filter->sender},     {"plugin:", &filter->plugin},
                 {"event:", &filter->event}, {"installation:", &filter->installation},
                 {"state:", &filter->state}, {"reason:", &filter->reason},
                 {"text:", &filter->any},    {"repository:", &filter->repository_part}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = after_prefix(text, names[i].prefix);
        if (!value) {
            continue;
        }
        *names[i].value = value + strspn(value, " ");
        if (filter->event) {
            read_event(search, filter->event);
        } else if (filter->sender) {
            filter->sender = login_of(filter->sender);
        } else if (filter->repository_part) {
            value = filter->repository_part;
            filter->repository_part = NULL;
            if (!read_repository(search, value)) {
                search->problem =
                    "The repository must look like owner/name, owner/name#12, name or name#12.";
            }
        }
        return true;
    }
    return false;
}

static void take_word(struct search *search) {
    struct inbox_search_filter *filter = &search->filter;
    filter->any = NULL;
    switch (search->meaning) {
    case SEARCH_PERSON:
        filter->sender = search->word;
        break;
    case SEARCH_EVENT:
        filter->sender = NULL;
        read_event(search, search->word);
        break;
    case SEARCH_TEXT:
        filter->event = filter->action = NULL;
        filter->any = search->word;
        break;
    case SEARCH_FILTERS:
        break;
    }
}

bool search_widen(struct search *search) {
    if (!search->word || search->meaning == SEARCH_TEXT) {
        return false;
    }
    search->meaning++;
    take_word(search);
    return true;
}

static void read_box(const struct console_task *task, struct search *search) {
    const char *text = task_field(task, "q");
    struct inbox_search_filter *filter = &search->filter;
    text += strspn(text, " ");
    if (!*text || read_named(search, text)) {
        return;
    }
    if (is_guid(text)) {
        filter->guid = text;
        search->is_guid = true;
    } else if (search_read_item(text, search->repository, &filter->number)) {
        filter->repository = search->repository;
    } else if (search_is_plugin(task, text)) {
        filter->plugin = text;
    } else if (strchr(text, '#') && read_repository(search, text)) {
        return;
    } else if (is_name(text, strcspn(text, "["))) {
        search->word = text;
        search->meaning = SEARCH_PERSON;
        take_word(search);
    } else {
        filter->any = text;
    }
}

/* A field is more exact than the word of the box, which then means something else. */
static void keep_word(const struct console_task *task, struct search *search) {
    bool other = search->word && (*task_field(task, "sender") || *task_field(task, "event"));
    if (other) {
        search->filter.sender = NULL;
        search->meaning = SEARCH_TEXT;
        search->filter.any = search->word;
    }
}

static void read_field(const struct console_task *task, const char *name, const char **value) {
    const char *text = task_field(task, name);
    if (*text) {
        *value = text;
    }
}

static void read_time(const struct console_task *task, struct search *search, const char *name,
                      int64_t *time_ms) {
    const char *text = task_field(task, name);
    if (*text && time_text_read(text, task->now_ms, time_ms) < 0) {
        search->problem = strcmp(name, "since") == 0
                              ? "The field “since” is unreadable. Write 90s, 15m, 2h, 3d or 1w, or "
                                "2025-01-31T23:59."
                              : "The field “until” is unreadable. Write 90s, 15m, 2h, 3d or 1w, or "
                                "2025-01-31T23:59.";
    }
}

/* "12.34", the place at which the page before ended. */
static void read_before(const struct console_task *task, struct search *search) {
    const char *text = task_field(task, "before");
    size_t first_bytes = strcspn(text, ".");
    if (!*text) {
        return;
    }
    search->before.first = read_number(text, first_bytes);
    search->before.second = text[first_bytes] ? search_number(text + first_bytes + 1) : 0;
    if (search->before.first == 0 || search->before.second == 0) {
        search->problem = "The place in the list is unreadable. Begin with the first page.";
    }
}

static bool is_state(const char *text) {
    for (size_t i = 0; i < n_search_states; i++) {
        if (strcmp(search_states[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void search_read(const struct console_task *task, struct search *search) {
    struct inbox_search_filter *filter = &search->filter;
    *search = (struct search){.problem = NULL};
    read_box(task, search);
    keep_word(task, search);
    read_field(task, "state", &filter->state);
    read_field(task, "plugin", &filter->plugin);
    if (*task_field(task, "event")) {
        read_event(search, task_field(task, "event"));
    }
    if (*task_field(task, "sender")) {
        filter->sender = login_of(task_field(task, "sender"));
    }
    read_field(task, "installation", &filter->installation);
    read_field(task, "reason", &filter->reason);
    read_field(task, "group", &filter->reason_group);
    read_field(task, "guid", &filter->guid);
    const char *item = task_field(task, "repository");
    if (*item && !read_repository(search, item)) {
        search->problem =
            "The repository must look like owner/name, owner/name#12, name or name#12.";
    }
    read_time(task, search, "since", &filter->since_ms);
    read_time(task, search, "until", &filter->until_ms);
    read_before(task, search);
    if (filter->state && !is_state(filter->state)) {
        search->problem = "The state must be queued, blocked, held, running, waiting, parked, "
                          "done, skipped, dead or in doubt.";
    }
}

int64_t search_item_number(const struct inbox_entry *entry) {
    const char *number = strchr(entry->item, '#');
    return number ? search_number(number + 1) : 0;
}
