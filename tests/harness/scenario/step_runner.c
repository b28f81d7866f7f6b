/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Performs the steps: delivers, redelivers, advances, kills, restarts; adds the failures that a
 * step asks for; waits for the runs to end. */
#include "scenario/step_runner.h"

#include "fake/request_pattern.h"
#include "scenario/record.h"
#include "scenario/request.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

/* After a host died, the next one looks for a comment in doubt only after the request's timeout. */
#define LOST_COMMENT_MS 30000
/* The step itself releases a response that is held. */
#define HELD_RESPONSE_MS 600000
#define WAIT_REQUESTS_MS 5000
#define IGNORED_BYTES_MAX (1u << 20)

void step_runner_init(struct step_runner *runner, struct environment *environment) {
    *runner = (struct step_runner){.environment = environment,
                                   .recorded = json_array(),
                                   .waiting = calloc(STEP_RUNS_MAX, sizeof *runner->waiting),
                                   .outcomes = calloc(STEP_RUNS_MAX, sizeof *runner->outcomes)};
    TAILQ_INIT(&runner->deliveries);
}

void step_runner_finish(struct step_runner *runner) {
    struct delivery *delivery, *next;
    TAILQ_FOREACH_SAFE(delivery, &runner->deliveries, link, next) {
        free(delivery->payload.body);
        free(delivery);
    }
    free(runner->waiting);
    free(runner->outcomes);
    json_decref(runner->requests);
    json_decref(runner->recorded);
}

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static int64_t now_ms(const struct step_runner *runner) {
    return clock_monotonic_ms() + runner->advanced_ms;
}

/* -- the host's log -- */

static bool is_of_step(const struct step_runner *runner, const char *guid) {
    for (size_t i = 0; i < runner->n_guids; i++) {
        if (strcmp(runner->guids[i], guid) == 0) {
            return true;
        }
    }
    return false;
}

static void forget_waiting(struct step_runner *runner, const struct outcome *outcome) {
    for (size_t i = 0; i < runner->n_waiting; i++) {
        if (strcmp(runner->waiting[i].guid, outcome->guid) == 0 &&
            strcmp(runner->waiting[i].plugin, outcome->plugin) == 0) {
            runner->waiting[i--] = runner->waiting[--runner->n_waiting];
        }
    }
}

static void take_outcome(struct step_runner *runner, const char *line, size_t bytes,
                         const char *result) {
    struct outcome outcome = {.due_ms = now_ms(runner)};
    char value[FIELD_MAX];
    if (!line_field(line, bytes, "delivery", value)) {
        return;
    }
    snprintf(outcome.guid, sizeof outcome.guid, "%.36s", value);
    if (line_field(line, bytes, "plugin", value)) {
        snprintf(outcome.plugin, sizeof outcome.plugin, "%.100s", value);
    }
    snprintf(outcome.result, sizeof outcome.result, "%.20s", result);
    line_field(line, bytes, "reason", outcome.reason);
    if (line_field(line, bytes, "again_ms", value)) {
        outcome.due_ms += strtoll(value, NULL, 10);
    }
    forget_waiting(runner, &outcome);
    bool waits = strcmp(result, "retry") == 0 || strcmp(result, "waiting") == 0 ||
                 strcmp(result, "parked") == 0;
    if (waits && runner->n_waiting < STEP_RUNS_MAX) {
        runner->waiting[runner->n_waiting++] = outcome;
    }
    if (is_of_step(runner, outcome.guid) && runner->n_outcomes < STEP_RUNS_MAX) {
        runner->outcomes[runner->n_outcomes++] = outcome;
    }
}

static void take_line(struct step_runner *runner, const char *line, size_t bytes) {
    static const char *const ends[] = {"done",    "skipped", "rejected",   "retry",
                                       "waiting", "parked",  "superseded", "dead"};
    char message[FIELD_MAX], runs[FIELD_MAX], guid[FIELD_MAX];
    if (!line_field(line, bytes, "msg", message)) {
        return;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(message, ends[i]) == 0) {
            take_outcome(runner, line, bytes, message);
        }
    }
    bool stored = strcmp(message, "stored") == 0 || strcmp(message, "redelivered") == 0;
    if (stored && line_field(line, bytes, "delivery", guid) && is_of_step(runner, guid) &&
        line_field(line, bytes, "runs", runs) && runner->runs_wanted == SIZE_MAX) {
        runner->runs_wanted = strtoul(runs, NULL, 10);
    }
}

static void take_lines(struct step_runner *runner) {
    size_t bytes;
    const char *line;
    while ((line = lines_next(&runner->environment->host_lines, &runner->log_at, &bytes)) != NULL) {
        take_line(runner, line, bytes);
    }
}

/* Did the host log this message, with this value of `field`? NULL: with any. */
static bool has_line(const struct step_runner *runner, const char *message, const char *field,
                     const char *value) {
    size_t at = runner->log_start, bytes;
    const char *line;
    while ((line = lines_next(&runner->environment->host_lines, &at, &bytes)) != NULL) {
        if (line_is(line, bytes, "msg", message) &&
            (!field || line_is(line, bytes, field, value))) {
            return true;
        }
    }
    return false;
}

static int wait_line_with(struct step_runner *runner, const char *message, const char *field,
                          const char *value, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + runner->environment->options->timeout_ms;
    while (!has_line(runner, message, field, value)) {
        if (environment_tick(runner->environment, err) < 0) {
            return -1;
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return error_set(err, "the host did not log msg=%s in time", message);
        }
    }
    return 0;
}

static int wait_line(struct step_runner *runner, const char *message, struct error *err) {
    return wait_line_with(runner, message, NULL, NULL, err);
}

static int wait_outcomes(struct step_runner *runner, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + runner->environment->options->timeout_ms;
    const char *killed = text(runner->step, "kill");
    if (killed && strcmp(killed, "host") == 0) {
        deadline_ms += LOST_COMMENT_MS;
    }
    for (;;) {
        int result = environment_tick(runner->environment, err);
        take_lines(runner);
        if (result < 0) {
            return -1;
        }
        if (runner->runs_wanted != SIZE_MAX && runner->n_outcomes >= runner->runs_wanted) {
            return 0;
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return runner->runs_wanted == SIZE_MAX
                       ? error_set(err, "the host did not log that it stored the delivery")
                       : error_set(err, "%zu of %zu runs ended within %d s; the others hang",
                                   runner->n_outcomes, runner->runs_wanted,
                                   (int)(runner->environment->options->timeout_ms / 1000));
        }
    }
}

/* -- the requests that the fake got -- */

/* Takes the new requests of plugins; false while one of them has no response yet. */
static bool pick_requests(struct step_runner *runner, json_t *all) {
    bool complete = true;
    size_t i;
    json_t *request;
    json_decref(runner->requests);
    runner->requests = json_array();
    json_array_foreach(all, i, request) {
        if (json_integer_value(json_object_get(request, "n")) > runner->last_request &&
            !request_is_of_host(request)) {
            json_array_append(runner->requests, request);
            complete &= json_object_get(request, "dropped") != NULL;
        }
    }
    return complete;
}

int step_runner_take_requests(struct step_runner *runner, struct error *err) {
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_REQUESTS_MS;
    bool complete = false;
    while (!complete) {
        json_t *response = NULL;
        struct error ignored;
        if (environment_call_fake(runner->environment, "GET", "requests", NULL, &response, err) <
            0) {
            return -1;
        }
        complete =
            pick_requests(runner, json_object_get(response, "requests")) ||
            clock_monotonic_ms() > deadline_ms ||
            (runner->environment->host && environment_tick(runner->environment, &ignored) < 0);
        json_decref(response);
    }
    size_t count = json_array_size(runner->requests);
    if (count > 0) {
        const json_t *last = json_array_get(runner->requests, count - 1);
        runner->last_request = json_integer_value(json_object_get(last, "n"));
    }
    return 0;
}

/* -- actions -- */

json_t *step_runner_failure(const json_t *fail) {
    json_t *copy = json_deep_copy(fail);
    struct expected_request request;
    struct error ignored;
    const char *wanted = text(fail, "request");
    if (wanted && scenario_request(wanted, &request, &ignored) == 0) {
        json_object_del(copy, "request");
        json_object_set_new(copy, "method", json_string(request.method));
        json_object_set_new(copy, "target", json_string(request.path));
    }
    json_t *changes = json_object_get(copy, "github");
    if (changes) {
        json_object_set(copy, "state", changes);
        json_object_del(copy, "github");
    }
    /* A success needs the permission too. */
    json_int_t status = json_integer_value(json_object_get(copy, "status"));
    if (status > 0 && status < 400) {
        json_object_set_new(copy, "checked", json_true());
    }
    return copy;
}

static int add_failure(struct step_runner *runner, const json_t *fail, struct error *err) {
    json_t *copy = step_runner_failure(fail);
    int result = environment_call_fake(runner->environment, "POST", "fail", copy, NULL, err);
    json_decref(copy);
    return result;
}

static int add_each(struct step_runner *runner, const json_t *list,
                    int (*add)(struct step_runner *runner, const json_t *one, struct error *err),
                    struct error *err) {
    size_t i;
    json_t *one;
    if (json_is_object(list)) {
        return add(runner, list, err);
    }
    json_array_foreach(list, i, one) {
        if (add(runner, one, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A scripted response of the scenario: for the fake it is a failure that never runs out. */
static int add_response(struct step_runner *runner, const json_t *response, struct error *err) {
    json_t *copy = json_deep_copy(response);
    if (!json_object_get(copy, "status")) {
        json_object_set_new(copy, "status", json_integer(200));
    }
    if (!json_object_get(copy, "times")) {
        json_object_set_new(copy, "times", json_integer(-1));
    }
    json_object_set_new(copy, "checked", json_true());
    int result = add_failure(runner, copy, err);
    json_decref(copy);
    return result;
}

static int hold(struct step_runner *runner, const char *kill_at, struct error *err) {
    json_t *failure =
        json_pack("{s:s, s:b, s:i}", "request", kill_at, "after", 1, "delay_ms", HELD_RESPONSE_MS);
    int result = add_failure(runner, failure, err);
    json_decref(failure);
    return result;
}

/* A step begins without failures. Its own come first, because the first that fits is taken.
 * kill_at comes before all, because a response that is held back may be one of the others. */
static int add_failures(struct step_runner *runner, struct error *err) {
    const json_t *root = runner->environment->scenario->root;
    const char *at = text(runner->step, "kill_at");
    if (at && hold(runner, at, err) < 0) {
        return -1;
    }
    return add_each(runner, json_object_get(runner->step, "fail"), add_failure, err) < 0
               ? -1
               : add_each(runner, json_object_get(root, "response"), add_response, err);
}

static bool is_held(struct step_runner *runner, const struct expected_request *wanted) {
    size_t i;
    json_t *request;
    json_array_foreach(runner->requests, i, request) {
        if (!json_object_get(request, "dropped") &&
            strcmp(text(request, "method"), wanted->method) == 0 &&
            request_pattern_fits(wanted->path, text(request, "path"), text(request, "query"))) {
            return true;
        }
    }
    return false;
}

/* Kills while GitHub's response to a request is on its way, then releases the response. A host that
 * is killed loses the log lines that it has not written yet, so this waits for the line that says
 * how many runs the step has. */
static int kill_at(struct step_runner *runner, const char *at, struct error *err) {
    struct expected_request wanted;
    int64_t deadline_ms = clock_monotonic_ms() + runner->environment->options->timeout_ms;
    bool held = false;
    scenario_request(at, &wanted, err);
    while (!held) {
        json_t *response = NULL;
        if (environment_tick(runner->environment, err) < 0 ||
            environment_call_fake(runner->environment, "GET", "requests", NULL, &response, err) <
                0) {
            return -1;
        }
        pick_requests(runner, json_object_get(response, "requests"));
        json_decref(response);
        take_lines(runner);
        held = is_held(runner, &wanted) && runner->runs_wanted != SIZE_MAX;
        if (!held && clock_monotonic_ms() > deadline_ms) {
            return error_set(err, "kill_at: no %s came", at);
        }
    }
    bool worker = strcmp(text(runner->step, "kill"), "worker") == 0;
    if (environment_kill(runner->environment, worker, err) < 0 ||
        wait_line(runner, worker ? "worker_died" : "host_died", err) < 0) {
        return -1;
    }
    return environment_call_fake(runner->environment, "POST", "release", NULL, NULL, err);
}

static void new_guid(char guid[GUID_BYTES]) {
    unsigned char b[16];
    getrandom(b, sizeof b, 0);
    snprintf(guid, GUID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

static int post(struct step_runner *runner, const struct delivery *delivery, struct error *err) {
    char url[200];
    snprintf(url, sizeof url, "%s/webhook/github", runner->environment->host_url);
    const struct webhook webhook = {.url = url,
                                    .event = delivery->payload.event,
                                    .guid = delivery->guid,
                                    .secret = ENVIRONMENT_SECRET,
                                    .body = delivery->payload.body,
                                    .body_bytes = delivery->payload.body_bytes};
    return client_webhook(&runner->environment->client, &webhook, err);
}

static void add_guid(struct step_runner *runner, const char *guid) {
    if (!is_of_step(runner, guid) && runner->n_guids < STEP_RUNS_MAX) {
        snprintf(runner->guids[runner->n_guids++], GUID_BYTES, "%.*s", GUID_BYTES - 1, guid);
    }
}

/* Delivers, kills in between if asked to, and waits for all runs to end. */
static int deliver(struct step_runner *runner, const struct delivery *delivery, struct error *err) {
    const char *at = text(runner->step, "kill_at");
    add_guid(runner, delivery->guid);
    if (post(runner, delivery, err) < 0 || (at && kill_at(runner, at, err) < 0)) {
        return -1;
    }
    return wait_outcomes(runner, err);
}

static int do_deliver(struct step_runner *runner, struct error *err) {
    struct delivery *delivery = calloc(1, sizeof *delivery);
    const char *name = text(runner->step, "name");
    if (!delivery || payload_make(runner->environment, runner->step, &delivery->payload, err) < 0) {
        free(delivery);
        return -1;
    }
    new_guid(delivery->guid);
    snprintf(delivery->step, sizeof delivery->step, "%.120s", name ? name : "");
    TAILQ_INSERT_HEAD(&runner->deliveries, delivery, link);
    /* The host reports the number of runs. */
    runner->runs_wanted = SIZE_MAX;
    return deliver(runner, delivery, err);
}

static size_t count_waiting(const struct step_runner *runner, const char *guid) {
    size_t count = 0;
    for (size_t i = 0; i < runner->n_waiting; i++) {
        count += strcmp(runner->waiting[i].guid, guid) == 0;
    }
    return count;
}

static int do_redeliver(struct step_runner *runner, struct error *err) {
    const char *name = text(runner->step, "redeliver");
    const struct delivery *delivery = TAILQ_FIRST(&runner->deliveries);
    while (delivery && name && strcmp(delivery->step, name) != 0) {
        delivery = TAILQ_NEXT(delivery, link);
    }
    if (!delivery) {
        return error_set(err, "redeliver: no earlier step %s%s", name ? "is called " : "delivered",
                         name ? name : "");
    }
    size_t waiting = count_waiting(runner, delivery->guid);
    runner->runs_wanted = waiting > 0 ? waiting : SIZE_MAX;
    return deliver(runner, delivery, err);
}

static const struct delivery *delivery_of(const struct step_runner *runner, const char *guid) {
    const struct delivery *delivery = TAILQ_FIRST(&runner->deliveries);
    while (delivery && strcmp(delivery->guid, guid) != 0) {
        delivery = TAILQ_NEXT(delivery, link);
    }
    return delivery;
}

/* Chooses the runs that would be due by then; the time until the first of the others is due. */
static int64_t choose_due(struct step_runner *runner) {
    int64_t nearest_ms = INT64_MAX, now = now_ms(runner);
    for (size_t i = 0; i < runner->n_waiting; i++) {
        const char *guid = runner->waiting[i].guid;
        int64_t left_ms = runner->waiting[i].due_ms - now;
        if (left_ms > 0) {
            nearest_ms = left_ms < nearest_ms ? left_ms : nearest_ms;
        } else if (!is_of_step(runner, guid)) {
            runner->runs_wanted += count_waiting(runner, guid);
            add_guid(runner, guid);
        }
    }
    return nearest_ms;
}

static int advance_host(struct step_runner *runner, int64_t ms, struct error *err) {
    char value[32];
    snprintf(value, sizeof value, "%" PRId64, ms);
    return environment_advance(runner->environment, ms, err) < 0
               ? -1
               : wait_line_with(runner, "time_advanced", "ms", value, err);
}

/* Fires the timers and schedules that are due by then, and adds their deliveries to the step's. A
 * schedule counts from when the host first saw its places: that is before time passes. */
static int fire(struct step_runner *runner, struct error *err) {
    if ((!runner->fired && advance_host(runner, 1, err) < 0) ||
        advance_host(runner, runner->advanced_ms + 1, err) < 0) {
        return -1;
    }
    runner->fired = true;
    size_t at = runner->log_start, bytes;
    const char *line;
    while ((line = lines_next(&runner->environment->host_lines, &at, &bytes)) != NULL) {
        char guid[FIELD_MAX], runs[FIELD_MAX];
        bool fired =
            line_is(line, bytes, "msg", "stored") &&
            (line_is(line, bytes, "source", "timer") || line_is(line, bytes, "source", "schedule"));
        if (fired && line_field(line, bytes, "delivery", guid) &&
            line_field(line, bytes, "runs", runs)) {
            add_guid(runner, guid);
            runner->runs_wanted += strtoul(runs, NULL, 10);
        }
    }
    return 0;
}

/* A redelivery makes waiting runs due now. A timer or schedule has no webhook to deliver again. */
static int make_due(struct step_runner *runner, size_t n_guids, struct error *err) {
    for (size_t i = 0; i < n_guids; i++) {
        const struct delivery *delivery = delivery_of(runner, runner->guids[i]);
        int result = delivery ? post(runner, delivery, err)
                              : environment_retry(runner->environment, runner->guids[i], err);
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}

/* The host looks for runs that are due when time advances, else every few seconds. */
static int let_host_look(struct step_runner *runner, struct error *err) {
    runner->advanced_ms++;
    return advance_host(runner, runner->advanced_ms + 1, err);
}

/* Makes the runs that would be due by then due now. */
static int do_advance(struct step_runner *runner, struct error *err) {
    const char *at = text(runner->step, "kill_at");
    runner->advanced_ms += scenario_duration_ms(text(runner->step, "advance"));
    runner->runs_wanted = 0;
    int64_t nearest_ms = choose_due(runner);
    /* A schedule or timer that fires makes a delivery of its own, which is due. */
    size_t n_waiting_guids = runner->n_guids;
    if (fire(runner, err) < 0) {
        return -1;
    }
    if (runner->n_guids == 0) {
        return runner->n_waiting == 0
                   ? error_set(err,
                               "advance: no run waits, and no timer or schedule is due by then")
                   : error_set(
                         err,
                         "advance: no run, timer or schedule is due by then; the first run is due "
                         "%" PRId64 " ms later: let the step advance so much more",
                         nearest_ms);
    }
    if (make_due(runner, n_waiting_guids, err) < 0 ||
        (n_waiting_guids > 0 && let_host_look(runner, err) < 0)) {
        return -1;
    }
    return at && kill_at(runner, at, err) < 0 ? -1 : wait_outcomes(runner, err);
}

static int do_kill(struct step_runner *runner, struct error *err) {
    bool worker = strcmp(text(runner->step, "kill"), "worker") == 0;
    if (environment_kill(runner->environment, worker, err) < 0 ||
        wait_line(runner, worker ? "worker_died" : "host_restarted", err) < 0) {
        return -1;
    }
    return wait_line(runner, "worker_started", err);
}

static int do_restart(struct step_runner *runner, struct error *err) {
    return environment_stop_host(runner->environment, err) < 0
               ? -1
               : environment_start_host(runner->environment, err);
}

static int do_github(struct step_runner *runner, struct error *err) {
    return environment_call_fake(runner->environment, "PATCH", "state",
                                 json_object_get(runner->step, "github"), NULL, err);
}

static int perform(struct step_runner *runner, struct error *err) {
    static const struct {
        const char *key;
        int (*act)(struct step_runner *runner, struct error *err);
    } actions[] = {{"deliver", do_deliver},
                   {"comment", do_deliver},
                   {"redeliver", do_redeliver},
                   {"advance", do_advance},
                   {"restart", do_restart},
                   {"github", do_github},
                   /* The last, because other actions may have it as well. */
                   {"kill", do_kill}};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (json_object_get(runner->step, actions[i].key)) {
            return actions[i].act(runner, err);
        }
    }
    return error_set(err, "this step does nothing");
}

static void begin(struct step_runner *runner, const json_t *step) {
    lines_read(&runner->environment->host_lines);
    take_lines(runner);
    runner->step = step;
    runner->log_start = runner->log_at;
    runner->n_outcomes = 0;
    runner->n_guids = 0;
    runner->runs_wanted = 0;
    json_decref(runner->requests);
    runner->requests = NULL;
}

/* The comparison takes the requests, too; its differences are what is recorded. */
static void record(struct step_runner *runner) {
    struct differences ignored = {BUFFER_INIT(IGNORED_BYTES_MAX)};
    verify_step(runner, &ignored);
    buffer_finish(&ignored.text);
    json_array_append_new(runner->recorded, record_step(runner));
}

bool step_runner_perform(struct step_runner *runner, const json_t *step,
                         struct differences *differences) {
    struct error err = {.text = ""};
    begin(runner, step);
    int result = add_failures(runner, &err);
    result = result < 0 ? result : perform(runner, &err);
    if (result < 0) {
        differences_add(differences, "%s", err.text);
        step_runner_take_requests(runner, &err);
        return false;
    }
    if (runner->environment->options->record && record_wants(step)) {
        record(runner);
        return true;
    }
    json_array_append_new(runner->recorded, json_null());
    verify_step(runner, differences);
    return differences->text.bytes == 0;
}

bool step_runner_end(struct step_runner *runner, struct differences *differences) {
    struct error err = {.text = ""};
    begin(runner, json_object_get(runner->environment->scenario->root, "end"));
    if (environment_stop_host(runner->environment, &err) < 0) {
        differences_add(differences, "%s", err.text);
    }
    verify_end(runner, differences);
    return differences->text.bytes == 0;
}
