/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads GET /app/installations and each installation's repositories, page by page. */
#include "maintenance/targets.h"

#include "base/array.h"
#include "base/list.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that GitHub gives. */
#define PER_PAGE 100

static void free_targets(struct target *targets, size_t n_targets) {
    for (size_t i = 0; i < n_targets; i++) {
        json_decref(targets[i].about_installation);
        json_decref(targets[i].about_repository);
    }
    free(targets);
}

static void end(struct target_list *list, bool complete) {
    list->under_way = false;
    if (complete) {
        free_targets(list->targets, list->n_targets);
        list->targets = list->next;
        list->n_targets = list->n_next;
    } else {
        free_targets(list->next, list->n_next);
    }
    list->next = NULL;
    list->n_next = 0;
    if (!list->closed) {
        list->on_done(list, complete);
    }
}

static void on_page(struct broker_request *request);

static void ask(struct target_list *list) {
    bool repositories = list->reads_repositories;
    snprintf(list->url, sizeof list->url, "%s?per_page=%d&page=%u",
             repositories ? "/installation/repositories" : "/app/installations", PER_PAGE,
             list->page);
    list->request = (struct broker_request){
        .kind = repositories ? BROKER_REQUEST : BROKER_APP,
        .reply_to = list->mailbox,
        .on_done = on_page,
        .plugin = "",
        .delivery = "",
        .installation = repositories ? list->next[list->at].installation : NULL,
        .permissions = "{\"metadata\":\"read\"}",
        .method = "GET",
        .url = list->url};
    broker_submit(list->broker, &list->request);
}

static int add(struct target_list *list, const struct target *target) {
    struct target *added = list->n_next < TARGETS_MAX ? ARRAY_ADD(list->next, list->n_next) : NULL;
    if (!added) {
        json_decref(target->about_installation);
        json_decref(target->about_repository);
        return -1;
    }
    *added = *target;
    return 0;
}

/* 0; -1 when memory is short, or the list is full. */
static int add_installation(struct target_list *list, const json_t *item) {
    json_int_t id = json_integer_value(json_object_get(item, "id"));
    const json_t *account = json_object_get(item, "account");
    if (id <= 0 || json_is_string(json_object_get(item, "suspended_at"))) {
        return 0;
    }
    struct target target = {.about_installation =
                                json_pack("{s:I, s:{s:O?}}", "id", id, "account", "login",
                                          json_object_get(account, "login"))};
    snprintf(target.installation, sizeof target.installation, "%" PRId64, (int64_t)id);
    return target.about_installation ? add(list, &target) : -1;
}

static int add_repository(struct target_list *list, const json_t *item) {
    json_int_t id = json_integer_value(json_object_get(item, "id"));
    const json_t *owner = json_object_get(item, "owner");
    if (id <= 0 || json_is_true(json_object_get(item, "archived"))) {
        return 0;
    }
    struct target target = {
        .about_installation = json_incref(list->next[list->at].about_installation),
        .about_repository = json_pack(
            "{s:I, s:O?, s:O?, s:{s:O?}, s:O?, s:O?}", "id", id, "name",
            json_object_get(item, "name"), "full_name", json_object_get(item, "full_name"), "owner",
            "login", json_object_get(owner, "login"), "private", json_object_get(item, "private"),
            "default_branch", json_object_get(item, "default_branch"))};
    memcpy(target.installation, list->next[list->at].installation, sizeof target.installation);
    snprintf(target.repository, sizeof target.repository, "%" PRId64, (int64_t)id);
    if (!target.about_repository) {
        json_decref(target.about_installation);
        return -1;
    }
    return add(list, &target);
}

/* 1 when another page may follow, 0, -1. */
static int take_page(struct target_list *list, const struct buffer *body) {
    json_t *json = json_loadb(body->data ? body->data : "", body->bytes, 0, NULL), *item;
    const json_t *items = list->reads_repositories ? json_object_get(json, "repositories") : json;
    size_t i, n = json_array_size(items);
    int result = json_is_array(items) ? n == PER_PAGE : -1;
    json_array_foreach(items, i, item) {
        int added =
            list->reads_repositories ? add_repository(list, item) : add_installation(list, item);
        result = added < 0 ? -1 : result;
    }
    json_decref(json);
    return result;
}

/* Goes on with the next installation whose repositories are not read; false: there is none. */
static bool next_installation(struct target_list *list) {
    size_t at = list->reads_repositories ? list->at + 1 : 0;
    while (at < list->n_next && list->next[at].about_repository) {
        at++;
    }
    list->at = at;
    list->page = 1;
    list->reads_repositories = true;
    return list->with_repositories && at < list->n_next;
}

static void on_page(struct broker_request *request) {
    struct target_list *list = CONTAINER_OF(request, struct target_list, request);
    bool repositories = list->reads_repositories;
    int more = request->outcome == 0 ? take_page(list, &request->response) : -1;
    if (more < 0 && !list->closed) {
        log_event(SNEK_LEVEL_WARNING, "schedule_targets_failed", LOG_TEXT("url", list->url),
                  LOG_NUMBER("status", request->status),
                  LOG_TEXT("reason", request->outcome < 0 ? request->error.text
                                                          : "the response is no such list"));
    }
    broker_request_finish(request);
    if (list->closed || (more < 0 && !repositories)) {
        end(list, false);
        return;
    }
    /* An installation that does not let us read its repositories has none. */
    if (more > 0) {
        list->page++;
        ask(list);
    } else if (next_installation(list)) {
        ask(list);
    } else {
        end(list, true);
    }
}

void target_list_read(struct target_list *list, bool with_repositories) {
    list->under_way = true;
    list->with_repositories = with_repositories;
    list->reads_repositories = false;
    list->page = 1;
    ask(list);
}

void target_list_close(struct target_list *list) {
    list->closed = true;
}

void target_list_finish(struct target_list *list) {
    free_targets(list->targets, list->n_targets);
    free_targets(list->next, list->n_next);
    list->targets = list->next = NULL;
    list->n_targets = list->n_next = 0;
}
