/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "scenario/stage.h"

#include "base/clock.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#define HOLD_MS 600000 /* an answer that is held is released by the step itself */
#define WAIT_REQUESTS_MS 5000

void verdict_say(struct verdict *verdict, const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)buffer_printf(&verdict->text, "%s\n", line);
}

void stage_init(struct stage *stage, struct world *world) {
    *stage = (struct stage){.world = world,
                            .waiting = calloc(STAGE_RUNS_MAX, sizeof *stage->waiting),
                            .outcomes = calloc(STAGE_RUNS_MAX, sizeof *stage->outcomes)};
}

void stage_finish(struct stage *stage) {
    for (struct delivery *next; stage->deliveries; stage->deliveries = next) {
        next = stage->deliveries->next;
        free(stage->deliveries->payload.body);
        free(stage->deliveries);
    }
    free(stage->waiting);
    free(stage->outcomes);
    json_decref(stage->requests);
}

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static int64_t now_ms(const struct stage *stage) {
    return clock_monotonic_ms() + stage->advanced_ms;
}

/* -- what the host says -- */

static bool is_of_step(const struct stage *stage, const char *guid) {
    for (size_t i = 0; i < stage->n_guids; i++) {
        if (strcmp(stage->guids[i], guid) == 0) {
            return true;
        }
    }
    return false;
}

static void forget_waiting(struct stage *stage, const struct outcome *outcome) {
    for (size_t i = 0; i < stage->n_waiting; i++) {
        if (strcmp(stage->waiting[i].guid, outcome->guid) == 0 &&
            strcmp(stage->waiting[i].plugin, outcome->plugin) == 0) {
            stage->waiting[i--] = stage->waiting[--stage->n_waiting];
        }
    }
}

static void take_outcome(struct stage *stage, const char *line, size_t bytes, const char *result) {
    struct outcome outcome = {.due_ms = now_ms(stage)};
    char value[FIELD_MAX];
    if (!line_field(line, bytes, "delivery", value)) {
        return;
    }
    (void)snprintf(outcome.guid, sizeof outcome.guid, "%.36s", value);
    if (line_field(line, bytes, "plugin", value)) {
        (void)snprintf(outcome.plugin, sizeof outcome.plugin, "%.100s", value);
    }
    (void)snprintf(outcome.result, sizeof outcome.result, "%.20s", result);
    (void)line_field(line, bytes, "reason", outcome.reason);
    if (line_field(line, bytes, "again_ms", value)) {
        outcome.due_ms += strtoll(value, NULL, 10);
    }
    forget_waiting(stage, &outcome);
    bool waits = strcmp(result, "retry") == 0 || strcmp(result, "parked") == 0;
    if (waits && stage->n_waiting < STAGE_RUNS_MAX) {
        stage->waiting[stage->n_waiting++] = outcome;
    }
    if (is_of_step(stage, outcome.guid) && stage->n_outcomes < STAGE_RUNS_MAX) {
        stage->outcomes[stage->n_outcomes++] = outcome;
    }
}

static void take_line(struct stage *stage, const char *line, size_t bytes) {
    static const char *const ends[] = {"done", "skipped", "rejected", "retry", "parked", "dead"};
    char message[FIELD_MAX], runs[FIELD_MAX], guid[FIELD_MAX];
    if (!line_field(line, bytes, "msg", message)) {
        return;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(message, ends[i]) == 0) {
            take_outcome(stage, line, bytes, message);
        }
    }
    bool stored = strcmp(message, "stored") == 0 || strcmp(message, "redelivered") == 0;
    if (stored && line_field(line, bytes, "delivery", guid) && is_of_step(stage, guid) &&
        line_field(line, bytes, "runs", runs) && stage->runs_wanted == SIZE_MAX) {
        stage->runs_wanted = strtoul(runs, NULL, 10);
    }
}

static void take_lines(struct stage *stage) {
    size_t bytes;
    const char *line;
    while ((line = lines_next(&stage->world->host_lines, &stage->log_at, &bytes)) != NULL) {
        take_line(stage, line, bytes);
    }
}

static bool has_line(const struct stage *stage, const char *message) {
    size_t at = stage->log_start, bytes;
    const char *line;
    while ((line = lines_next(&stage->world->host_lines, &at, &bytes)) != NULL) {
        if (line_is(line, bytes, "msg", message)) {
            return true;
        }
    }
    return false;
}

static int wait_line(struct stage *stage, const char *message, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + stage->world->options->timeout_ms;
    while (!has_line(stage, message)) {
        if (world_tick(stage->world, err) < 0) {
            return -1;
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return error_set(err, "the host did not say msg=%s in time", message);
        }
    }
    return 0;
}

static int wait_outcomes(struct stage *stage, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + stage->world->options->timeout_ms;
    for (;;) {
        int result = world_tick(stage->world, err);
        take_lines(stage);
        if (result < 0) {
            return -1;
        }
        if (stage->runs_wanted != SIZE_MAX && stage->n_outcomes >= stage->runs_wanted) {
            return 0;
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return stage->runs_wanted == SIZE_MAX
                       ? error_set(err, "the host did not say that it stored the delivery")
                       : error_set(err, "%zu of %zu runs ended within %d s; the others hang",
                                   stage->n_outcomes, stage->runs_wanted,
                                   (int)(stage->world->options->timeout_ms / 1000));
        }
    }
}

/* -- what the fake was asked -- */

/* The new requests of plugins; false while one of them is being answered. */
static bool pick_requests(struct stage *stage, json_t *all) {
    bool settled = true;
    size_t i;
    json_t *request;
    json_decref(stage->requests);
    stage->requests = json_array();
    json_array_foreach(all, i, request) {
        const char *path = text(request, "path");
        bool own = path && (strcmp(path, "/app") == 0 || strncmp(path, "/app/", 5) == 0);
        if (json_integer_value(json_object_get(request, "n")) > stage->last_request && !own) {
            (void)json_array_append(stage->requests, request);
            settled &= json_object_get(request, "dropped") != NULL;
        }
    }
    return settled;
}

int stage_take_requests(struct stage *stage, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_REQUESTS_MS;
    bool settled = false;
    while (!settled) {
        json_t *answer = NULL;
        struct error ignored;
        if (world_ask_fake(stage->world, "GET", "requests", NULL, &answer, err) < 0) {
            return -1;
        }
        settled = pick_requests(stage, json_object_get(answer, "requests")) ||
                  clock_monotonic_ms() > deadline_ms ||
                  (stage->world->host && world_tick(stage->world, &ignored) < 0);
        json_decref(answer);
    }
    size_t count = json_array_size(stage->requests);
    if (count > 0) {
        const json_t *last = json_array_get(stage->requests, count - 1);
        stage->last_request = json_integer_value(json_object_get(last, "n"));
    }
    return 0;
}

/* -- actions -- */

json_t *stage_failure(const json_t *fail) {
    json_t *copy = json_deep_copy(fail);
    struct expected_request request;
    struct error ignored;
    const char *wanted = text(fail, "request");
    if (wanted && scenario_request(wanted, &request, &ignored) == 0) {
        (void)json_object_del(copy, "request");
        (void)json_object_set_new(copy, "method", json_string(request.method));
        (void)json_object_set_new(copy, "path", json_string(request.path));
    }
    return copy;
}

static int add_failure(struct stage *stage, const json_t *fail, struct error *err) {
    json_t *copy = stage_failure(fail);
    int result = world_ask_fake(stage->world, "POST", "fail", copy, NULL, err);
    json_decref(copy);
    return result;
}

static int add_each(struct stage *stage, const json_t *list,
                    int (*add)(struct stage *stage, const json_t *one, struct error *err),
                    struct error *err) {
    size_t i;
    json_t *one;
    if (json_is_object(list)) {
        return add(stage, list, err);
    }
    json_array_foreach(list, i, one) {
        if (add(stage, one, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What the scenario has GitHub answer: a failure that is none, for as often as it is asked. */
static int add_answer(struct stage *stage, const json_t *answer, struct error *err) {
    json_t *copy = json_deep_copy(answer);
    if (!json_object_get(copy, "status")) {
        (void)json_object_set_new(copy, "status", json_integer(200));
    }
    if (!json_object_get(copy, "times")) {
        (void)json_object_set_new(copy, "times", json_integer(-1));
    }
    int result = add_failure(stage, copy, err);
    json_decref(copy);
    return result;
}

/* Each step begins with none: the step's own come first, since the first that fits is taken. */
static int add_failures(struct stage *stage, struct error *err) {
    const json_t *root = stage->world->scenario->root;
    return add_each(stage, json_object_get(stage->step, "fail"), add_failure, err) < 0
               ? -1
               : add_each(stage, json_object_get(root, "answer"), add_answer, err);
}

static int hold(struct stage *stage, const char *kill_at, struct error *err) {
    json_t *failure =
        json_pack("{s:s, s:b, s:i}", "request", kill_at, "after", 1, "delay_ms", HOLD_MS);
    int result = add_failure(stage, failure, err);
    json_decref(failure);
    return result;
}

static bool is_held(struct stage *stage, const struct expected_request *wanted) {
    size_t i;
    json_t *request;
    json_array_foreach(stage->requests, i, request) {
        if (!json_object_get(request, "dropped") &&
            strcmp(text(request, "method"), wanted->method) == 0 &&
            fnmatch(wanted->path, text(request, "path"), 0) == 0) {
            return true;
        }
    }
    return false;
}

/* Kills while GitHub's answer to a request is on its way, then lets the answer come. */
static int kill_at(struct stage *stage, const char *at, struct error *err) {
    struct expected_request wanted;
    int64_t deadline_ms = clock_monotonic_ms() + stage->world->options->timeout_ms;
    bool held = false;
    (void)scenario_request(at, &wanted, err);
    while (!held) {
        json_t *answer = NULL;
        if (world_tick(stage->world, err) < 0 ||
            world_ask_fake(stage->world, "GET", "requests", NULL, &answer, err) < 0) {
            return -1;
        }
        (void)pick_requests(stage, json_object_get(answer, "requests"));
        json_decref(answer);
        held = is_held(stage, &wanted);
        if (!held && clock_monotonic_ms() > deadline_ms) {
            return error_set(err, "kill_at: no %s came", at);
        }
    }
    bool worker = strcmp(text(stage->step, "kill"), "worker") == 0;
    if (world_kill(stage->world, worker, err) < 0 ||
        wait_line(stage, worker ? "worker_died" : "host_died", err) < 0) {
        return -1;
    }
    return world_ask_fake(stage->world, "POST", "release", NULL, NULL, err);
}

static void new_guid(char guid[GUID_BYTES]) {
    unsigned char b[16];
    (void)getrandom(b, sizeof b, 0);
    (void)snprintf(guid, GUID_BYTES,
                   "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11],
                   b[12], b[13], b[14], b[15]);
}

static int post(struct stage *stage, const struct delivery *delivery, struct error *err) {
    char url[200];
    (void)snprintf(url, sizeof url, "%s/webhook/github", stage->world->host_url);
    const struct webhook webhook = {.url = url,
                                    .event = delivery->payload.event,
                                    .guid = delivery->guid,
                                    .secret = WORLD_SECRET,
                                    .body = delivery->payload.body,
                                    .body_bytes = delivery->payload.body_bytes};
    return client_webhook(&stage->world->client, &webhook, err);
}

static void is_about(struct stage *stage, const char *guid) {
    if (!is_of_step(stage, guid) && stage->n_guids < STAGE_RUNS_MAX) {
        (void)snprintf(stage->guids[stage->n_guids++], GUID_BYTES, "%s", guid);
    }
}

/* Delivers, kills in between if asked to, and waits for all runs to end. */
static int deliver(struct stage *stage, const struct delivery *delivery, struct error *err) {
    const char *at = text(stage->step, "kill_at");
    is_about(stage, delivery->guid);
    if ((at && hold(stage, at, err) < 0) || post(stage, delivery, err) < 0 ||
        (at && kill_at(stage, at, err) < 0)) {
        return -1;
    }
    return wait_outcomes(stage, err);
}

static int do_deliver(struct stage *stage, struct error *err) {
    struct delivery *delivery = calloc(1, sizeof *delivery);
    const char *name = text(stage->step, "name");
    if (!delivery || payload_make(stage->world, stage->step, &delivery->payload, err) < 0) {
        free(delivery);
        return -1;
    }
    new_guid(delivery->guid);
    (void)snprintf(delivery->step, sizeof delivery->step, "%.120s", name ? name : "");
    delivery->next = stage->deliveries;
    stage->deliveries = delivery;
    stage->runs_wanted = SIZE_MAX; /* the host says how many */
    return deliver(stage, delivery, err);
}

static size_t count_waiting(const struct stage *stage, const char *guid) {
    size_t count = 0;
    for (size_t i = 0; i < stage->n_waiting; i++) {
        count += strcmp(stage->waiting[i].guid, guid) == 0;
    }
    return count;
}

static int do_redeliver(struct stage *stage, struct error *err) {
    const char *name = text(stage->step, "redeliver");
    const struct delivery *delivery = stage->deliveries;
    while (delivery && name && strcmp(delivery->step, name) != 0) {
        delivery = delivery->next;
    }
    if (!delivery) {
        return error_set(err, "redeliver: no step before this delivered%s%s", name ? " as " : "",
                         name ? name : "");
    }
    size_t waiting = count_waiting(stage, delivery->guid);
    stage->runs_wanted = waiting > 0 ? waiting : SIZE_MAX;
    return deliver(stage, delivery, err);
}

static const struct delivery *delivery_of(const struct stage *stage, const char *guid) {
    const struct delivery *delivery = stage->deliveries;
    while (delivery && strcmp(delivery->guid, guid) != 0) {
        delivery = delivery->next;
    }
    return delivery;
}

/* Runs that would be due by then are due now: a redelivery does that to those that wait. */
static int do_advance(struct stage *stage, struct error *err) {
    stage->advanced_ms += scenario_duration_ms(text(stage->step, "advance"));
    int64_t nearest_ms = INT64_MAX, now = now_ms(stage);
    stage->runs_wanted = 0;
    for (size_t i = 0; i < stage->n_waiting; i++) {
        int64_t left_ms = stage->waiting[i].due_ms - now;
        if (left_ms <= 0 && !is_of_step(stage, stage->waiting[i].guid)) {
            stage->runs_wanted += count_waiting(stage, stage->waiting[i].guid);
            is_about(stage, stage->waiting[i].guid);
        }
        nearest_ms = left_ms < nearest_ms ? left_ms : nearest_ms;
    }
    if (stage->n_guids == 0) {
        return stage->n_waiting == 0
                   ? error_set(err, "advance: no run waits for a retry")
                   : error_set(err,
                               "advance: no run is due by then; the first is %" PRId64 " ms later",
                               nearest_ms);
    }
    const char *at = text(stage->step, "kill_at");
    if (at && hold(stage, at, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < stage->n_guids; i++) {
        const struct delivery *delivery = delivery_of(stage, stage->guids[i]);
        if (delivery && post(stage, delivery, err) < 0) {
            return -1;
        }
    }
    return at && kill_at(stage, at, err) < 0 ? -1 : wait_outcomes(stage, err);
}

static int do_kill(struct stage *stage, struct error *err) {
    bool worker = strcmp(text(stage->step, "kill"), "worker") == 0;
    if (world_kill(stage->world, worker, err) < 0 ||
        wait_line(stage, worker ? "worker_died" : "host_restarted", err) < 0) {
        return -1;
    }
    return wait_line(stage, "worker_started", err);
}

static int do_restart(struct stage *stage, struct error *err) {
    return world_stop_host(stage->world, err) < 0 ? -1 : world_start_host(stage->world, err);
}

static int do_github(struct stage *stage, struct error *err) {
    return world_ask_fake(stage->world, "PATCH", "state", json_object_get(stage->step, "github"),
                          NULL, err);
}

static int perform(struct stage *stage, struct error *err) {
    static const struct {
        const char *key;
        int (*act)(struct stage *stage, struct error *err);
    } actions[] = {{"deliver", do_deliver}, {"comment", do_deliver}, {"redeliver", do_redeliver},
                   {"advance", do_advance}, {"restart", do_restart}, {"github", do_github},
                   {"kill", do_kill}}; /* the last: others may have it as well */
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (json_object_get(stage->step, actions[i].key)) {
            return actions[i].act(stage, err);
        }
    }
    return error_set(err, "this step does nothing");
}

static void begin(struct stage *stage, const json_t *step) {
    lines_read(&stage->world->host_lines);
    take_lines(stage);
    stage->step = step;
    stage->log_start = stage->log_at;
    stage->n_outcomes = 0;
    stage->n_guids = 0;
    stage->runs_wanted = 0;
    json_decref(stage->requests);
    stage->requests = NULL;
}

bool stage_step(struct stage *stage, const json_t *step, struct verdict *verdict) {
    struct error err = {""};
    begin(stage, step);
    int result = add_failures(stage, &err);
    result = result < 0 ? result : perform(stage, &err);
    if (result < 0) {
        verdict_say(verdict, "%s", err.text);
        (void)stage_take_requests(stage, &err);
        return false;
    }
    judge_step(stage, verdict);
    return verdict->text.bytes == 0;
}

bool stage_end(struct stage *stage, struct verdict *verdict) {
    struct error err = {""};
    begin(stage, json_object_get(stage->world->scenario->root, "end"));
    if (world_stop_host(stage->world, &err) < 0) {
        verdict_say(verdict, "%s", err.text);
    }
    judge_end(stage, verdict);
    return verdict->text.bytes == 0;
}
