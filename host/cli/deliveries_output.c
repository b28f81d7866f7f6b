/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formats entries of the store for people and for programs. */
#include "cli/deliveries_output.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Bytes of a remark in a list; `show` prints the whole reason. */
#define REMARK_MAX 100

/* Counts characters, not bytes, because names may be any UTF-8. */
static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++) {
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return columns;
}

void deliveries_print_text(const char *text, int width) {
    AUTO_FREE char *clean = strdup(text);
    if (clean) {
        text_clean_in_place(clean);
        int pad = width - columns_of(clean);
        printf("%s%*s", clean, pad > 0 ? pad : 0, "");
    }
}

int deliveries_print_json(json_t *json) {
    int failed = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(json);
    if (failed) {
        fputs("snekomatic: out of memory\n", stderr);
        return EX_OSERR;
    }
    return EX_OK;
}

/* "pull_request.closed" */
static void event_text(const struct inbox_entry *entry, char *out, size_t room) {
    snprintf(out, room, "%s%s%s", entry->event, *entry->action ? "." : "", entry->action);
}

static bool is_in(const struct inbox_entry *entry, const char *state) {
    return strcmp(entry->state, state) == 0;
}

/* It has an order, has not ended, and later runs pass it. */
static bool is_passed(const struct inbox_entry *entry) {
    return *entry->order_key && (entry->outside || is_in(entry, "parked") || is_in(entry, "dead"));
}

/* A queued run, or one that waits for its retry. */
static bool is_due_at_a_time(const struct inbox_entry *entry) {
    return is_in(entry, "queued") || is_in(entry, "waiting") ||
           (is_in(entry, "blocked") && entry->outside);
}

/* A run's progress beside its state: its label if that says more, its due time, its reason. */
static void remark(const struct inbox_entry *entry, char *out, size_t room) {
    char head[INBOX_NAME_MAX + INBOX_GUID_MAX] = "";
    int64_t wait_s = (entry->due_ms - clock_wall_ms() + 999) / 1000;
    if (is_due_at_a_time(entry)) {
        if (wait_s > 0) {
            snprintf(head, sizeof head, "due in %" PRId64 " s%s", wait_s,
                     is_passed(entry) ? ", later runs pass it" : "");
        }
    } else if (is_in(entry, "blocked")) {
        snprintf(head, sizeof head, "behind %s", *entry->behind ? entry->behind : "others");
    } else if (!is_in(entry, entry->label)) {
        snprintf(head, sizeof head, "%s", entry->label);
    }
    snprintf(out, room, "%s%s%s", head, *head && *entry->reason ? ": " : "", entry->reason);
}

/* ---- JSON ---- */

/* 0 means that there is no such time: null. */
static json_t *json_time(int64_t time_ms) {
    char text[TIME_TEXT_MAX];
    if (time_ms == 0) {
        return json_null();
    }
    time_text(time_ms, text);
    return json_string(text);
}

/* "" becomes null. A text that is not UTF-8 is cleaned. */
static json_t *json_text(const char *text) {
    if (!*text) {
        return json_null();
    }
    json_t *json = json_string(text);
    if (json) {
        return json;
    }
    AUTO_FREE char *clean = strdup(text);
    if (clean) {
        text_clean_in_place(clean);
    }
    return json_string(clean ? clean : "");
}

static json_t *json_delivery(const struct inbox_entry *entry) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "delivery",
                     json_text(entry->guid), "event", json_text(entry->event), "action",
                     json_text(entry->action), "installation", json_text(entry->installation),
                     "repository", json_text(entry->repository), "sender", json_text(entry->sender),
                     "item", json_text(entry->item), "received", json_time(entry->received_ms),
                     "body_bytes",
                     entry->body_bytes < 0 ? json_null() : json_integer(entry->body_bytes));
}

static json_t *json_run(const struct inbox_entry *entry) {
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o}", "plugin",
                     json_text(entry->plugin), "state", json_text(entry->state), "order",
                     json_text(entry->order_key), "behind", json_text(entry->behind), "passed",
                     is_passed(entry), "attempt", (json_int_t)entry->attempt, "crashes",
                     (json_int_t)entry->crashes, "suspect", entry->suspect, "due",
                     json_time(is_due_at_a_time(entry) ? entry->due_ms : 0), "leased_until",
                     json_time(entry->lease_until_ms), "finished", json_time(entry->finished_ms),
                     "label", json_text(entry->label), "reason", json_text(entry->reason));
}

/* The result of an effect, in a word. */
static const char *effect_state(const struct inbox_record *record) {
    if (record->dry) {
        return "dry";
    }
    switch (record->state) {
    case INBOX_COMPLETED:
        return "completed";
    case INBOX_UNSENT:
        return "not sent";
    default:
        return "in doubt";
    }
}

static json_t *json_effects(const struct inbox_journal_read *journal) {
    json_t *list = json_array();
    for (size_t i = 0; i < journal->n_records; i++) {
        const struct inbox_record *record = &journal->records[i];
        if (record->kind == INBOX_EFFECT) {
            json_t *effect =
                json_pack("{s:o, s:o, s:s, s:i, s:o}", "method", json_text(record->method), "url",
                          json_text(record->url), "state", effect_state(record), "status",
                          (int)record->status, "at", json_time(record->at_ms));
            json_array_append_new(list, effect);
        }
    }
    return list;
}

/* ---- a list ---- */

void deliveries_begin(struct deliveries_output *output, bool json) {
    *output = (struct deliveries_output){.json = json ? json_array() : NULL};
}

void deliveries_add(struct deliveries_output *output, const struct inbox_entry *entry) {
    if (output->json) {
        json_t *both = json_delivery(entry);
        json_t *run = *entry->plugin ? json_run(entry) : json_pack("{s:n, s:n}", "plugin", "state");
        json_object_update(both, run);
        json_decref(run);
        json_array_append_new(output->json, both);
        return;
    }
    if (!output->any) {
        printf("%-20s  %-36s  %-28s  %-12s  %-7s  %7s\n", "RECEIVED", "DELIVERY", "EVENT", "PLUGIN",
               "STATE", "ATTEMPT");
        output->any = true;
    }
    char received[TIME_TEXT_MAX], event[2 * INBOX_NAME_MAX + 2], why[1024], line[REMARK_MAX];
    time_text(entry->received_ms, received);
    event_text(entry, event, sizeof event);
    printf("%-20s  ", received);
    deliveries_print_text(entry->guid, 36);
    printf("  ");
    deliveries_print_text(event, 28);
    printf("  ");
    deliveries_print_text(*entry->plugin ? entry->plugin : "-", 12);
    if (*entry->plugin) {
        remark(entry, why, sizeof why);
        text_clean(line, sizeof line, why, strlen(why));
        printf("  %-7s  %7" PRId64 "%s%s", entry->state, entry->attempt, *why ? "  " : "", line);
    }
    printf("\n");
}

int deliveries_end(struct deliveries_output *output) {
    if (output->json) {
        return deliveries_print_json(output->json);
    }
    return EX_OK;
}

void deliveries_abandon(struct deliveries_output *output) {
    json_decref(output->json);
}

/* ---- one ---- */

static void print_line(const char *name, const char *text) {
    if (*text) {
        printf("%-13s ", name);
        deliveries_print_text(text, 0);
        printf("\n");
    }
}

static void print_time(const char *name, int64_t time_ms) {
    char text[TIME_TEXT_MAX];
    if (time_ms != 0) {
        time_text(time_ms, text);
        print_line(name, text);
    }
}

static void print_run(const struct inbox_entry *entry) {
    char text[64];
    printf("\n");
    print_line("plugin", entry->plugin);
    print_line("  state", entry->state);
    print_line("  order", entry->order_key);
    print_line("  behind", entry->outside ? "" : entry->behind);
    print_line("  passed", is_passed(entry) ? "later runs of this order go first" : "");
    snprintf(text, sizeof text, "%" PRId64, entry->attempt);
    print_line("  attempt", text);
    if (entry->crashes > 0) {
        snprintf(text, sizeof text, "%" PRId64, entry->crashes);
        print_line("  crashes", text);
    }
    print_line("  suspect",
               entry->suspect ? "it was in a worker that died, so it runs alone now" : "");
    print_line("  label", entry->label);
    print_line("  reason", entry->reason);
    print_time("  due", is_due_at_a_time(entry) ? entry->due_ms : 0);
    print_time("  leased until", entry->lease_until_ms);
    print_time("  finished", entry->finished_ms);
}

static void print_effects(const struct inbox_journal_read *journal) {
    for (size_t i = 0; i < journal->n_records; i++) {
        const struct inbox_record *record = &journal->records[i];
        if (record->kind == INBOX_EFFECT) {
            /* Without a response there is no status. */
            char time[TIME_TEXT_MAX], status[16] = "";
            time_text(record->at_ms, time);
            if (record->status != 0) {
                snprintf(status, sizeof status, "%d", (int)record->status);
            }
            printf("%-13s %s  ", "  effect", time);
            deliveries_print_text(record->method, 6);
            printf(" %-8s %3s  ", effect_state(record), status);
            deliveries_print_text(record->url, 0);
            printf("\n");
        }
    }
}

/* ---- the audit ---- */

static json_t *json_audit(const struct inbox_audit_read *audit) {
    json_t *list = json_array();
    for (size_t i = 0; i < audit->n_entries; i++) {
        const struct inbox_audit_entry *entry = &audit->entries[i];
        json_t *row =
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "at",
                      json_time(entry->at_ms), "plugin", json_text(entry->plugin), "installation",
                      json_text(entry->installation), "sender", json_text(entry->sender), "item",
                      json_text(entry->item), "method", json_text(entry->method), "url",
                      json_text(entry->url), "state", json_text(entry->state), "status",
                      (int)entry->status, "request_id", json_text(entry->request_id));
        json_array_append_new(list, row);
    }
    return list;
}

static void print_audit(const struct inbox_audit_read *audit) {
    for (size_t i = 0; i < audit->n_entries; i++) {
        const struct inbox_audit_entry *entry = &audit->entries[i];
        char time[TIME_TEXT_MAX], status[16] = "";
        time_text(entry->at_ms, time);
        if (entry->status != 0) {
            snprintf(status, sizeof status, " %d", (int)entry->status);
        }
        printf("%s%-13s %s  ", i == 0 ? "\n" : "", i == 0 ? "audit" : "", time);
        deliveries_print_text(entry->plugin, 0);
        printf(": ");
        deliveries_print_text(entry->method, 0);
        printf(" ");
        deliveries_print_text(entry->url, 0);
        printf(": %s%s", entry->state, status);
        if (*entry->sender) {
            printf(", by ");
            deliveries_print_text(entry->sender, 0);
        }
        if (*entry->request_id) {
            printf(", request ");
            deliveries_print_text(entry->request_id, 0);
        }
        printf("\n");
    }
}

/* ---- what persons did ---- */

static json_t *json_actions(const struct inbox_actions *actions) {
    json_t *list = json_array();
    for (size_t i = 0; i < actions->n_actions; i++) {
        const struct inbox_action *action = &actions->actions[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o}", "at", json_time(action->at_ms), "who",
                            json_text(action->who), "what", json_text(action->what), "result",
                            json_text(action->result)));
    }
    return list;
}

static void print_actions(const struct inbox_actions *actions) {
    for (size_t i = 0; i < actions->n_actions; i++) {
        const struct inbox_action *action = &actions->actions[i];
        char time[TIME_TEXT_MAX];
        time_text(action->at_ms, time);
        printf("%s%-13s %s  ", i == 0 ? "\n" : "", i == 0 ? "actions" : "", time);
        deliveries_print_text(action->who, 0);
        printf(": ");
        deliveries_print_text(action->what, 0);
        printf(": ");
        deliveries_print_text(action->result, 0);
        printf("\n");
    }
}

int deliveries_show_audit(const struct inbox_audit_read *audit, bool json) {
    if (json) {
        json_t *delivery = json_pack("{s:o, s:o}", "delivery", json_text(audit->delivery), "audit",
                                     json_audit(audit));
        return deliveries_print_json(delivery);
    }
    print_line("delivery", audit->delivery);
    print_line("state", "forgotten; its effects are in the audit");
    print_audit(audit);
    return EX_OK;
}

int deliveries_show(const struct inbox_entry *entries, const struct inbox_journal_read *journals,
                    size_t n_entries, const struct inbox_audit_read *audit,
                    const struct inbox_actions *actions, bool json) {
    bool runs = n_entries > 0 && *entries[0].plugin;
    if (json) {
        json_t *delivery = json_delivery(&entries[0]), *list = json_array();
        for (size_t i = 0; runs && i < n_entries; i++) {
            json_t *run = json_run(&entries[i]);
            json_object_set_new(run, "effects", json_effects(&journals[i]));
            json_array_append_new(list, run);
        }
        json_object_set_new(delivery, "runs", list);
        json_object_set_new(delivery, "audit", json_audit(audit));
        json_object_set_new(delivery, "actions", json_actions(actions));
        return deliveries_print_json(delivery);
    }
    char event[2 * INBOX_NAME_MAX + 2], bytes[32];
    event_text(&entries[0], event, sizeof event);
    print_line("delivery", entries[0].guid);
    print_line("event", event);
    print_line("installation", entries[0].installation);
    print_line("repository", entries[0].repository);
    print_line("sender", entries[0].sender);
    print_line("item", entries[0].item);
    print_time("received", entries[0].received_ms);
    snprintf(bytes, sizeof bytes, "%" PRId64 " bytes", entries[0].body_bytes);
    print_line("payload", entries[0].body_bytes < 0 ? "pruned" : bytes);
    for (size_t i = 0; runs && i < n_entries; i++) {
        print_run(&entries[i]);
        print_effects(&journals[i]);
    }
    print_audit(audit);
    print_actions(actions);
    if (!runs) {
        printf("\n%s\n", *entries[0].installation
                             ? "no plugin subscribes to it"
                             : "it names no installation, so no plugin can act on it");
    }
    return EX_OK;
}
