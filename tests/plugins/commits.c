/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of commits: each command and event makes one. */
#include <snekomatic/snekomatic.h>

static int32_t end(struct snek_run *run, int32_t result, const char *oid) {
    return result < 0 ? result : snek_skip(run, snek_print(run, "the commit is %s", oid));
}

/* /write TEXT: on top of the head, with two files, one of which has every kind of rest in base64.
 */
static int32_t on_write(struct snek_run *run) {
    const char *text = snek_argument(run, 1), *oid = NULL;
    struct snek_file files[] = {snek_file_text("list.md", text),
                                {"a/\"b\".bin", {"\0\377\n", 3}},
                                snek_file_text("empty", "")};
    int32_t result = snek_commit(run, "refs/heads/main",
                                 .message = snek_print(run, "Write %s\n\nBecause of a test.", text),
                                 .files = files, .files_count = 3, .oid = &oid);
    return end(run, result, oid);
}

/* /delete PATH HEAD: on top of this commit. */
static int32_t on_delete(struct snek_run *run) {
    struct snek_file file = snek_file_deleted(snek_argument(run, 1));
    const char *oid = NULL;
    int32_t result =
        snek_commit(run, "main", .message = "Delete it", .files = &file, .files_count = 1,
                    .expected_head = snek_argument(run, 2), .oid = &oid);
    return end(run, result, oid);
}

/* /branch NAME: a branch that may be missing. */
static int32_t on_branch(struct snek_run *run) {
    const char *head = NULL;
    int32_t result = snek_branch_head(run, snek_argument(run, 1), &head);
    return result < 0 ? result : snek_skip(run, snek_print(run, "its head is %s", head));
}

/* A pull request is edited: in each attempt the file has another text. */
static int32_t on_edited(struct snek_run *run) {
    struct snek_file file = snek_file_text("time", snek_print(run, "%" PRId64, snek_now_ms(run)));
    const char *oid = NULL;
    int32_t result = snek_commit(run, snek_string(run, "pull_request.head.ref"),
                                 .message = "Set the time", .files = &file, .files_count = 1,
                                 .expected_head = snek_string(run, "pull_request.head.sha"),
                                 .once = "time", .oid = &oid);
    return end(run, result, oid);
}

/* /large: more than a request takes. */
static int32_t on_large(struct snek_run *run) {
    char *data = (char *)snek_allocate(run, 4 << 20);
    struct snek_file file = {"large", {data, 4 << 20}};
    if (!data) {
        return snek_fail(run, "no memory");
    }
    memset(data, 'x', 4 << 20);
    return snek_commit(run, "main", .message = "m", .files = &file, .files_count = 1);
}

/* /wrong N: what the service rejects. */
static int32_t on_wrong(struct snek_run *run) {
    struct snek_file file = snek_file_text("/a", "b");
    switch (*snek_argument(run, 1)) {
    case '1':
        return snek_commit(run, "main", .message = "m", .files = &file, .files_count = 1);
    case '2':
        return snek_commit(run, "main", .message = "\n");
    case '3':
        return snek_commit(run, NULL, .message = "m");
    case '4':
        return snek_commit(run, "main", .message = "m", .repository = "none");
    default:
        return snek_commit(run, "main", .message = "m", .files_count = 1);
    }
}

/* A pull request is opened: a commit on top of the head that the event names. */
static int32_t on_opened(struct snek_run *run) {
    struct snek_file file = snek_file_text("formatted", "yes");
    return snek_commit(run, snek_string(run, "pull_request.head.ref"), .message = "Format",
                       .files = &file, .files_count = 1,
                       .expected_head = snek_string(run, "pull_request.head.sha"));
}

/* An issue is opened: the title is the file. */
static int32_t on_issue(struct snek_run *run) {
    const char *title = snek_string(run, "issue.title");
    struct snek_file file = snek_file_text("title", title);
    return snek_commit(run, "main", .message = snek_print(run, "Write %s", title), .files = &file,
                       .files_count = 1);
}

static const struct snek_permission permissions[] = {
    {"contents", "write"}, {"issues", "write"}, {"pull_requests", "read"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = on_issue},
    {.event = "pull_request", .action = "opened", .handler = on_opened},
    {.event = "pull_request", .action = "edited", .handler = on_edited}};
static const struct snek_command commands[] = {
    {.name = "branch", .usage = "/branch NAME", .handler = on_branch},
    {.name = "delete", .usage = "/delete PATH HEAD", .handler = on_delete},
    {.name = "large", .usage = "/large", .handler = on_large},
    {.name = "write", .usage = "/write TEXT", .handler = on_write},
    {.name = "wrong", .usage = "/wrong N", .handler = on_wrong}};

SNEK_PLUGIN(.name = "commits", .version = "1", .summary = "makes commits", SNEK_TABLE(permissions),
            SNEK_TABLE(subscriptions), SNEK_TABLE(commands))
