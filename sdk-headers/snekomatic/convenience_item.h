/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inline functions for the things that a plugin keeps up to date at GitHub: labels, a comment, a
 * check run, files. They are compiled into the plugin, so they are no part of the ABI. Each calls
 * the slot of the service "item", "check" or "commit", whose comment has the details.
 *
 *   snek_has_label(run, "bug")                        the payload: no request
 *   snek_set_labels(run, labels, count)               item->labels()    blocks
 *   snek_sticky_comment(run, "size", text)            item->comment()   blocks
 *   snek_check(run, "DCO", .conclusion = "success")   check->set()      blocks
 *   snek_commit(run, "main", .message = "Update")     commit->create()  blocks */
#ifndef SNEKOMATIC_CONVENIENCE_ITEM_H
#define SNEKOMATIC_CONVENIENCE_ITEM_H

#include <snekomatic/check.h>
#include <snekomatic/commit.h>
#include <snekomatic/convenience.h>
#include <snekomatic/item.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline const struct snek_check_service *snek_checks(const struct snek_run *run) {
    return (const struct snek_check_service *)run->host->service(run->host, SNEK_CHECK_SERVICE,
                                                                 SNEK_CHECK_REVISION);
}

static inline const struct snek_commit_service *snek_commits(const struct snek_run *run) {
    return (const struct snek_commit_service *)run->host->service(run->host, SNEK_COMMIT_SERVICE,
                                                                  SNEK_COMMIT_REVISION);
}

static inline const struct snek_item_service *snek_items(const struct snek_run *run) {
    return (const struct snek_item_service *)run->host->service(run->host, SNEK_ITEM_SERVICE,
                                                                SNEK_ITEM_REVISION);
}

/* ---- the labels of an item, as the event, the response or the list shows it: no request ---- */

/* Is this the name of the label? GitHub tells no upper from lower case. */
static inline int snek_is_label(const char *name, const char *label) {
    size_t i = 0;
    int a, b;
    do {
        a = name ? (unsigned char)name[i] : 0;
        b = label ? (unsigned char)label[i] : 0;
        a += a >= 'A' && a <= 'Z' ? 'a' - 'A' : 0;
        b += b >= 'A' && b <= 'Z' ? 'a' - 'A' : 0;
        i++;
    } while (a && a == b);
    return a == b && i > 1;
}

/* 1 when the issue, pull request or discussion of the event has the label, else 0. The payload is
 * as old as the delivery: snek_set_labels() looks at the present labels. */
static inline int32_t snek_has_label(struct snek_run *run, const char *label) {
    static const char *const items[] = {"issue", "pull_request", "discussion"};
    uint32_t i, n;
    for (i = 0; i < 3; i++) {
        uint32_t count = snek_count(run, snek_print(run, "%s.labels", items[i]));
        for (n = 0; n < count; n++) {
            const char *path = snek_print(run, "%s.labels[%lu].name", items[i], (unsigned long)n);
            if (snek_is_label(snek_string(run, path), label)) {
                return 1;
            }
        }
    }
    return 0;
}

/* 1 when the issue or pull request that the response holds has the label, else 0. */
static inline int32_t snek_response_has_label(struct snek_run *run, struct snek_response *response,
                                              const char *label) {
    uint32_t n, count = snek_response_count(run, response, "labels");
    for (n = 0; n < count; n++) {
        const char *path = snek_print(run, "labels[%lu].name", (unsigned long)n);
        if (snek_is_label(snek_response_string(run, response, path), label)) {
            return 1;
        }
    }
    return 0;
}

/* 1 when the present issue or pull request of a list has the label, else 0. */
static inline int32_t snek_item_has_label(struct snek_run *run, struct snek_pages *pages,
                                          const char *label) {
    uint32_t n, count = snek_item_count(run, pages, "labels");
    for (n = 0; n < count; n++) {
        const char *path = snek_print(run, "labels[%lu].name", (unsigned long)n);
        if (snek_is_label(snek_item_string(run, pages, path), label)) {
            return 1;
        }
    }
    return 0;
}

/* ---- a text that may be too long ---- */

/* The most characters of a comment, so that the host's mark fits too. */
#define SNEK_COMMENT_CHARACTERS 65400

/* `markdown` itself, or its beginning with a note when GitHub would not take the whole as a
 * comment. */
static inline const char *snek_cut(struct snek_run *run, const char *markdown) {
    static const char note[] = "\n\n*The text was too long for GitHub, so its end is missing.*";
    uint64_t characters = 0;
    size_t i, end = 0;
    for (i = 0; markdown && markdown[i]; i++) {
        if (((unsigned char)markdown[i] & 0xC0) == 0x80) {
            continue;
        }
        characters++;
        if (characters + sizeof note == SNEK_COMMENT_CHARACTERS) {
            end = i;
        }
    }
    return characters <= SNEK_COMMENT_CHARACTERS
               ? markdown
               : snek_print(run, "%.*s%s", (int)end, markdown, note);
}

/* ---- one comment and labels of an item ---- */

/* Keeps one comment of this key on the event's issue or pull request: posts it, later edits it:
 * snek_sticky_comment(run, "size", snek_print(run, "+%d lines", added)). */
static inline int32_t snek_sticky_comment(struct snek_run *run, const char *key,
                                          const char *markdown) {
    return snek_items(run)->comment(run, 0, key, markdown, NULL);
}

static inline int32_t snek_sticky_comment_on(struct snek_run *run, int64_t number, const char *key,
                                             const char *markdown) {
    return snek_items(run)->comment(run, number, key, markdown, NULL);
}

/* Edits that comment if there is one, and posts none. For the good news after bad news:
 * snek_sticky_comment_edit(run, "size", "It is small enough now."). */
static inline int32_t snek_sticky_comment_edit(struct snek_run *run, const char *key,
                                               const char *markdown) {
    return snek_items(run)->edit_comment(run, 0, key, markdown);
}

static inline int32_t snek_sticky_comment_edit_on(struct snek_run *run, int64_t number,
                                                  const char *key, const char *markdown) {
    return snek_items(run)->edit_comment(run, number, key, markdown);
}

static inline int32_t snek_sticky_comment_remove(struct snek_run *run, const char *key) {
    return snek_items(run)->remove_comment(run, 0, key);
}

/* Gives the event's issue or pull request the wanted ones of these labels, and takes the others
 * from it. 1 when something changed, 0 when not, or a negative enum snek_error. */
static inline int32_t snek_set_labels(struct snek_run *run, const struct snek_label *labels,
                                      uint32_t labels_count) {
    return snek_items(run)->labels(run, 0, labels, labels_count);
}

static inline int32_t snek_set_labels_on(struct snek_run *run, int64_t number,
                                         const struct snek_label *labels, uint32_t labels_count) {
    return snek_items(run)->labels(run, number, labels, labels_count);
}

/* ---- check runs ---- */

static inline int32_t snek_set_check(struct snek_run *run, struct snek_check check) {
    return snek_checks(run)->set(run, &check);
}

/* Makes the check run of this name at the event's commit show these members of struct snek_check
 * (check.h), in C and C++20:
 *
 *   snek_check(run, "DCO", .conclusion = "failure", .title = "2 sign-offs are missing",
 *              .summary = list.text, .annotations = annotations.text)
 *
 * 0 or a negative enum snek_error. C++ before C++20 fills the struct and calls snek_set_check(). */
#if !defined(__cplusplus)
#define snek_check(run, ...)                                                                       \
    snek_set_check((run), (struct snek_check){.bytes = (uint32_t)sizeof(struct snek_check),        \
                                              .reserved = 0,                                       \
                                              .name = __VA_ARGS__})
#elif __cplusplus >= 202002L
#define snek_check(run, name_, ...)                                                                \
    snek_set_check((run), ::snek_check{.bytes = (uint32_t)sizeof(struct snek_check),               \
                                       .reserved = 0,                                              \
                                       .name = (name_)__VA_OPT__(, ) __VA_ARGS__})
#endif

/* Appends an annotation of a line to an array that began as SNEK_EMPTY_ARRAY. `level` is "notice",
 * "warning" or "failure". */
static inline void snek_annotate(struct snek_run *run, struct snek_builder *annotations,
                                 const char *path, int64_t line, const char *level,
                                 const char *message) {
    snek_append_json(run, annotations,
                     "{'path':'%s','start_line':%" PRId64 ",'end_line':%" PRId64
                     ",'annotation_level':'%s','message':'%s'}",
                     path, line, line, level, message);
}

/* ---- commits ---- */

/* A file of a commit that becomes this text, which is borrowed. A NULL text deletes the file. */
static inline struct snek_file snek_file_text(const char *path, const char *text) {
    struct snek_file file;
    file.path = path;
    file.contents.data = text;
    file.contents.bytes = text ? strlen(text) : 0;
    return file;
}

/* A file that a commit deletes. */
static inline struct snek_file snek_file_deleted(const char *path) {
    return snek_file_text(path, NULL);
}

/* The head of a branch of the event's repository: read files there, with the query part `ref`, and
 * commit on top of it. 0 or a negative enum snek_error. */
static inline int32_t snek_branch_head(struct snek_run *run, const char *branch, const char **oid) {
    return snek_commits(run)->head(run, NULL, branch, oid);
}

static inline int32_t snek_make_commit(struct snek_run *run, struct snek_commit commit) {
    return snek_commits(run)->create(run, &commit);
}

/* Commits on a branch, with these members of struct snek_commit (commit.h), in C and C++20:
 *
 *   struct snek_file files[] = {snek_file_text("list.md", text), snek_file_deleted("old.md")};
 *   snek_commit(run, "main", .message = "Update the list", .files = files, .files_count = 2,
 *               .expected_head = head)
 *
 * 0 or a negative enum snek_error: SNEK_E_MOVED when the branch has another head. C++ before C++20
 * fills the struct and calls snek_make_commit(). */
#if !defined(__cplusplus)
#define snek_commit(run, ...)                                                                      \
    snek_make_commit((run), (struct snek_commit){.bytes = (uint32_t)sizeof(struct snek_commit),    \
                                                 .reserved = 0,                                    \
                                                 .branch = __VA_ARGS__})
#elif __cplusplus >= 202002L
#define snek_commit(run, branch_, ...)                                                             \
    snek_make_commit((run), ::snek_commit{.bytes = (uint32_t)sizeof(struct snek_commit),           \
                                          .reserved = 0,                                           \
                                          .branch = (branch_)__VA_OPT__(, ) __VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif

#endif
