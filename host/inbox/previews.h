/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Retries and discards of many runs. A preview stores which runs an operator was shown. Later the
 * command line carries it out, one run an operation: only these runs, and only while they are in
 * the state that the preview showed. Runs that came or changed meanwhile are left alone. */
#ifndef SNEK_INBOX_PREVIEWS_H
#define SNEK_INBOX_PREVIEWS_H

#include "inbox/admin.h"
#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A preview is valid for so long. */
#define INBOX_PREVIEW_MS INT64_C(3600000)
/* Runs that one INBOX_PREVIEW operation adds. */
#define INBOX_PREVIEW_RUNS_MAX ((size_t)500)

struct inbox_preview_run {
    int64_t run;
    /* The state that a list shows: see struct inbox_entry. */
    char state[8];
};

/* INBOX_PREVIEW makes the preview if `begins`, and adds runs to it. Previews that are no longer
 * valid are deleted. Result: 0. */
struct inbox_preview {
    struct inbox_operation operation;
    /* Positive, and chosen at random. */
    int64_t preview;
    bool begins, discards;
    int64_t now_ms;
    /* Borrowed. `first`: how many runs the preview has already. */
    const struct inbox_preview_run *runs;
    size_t n_runs, first;

    /* Out: how many runs of the preview have an effect in doubt. */
    int64_t in_doubt;
};

enum inbox_preview_outcome {
    /* No preview that is valid and does the same has that number. */
    INBOX_PREVIEW_UNKNOWN = 1,
    /* The run is in another state now, or was forgotten. It is left alone. */
    INBOX_PREVIEW_CHANGED = 2,
    /* The run cannot be retried, because its delivery's body was pruned. */
    INBOX_PREVIEW_PRUNED = 3,
    /* The preview has no more runs, and was deleted. */
    INBOX_PREVIEW_END = 4,
};

/* INBOX_PREVIEW_APPLY takes the next run out of the preview, and retries or discards it like
 * INBOX_RERUN and INBOX_DISCARD. 0, or an outcome. */
struct inbox_preview_apply {
    struct inbox_operation operation;
    int64_t preview;
    bool discards;
    int64_t now_ms;
    /* A run that is retried is due then. */
    int64_t due_ms;

    /* Out, unless the preview is unknown or at its end: the run, and the state that it was in.
     * "" when the run was forgotten. */
    char guid[INBOX_GUID_MAX + 1];
    char plugin[INBOX_NAME_MAX + 1];
    char state[8];
};

#endif
