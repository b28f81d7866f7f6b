/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the denials of the last hour in one key of the plugin's store, so that they survive a
 * restart and cannot grow without bound. Times are those of the deliveries' arrival: a retry
 * computes the same value, so that the host recognises its write. */
#include "worker/denial.h"

#include "base/buffer.h"
#include "base/lock.h"
#include "protocol/frames.h"
#include "worker/comment_targets.h"
#include "worker/roles.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/store_call.h"
#include "worker/worker.h"

#include <snekomatic/commands.h>
#include <snekomatic/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENIAL_AGAIN_MS 3600000
/* A line has at most 90 bytes, so they fit into one value. Further denials are silent. */
#define DENIALS_MAX 500
#define DENIAL_LINE_MAX 160

/* Between reading and writing the key. Two hosts of one store can still respond both, to two
 * comments that arrive at the same moment. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* "REPOSITORY#NUMBER PERSON ": what a denial is about. */
static void name_denial(struct run *run, const struct comment_target *target,
                        const struct person *person, char name[DENIAL_LINE_MAX]) {
    char path[40];
    snprintf(path, sizeof path, "%s.number", target->item);
    snprintf(name, DENIAL_LINE_MAX, "%" PRId64 "#%" PRId64 " %" PRId64 " ",
             run_find_integer(run, "repository.id"), run_find_integer(run, path), person->id);
}

/* Copies the denials of the last hour to `kept`; true when `name` is one of them. */
static bool keep_recent(const char *lines, const char *name, int64_t now_ms, struct buffer *kept,
                        unsigned *count) {
    size_t name_bytes = strlen(name);
    bool found = false;
    for (const char *next = lines; *next;) {
        const char *line = next, *end = strchrnul(line, '\n');
        const char *space = memrchr(line, ' ', (size_t)(end - line));
        int64_t age_ms = space ? now_ms - strtoll(space + 1, NULL, 10) : DENIAL_AGAIN_MS;
        next = *end ? end + 1 : end;
        /* Deliveries may be handled in another order than they arrived. */
        if (llabs(age_ms) < DENIAL_AGAIN_MS) {
            found = found || strncmp(line, name, name_bytes) == 0;
            if (buffer_append(kept, line, (size_t)(end - line)) == 0 &&
                buffer_append_text(kept, "\n") == 0) {
                ++*count;
            }
        }
    }
    return found;
}

/* 1 when this is the first denial of its name in an hour, which is stored then; 0 when not; or a
 * negative error. */
static int32_t note_denial(struct run *run, const char *name) {
    AUTO_BUFFER struct buffer kept = BUFFER_INIT(FRAME_STORE_VALUE_MAX);
    struct snek_text stored = {0};
    unsigned count = 0;
    int64_t now_ms = run_received_ms(run);
    SCOPED_LOCK(&lock);
    int32_t result = store_call_get(run, SNEK_SCOPE_INSTALLATION, DENIAL_KEY, &stored);
    if (result < 0) {
        return result;
    }
    if (keep_recent(stored.data ? stored.data : "", name, now_ms, &kept, &count)) {
        return 0;
    }
    if (count >= DENIALS_MAX || buffer_printf(&kept, "%s%" PRId64 "\n", name, now_ms) < 0) {
        worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_WARNING,
                   "too many people were denied a command in the last hour: this one is ignored "
                   "silently");
        return 0;
    }
    result = store_call_put(run, SNEK_SCOPE_INSTALLATION, DENIAL_KEY, kept.data, kept.bytes);
    return result < 0 ? result : 1;
}

/* GitHub rejects the response, it has no target, or the plugin's store is full. A retry would fail
 * too, and a denial is not worth a dead run. */
static bool is_final(int32_t result) {
    return result == SNEK_E_NOT_FOUND || result == SNEK_E_FORBIDDEN ||
           result == SNEK_E_VALIDATION || result == SNEK_E_NO_TARGET || result == SNEK_E_IN_DOUBT ||
           result == SNEK_E_INVALID || result == SNEK_E_TOO_LARGE;
}

static int32_t respond(struct run *run, const struct snek_command *command) {
    if (command->denied == SNEK_DENIED_REPLY) {
        return service_commands.reply(run_shown(run), command->denied_text, NULL, NULL);
    }
    const char *reaction = command->denied_text ? command->denied_text : "-1";
    return service_commands.react(run_shown(run), reaction);
}

int32_t denial_send(struct run *run, const struct comment_target *target,
                    const struct snek_command *command, const struct person *person) {
    char name[DENIAL_LINE_MAX], text[FRAME_REASON_MAX + 1], reason[FRAME_REASON_MAX + 1];
    if (command->denied == SNEK_DENIED_SILENT) {
        return 0;
    }
    name_denial(run, target, person, name);
    int32_t result = note_denial(run, name);
    if (result > 0) {
        result = respond(run, command);
    }
    if (!is_final(result)) {
        return result;
    }
    run_copy_reason(run, reason);
    snprintf(text, sizeof text, "cannot respond to a denied command: %.900s", reason);
    worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_WARNING, text);
    return 0;
}
