/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Expectations as TOML, and their places in a scenario's file: at the end of the step's own keys.
 */
#include "scenario/record.h"

#include "base/buffer.h"
#include "scenario/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RECORD_BYTES_MAX (1u << 20)

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

bool record_wants(const json_t *step) {
    static const char *const actions[] = {"deliver", "comment", "redeliver", "advance"};
    static const char *const expectations[] = {"result",    "reason", "requests",
                                               "any_order", "log",    "state"};
    bool acts = false;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        acts = acts || json_object_get(step, actions[i]);
    }
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        acts = acts && !json_object_get(step, expectations[i]);
    }
    return acts;
}

/* A text as TOML has it, which is how JSON has it. */
static void put_text(struct buffer *out, const char *value) {
    json_t *json = json_string(value);
    char *dumped = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    buffer_append_text(out, dumped ? dumped : "\"\"");
    free(dumped);
    json_decref(json);
}

/* All runs have one result, or each plugin has its own. */
static void put_result(struct buffer *out, const struct step_runner *runner) {
    const struct outcome *first = runner->outcomes;
    bool same = true;
    for (size_t i = 1; i < runner->n_outcomes; i++) {
        same = same && strcmp(runner->outcomes[i].result, first->result) == 0;
    }
    if (runner->n_outcomes == 0 && runner->n_guids > 0) {
        buffer_append_text(out, "result = \"none\"\n");
    } else if (runner->n_outcomes > 0 && !same) {
        buffer_append_text(out, "result = { ");
        for (size_t i = 0; i < runner->n_outcomes; i++) {
            put_text(out, runner->outcomes[i].plugin);
            buffer_printf(out, " = \"%s\"%s", runner->outcomes[i].result,
                          i + 1 < runner->n_outcomes ? ", " : " }\n");
        }
    } else if (runner->n_outcomes > 0 && strcmp(first->result, "done") != 0) {
        buffer_printf(out, "result = \"%s\"\n", first->result);
    }
}

static void put_request(struct buffer *out, const json_t *request) {
    AUTO_BUFFER struct buffer line = BUFFER_INIT(RECORD_BYTES_MAX);
    const char *query = text(request, "query");
    const json_t *status = json_object_get(request, "status");
    json_int_t number = json_integer_value(status);
    buffer_printf(&line, "%s %s%s%s", text(request, "method"), text(request, "path"),
                  query ? "?" : "", query ? query : "");
    if (!json_is_integer(status)) {
        buffer_append_text(&line, " -> dropped");
    } else if (number != 304 && (number < 200 || number > 299)) {
        buffer_printf(&line, " -> %d", (int)number);
    }
    buffer_append_text(out, "    ");
    buffer_append(&line, "", 1);
    put_text(out, line.data ? line.data : "");
    buffer_append_text(out, ",\n");
}

/* The host's search for a comment in doubt has the time in its URL, so no other run makes it. */
static bool is_timed_lookup(const json_t *request) {
    const char *query = text(request, "query");
    return query && strstr(query, "since=") && request_is_lookup(request);
}

json_t *record_step(const struct step_runner *runner) {
    AUTO_BUFFER struct buffer out = BUFFER_INIT(RECORD_BYTES_MAX);
    size_t i;
    json_t *request;
    put_result(&out, runner);
    if (json_array_size(runner->requests) > 0) {
        buffer_append_text(&out, "requests = [\n");
        json_array_foreach(runner->requests, i, request) {
            if (!is_timed_lookup(request)) {
                put_request(&out, request);
            }
        }
        buffer_append_text(&out, "]\n");
    }
    if (json_array_size(runner->requests) > 1 && runner->n_outcomes > 1) {
        buffer_append_text(&out, "any_order = true\n");
    }
    return json_stringn(out.data ? out.data : "", out.bytes);
}

/* ---- the file ---- */

struct writing {
    const json_t *steps;
    struct buffer out;
    /* Blank lines and comments, which may belong to what follows. */
    struct buffer held;
    /* The steps that began. */
    size_t begun;
    /* Are we among the own keys of the last step? In a text of several lines? */
    bool in_step, in_text;
    /* Something did not fit into a buffer. */
    bool failed;
};

static void put(struct writing *writing, struct buffer *into, const char *text_of, size_t bytes) {
    writing->failed |= buffer_append(into, text_of, bytes) < 0;
}

static void put_held(struct writing *writing) {
    put(writing, &writing->out, writing->held.data ? writing->held.data : "", writing->held.bytes);
    writing->held.bytes = 0;
}

/* The step's own keys end here. */
static void end_step(struct writing *writing) {
    const char *lines = writing->in_step
                            ? json_string_value(json_array_get(writing->steps, writing->begun - 1))
                            : NULL;
    if (lines) {
        put(writing, &writing->out, lines, strlen(lines));
    }
    writing->in_step = false;
}

/* Does the line begin or end a text of several lines? */
static bool turns_text(const char *line, size_t bytes) {
    bool turns = false;
    for (size_t i = 0; i + 3 <= bytes; i++) {
        if (strncmp(line + i, "\"\"\"", 3) == 0 || strncmp(line + i, "'''", 3) == 0) {
            turns = !turns;
            i += 2;
        }
    }
    return turns;
}

static void copy_line(struct writing *writing, const char *line, size_t bytes) {
    bool is_header = !writing->in_text && *line == '[';
    bool is_blank = !writing->in_text && (*line == '#' || strspn(line, " \t\r\n") >= bytes);
    if (is_header) {
        end_step(writing);
        writing->in_step = strncmp(line, "[[step]]", 8) == 0;
        writing->begun += writing->in_step;
    }
    if (is_blank) {
        put(writing, &writing->held, line, bytes);
        return;
    }
    put_held(writing);
    put(writing, &writing->out, line, bytes);
    writing->in_text ^= turns_text(line, bytes);
}

static int read_file(const char *path, struct buffer *whole, struct error *err) {
    char part[4096];
    size_t bytes;
    FILE *file = fopen(path, "re");
    if (!file) {
        return error_set(err, "cannot read %s: %s", path, strerror(errno));
    }
    bool fits = true;
    while (fits && (bytes = fread(part, 1, sizeof part, file)) > 0) {
        fits = buffer_append(whole, part, bytes) == 0;
    }
    bool ends = whole->bytes > 0 && whole->data[whole->bytes - 1] == '\n';
    fits = fits && ferror(file) == 0 && buffer_append(whole, "\n", ends ? 1 : 2) == 0;
    fclose(file);
    if (!fits) {
        return error_set(err, "cannot read %s, or it is too large", path);
    }
    whole->data[whole->bytes - 1] = '\0';
    return 0;
}

static int replace_file(const char *path, const struct buffer *whole, struct error *err) {
    char beside[4096];
    snprintf(beside, sizeof beside, "%.4000s.recorded", path);
    FILE *file = fopen(beside, "we");
    if (!file) {
        return error_set(err, "cannot write %s: %s", beside, strerror(errno));
    }
    bool written = fwrite(whole->data, 1, whole->bytes, file) == whole->bytes;
    written = fclose(file) == 0 && written;
    if (written && rename(beside, path) == 0) {
        return 0;
    }
    remove(beside);
    return error_set(err, "cannot write %s: %s", path, strerror(errno));
}

int record_write(const char *file, const json_t *steps, struct error *err) {
    AUTO_BUFFER struct buffer whole = BUFFER_INIT(RECORD_BYTES_MAX);
    struct writing writing = {.steps = steps,
                              .out = BUFFER_INIT(2 * RECORD_BYTES_MAX),
                              .held = BUFFER_INIT(RECORD_BYTES_MAX)};
    int result = read_file(file, &whole, err);
    for (const char *at = whole.data; result == 0 && at && *at;) {
        size_t bytes = strcspn(at, "\n");
        bytes += at[bytes] == '\n';
        copy_line(&writing, at, bytes);
        at += bytes;
    }
    end_step(&writing);
    put_held(&writing);
    if (result == 0 && writing.failed) {
        result = error_set(err, "%s and its expectations are too large", file);
    }
    if (result == 0 && writing.begun < json_array_size(steps)) {
        result = error_set(err, "%s: its steps are not all [[step]] tables", file);
    }
    result = result < 0 ? result : replace_file(file, &writing.out, err);
    buffer_finish(&writing.out);
    buffer_finish(&writing.held);
    return result;
}
