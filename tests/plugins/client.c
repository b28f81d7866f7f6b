/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of the GitHub client: goes through the "steps" of the event's payload, each a
 * request, a list or GraphQL, and says in the log what came of it: "N CODE STATUS WHAT". */
#include <snekomatic/snekomatic.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VARIABLES_MAX 4

static const char *in_step(struct snek_run *run, uint32_t step, const char *rest) {
    return snek_print(run, "steps[%u]%s%s", step, *rest ? "." : "", rest);
}

static const char *text(struct snek_run *run, uint32_t step, const char *rest) {
    return snek_text(run, in_step(run, step, rest));
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
    struct snek_request request = {
        .bytes = sizeof request, .method = method, .url = url, .json = body, .response = &response};
    int32_t code = github->send(run, &request);
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
    char line[200], first[64] = "", last[64] = "";
    const char *item = text(run, step, "item");
    int64_t most = snek_integer(run, in_step(run, step, "most"), INT64_MAX), count = 0;
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
    return read_list(run, step, snek_list(run, text(run, step, "list")));
}

/* ---- GraphQL: "graphql": document, "variables": [{"name", "json"}], "show"; with "connection"
 * (the path to one) it is a list ---- */

static int32_t send_graphql(struct snek_run *run, uint32_t step) {
    const struct snek_github_service *github = snek_github(run);
    const char *connection = text(run, step, "connection"), *show = text(run, step, "show");
    struct snek_builder variables = SNEK_EMPTY_TEXT;
    struct snek_response *response = NULL;
    for (uint32_t i = 0; i < VARIABLES_MAX; i++) {
        const char *name = text(run, step, snek_print(run, "variables[%u].name", i));
        const char *json = text(run, step, snek_print(run, "variables[%u].json", i));
        if (!name) {
            break;
        }
        snek_append(run, &variables, "%s\"%s\":%s", i > 0 ? "," : "", name, json);
    }
    struct snek_graphql query = {.bytes = sizeof query,
                                 .query = text(run, step, "graphql"),
                                 .variables = snek_print(run, "{%s}", variables.text),
                                 .path = connection,
                                 .response = connection ? NULL : &response};
    if (connection) {
        return read_list(run, step, github->graphql_pages(run, &query));
    }
    int32_t code = github->graphql(run, &query);
    say(run, step, code, github->status(response),
        response && show ? snek_response_string(run, response, show) : NULL);
    github->free_response(response);
    return code;
}

/* ---- */

static int32_t client(struct snek_run *run) {
    for (uint32_t step = 0; snek_exists(run, in_step(run, step, "")); step++) {
        int32_t code;
        if (text(run, step, "list")) {
            code = send_list(run, step);
        } else if (text(run, step, "graphql")) {
            code = send_graphql(run, step);
        } else {
            code = send_request(run, step);
        }
        if (code < 0 && !snek_boolean(run, in_step(run, step, "go_on"))) {
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
