/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads a scenario's TOML, checks its keys and types by tables, then checks what tables cannot
 * express. */
#include "scenario/scenario.h"

#include "fake/state_schema.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/suggest.h"
#include "config/toml.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define SCENARIO_MAX (1024 * 1024)

#define TEXT SCHEMA_TEXT
#define NUMBER SCHEMA_NUMBER
#define YES SCHEMA_YES
#define TABLE SCHEMA_TABLE
#define LIST SCHEMA_LIST
#define TABLES SCHEMA_TABLES
#define ANY SCHEMA_ANY
#define SCHEMA_KEYS_MAX 40

struct key {
    const char *name;
    unsigned kinds;
    bool is_action;
};

static const struct key top_keys[] = {{"title", TEXT, false},
                                      {"plugin", TEXT | TABLES, false},
                                      {"host", TABLE, false},
                                      {"github", TABLE, false},
                                      {"response", TABLE | TABLES, false},
                                      {"step", TABLES, false},
                                      {"timeout_s", NUMBER, false},
                                      {"rejected", TEXT, false},
                                      {"end", TABLE, false},
                                      {0}};
static const struct key step_keys[] = {
    {"name", TEXT, false},           {"deliver", TEXT, true},   {"comment", TEXT, true},
    {"redeliver", TEXT | YES, true}, {"advance", TEXT, true},   {"kill", TEXT, true},
    {"restart", YES, true},          {"github", TABLE, true},   {"event", TEXT, false},
    {"with", TABLE, false},          {"change", TABLE, false},  {"null", LIST, false},
    {"remove", LIST, false},         {"by", TEXT, false},       {"on", NUMBER, false},
    {"fail", TABLE | TABLES, false}, {"kill_at", TEXT, false},  {"result", TEXT | TABLE, false},
    {"reason", TEXT, false},         {"requests", LIST, false}, {"any_order", YES, false},
    {"log", TEXT | LIST, false},     {"state", TABLE, false},   {0}};
static const struct key request_keys[] = {{"request", TEXT, false},  {"query", TABLE, false},
                                          {"body", ANY, false},      {"has", TABLE, false},
                                          {"matches", TABLE, false}, {0}};
static const struct key fail_keys[] = {
    {"request", TEXT, false}, {"query", TABLE, false},   {"status", NUMBER, false},
    {"body", ANY, false},     {"headers", TABLE, false}, {"delay_ms", NUMBER, false},
    {"drop", YES, false},     {"after", YES, false},     {"times", NUMBER, false},
    {"like", TEXT, false},    {"github", TABLE, false},  {0}};
static const struct key end_keys[] = {{"state", TABLE, false}, {"log", TEXT | LIST, false}, {0}};

struct reading {
    const char *file;
    struct error *err;
};

__attribute__((format(printf, 3, 4))) static int problem(const struct reading *reading,
                                                         unsigned line, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(reading->err, "%s:%u: %s", reading->file, line, text);
}

static bool is_all(const struct toml_value *list, enum toml_kind kind) {
    bool all = true;
    for (size_t i = 0; i < list->n_items && all; i++) {
        all = list->items[i].kind == kind;
    }
    return all;
}

static unsigned kinds_of(const struct toml_value *value) {
    switch (value->kind) {
    case TOML_STRING:
    case TOML_DATETIME:
        return TEXT;
    case TOML_INTEGER:
        return NUMBER;
    case TOML_BOOLEAN:
        return YES;
    case TOML_TABLE:
        return TABLE;
    case TOML_ARRAY:
        return LIST | (is_all(value, TOML_TABLE) ? TABLES : 0) |
               (is_all(value, TOML_STRING) ? SCHEMA_NAMES : 0);
    default:
        return 0;
    }
}

static const struct toml_value *member(const struct toml_value *table, const char *name) {
    for (size_t i = 0; i < table->n_items; i++) {
        if (strcmp(table->items[i].key, name) == 0) {
            return &table->items[i];
        }
    }
    return NULL;
}

/* No key is near the one that was written, so the message has all. */
static int reject_key(const struct reading *reading, unsigned line, const char *where,
                      const char *name, const struct key *keys) {
    char all[400] = "";
    for (size_t used = 0; keys->name && used < sizeof all; keys++) {
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", keys->name);
    }
    return problem(reading, line, "%s has no key %s; it has %s", where, name, all);
}

static int check_keys(const struct reading *reading, const char *where, const struct key *keys,
                      const struct toml_value *table) {
    for (size_t i = 0; i < table->n_items; i++) {
        const struct toml_value *item = &table->items[i];
        const struct key *key = keys, *nearest = NULL;
        size_t least = SIZE_MAX;
        for (; key->name && strcmp(key->name, item->key) != 0; key++) {
            size_t distance = suggest_distance(item->key, key->name);
            if (distance < least && suggest_is_near(item->key, distance)) {
                nearest = key;
                least = distance;
            }
        }
        if (!key->name) {
            if (!nearest) {
                return reject_key(reading, item->line, where, item->key, keys);
            }
            return problem(reading, item->line, "%s has no key %s; did you mean %s?", where,
                           item->key, nearest->name);
        }
        if (key->kinds != ANY && !(kinds_of(item) & key->kinds)) {
            char wanted[128];
            schema_describe(key->kinds & ~(unsigned)SCHEMA_NULL, wanted, sizeof wanted);
            return problem(reading, item->line, "%s is %s; %s is wanted", key->name,
                           toml_kind_name(item->kind), wanted);
        }
    }
    return 0;
}

/* A table of [github], and the tables within it. It is a part of the state, so nothing is required,
 * and null is not needed. The fake checks the values. */
static int check_github(const struct reading *reading, const struct schema *schema,
                        const struct toml_value *table) {
    struct key keys[SCHEMA_KEYS_MAX];
    size_t n = 0;
    for (const struct schema_key *key = schema->keys; key->name; key++) {
        assert(n + 2 < SCHEMA_KEYS_MAX);
        keys[n++] = (struct key){.name = key->name, .kinds = key->kinds};
    }
    keys[n++] = (struct key){.name = "_remove", .kinds = YES};
    keys[n] = (struct key){.name = NULL};
    if (check_keys(reading, schema->label, keys, table) < 0) {
        return -1;
    }
    for (size_t i = 0; i < table->n_items; i++) {
        const struct toml_value *item = &table->items[i];
        const struct schema_key *key = schema_find(schema, item->key);
        size_t n_tables = item->kind == TOML_TABLE ? 1 : item->n_items;
        for (size_t k = 0; key && key->of && k < n_tables; k++) {
            const struct toml_value *one = item->kind == TOML_TABLE ? item : &item->items[k];
            if (check_github(reading, key->of, one) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

int scenario_request(const char *text, struct expected_request *request, struct error *err) {
    char status[16] = "";
    *request = (struct expected_request){0};
    int got = sscanf(text, "%15[A-Z] %511s -> %15s", request->method, request->path, status);
    if (got < 2 || (*request->path != '/' && *request->path != '*')) {
        return error_set(
            err, "\"%s\" is no request; one is \"GET /orgs/x\" or \"GET /orgs/x -> 404\"", text);
    }
    if (got == 3 && strcmp(status, "dropped") == 0) {
        request->status = -1;
    } else if (got == 3) {
        request->status = atoi(status);
        if (request->status < 100 || request->status > 599) {
            return error_set(err, "\"%s\": after -> comes a status, or dropped", text);
        }
    }
    return 0;
}

static int check_request(const struct reading *reading, const struct toml_value *value) {
    struct expected_request request;
    struct error err;
    const struct toml_value *text = value;
    if (value->kind == TOML_TABLE) {
        if (check_keys(reading, "a request", request_keys, value) < 0) {
            return -1;
        }
        text = member(value, "request");
    }
    if (!text || text->kind != TOML_STRING) {
        return problem(reading, value->line,
                       "a request is a text, or a table with request and body, has or matches");
    }
    return scenario_request(text->text, &request, &err) < 0
               ? problem(reading, text->line, "%s", err.text)
               : 0;
}

static int check_patterns(const struct reading *reading, const struct toml_value *value) {
    if (!value) {
        return 0;
    }
    size_t count = value->kind == TOML_STRING ? 1 : value->n_items;
    for (size_t i = 0; i < count; i++) {
        const struct toml_value *one = value->kind == TOML_STRING ? value : &value->items[i];
        regex_t compiled;
        char why[128];
        if (one->kind != TOML_STRING) {
            return problem(reading, one->line, "a pattern is a text");
        }
        int failed = regcomp(&compiled, one->text, REG_EXTENDED | REG_NOSUB);
        if (failed) {
            regerror(failed, &compiled, why, sizeof why);
            return problem(reading, one->line, "\"%s\": %s", one->text, why);
        }
        regfree(&compiled);
    }
    return 0;
}

static int check_fail(const struct reading *reading, const struct toml_value *value) {
    size_t count = value->kind == TOML_TABLE ? 1 : value->n_items;
    for (size_t i = 0; i < count; i++) {
        const struct toml_value *one = value->kind == TOML_TABLE ? value : &value->items[i];
        const struct toml_value *request = member(one, "request");
        struct expected_request parsed;
        struct error err;
        if (check_keys(reading, value->key, fail_keys, one) < 0) {
            return -1;
        }
        if (request && scenario_request(request->text, &parsed, &err) < 0) {
            return problem(reading, request->line, "%s", err.text);
        }
    }
    return 0;
}

static int check_result(const struct reading *reading, const struct toml_value *value) {
    static const char *const results[] = {"done",    "skipped", "rejected", "retry",
                                          "waiting", "parked",  "dead",     "none"};
    size_t count = value->kind == TOML_TABLE ? value->n_items : 1;
    for (size_t i = 0; i < count; i++) {
        const struct toml_value *one = value->kind == TOML_TABLE ? &value->items[i] : value;
        bool known = false;
        for (size_t k = 0; k < sizeof results / sizeof *results; k++) {
            known |= one->kind == TOML_STRING && strcmp(one->text, results[k]) == 0;
        }
        if (!known) {
            return problem(reading, one->line,
                           "result is done, skipped, rejected, retry, waiting, parked, dead or "
                           "none (no run at all); "
                           "or a table with one for each plugin");
        }
    }
    return 0;
}

static int check_action(const struct reading *reading, const struct toml_value *step) {
    const char *action = NULL;
    bool kill_at = member(step, "kill_at") != NULL;
    const struct toml_value *kill = member(step, "kill");
    for (const struct key *key = step_keys; key->name; key++) {
        bool modifies = kill_at && strcmp(key->name, "kill") == 0;
        if (!key->is_action || modifies || !member(step, key->name)) {
            continue;
        }
        if (action) {
            const char *hint = kill ? " (kill with another action needs kill_at, a request)" : "";
            return problem(reading, step->line, "a step does one thing; this has %s and %s%s",
                           action, key->name, hint);
        }
        action = key->name;
    }
    if (!action) {
        return problem(reading, step->line,
                       "a step does one of deliver, comment, redeliver, advance, kill, restart, "
                       "github; this does nothing");
    }
    if (kill_at && !kill) {
        return problem(reading, step->line, "kill_at needs kill = \"worker\" or \"host\"");
    }
    if (kill && strcmp(kill->text, "worker") != 0 && strcmp(kill->text, "host") != 0) {
        return problem(reading, kill->line, "kill is \"worker\" or \"host\"");
    }
    return 0;
}

static int check_step(const struct reading *reading, const struct toml_value *step) {
    const struct toml_value *requests = member(step, "requests"), *fail = member(step, "fail"),
                            *result = member(step, "result"), *advance = member(step, "advance"),
                            *kill_at = member(step, "kill_at"), *github = member(step, "github");
    struct expected_request parsed;
    struct error err;
    if (check_keys(reading, "a step", step_keys, step) < 0 || check_action(reading, step) < 0) {
        return -1;
    }
    for (size_t i = 0; requests && i < requests->n_items; i++) {
        if (check_request(reading, &requests->items[i]) < 0) {
            return -1;
        }
    }
    if ((fail && check_fail(reading, fail) < 0) || (result && check_result(reading, result) < 0) ||
        check_patterns(reading, member(step, "log")) < 0 ||
        check_patterns(reading, member(step, "reason")) < 0) {
        return -1;
    }
    if (github && check_github(reading, &state_schema, github) < 0) {
        return -1;
    }
    if (kill_at && scenario_request(kill_at->text, &parsed, &err) < 0) {
        return problem(reading, kill_at->line, "%s", err.text);
    }
    if (advance && scenario_duration_ms(advance->text) < 0) {
        return problem(reading, advance->line,
                       "\"%s\" is no time; one is \"10 s\" (ms, s, min, h or d)", advance->text);
    }
    return 0;
}

static int check_plugins(const struct reading *reading, const struct toml_value *root) {
    const struct toml_value *plugins = member(root, "plugin");
    if (!plugins) {
        return problem(reading, 1,
                       "no plugin is named: write plugin = \"NAME.so\", or [[plugin]] tables as in "
                       "snekomatic.toml");
    }
    for (size_t i = 0; plugins->kind == TOML_ARRAY && i < plugins->n_items; i++) {
        const struct toml_value *path = member(&plugins->items[i], "path");
        if (!path || path->kind != TOML_STRING) {
            return problem(reading, plugins->items[i].line, "this [[plugin]] has no path");
        }
    }
    return 0;
}

static int check(const struct reading *reading, const struct toml_value *root) {
    const struct toml_value *steps = member(root, "step"), *end = member(root, "end"),
                            *response = member(root, "response"), *github = member(root, "github");
    if (check_keys(reading, "a scenario", top_keys, root) < 0 || check_plugins(reading, root) < 0) {
        return -1;
    }
    if (response && check_fail(reading, response) < 0) {
        return -1;
    }
    if (github && check_github(reading, &state_schema, github) < 0) {
        return -1;
    }
    const struct toml_value *rejected = member(root, "rejected");
    if (check_patterns(reading, rejected) < 0) {
        return -1;
    }
    if (rejected && steps) {
        return problem(reading, steps->line, "a host that is rejected has no steps");
    }
    if (!steps && !rejected) {
        return problem(reading, 1, "nothing happens: write a [[step]]");
    }
    for (size_t i = 0; steps && i < steps->n_items; i++) {
        if (check_step(reading, &steps->items[i]) < 0) {
            return -1;
        }
    }
    if (end && (check_keys(reading, "[end]", end_keys, end) < 0 ||
                check_patterns(reading, member(end, "log")) < 0)) {
        return -1;
    }
    return 0;
}

static json_t *to_json(const struct reading *reading, const struct toml_value *root) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(4 * SCENARIO_MAX);
    struct toml_error toml;
    json_error_t json;
    if (toml_append_json(root, &text, &toml) < 0) {
        problem(reading, toml.line, "%s", toml.text);
        return NULL;
    }
    json_t *value = json_loadb(text.data, text.bytes, 0, &json);
    if (!value) {
        problem(reading, 1, "%s", json.text);
    }
    return value;
}

int scenario_read(const char *file, struct scenario *scenario, struct error *err) {
    const struct reading reading = {file, err};
    AUTO_BUFFER struct buffer text = BUFFER_INIT(SCENARIO_MAX);
    struct toml_value *root = NULL;
    struct toml_error toml;
    if (io_read_file(file, &text, err) < 0) {
        return -1;
    }
    if (toml_parse(text.data ? text.data : "", text.bytes, &root, &toml) < 0) {
        return problem(&reading, toml.line, "%s", toml.text);
    }
    *scenario = (struct scenario){.file = file};
    if (check(&reading, root) == 0) {
        scenario->root = to_json(&reading, root);
    }
    toml_free(root);
    char *path = realpath(file, NULL);
    if (path) {
        *strrchr(path, '/') = '\0';
        scenario->directory = path;
    }
    if (scenario->root && !scenario->directory) {
        error_set(err, "%s: out of memory", file);
    }
    if (!scenario->root || !scenario->directory) {
        scenario_finish(scenario);
        return -1;
    }
    return 0;
}

void scenario_finish(struct scenario *scenario) {
    json_decref(scenario->root);
    free(scenario->directory);
    *scenario = (struct scenario){0};
}

int64_t scenario_duration_ms(const char *text) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char unit[8] = "";
    int64_t count = -1;
    int end = 0;
    if (sscanf(text, "%7" SCNd64 " %7[a-z]%n", &count, unit, &end) != 2 || text[end] || count < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            return count * units[i].ms;
        }
    }
    return -1;
}
