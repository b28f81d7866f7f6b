/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads /readyz's members. */
#include "console/status.h"

#include "base/json.h"
#include "console/room.h"

#include <string.h>

void status_read(const struct console_task *task, struct status *status) {
    const struct console_options *options = &task->console->options;
    status->json = (struct buffer)BUFFER_INIT(STATUS_BYTES_MAX);
    buffer_append_text(&status->json, "{");
    status->ready = options->append_status(options->context, &status->json);
    buffer_append_text(&status->json, "}");
}

void status_finish(struct status *status) {
    buffer_finish(&status->json);
}

static bool find(const struct status *status, const char *path, struct json_value *value) {
    return status->json.data && json_find(status->json.data, status->json.bytes, path, value);
}

void status_text(const struct status *status, const char *path, char text[STATUS_TEXT_MAX]) {
    struct json_value value;
    text[0] = '\0';
    /* A JSON string with its quotes is never shorter than its text. */
    if (find(status, path, &value) && value.type == JSON_STRING &&
        value.raw_bytes < STATUS_TEXT_MAX) {
        size_t bytes = json_unescape(value.raw + 1, value.raw_bytes - 2, text);
        text[bytes] = '\0';
    }
}

int64_t status_number(const struct status *status, const char *path) {
    struct json_value value;
    int64_t number;
    return find(status, path, &value) && json_to_integer(&value, &number) ? number : -1;
}
