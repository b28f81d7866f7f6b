/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The filters of a URL, and the one search box. The console's thread. */
#ifndef SNEK_CONSOLE_SEARCH_H
#define SNEK_CONSOLE_SEARCH_H

#include "console/task.h"
#include "inbox/console.h"

/* A single word of the box may be several things. */
enum search_meaning {
    /* The filters say what is meant. */
    SEARCH_FILTERS,
    SEARCH_PERSON,
    SEARCH_EVENT,
    /* See inbox_search_filter.any. */
    SEARCH_TEXT,
};

struct search {
    /* Borrows from the task and from this struct. */
    struct inbox_search_filter filter;
    char repository[HTTP_VALUE_MAX + 1], repository_part[HTTP_VALUE_MAX + 1];
    char event[HTTP_VALUE_MAX + 1];
    /* The word of the box, and what the filter takes it for; NULL: there is none. */
    const char *word;
    enum search_meaning meaning;
    /* The box has the GUID of a delivery. */
    bool is_guid;
    struct inbox_search_position before;
    /* A sentence about a filter that cannot be read; NULL: none. */
    const char *problem;
};

/* All that the filter "state" takes. */
extern const char *const search_states[];
extern const size_t n_search_states;

/* Reads the fields "q", "state", "plugin", "event", "sender", "reason", "group", "guid",
 * "installation", "repository", "since", "until" and "before". */
void search_read(const struct console_task *task, struct search *search);

/* Takes the word for the next thing that it may be. False: it may be nothing else. */
bool search_widen(struct search *search);

/* "owner/name#12", "owner/name" or an address at GitHub. False: it is none. */
bool search_read_item(const char *text, char repository[HTTP_VALUE_MAX + 1], int64_t *number);

/* Is it the name of a plugin that is configured? */
bool search_is_plugin(const struct console_task *task, const char *text);

/* A number above 0; 0: the text is none. */
int64_t search_number(const char *text);

/* The number of an entry's issue, pull request or discussion; 0: none. */
int64_t search_item_number(const struct inbox_entry *entry);

#endif
