/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the file of the repository, else that of its owner, and keeps it as long as the run. */
#include "worker/repository_config.h"

#include "base/json.h"
#include "worker/descriptor.h"
#include "worker/failing_allocation.h"
#include "worker/found_values.h"
#include "worker/http_send.h"
#include "worker/known_keys.h"
#include "worker/response.h"
#include "worker/run.h"
#include "worker/settings.h"
#include "worker/worker.h"
#include "worker/yaml.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the copies of all values of one file: 32 levels, each with at most 512 KiB of JSON, and
 * what each value costs. So no file reaches it. */
#define VALUES_MAX (32u << 20)
#define NAME_MAX_BYTES 100
/* Owner, repository, the folder and the name. */
#define SOURCE_MAX 400
/* The repository of an owner with the files for all others; GitHub's name for it. */
#define OWNERS_REPOSITORY ".github"

struct snek_repository_config {
    struct run_resource resource;
    struct run *run;
    struct found_values found;
    /* Without JSON when there is no file. */
    struct yaml_document document;
    char source[SOURCE_MAX];
};

static void config_free(struct snek_repository_config *config) {
    run_detach(&config->resource);
    found_values_finish(&config->found);
    yaml_finish(&config->document);
    free(config);
}

static void on_run_end(struct run_resource *resource) {
    config_free(CONTAINER_OF(resource, struct snek_repository_config, resource));
}

static struct snek_repository_config *config_new(struct run *run) {
    struct snek_repository_config *config = NULL;
    if (!failing_allocation_take("the SDK")) {
        config = calloc(1, sizeof *config);
    }
    if (config) {
        config->run = run;
        found_values_init(&config->found, VALUES_MAX);
        config->resource.on_run_end = on_run_end;
        run_attach(run, &config->resource);
    }
    return config;
}

/* A retry reads the same file. */
static int32_t reject(struct run *run, const char *source, const char *why) {
    int32_t code = run_fail(run, SNEK_E_INVALID, "%s: %s", source, why);
    run_mark_permanent(run, code);
    return code;
}

/* `place.line` is 0 when the file has no such place. */
static int32_t reject_place(struct snek_repository_config *config, struct yaml_place place,
                            const char *why) {
    struct error err;
    if (place.line > 0) {
        error_set(&err, "line %u, column %u: %s", place.line, place.column, why);
    } else {
        error_set(&err, "%s", why);
    }
    return reject(config->run, config->source[0] ? config->source : "the configuration", err.text);
}

static int32_t fail_memory(struct run *run) {
    return run_fail(run, SNEK_E_FAILED, "no memory for the configuration of the repository");
}

/* ---- reading ---- */

/* A folder of that name is a list of its files, as JSON. */
static bool is_folder(struct snek_response *response) {
    static const char json[] = "application/json";
    struct snek_text type = response_header(response, "content-type");
    return type.data && strncmp(type.data, json, sizeof json - 1) == 0;
}

/* The first problem that the schema finds. */
struct first_problem {
    struct yaml_place place;
    struct error err;
    bool found;
};

static void on_problem(void *context, struct yaml_place place, const char *sentence) {
    struct first_problem *first = context;
    if (!first->found) {
        first->place = place;
        first->found = true;
        error_set(&first->err, "%s", sentence);
    }
}

/* Compares the file with the schema, if the plugin declares one for it. */
static int32_t check_schema(struct snek_repository_config *config, const char *name) {
    const struct snek_plugin *plugin = worker_plugin(run_worker(config->run));
    struct first_problem first = {.found = false};
    if (settings_describe(plugin, name)) {
        settings_check_file(plugin, &config->document, on_problem, &first);
    }
    return first.found ? reject_place(config, first.place, first.err.text) : 0;
}

static int32_t parse(struct snek_repository_config *config, struct snek_response *response,
                     const char *name) {
    struct snek_text body = response_body(response);
    struct yaml_place wrong;
    struct error err;
    if (is_folder(response)) {
        return reject(config->run, config->source, "it is a folder, and must be a file");
    }
    if (yaml_read(&config->document, body.data, body.bytes, &wrong, &err) < 0) {
        return wrong.line > 0 ? reject(config->run, config->source, err.text)
                              : fail_memory(config->run);
    }
    return check_schema(config, name);
}

/* 1: there is no such file. */
static int32_t read_file(struct snek_repository_config *config, const char *owner,
                         const char *repository, const char *name) {
    AUTO_HTTP_CALL struct http_call call = {0};
    struct snek_response *response = NULL;
    const struct snek_request request = {
        .bytes = sizeof request,
        .method = "GET",
        .url = "/repos/{owner}/{repo}/contents/.github/{name}.yml",
        .parameters = {{"owner", owner}, {"repo", repository}, {"name", name}},
        .accept = "application/vnd.github.raw+json"};
    http_call_init(&call);
    int32_t result = http_call_build(config->run, &request, &call);
    if (result == 0) {
        result = http_send(config->run, &call, &response);
    }
    if (result == SNEK_E_NOT_FOUND && response_status(response) == 404) {
        /* A missing file is no failure, so it leaves no reason. */
        run_leave_reason(config->run, "", 0);
        result = 1;
    } else if (result == 0) {
        snprintf(config->source, sizeof config->source, "%.100s/%.100s/.github/%.100s.yml", owner,
                 repository, name);
        result = parse(config, response, name);
    }
    response_free(response);
    return result;
}

static bool is_name(const char *name) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t bytes = strspn(name, letters);
    return bytes > 0 && bytes <= NAME_MAX_BYTES && name[bytes] == '\0';
}

static int32_t check(struct run *run, const char *name, const char *owner, const char *repository) {
    if (!is_name(name)) {
        char shown[NAME_MAX_BYTES + 4];
        snprintf(shown, sizeof shown, "\"%.100s\"", name);
        return reject(run, shown,
                      "a name of a configuration has 1 to 100 letters, digits, - and _");
    }
    if (!descriptor_declares(worker_plugin(run_worker(run)), "contents")) {
        return run_fail(run, SNEK_E_INVALID,
                        "the configuration of a repository needs a permission: declare "
                        "{\"contents\", \"read\"}");
    }
    if (!owner || !repository) {
        return run_fail(run, SNEK_E_INVALID,
                        "the event has no repository, and so no configuration of one");
    }
    return 0;
}

int32_t repository_config_read(struct snek_run *shown, const char *name,
                               struct snek_repository_config **config) {
    if (config) {
        *config = NULL;
    }
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!name || !config) {
        return run_fail_null(run, "read() needs a name and a place for the configuration");
    }
    const char *owner = run_find_text(run, "repository.owner.login");
    const char *repository = run_find_text(run, "repository.name");
    int32_t result = check(run, name, owner, repository);
    if (result < 0) {
        return result;
    }
    struct snek_repository_config *made = config_new(run);
    if (!made) {
        return fail_memory(run);
    }
    result = read_file(made, owner, repository, name);
    if (result == 1 && strcmp(repository, OWNERS_REPOSITORY) != 0) {
        result = read_file(made, owner, OWNERS_REPOSITORY, name);
    }
    if (result < 0) {
        config_free(made);
        return result;
    }
    *config = made;
    return 0;
}

/* ---- its values ---- */

uint32_t repository_config_find(struct snek_repository_config *config, const char *path,
                                struct snek_value *value) {
    if (!config || !config->document.json.data) {
        if (value) {
            *value = (struct snek_value){.kind = SNEK_ABSENT};
        }
        return SNEK_ABSENT;
    }
    const struct buffer *json = &config->document.json;
    return found_values_find(&config->found, json->data, json->bytes, path, value);
}

const char *repository_config_source(const struct snek_repository_config *config) {
    return config ? config->source : "";
}

/* The offset of the value at the path; that of the whole when it is absent. */
static size_t offset_of(const struct snek_repository_config *config, const char *path) {
    const struct buffer *json = &config->document.json;
    struct json_value found;
    return json->data && json_find(json->data, json->bytes, path, &found)
               ? (size_t)(found.raw - json->data)
               : 0;
}

static int32_t reject_at(struct snek_repository_config *config, size_t at, const char *why) {
    return reject_place(config, yaml_place_at(&config->document, at), why);
}

int32_t repository_config_wrong(struct snek_repository_config *config, const char *path,
                                const char *problem) {
    struct error err;
    if (!config) {
        return SNEK_E_INVALID;
    }
    if (!path || !problem) {
        return run_fail_null(config->run, "wrong() needs a path and a problem");
    }
    error_set(&err, "%.200s%s%.400s", path, path[0] ? " " : "", problem);
    return reject_at(config, offset_of(config, path), err.text);
}

int32_t repository_config_allow(struct snek_repository_config *config, const char *const *keys,
                                uint32_t keys_count) {
    struct error err;
    size_t at;
    if (!config) {
        return SNEK_E_INVALID;
    }
    const struct buffer *json = &config->document.json;
    struct snek_value whole;
    uint32_t kind = repository_config_find(config, "", &whole);
    if (kind == SNEK_ABSENT || kind == SNEK_NULL) {
        return 0;
    }
    if (kind != SNEK_OBJECT) {
        return repository_config_wrong(config, "", "the file must be a mapping: `key: value`");
    }
    if (known_keys_check(json->data, json->bytes, keys, keys_count, &at, &err) < 0) {
        return reject_at(config, at, err.text);
    }
    return 0;
}
