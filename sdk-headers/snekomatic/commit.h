/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commit", revision 1: a commit on a branch, with any number of files, signed by GitHub.
 *
 *   create(run, {branch "main", message "Update the list", files {{"list.md", "..."}}})
 *
 *     expected_head given   POST /graphql   createCommitOnBranch with expectedHeadOid
 *     expected_head NULL    POST /graphql   the branch's head now, then as above
 *
 *   head(run, NULL, "main", &oid)           POST /graphql   the branch's head now
 *
 * The commit is made only while `expected_head` is the head of the branch. So a plugin that reads a
 * file at a commit, changes it, and commits on top of that commit never undoes what others pushed
 * meanwhile. When the branch has moved on, nothing is committed, and the result is SNEK_E_MOVED.
 *
 * If the response was lost, the retry looks at the newest 50 commits of the branch before it sends
 * anything: a commit with this message, whose parent is `expected_head`, is this one. So runs of
 * one plugin that commit to one branch at the same time need messages that differ, or an order
 * (SNEK_ORDER_REPOSITORY).
 *
 * The plugin needs {"contents", "write"}, and {"workflows", "write"} for files below
 * .github/workflows. A plugin that declares its effects declares {"POST", "/graphql"}. */
#ifndef SNEKOMATIC_COMMIT_H
#define SNEKOMATIC_COMMIT_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_COMMIT_SERVICE "commit"
#define SNEK_COMMIT_REVISION 1

/* A file that a commit changes. snek_file_text() and snek_file_deleted() make one. */
struct snek_file {
    /* From the root of the repository, in UTF-8: "docs/list.md". */
    const char *path;
    /* The whole file, any bytes. `data` NULL: the commit deletes the file. */
    struct snek_text contents;
};

/* A commit, for snek_commit(run, "main", .message = ...), which sets the first three members.
 * Borrowed with everything that it points to until the call returns. */
struct snek_commit {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;
    /* The branch, which exists: "main", or "refs/heads/main" as a push event has it. */
    const char *branch;
    /* In UTF-8. The first line is the headline; the body follows an empty line. */
    const char *message;
    /* The files, each path once; those that are not listed stay. All contents together may have
     * about 3 MB, because a request has at most 4 MiB in base64. */
    const struct snek_file *files;
    uint32_t files_count;
    /* 0. */
    uint32_t reserved_2;
    /* The hash of the commit on top of which this one is made. NULL: the head that the branch has
     * now; then the files replace what others changed in them. */
    const char *expected_head;
    /* "owner/name". NULL: the event's repository. */
    const char *repository;
    /* Names the effect, as in struct snek_request: for contents that may differ in a retry, such as
     * a time. NULL: none. */
    const char *once;
    /* Where the hash of the commit goes, borrowed until the handler returns; NULL there when
     * GitHub's response has none (plugin.dry_run). NULL when it is not needed. */
    const char **oid;
};

struct snek_commit_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* The size of struct snek_commit in the host. */
    uint32_t commit_bytes;

    /* [handler] Makes the commit. Blocks until GitHub responds. 0; or a negative enum snek_error
     * with a reason: SNEK_E_MOVED when `expected_head` is not the head of the branch (nothing is
     * committed), SNEK_E_NOT_FOUND when there is no such branch, SNEK_E_TOO_LARGE when the files
     * are too large, SNEK_E_NO_TARGET when the event has no repository. */
    int32_t (*create)(struct snek_run *run, const struct snek_commit *commit);

    /* [handler] The head of a branch, for `expected_head` and for reading files there. `repository`
     * and `branch` are as in struct snek_commit. Blocks until GitHub responds. 0 and `*oid`, the
     * hash of the commit, borrowed until the handler returns; or a negative enum snek_error with a
     * reason: SNEK_E_NOT_FOUND when there is no such branch. The response is recorded like a read.
     */
    int32_t (*head)(struct snek_run *run, const char *repository, const char *branch,
                    const char **oid);
};

#ifdef __cplusplus
}
#endif

#endif
