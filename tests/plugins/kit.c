/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Uses each inline convenience of the SDK that no bundled plugin uses; tests/scenarios/kit*.toml
 * say what comes of it. */
#include <snekomatic/snekomatic.h>

static struct {
    int64_t days;
    int32_t loud;
    const char *second_name;
} config;

static int32_t remember(struct snek_run *run) {
    const char *before;
    char text[600];
    int32_t result = snek_key_get(run, SNEK_SCOPE_INSTALLATION, "said", &before);
    if (result < 0) {
        return result;
    }
    const char *now = snek_argument(run, 1);
    result = now ? snek_key_put(run, SNEK_SCOPE_INSTALLATION, "said", now)
                 : snek_key_remove(run, SNEK_SCOPE_INSTALLATION, "said");
    if (result < 0) {
        return result;
    }
    snprintf(text, sizeof text, "before: %s", before ? before : "nothing");
    return snek_reply(run, text);
}

static int32_t toggle(struct snek_run *run) {
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, "toggle", "it");
    if (added == 0) {
        added = snek_set_remove(run, SNEK_SCOPE_PLUGIN, "toggle", "it") - 1;
    }
    if (added < 0) {
        return added;
    }
    return snek_reply(run, added ? "on" : "off");
}

static int32_t show(struct snek_run *run) {
    char text[600];
    snprintf(text, sizeof text, "days %d, loud %d, second %s, label %s, issue %s, body %s, %s",
             (int)config.days, (int)config.loud, config.second_name ? config.second_name : "none",
             snek_string(run, "issue.labels[0].name"), snek_text(run, "issue.number"),
             snek_body(run), snek_now_ms(run) > 1700000000000 ? "now" : "long ago");
    return snek_reply(run, text);
}

/* Numbers in responses, and which members exist. */
static int32_t look(struct snek_run *run) {
    struct snek_response *issue;
    char text[200];
    int32_t result = snek_get(run, snek_string(run, "issue.url"), &issue);
    snprintf(text, sizeof text, "number %d, title %d, milestone %d, none %d",
             (int)snek_response_integer(run, issue, "number", -1),
             (int)snek_response_exists(run, issue, "title"),
             (int)snek_response_exists(run, issue, "milestone"),
             (int)snek_response_integer(run, issue, "title", -1));
    snek_free_response(run, issue);
    return result < 0 ? result : snek_reply(run, text);
}

/* Writes the kinds of the items of a list to `text`, and frees the list. */
static int32_t tell(struct snek_run *run, struct snek_pages *pages, char text[600]) {
    int32_t result;
    while ((result = snek_next(run, pages)) > 0) {
        size_t used = strlen(text);
        const char *title = snek_item_string(run, pages, "title");
        snprintf(text + used, 600 - used, "%d %s %d, ",
                 (int)snek_item_integer(run, pages, "number", -1), title ? title : "none",
                 (int)snek_item_exists(run, pages, "pull_request"));
    }
    snek_free_pages(run, pages);
    return result;
}

static int32_t list(struct snek_run *run) {
    char text[600] = "";
    struct snek_pages *pages = snek_list(run, "/repos/{repository}/issues{?state,per_page}",
                                         .parameters = {{"state", "open"}, {"per_page", "1"}});
    int32_t result = tell(run, pages, text);
    return result < 0 ? result : snek_reply(run, text);
}

static int32_t graph(struct snek_run *run) {
    const char *variables = snek_json(run, "{'owner':'%s','first':%d}", "sneks-united", 1);
    char text[600] = "";
    struct snek_response *answer;
    int32_t result =
        snek_graphql(run, "query($owner: String!, $first: Int!) { stars(of: $owner, n: $first) }",
                     .variables = variables, .response = &answer);
    if (result < 0) {
        return result;
    }
    snprintf(text, sizeof text, "%d stars, ",
             (int)snek_response_integer(run, answer, "data.stars", -1));
    result = tell(run,
                  snek_graphql_list(run,
                                    "query($owner: String!, $first: Int!, $after: String) { "
                                    "issues(after: $after) }",
                                    .variables = variables, .path = "data.issues"),
                  text);
    return result < 0 ? result : snek_reply(run, text);
}

static int32_t create(const struct snek_host *host, void **state) {
    (void)state;
    config.second_name = snek_config_item(host, "names", 1);
    int32_t result = snek_config_integer(host, "days", 1, 30, 7, &config.days);
    return result < 0 ? result : snek_config_boolean(host, "loud", 1, &config.loud);
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_command commands[] = {{"remember", "/remember [WORD]", 0, 0, remember},
                                               {"toggle", "/toggle", 0, 0, toggle},
                                               {"show", "/show", 0, 0, show},
                                               {"look", "/look", 0, 0, look},
                                               {"list", "/list", 0, 0, list},
                                               {"graph", "/graph", 0, 0, graph}};
SNEK_PLUGIN(.name = "kit", .version = "1", .summary = "uses the conveniences of the SDK",
            SNEK_TABLE(permissions), SNEK_TABLE(commands), .create = create)
