/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Code of both stores for holds: names, which runs a hold covers, and the end of a claim. */
#include "inbox/common/holds.h"

#include "base/array.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const scopes[] = {[INBOX_HOLD_PLUGIN] = "plugin",
                                     [INBOX_HOLD_INSTALLATION] = "installation",
                                     [INBOX_HOLD_REPOSITORY] = "repository",
                                     [INBOX_HOLD_ITEM] = "item"};
static const char *const causes[] = {[INBOX_HOLD_PAUSED] = "paused",
                                     [INBOX_HOLD_QUARANTINED] = "quarantined",
                                     [INBOX_HOLD_LOOP] = "loop"};

const char *inbox_hold_scope_name(enum inbox_hold_scope scope) {
    assert(scope < ARRAY_LENGTH(scopes));
    return scopes[scope];
}

const char *inbox_hold_cause_name(enum inbox_hold_cause cause) {
    assert(cause < ARRAY_LENGTH(causes));
    return causes[cause];
}

static int index_of(const char *const *names, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int hold_read_names(struct inbox_hold *hold, const char *scope, const char *cause) {
    int scope_at = index_of(scopes, ARRAY_LENGTH(scopes), scope);
    int cause_at = index_of(causes, ARRAY_LENGTH(causes), cause);
    if (scope_at < 0 || cause_at < 0) {
        return -1;
    }
    hold->scope = (enum inbox_hold_scope)scope_at;
    hold->cause = (enum inbox_hold_cause)cause_at;
    return 0;
}

/* "owner/name#number" */
static bool is_item(const char *value, const char *repository, const char *number) {
    size_t bytes = strlen(repository);
    return *number && strncasecmp(value, repository, bytes) == 0 && value[bytes] == '#' &&
           strcmp(value + bytes + 1, number) == 0;
}

bool inbox_hold_covers_run(const struct inbox_hold *hold, const struct inbox_run *run) {
    /* "REPOSITORY_ID#NUMBER" */
    const char *hash = strchr(run->item, '#');
    switch (hold->scope) {
    case INBOX_HOLD_PLUGIN:
        return true;
    case INBOX_HOLD_INSTALLATION:
        return strcmp(hold->value, run->installation) == 0;
    case INBOX_HOLD_REPOSITORY:
        return strcasecmp(hold->value, run->repository) == 0;
    case INBOX_HOLD_ITEM:
        return is_item(hold->value, run->repository, hash ? hash + 1 : "");
    }
    return false;
}

const struct inbox_hold *hold_of_run(const struct inbox_claim *claim, const struct inbox_run *run) {
    for (size_t i = 0; i < claim->n_holds; i++) {
        const struct inbox_hold *hold = &claim->holds[i];
        if (strcmp(hold->plugin, claim->shares[run->share].plugin) == 0 &&
            inbox_hold_covers_run(hold, run)) {
            return hold;
        }
    }
    return NULL;
}

bool hold_parts_line(const struct inbox_hold *hold, const struct inbox_run *run) {
    bool of_repository = strncmp(run->order_key, "repository ", 11) == 0;
    bool of_installation = strncmp(run->order_key, "installation ", 13) == 0;
    return (hold->scope == INBOX_HOLD_ITEM && (of_repository || of_installation)) ||
           (hold->scope == INBOX_HOLD_REPOSITORY && of_installation);
}

bool hold_counts(const struct inbox_hold *hold) {
    return hold->cause == INBOX_HOLD_PAUSED && hold->scope != INBOX_HOLD_PLUGIN;
}

void hold_remove_run(struct inbox_claim *claim, size_t index) {
    assert(index < claim->n_runs);
    inbox_run_finish(&claim->runs[index]);
    claim->n_runs--;
    memmove(&claim->runs[index], &claim->runs[index + 1],
            (claim->n_runs - index) * sizeof *claim->runs);
    claim->set_aside++;
}

void holds_note_ends(struct inbox_claim *claim) {
    for (size_t i = 0; i < claim->n_holds; i++) {
        int64_t until_ms = claim->holds[i].until_ms;
        if (until_ms != 0 && until_ms < claim->next_due_ms) {
            claim->next_due_ms = until_ms;
        }
    }
}
