/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host as a plugin's unit test wants it: a payload and a configuration as JSON, sets in memory,
 * answers to requests that the test has given; and a list of what the plugin did, a line each. */
#ifndef SNEK_TESTS_FAKE_HOST_H
#define SNEK_TESTS_FAKE_HOST_H

#include "unit.h"

#include "base/json.h"

#include <snekomatic/snekomatic.h>

#include <stdio.h>

struct fake_answer {
    const char *request; /* "GET /orgs/o/memberships/u": what it answers */
    int32_t status;      /* 0: no answer comes */
    const char *body;
};

static struct {
    const char *payload, *config;
    const struct fake_answer *answers; /* up to one without a request */
    const char *entries[8];            /* "set entry", up to NULL */
    const char *failing_set;           /* asking it fails */
    bool failing_add;
    char did[8192]; /* "has SET ENTRY", "add …", "METHOD URL FIELDS", "reply …" */
    char reason[512];
    char text[8][4096]; /* what was found, until the test ends */
    unsigned texts;
} fake;

struct snek_response {
    const struct fake_answer *answer;
};

static void fake_did(const char *what, const char *first, const char *second) {
    size_t at = strlen(fake.did);
    (void)snprintf(fake.did + at, sizeof fake.did - at, "%s %s%s%s\n", what, first,
                   *second ? " " : "", second);
}

static uint32_t fake_find(const char *json, const char *path, struct snek_value *value) {
    static const uint32_t kinds[] = {
        [JSON_OBJECT_BEGIN] = SNEK_OBJECT, [JSON_ARRAY_BEGIN] = SNEK_ARRAY,
        [JSON_STRING] = SNEK_STRING,       [JSON_NUMBER] = SNEK_NUMBER,
        [JSON_TRUE] = SNEK_TRUE,           [JSON_FALSE] = SNEK_FALSE,
        [JSON_NULL] = SNEK_NULL,
    };
    struct json_value found;
    memset(value, 0, sizeof *value);
    if (!json_find(json, strlen(json), path, &found)) {
        return SNEK_ABSENT;
    }
    value->kind = kinds[found.type];
    value->is_integer = json_to_integer(&found, &value->integer);
    if (value->kind == SNEK_STRING) {
        char *text = fake.text[fake.texts++ % 8];
        assert_true(found.raw_bytes < sizeof fake.text[0]);
        value->text.bytes = json_unescape(found.raw + 1, found.raw_bytes - 2, text);
        text[value->text.bytes] = '\0';
        value->text.data = text;
    }
    return value->kind;
}

static uint32_t fake_event_find(struct snek_run *run, const char *path, struct snek_value *value) {
    (void)run;
    return fake_find(fake.payload, path, value);
}

static uint32_t fake_config_find(const struct snek_host *host, const char *path,
                                 struct snek_value *value) {
    (void)host;
    return fake_find(fake.config, path, value);
}

static int32_t fake_config_allow(const struct snek_host *host, const char *const *keys,
                                 uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fake_did("allow", keys[i], "");
    }
    return strstr(fake.config, "\"unknown\"") ? snek_refuse(host, "unknown key") : 0;
}

static bool fake_has(const char *set, const char *entry) {
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "%s %s", set, entry);
    for (size_t i = 0; i < 8 && fake.entries[i]; i++) {
        if (strcmp(fake.entries[i], wanted) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t fake_set_has(struct snek_run *run, uint32_t scope, const char *set,
                            const char *entry) {
    (void)run;
    assert_int_equal(scope, SNEK_SCOPE_PLUGIN);
    fake_did("has", set, entry);
    return fake.failing_set && strcmp(set, fake.failing_set) == 0 ? SNEK_E_STORE
                                                                  : fake_has(set, entry);
}

static int32_t fake_set_add(struct snek_run *run, uint32_t scope, const char *set,
                            const char *entry) {
    (void)run;
    assert_int_equal(scope, SNEK_SCOPE_PLUGIN);
    fake_did("add", set, entry);
    return fake.failing_add ? SNEK_E_STORE : !fake_has(set, entry);
}

/* The URL of `request`, its {names} filled, at `out`. */
static void fake_url(const struct snek_request *request, char *out, size_t out_bytes) {
    char *filled = snek_fill(request->url, request->parameters, request->parameters_count);
    (void)snprintf(out, out_bytes, "%s %s", request->method, filled);
    free(filled);
}

static int32_t fake_send(struct snek_run *run, const struct snek_request *request,
                         struct snek_response **response) {
    static struct snek_response answered;
    char line[512];
    char fields[4096] = "";
    (void)run;
    fake_url(request, line, sizeof line);
    for (uint32_t i = 0; i < request->fields_count; i++) {
        size_t at = strlen(fields);
        (void)snprintf(fields + at, sizeof fields - at, "%s=%s", request->fields[i].name,
                       request->fields[i].text);
    }
    fake_did(line, fields, "");
    if (response) {
        *response = NULL;
    }
    for (const struct fake_answer *answer = fake.answers; answer && answer->request; answer++) {
        if (strcmp(answer->request, line) == 0 && answer->status > 0) {
            answered.answer = answer;
            if (response) {
                *response = &answered;
            }
            if (answer->status == 404 || answer->status == 410) {
                return SNEK_E_NOT_FOUND;
            }
            return answer->status < 300 ? 0 : SNEK_E_SERVER;
        }
    }
    return SNEK_E_NETWORK;
}

static int32_t fake_status(const struct snek_response *response) {
    return response->answer->status;
}

static uint32_t fake_response_find(struct snek_response *response, const char *path,
                                   struct snek_value *value) {
    return fake_find(response->answer->body, path, value);
}

static const void *fake_service(const struct snek_host *host, const char *name, uint32_t revision) {
    static const struct snek_event_service event = {.bytes = sizeof event, .find = fake_event_find};
    static const struct snek_config_service config = {
        .bytes = sizeof config, .find = fake_config_find, .allow = fake_config_allow};
    static const struct snek_store_service store = {
        .bytes = sizeof store, .set_has = fake_set_has, .set_add = fake_set_add};
    static const struct snek_github_service github = {.bytes = sizeof github,
                                                      .send = fake_send,
                                                      .status = fake_status,
                                                      .find = fake_response_find};
    (void)host;
    assert_int_equal(revision, 1);
    return strcmp(name, "event") == 0    ? (const void *)&event
           : strcmp(name, "config") == 0 ? (const void *)&config
           : strcmp(name, "store") == 0  ? (const void *)&store
           : strcmp(name, "github") == 0 ? (const void *)&github
                                         : NULL;
}

static void fake_explain(const struct snek_host *host, struct snek_run *run, const char *reason,
                         int64_t delay_ms) {
    (void)host;
    (void)run;
    (void)delay_ms;
    (void)snprintf(fake.reason, sizeof fake.reason, "%s", reason);
}

static const struct snek_host fake_host = {.magic = SNEK_ABI_MAGIC,
                                           .major = SNEK_ABI_MAJOR,
                                           .bytes = sizeof fake_host,
                                           .service = fake_service,
                                           .explain = fake_explain};

#endif
