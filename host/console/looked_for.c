/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes sentences about searches. */
#include "console/looked_for.h"

#include "base/array.h"
#include "base/time_text.h"
#include "console/entries.h"
#include "console/room.h"
#include "console/view.h"
#include "ingest/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILTERS 11

struct filter_words {
    /* As programs see it, and in front of the value. */
    const char *name, *words;
    /* NULL: it is not given. */
    const char *value;
};

static void list_filters(const struct search *search, struct filter_words list[FILTERS]) {
    const struct inbox_search_filter *filter = &search->filter;
    const struct filter_words all[FILTERS] = {
        {"state", "state ", filter->state},
        {"plugin", "plugin ", filter->plugin},
        {"event", "event ", filter->event},
        {"action", "action ", filter->action},
        {"repository", "repository ", filter->repository},
        {"repository_part", "repository or owner ", filter->repository_part},
        {"sender", "person ", filter->sender},
        {"installation", "installation ", filter->installation},
        {"guid", "GUID ", filter->guid},
        {"reason", "a reason with ", filter->reason},
        {"reason_group", "the reason ", filter->reason_group},
    };
    memcpy(list, all, sizeof all);
}

static void put_time_filter(struct buffer *page, const char *words, int64_t time_ms, bool *any) {
    char text[TIME_TEXT_MAX];
    if (time_ms > 0) {
        time_text(time_ms, text);
        http_page_put(page, "%s%s %s", *any ? ", " : "", words, text);
        *any = true;
    }
}

bool looked_for_put_filters(struct buffer *page, const struct search *search) {
    struct filter_words list[FILTERS];
    bool any = false;
    list_filters(search, list);
    for (size_t i = 0; i < FILTERS; i++) {
        if (!list[i].value) {
            continue;
        }
        http_page_put(page, "%s%s<strong>", any ? ", " : "", list[i].words);
        view_short_text(page, list[i].value);
        const struct inbox_search_filter *filter = &search->filter;
        bool names_item =
            list[i].value == filter->repository || list[i].value == filter->repository_part;
        if (names_item && filter->number > 0) {
            http_page_put(page, "#%lld", (long long)search->filter.number);
        }
        http_page_html(page, "</strong>");
        any = true;
    }
    put_time_filter(page, "received since", search->filter.since_ms, &any);
    put_time_filter(page, "received before", search->filter.until_ms, &any);
    return any;
}

/* ---- what the text was found in ---- */

struct places {
    bool guid, installation, repository, reason;
};

static bool is_part_of_repository(const char *repository, const char *text) {
    const char *slash = strchr(repository, '/');
    size_t bytes = strlen(text);
    return slash &&
           (strcasecmp(slash + 1, text) == 0 ||
            ((size_t)(slash - repository) == bytes && strncasecmp(repository, text, bytes) == 0));
}

static struct places places_of(const struct inbox_search *found, const char *text) {
    struct places places = {.guid = false};
    for (size_t i = 0; i < found->n_entries; i++) {
        const struct inbox_entry *entry = &found->entries[i];
        bool guid = strncasecmp(entry->guid, text, strlen(text)) == 0;
        bool installation = strcmp(entry->installation, text) == 0;
        bool repository = is_part_of_repository(entry->repository, text);
        places.guid = places.guid || guid;
        places.installation = places.installation || installation;
        places.repository = places.repository || repository;
        places.reason = places.reason || (!guid && !installation && !repository);
    }
    return places;
}

static void put_places(struct buffer *page, const struct inbox_search *found, const char *text) {
    const struct places places = places_of(found, text);
    const struct {
        bool here;
        const char *words;
    } all[] = {{places.guid, "at the start of their GUID"},
               {places.installation, "as their installation"},
               {places.repository, "as the owner or the name of their repository"},
               {places.reason, "in their reason or label, in any state"}};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        if (all[i].here) {
            http_page_put(page, "%s%s", any ? ", or " : "", all[i].words);
            any = true;
        }
    }
}

/* ---- HTML ---- */

static void put_link(struct buffer *page, const char *prefix, const char *text, const char *words) {
    http_page_html(page, "<a href=\"" CONSOLE_PATH "/deliveries?q=");
    view_put_part(page, prefix);
    view_put_part(page, text);
    http_page_put(page, "\">%s</a>", words);
}

/* The items with the number in the repositories of this name, or of this owner. */
static void put_items(struct console_task *task, const struct inbox_search *found) {
    enum { ITEMS_MAX = 10 };
    const char *shown[ITEMS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < found->n_entries && n < ITEMS_MAX; i++) {
        const struct inbox_entry *entry = &found->entries[i];
        size_t other = 0;
        while (other < n && strcasecmp(shown[other], entry->repository) != 0) {
            other++;
        }
        if (other == n) {
            http_page_html(&task->page, n == 0 ? " The timeline of " : " or ");
            entry_put_place(&task->page, entry);
            shown[n++] = entry->repository;
        }
    }
    http_page_html(&task->page, " has its effects, too.");
}

static void put_found(struct console_task *task, const struct search *search,
                      const struct inbox_search *found) {
    struct buffer *page = &task->page;
    const char *any = search->filter.any;
    if (search->meaning == SEARCH_PERSON) {
        http_page_put(page,
                      "<p class=\"notice\" id=\"looked-for\">These deliveries come from the person "
                      "<strong>%s</strong>. ",
                      search->word);
        put_link(page, "text:", search->word, "Look for it in names and reasons");
        http_page_html(page, "</p>\n");
    } else if (any) {
        http_page_html(page, "<p class=\"notice\" id=\"looked-for\">");
        http_page_put(page, "These have <strong>%s</strong> ", any);
        put_places(page, found, any);
        http_page_html(page,
                       search->word ? ". No person and no event has this name.</p>\n" : ".</p>\n");
    } else {
        http_page_html(page, "<p class=\"hint\" id=\"looked-for\">Shown: ");
        if (!looked_for_put_filters(page, search)) {
            http_page_html(page, "all deliveries");
        }
        if (search->filter.repository_part && search->filter.number > 0) {
            http_page_html(page, ".");
            put_items(task, found);
        }
        http_page_html(page, "</p>\n");
    }
}

/* Only the part since `reached_ms` was looked at. */
static void put_bound(struct console_task *task, const struct inbox_search *found) {
    if (found->next.first != 0 && found->reached_ms > 0) {
        http_page_html(&task->page, " among the deliveries since ");
        view_time(&task->page, found->reached_ms, task->now_ms);
        http_page_html(&task->page, ", so far");
    }
}

static void put_none(struct console_task *task, const struct search *search,
                     const struct inbox_search *found) {
    struct buffer *page = &task->page;
    const char *any = search->filter.any;
    http_page_html(page, "<div class=\"card\" id=\"looked-for\"><p><strong>Nothing was found"
                         "</strong>");
    put_bound(task, found);
    http_page_html(page, ".</p>\n");
    if (search->meaning == SEARCH_PERSON) {
        http_page_put(page, "<p>The search looked for deliveries of the person “%s”. ",
                      search->word);
        put_link(page, "text:", search->word, "Look for it in names and reasons");
        http_page_html(page, "</p>\n");
    } else if (any) {
        http_page_put(page,
                      "<p>No %sinstallation, repository, owner or start of a GUID (four characters "
                      "or more) is “%s”, and no reason of a run has it, in any state.</p>\n",
                      search->word ? "plugin, person, event, " : "", any);
    } else {
        http_page_html(page, "<p>The search looked for ");
        bool any_filter = looked_for_put_filters(page, search);
        http_page_html(page,
                       any_filter ? ". All of these must match.</p>\n" : "any delivery.</p>\n");
    }
    http_page_put(page,
                  "<p class=\"hint\">The host deletes finished deliveries after %u days "
                  "(<code>store.retention_days</code>). The box finds a GUID or its start, "
                  "<code>owner/repo</code>, <code>owner/repo#12</code> (not <code>#12</code> "
                  "alone), a person, an event, a plugin, an installation, or a part of a reason."
                  "</p></div>\n",
                  task->console->options.config->store.retention_days);
}

/* States with an index of their own, which a search by text need not go back for. */
static void put_failures_hint(struct console_task *task, const struct search *search,
                              const struct inbox_search *found) {
    struct buffer *page = &task->page;
    const char *text = search->filter.any ? search->filter.any : search->filter.reason;
    static const char *const failed[] = {"dead", "parked"};
    if (!text || search->filter.state || found->next.first == 0) {
        return;
    }
    http_page_html(page,
                   "<p class=\"hint\">A page looks at the newest deliveries first. Of any age "
                   "are the ");
    for (size_t i = 0; i < ARRAY_LENGTH(failed); i++) {
        http_page_put(page, "%s<a href=\"" CONSOLE_PATH "/deliveries?state=%s&amp;reason=",
                      i > 0 ? " and the " : "", failed[i]);
        view_put_part(page, text);
        http_page_put(page, "\">%s runs with this reason</a>", failed[i]);
    }
    http_page_html(page, ".</p>\n");
}

void looked_for_put(struct console_task *task, const struct search *search,
                    const struct inbox_search *found) {
    if (found->n_entries > 0) {
        put_found(task, search, found);
    } else {
        put_none(task, search, found);
    }
    put_failures_hint(task, search, found);
}

/* ---- JSON ---- */

void looked_for_put_json(struct buffer *json, const struct search *search,
                         const struct inbox_search *found) {
    struct filter_words list[FILTERS];
    list_filters(search, list);
    view_json_open(json, "looked_for", '{');
    for (size_t i = 0; i < FILTERS; i++) {
        if (list[i].value) {
            view_json_text(json, list[i].name, list[i].value);
        }
    }
    if (search->filter.number > 0) {
        view_json_number(json, "number", search->filter.number);
    }
    if (search->filter.any) {
        view_json_text(json, "text", search->filter.any);
    }
    if (search->filter.since_ms > 0) {
        view_json_time(json, "since", search->filter.since_ms);
    }
    if (search->filter.until_ms > 0) {
        view_json_time(json, "until", search->filter.until_ms);
    }
    view_json_close(json, '}');
    view_json_time(json, "looked_back_to", found->next.first != 0 ? found->reached_ms : 0);
}
