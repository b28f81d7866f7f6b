/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of the GitHub client: goes through the "steps" of the event's payload, each a
 * request, a list or GraphQL, and says in the log what came of it: "N CODE STATUS WHAT". */
#include <snekomatic/snekomatic.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VARIABLES_MAX 4

/* Writes the path of `rest` in the step to the caller's `path`. */
static const char *in_step(char path[SNEK_PATH_MAX], uint32_t step, const char *rest) {
    return snek_item_path(path, "steps", step, rest);
}

static const char *text(struct snek_run *run, uint32_t step, const char *rest) {
    char path[SNEK_PATH_MAX];
    return snek_text_of(run, in_step(path, step, rest));
}

static void say(struct snek_run *run, uint32_t step, int32_t code, int32_t status,
                const char *what) {
    char line[400];
    snprintf(line, sizeof line, "%u %d %d %s", step, (int)code, (int)status, what ? what : "");
    snek_log(run, SNEK_LOG_INFO, line);
}

/* ---- a request: "request": "PUT /path", "body": {...}, "show": "path in the answer", "header"
 * ---- */

static int32_t send_request(struct snek_run *run, uint32_t step) {
    const struct snek_github_service *github = snek_github(run);
    const char *body = text(run, step, "body"), *show = text(run, step, "show");
    const char *header = text(run, step, "header"), *what = NULL;
    struct snek_response *response = NULL;
    char method[8] = "", url[512] = "";
    sscanf(text(run, step, "request"), "%7s %511s", method, url);
    struct snek_request request = {.bytes = sizeof request,
                                   .method = method,
                                   .url = url,
                                   .body = {body, body ? strlen(body) : 0}};
    int32_t code = github->send(run, &request, &response);
    if (response && show) {
        what = snek_response_string(run, response, show);
    } else if (response && header) {
        what = github->header(response, header).data;
    }
    say(run, step, code, github->status(response), what);
    github->free_response(response);
    return code;
}

/* ---- lists: "item": "path in one", "most": of them that are looked at ---- */

static int32_t read_list(struct snek_run *run, uint32_t step, struct snek_pages *pages) {
    const struct snek_github_service *github = snek_github(run);
    char path[SNEK_PATH_MAX], line[200], first[64] = "", last[64] = "";
    const char *item = text(run, step, "item");
    int64_t most = snek_integer(run, in_step(path, step, "most"), INT64_MAX), count = 0;
    int32_t code = 1;
    while (count < most && (code = github->next(pages)) > 0) {
        struct snek_value value;
        (void)github->item(pages, item, &value);
        snprintf(last, sizeof last, "%.*s", (int)value.text.bytes,
                 value.text.data ? value.text.data : "");
        memcpy(count == 0 ? first : last, last, sizeof last);
        count++;
    }
    snprintf(line, sizeof line, "%d from %s to %s", (int)count, first, last);
    say(run, step, code, github->status(github->page(pages)), line);
    github->free_pages(pages);
    return code < 0 ? code : 0;
}

static int32_t send_list(struct snek_run *run, uint32_t step) {
    struct snek_pages *pages = NULL;
    struct snek_request request = {
        .bytes = sizeof request, .method = "GET", .url = text(run, step, "list")};
    int32_t code = snek_github(run)->pages(run, &request, &pages);
    return code < 0 ? code : read_list(run, step, pages);
}

/* ---- GraphQL: "graphql": document, "variables": [{"name", "json"}], "show"; with "connection"
 * (the path to one) it is a list ---- */

static int32_t send_graphql(struct snek_run *run, uint32_t step) {
    const struct snek_github_service *github = snek_github(run);
    const char *connection = text(run, step, "connection"), *show = text(run, step, "show");
    struct snek_field variables[VARIABLES_MAX];
    struct snek_graphql query = {
        .bytes = sizeof query, .query = text(run, step, "graphql"), .variables = variables};
    struct snek_response *response = NULL;
    struct snek_pages *pages = NULL;
    for (uint32_t i = 0; i < VARIABLES_MAX; i++) {
        char name[32], json[32];
        snprintf(name, sizeof name, "variables[%u].name", i);
        snprintf(json, sizeof json, "variables[%u].json", i);
        if (!text(run, step, name)) {
            break;
        }
        variables[i] = (struct snek_field){text(run, step, name), text(run, step, json), 0,
                                           SNEK_FIELD_JSON, 0};
        query.variables_count++;
    }
    if (connection) {
        int32_t code = github->graphql_pages(run, &query, connection, "after", &pages);
        return code < 0 ? code : read_list(run, step, pages);
    }
    int32_t code = github->graphql(run, &query, &response);
    say(run, step, code, github->status(response),
        response && show ? snek_response_string(run, response, show) : NULL);
    github->free_response(response);
    return code;
}

/* ---- */

static int32_t client(struct snek_run *run) {
    char path[SNEK_PATH_MAX];
    for (uint32_t step = 0; snek_exists(run, in_step(path, step, "")); step++) {
        int32_t code;
        if (text(run, step, "list")) {
            code = send_list(run, step);
        } else if (text(run, step, "graphql")) {
            code = send_graphql(run, step);
        } else {
            code = send_request(run, step);
        }
        if (code < 0 && !snek_true(run, in_step(path, step, "go_on"))) {
            return code;
        }
    }
    return SNEK_DONE;
}

static const struct snek_permission permissions[] = {{"members", "write"}, {"issues", "write"}};
static const struct snek_subscription subscriptions[] = {{"client", NULL, client, {{0}}, 0, 0}};

#ifdef CLIENT_EFFECTS
static const struct snek_effect effects[] = {
    {"POST", "/repos/{owner}/{repo}/issues/{number}/comments"},
    {"PUT", "/orgs/{org}/memberships/{+login}"},
};
#define EFFECTS , SNEK_TABLE(effects)
#else
#define EFFECTS
#endif

SNEK_PLUGIN(.name = "client", .version = "0.9", .summary = "sends the requests of its payload",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions) EFFECTS)
