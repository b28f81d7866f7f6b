/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads times, links and entries; every size is bounded by the response that the broker kept. */
#include "maintenance/delivery_log.h"

#include "base/clock.h"
#include "base/link.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int delivery_log_read_time(const char *text, int64_t *time_ms) {
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest && *rest == '.') {
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    if (!rest || strcmp(rest, "Z") != 0) {
        return -1;
    }
    *time_ms = (int64_t)timegm(&utc) * 1000;
    return 0;
}

/* Ages are measured by GitHub's own clock, because ours may be wrong. */
static int64_t date_of(const struct buffer *headers) {
    size_t bytes;
    char text[40];
    struct tm utc = {0};
    const char *date = broker_header(headers, "date", &bytes);
    if (!date || bytes >= sizeof text) {
        return clock_wall_ms();
    }
    snprintf(text, sizeof text, "%.*s", (int)bytes, date);
    const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S", &utc); /* no locale is set */
    return rest ? (int64_t)timegm(&utc) * 1000 : clock_wall_ms();
}

/* 1: an entry; 0: leave it out; -1: not an entry of GitHub's delivery log. */
static int read_entry(json_t *item, struct delivery_log_entry *entry) {
    json_int_t id;
    const char *guid, *delivered_at, *event;
    json_t *action_or_null = NULL, *installation_or_null = NULL, *status_or_null = NULL,
           *redelivery_or_null = NULL;
    if (json_unpack(item, "{s:I, s:s, s:s, s:s, s?o, s?o, s?o, s?o}", "id", &id, "guid", &guid,
                    "delivered_at", &delivered_at, "event", &event, "action", &action_or_null,
                    "status_code", &status_or_null, "redelivery", &redelivery_or_null,
                    "installation_id", &installation_or_null) < 0 ||
        delivery_log_read_time(delivered_at, &entry->delivered_ms) < 0) {
        return -1;
    }
    if (id <= 0) {
        return -1;
    }
    /* GitHub has no event of the host's own. */
    if (strncmp(event, INBOX_OWN_EVENTS, strlen(INBOX_OWN_EVENTS)) == 0) {
        return 0;
    }
    if (!*guid || strlen(guid) > INBOX_GUID_MAX || !*event || strlen(event) > INBOX_NAME_MAX) {
        return 0;
    }
    entry->id = id;
    entry->status = json_integer_value(status_or_null);
    entry->redelivery = json_is_true(redelivery_or_null);
    entry->installation = json_integer_value(installation_or_null);
    entry->guid = guid;
    const char *action = json_string_value(action_or_null);
    entry->event = event;
    entry->action = action ? action : "";
    return 1;
}

/* One row that cannot be read does not hide the others. -1: no row can be read. */
static int read_entries(struct delivery_log_page *page) {
    size_t i, n_bad = 0;
    json_t *item;
    json_array_foreach(page->json, i, item) {
        int is = read_entry(item, &page->entries[page->n_entries]);
        if (is < 0) {
            n_bad++;
            continue;
        }
        page->guids[page->n_entries] = page->entries[page->n_entries].guid;
        page->n_entries += (size_t)is;
    }
    if (n_bad > 0) {
        log_event(SNEK_LEVEL_WARNING, "deliveries_unreadable", LOG_NUMBER("rows", (int64_t)n_bad),
                  LOG_TEXT("reason", "GitHub's list has rows without a delivery's id, GUID, time "
                                     "and event"));
    }
    return n_bad > 0 && n_bad == json_array_size(page->json) ? -1 : 0;
}

struct delivery_log_page *delivery_log_read(const struct buffer *headers, const struct buffer *body,
                                            struct error *err) {
    struct delivery_log_page *page = calloc(1, sizeof *page);
    if (!page) {
        error_set(err, "out of memory");
        return NULL;
    }
    size_t bytes;
    const char *link = broker_header(headers, "link", &bytes);
    size_t url_bytes;
    const char *next = link ? link_next(link, bytes, &url_bytes) : NULL;
    page->next_url = next ? strndup(next, url_bytes) : NULL;
    page->now_ms = date_of(headers);
    page->json = json_loadb(body->data ? body->data : "", body->bytes, 0, NULL);
    size_t room = json_array_size(page->json) + 1;
    page->entries = calloc(room, sizeof *page->entries);
    page->guids = calloc(room, sizeof *page->guids);
    page->missing = calloc(room, sizeof *page->missing);
    page->requests = calloc(room, sizeof *page->requests);
    page->requested_ms = calloc(room, sizeof *page->requested_ms);
    if (!json_is_array(page->json)) {
        error_set(err, "GET /app/hook/deliveries answered no list");
    } else if (!page->entries || !page->guids || !page->missing || !page->requests ||
               !page->requested_ms) {
        error_set(err, "out of memory");
    } else if (read_entries(page) < 0) {
        error_set(err, "GET /app/hook/deliveries answered a list with something else in it "
                       "than deliveries");
    } else {
        return page;
    }
    delivery_log_free(page);
    return NULL;
}

void delivery_log_free(struct delivery_log_page *page) {
    if (page) {
        json_decref(page->json);
        free(page->entries);
        free(page->guids);
        free(page->missing);
        free(page->requests);
        free(page->requested_ms);
        free(page->next_url);
        free(page);
    }
}
