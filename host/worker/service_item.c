/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "item": one comment that is kept up to date, and labels. */
#include "base/hash.h"
#include "base/text.h"
#include "worker/item.h"
#include "worker/permanent.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/store_call.h"

#include <snekomatic/convenience_item.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_URL "/repos/{owner}/{repo}/issues/comments/{id}"
#define COMMENTS_URL "/repos/{owner}/{repo}/issues/{number}/comments"
#define LABELS_URL "/repos/{owner}/{repo}/issues/{number}/labels"
/* "snekomatic.comment REPOSITORY#NUMBER KEY", with two numbers of at most 20 digits. */
#define COMMENT_NAME STORE_RESERVED "comment %" PRId64 "#%" PRId64 " %s"
#define COMMENT_NAME_MAX (sizeof COMMENT_NAME + 40 + FRAME_NAME_MAX)

/* 0 and `*number`, which is the event's when it was 0; or SNEK_E_NO_TARGET. */
static int32_t find_number(struct run *run, int64_t *number) {
    if (*number == 0) {
        *number = item_number(run);
    }
    return *number > 0 ? 0
                       : run_fail(run, SNEK_E_NO_TARGET,
                                  "the event %s has no issue or pull request", run_event(run));
}

/* ---- the comment ---- */

/* 0 and the key of the plugin's store that has the comment's id; or a negative error. */
static int32_t name_comment(struct run *run, int64_t number, const char *key,
                            char name[COMMENT_NAME_MAX]) {
    if (!key || !text_is_line(key, FRAME_NAME_MAX)) {
        return run_fail(run, SNEK_E_INVALID,
                        "the key of a comment must be a line of 1 to 100 bytes of UTF-8");
    }
    int32_t result = find_number(run, &number);
    if (result == 0) {
        snprintf(name, COMMENT_NAME_MAX, COMMENT_NAME, run_find_integer(run, "repository.id"),
                 number, key);
    }
    return result;
}

/* The stored id as a text, NULL when there is none; or a negative error. */
static int32_t read_id(struct run *run, const char *name, const char **id) {
    struct snek_text stored = {0};
    int32_t result = store_call_get(run, SNEK_SCOPE_INSTALLATION, name, &stored);
    *id = result > 0 ? stored.data : NULL;
    return result < 0 ? result : 0;
}

/* Repeatable: the comment is the plugin's own, so nobody else's change could be undone. */
static int32_t edit(struct run *run, const char *id, const char *markdown) {
    struct snek_run *shown = run_shown(run);
    return snek_request(shown, "PATCH", COMMENT_URL, .parameters = {{"id", id}},
                        .json = snek_json(shown, "{'body':'%s'}", markdown),
                        .flags = SNEK_REQUEST_REPEATABLE);
}

/* A recorded response may be that of another text. GitHub gives the text back, with the host's mark
 * at its end. */
static bool shows(struct run *run, struct snek_response *response, const char *markdown) {
    const char *body = snek_response_string(run_shown(run), response, "body");
    return !body || strncmp(body, markdown, strlen(markdown)) == 0;
}

/* The request has a name, so a retry whose text differs makes no second comment: it edits the one
 * that the earlier attempt made. */
static int32_t post(struct run *run, int64_t number, const char *name, const char *gone,
                    const char *markdown, int64_t *id) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    char once[sizeof STORE_RESERVED + 32], text[24];
    uint64_t hash = hash_text(hash_text(HASH_BEGIN, name), gone ? gone : "");
    snprintf(once, sizeof once, STORE_RESERVED "comment %016" PRIx64 " %u", hash,
             run_comments_removed(run));
    snprintf(text, sizeof text, "%" PRId64, number);
    int32_t result = snek_request(shown, "POST", COMMENTS_URL, .parameters = {{"number", text}},
                                  .json = snek_json(shown, "{'body':'%s'}", markdown), .once = once,
                                  .response = &response);
    *id = result == 0 ? snek_response_integer(shown, response, "id", 0) : 0;
    bool is_shown = result == 0 && shows(run, response, markdown);
    snek_free_response(shown, response);
    if (result < 0 || *id == 0) {
        return result;
    }
    snprintf(text, sizeof text, "%" PRId64, *id);
    result = store_call_put(run, SNEK_SCOPE_INSTALLATION, name, text, strlen(text));
    if (result < 0 || is_shown) {
        return result < 0 ? result : 0;
    }
    return edit(run, text, markdown);
}

/* There was no comment, or it is `gone`. Only one run may go on from here. */
static int32_t make(struct run *run, int64_t number, const char *name, const char *markdown,
                    const char *gone, int64_t *made) {
    const char *id = NULL;
    int32_t result = item_reserve(run, name, "the same comment");
    if (result == 0) {
        result = read_id(run, name, &id);
    }
    if (result < 0) {
        return result;
    }
    if (id && (!gone || strcmp(id, gone) != 0)) {
        *made = strtoll(id, NULL, 10);
        return edit(run, id, markdown);
    }
    return post(run, number, name, gone, markdown, made);
}

static int32_t item_comment(struct snek_run *shown, int64_t number, const char *key,
                            const char *markdown, int64_t *id) {
    char name[COMMENT_NAME_MAX];
    const char *stored = NULL;
    int64_t made = 0;
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = permanent_check(run, markdown);
    result = result < 0 ? result : find_number(run, &number);
    result = result < 0 ? result : name_comment(run, number, key, name);
    result = result < 0 ? result : read_id(run, name, &stored);
    if (result < 0) {
        return result;
    }
    result = SNEK_E_NOT_FOUND;
    if (stored) {
        made = strtoll(stored, NULL, 10);
        result = edit(run, stored, markdown);
    }
    if (result == SNEK_E_NOT_FOUND) {
        result = make(run, number, name, markdown, stored, &made);
    }
    if (result == 0 && id) {
        *id = made;
    }
    return result;
}

static int32_t item_edit_comment(struct snek_run *shown, int64_t number, const char *key,
                                 const char *markdown) {
    char name[COMMENT_NAME_MAX];
    const char *id = NULL;
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = permanent_check(run, markdown);
    result = result < 0 ? result : name_comment(run, number, key, name);
    result = result < 0 ? result : read_id(run, name, &id);
    if (result < 0 || !id) {
        return result;
    }
    result = edit(run, id, markdown);
    return result == SNEK_E_NOT_FOUND ? 0 : result;
}

static int32_t item_remove_comment(struct snek_run *shown, int64_t number, const char *key) {
    char name[COMMENT_NAME_MAX];
    const char *id = NULL;
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = name_comment(run, number, key, name);
    result = result < 0 ? result : read_id(run, name, &id);
    if (result < 0 || !id) {
        return result;
    }
    result = snek_request(shown, "DELETE", COMMENT_URL, .parameters = {{"id", id}});
    if (result < 0 && result != SNEK_E_NOT_FOUND) {
        return result;
    }
    run_count_comment_removed(run);
    result = store_call_remove(run, SNEK_SCOPE_INSTALLATION, name);
    return result < 0 ? result : 0;
}

/* ---- labels ---- */

static int32_t check_labels(struct run *run, const struct snek_label *labels, uint32_t count) {
    bool valid = count <= SNEK_LABELS_MAX && (labels || count == 0);
    for (uint32_t i = 0; valid && i < count; i++) {
        valid = labels[i].name && *labels[i].name;
    }
    return valid ? 0 : run_fail_null(run, "labels() takes at most 100 labels, each with a name");
}

/* Is there an entry of the same label before this one? */
static bool is_repeated(const struct snek_label *labels, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (snek_is_label(labels[i].name, labels[n].name)) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct snek_label *labels, uint32_t count, uint32_t n) {
    bool wanted = false;
    for (uint32_t i = n; i < count; i++) {
        wanted = wanted || (labels[i].wanted && snek_is_label(labels[i].name, labels[n].name));
    }
    return wanted;
}

/* Fills `has`: which of the labels the item has now. */
static int32_t read_labels(struct run *run, const char *number, const struct snek_label *labels,
                           uint32_t count, bool has[SNEK_LABELS_MAX]) {
    struct snek_run *shown = run_shown(run);
    struct snek_pages *list = snek_list(shown, LABELS_URL, .parameters = {{"number", number}});
    int32_t more;
    while ((more = snek_next(shown, list)) > 0) {
        const char *name = snek_item_string(shown, list, "name");
        for (uint32_t i = 0; i < count; i++) {
            has[i] = has[i] || snek_is_label(name, labels[i].name);
        }
    }
    snek_free_pages(shown, list);
    return more;
}

/* 1, or a negative error. If somebody else removed the label just now, that is right too. */
static int32_t remove_label(struct run *run, const char *number, const char *label) {
    int32_t result = snek_request(run_shown(run), "DELETE", LABELS_URL "/{label}",
                                  .parameters = {{"number", number}, {"label", label}});
    return result < 0 && result != SNEK_E_NOT_FOUND ? result : 1;
}

static int32_t change_labels(struct run *run, const char *number, const struct snek_label *labels,
                             uint32_t count, const bool has[SNEK_LABELS_MAX]) {
    struct snek_run *shown = run_shown(run);
    struct snek_builder missing = SNEK_EMPTY_ARRAY;
    int32_t result = 0;
    for (uint32_t i = 0; i < count && result >= 0; i++) {
        if (is_repeated(labels, i)) {
            continue;
        }
        bool wanted = is_wanted(labels, count, i);
        if (wanted && !has[i]) {
            snek_append_json(shown, &missing, "'%s'", labels[i].name);
        } else if (!wanted && has[i]) {
            result = remove_label(run, number, labels[i].name);
        }
    }
    if (result < 0 || missing.bytes == 2) {
        return result;
    }
    result = snek_request(shown, "POST", LABELS_URL, .parameters = {{"number", number}},
                          .json = snek_json(shown, "{'labels':%s}", missing.text),
                          .flags = SNEK_REQUEST_REPEATABLE);
    return result < 0 ? result : 1;
}

static int32_t item_labels(struct snek_run *shown, int64_t number, const struct snek_label *labels,
                           uint32_t count) {
    bool has[SNEK_LABELS_MAX] = {false};
    char text[24];
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = check_labels(run, labels, count);
    result = result < 0 ? result : find_number(run, &number);
    if (result < 0 || count == 0) {
        return result;
    }
    snprintf(text, sizeof text, "%" PRId64, number);
    result = read_labels(run, text, labels, count, has);
    return result < 0 ? result : change_labels(run, text, labels, count, has);
}

const struct snek_item_service service_item = {
    .bytes = sizeof(struct snek_item_service),
    .comment = item_comment,
    .remove_comment = item_remove_comment,
    .labels = item_labels,
    .edit_comment = item_edit_comment,
};
