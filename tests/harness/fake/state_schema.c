/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The form of the state, table by table, and the check of JSON by it. */
#include "fake/state_schema.h"

#include <stdio.h>
#include <string.h>

#define TEXT SCHEMA_TEXT
#define NUMBER SCHEMA_NUMBER
#define YES SCHEMA_YES
#define TABLE SCHEMA_TABLE
#define TABLES SCHEMA_TABLES
#define NAMES SCHEMA_NAMES
#define NOTHING SCHEMA_NULL

/* -- settings, the app, people -- */

static const struct schema_key settings_keys[] = {
    {"auto_create", NAMES, NULL, false},         {"token_lifetime_s", NUMBER, NULL, false},
    {"token_bytes", NUMBER, NULL, false},        {"clock_skew_s", NUMBER, NULL, false},
    {"rate_limit", NUMBER, NULL, false},         {"search_rate_limit", NUMBER, NULL, false},
    {"graphql_rate_limit", NUMBER, NULL, false}, {"rate_window_s", NUMBER, NULL, false},
    {"webhook_url", TEXT, NULL, false},          {"webhook_secret", TEXT, NULL, false},
    {"webhook_content_type", TEXT, NULL, false}, {"webhook_insecure_ssl", TEXT, NULL, false},
    {"webhook_active", YES, NULL, false},        {"webhook_via", TEXT, NULL, false},
    {"manifest_secret", YES, NULL, false},       {0}};
static const struct schema settings = {"github.settings", settings_keys};

static const struct schema_key app_keys[] = {{"owner", TEXT, NULL, false},
                                             {"permissions", TABLE, NULL, false},
                                             {"events", NAMES, NULL, false},
                                             {0}};
static const struct schema app = {"github.app", app_keys};

static const struct schema_key user_keys[] = {
    {"login", TEXT, NULL, true}, {"id", NUMBER, NULL, false}, {"type", TEXT, NULL, false}, {0}};
static const struct schema user = {"one of github.users", user_keys};

static const struct schema_key member_keys[] = {
    {"login", TEXT, NULL, true},  {"id", NUMBER, NULL, false},  {"role", TEXT, NULL, false},
    {"state", TEXT, NULL, false}, {"public", YES, NULL, false}, {0}};
static const struct schema member = {"a member", member_keys};

static const struct schema_key team_keys[] = {{"slug", TEXT, NULL, true},
                                              {"role", TEXT, NULL, true},
                                              {"base", TEXT, NULL, false},
                                              {"members", NAMES, NULL, true},
                                              {0}};
static const struct schema team = {"a team", team_keys};

/* A team of an organization; one of a repository says with which role it has access. */
static const struct schema_key organization_team_keys[] = {
    {"slug", TEXT, NULL, true},          {"name", TEXT, NULL, false},
    {"description", TEXT, NULL, false},  {"members", NAMES, NULL, false},
    {"maintainers", NAMES, NULL, false}, {0}};
static const struct schema organization_team = {"a team", organization_team_keys};

static const struct schema_key project_item_keys[] = {{"id", NUMBER, NULL, false},
                                                      {"repository", TEXT, NULL, true},
                                                      {"number", NUMBER, NULL, true},
                                                      {"created_at", TEXT, NULL, false},
                                                      {0}};
static const struct schema project_item = {"an item of a project", project_item_keys};

static const struct schema_key project_keys[] = {{"number", NUMBER, NULL, true},
                                                 {"id", TEXT, NULL, false},
                                                 {"title", TEXT, NULL, false},
                                                 {"items", TABLES, &project_item, false},
                                                 {0}};
static const struct schema project = {"a project", project_keys};

static const struct schema_key organization_keys[] = {{"login", TEXT, NULL, true},
                                                      {"id", NUMBER, NULL, false},
                                                      {"members", TABLES, &member, false},
                                                      {"base_role", TEXT, NULL, false},
                                                      {"teams", TABLES, &organization_team, false},
                                                      {"projects", TABLES, &project, false},
                                                      {0}};
static const struct schema organization = {"one of github.organizations", organization_keys};

static const struct schema_key collaborator_keys[] = {
    {"login", TEXT, NULL, true}, {"role", TEXT, NULL, true}, {"base", TEXT, NULL, false}, {0}};
static const struct schema collaborator = {"a collaborator", collaborator_keys};

/* -- issues and their comments -- */

static const struct schema_key reaction_keys[] = {{"id", NUMBER, NULL, false},
                                                  {"user", TEXT, NULL, true},
                                                  {"content", TEXT, NULL, true},
                                                  {"created_at", TEXT, NULL, false},
                                                  {0}};
static const struct schema reaction = {"a reaction", reaction_keys};

static const struct schema_key comment_keys[] = {{"id", NUMBER, NULL, false},
                                                 {"issue", NUMBER, NULL, false},
                                                 {"pull", NUMBER, NULL, false},
                                                 {"body", TEXT, NULL, false},
                                                 {"in_reply_to_id", NUMBER, NULL, false},
                                                 {"user", TEXT | NOTHING, NULL, false},
                                                 {"created_at", TEXT, NULL, false},
                                                 {"updated_at", TEXT, NULL, false},
                                                 {"reactions", TABLES, &reaction, false},
                                                 {0}};
static const struct schema comment = {"a comment", comment_keys};

static const struct schema_key branch_keys[] = {
    {"ref", TEXT, NULL, false}, {"sha", TEXT, NULL, false}, {0}};
static const struct schema branch = {"a branch", branch_keys};

static const struct schema_key file_keys[] = {{"filename", TEXT, NULL, true},
                                              {"status", TEXT, NULL, false},
                                              {"additions", NUMBER, NULL, false},
                                              {"deletions", NUMBER, NULL, false},
                                              {"patch", TEXT, NULL, false},
                                              {"previous_filename", TEXT, NULL, false},
                                              {0}};
static const struct schema file = {"a file", file_keys};

static const struct schema_key author_keys[] = {{"name", TEXT, NULL, false},
                                                {"email", TEXT, NULL, false},
                                                {"date", TEXT, NULL, false},
                                                {"login", TEXT, NULL, false},
                                                {0}};
static const struct schema author = {"an author", author_keys};

static const struct schema_key commit_keys[] = {
    {"sha", TEXT, NULL, true},         {"message", TEXT, NULL, false},
    {"author", TABLE, &author, false}, {"parents", NAMES, NULL, false},
    {"verified", YES, NULL, false},    {0}};
static const struct schema commit = {"a commit", commit_keys};

static const struct schema_key review_keys[] = {
    {"id", NUMBER, NULL, false},         {"user", TEXT | NOTHING, NULL, false},
    {"state", TEXT, NULL, false},        {"body", TEXT, NULL, false},
    {"commit_id", TEXT, NULL, false},    {"reactions", TABLES, &reaction, false},
    {"submitted_at", TEXT, NULL, false}, {0}};
static const struct schema review = {"a review", review_keys};

static const struct schema_key issue_keys[] = {{"number", NUMBER, NULL, true},
                                               {"id", NUMBER, NULL, false},
                                               {"title", TEXT, NULL, false},
                                               {"body", TEXT | NOTHING, NULL, false},
                                               {"user", TEXT | NOTHING, NULL, false},
                                               {"state", TEXT, NULL, false},
                                               {"locked", YES, NULL, false},
                                               {"deleted", YES, NULL, false},
                                               {"pull_request", YES, NULL, false},
                                               {"created_at", TEXT, NULL, false},
                                               {"updated_at", TEXT, NULL, false},
                                               {"merged_at", TEXT | NOTHING, NULL, false},
                                               {"labels", NAMES, NULL, false},
                                               {"reactions", TABLES, &reaction, false},
                                               {"assignees", NAMES, NULL, false},
                                               {"milestone", NUMBER | NOTHING, NULL, false},
                                               {"closed_at", TEXT | NOTHING, NULL, false},
                                               {"state_reason", TEXT | NOTHING, NULL, false},
                                               /* A pull request has these too. */
                                               {"draft", YES, NULL, false},
                                               {"head", TABLE, &branch, false},
                                               {"base", TABLE, &branch, false},
                                               {"mergeable", YES | NOTHING, NULL, false},
                                               {"merge_commit_sha", TEXT | NOTHING, NULL, false},
                                               {"merged_by", TEXT | NOTHING, NULL, false},
                                               {"files", TABLES, &file, false},
                                               {"commits", TABLES, &commit, false},
                                               {"reviews", TABLES, &review, false},
                                               {"requested_reviewers", NAMES, NULL, false},
                                               {0}};
static const struct schema issue = {"an issue", issue_keys};

/* -- repositories -- */

static const struct schema_key label_keys[] = {{"name", TEXT, NULL, true},
                                               {"color", TEXT, NULL, false},
                                               {"description", TEXT | NOTHING, NULL, false},
                                               {0}};
static const struct schema label = {"a label", label_keys};

static const struct schema_key milestone_keys[] = {{"number", NUMBER, NULL, true},
                                                   {"id", NUMBER, NULL, false},
                                                   {"title", TEXT, NULL, false},
                                                   {"state", TEXT, NULL, false},
                                                   {"description", TEXT | NOTHING, NULL, false},
                                                   {"due_on", TEXT | NOTHING, NULL, false},
                                                   {"creator", TEXT | NOTHING, NULL, false},
                                                   {"created_at", TEXT, NULL, false},
                                                   {"updated_at", TEXT, NULL, false},
                                                   {"closed_at", TEXT | NOTHING, NULL, false},
                                                   {0}};
static const struct schema milestone = {"a milestone", milestone_keys};

static const struct schema_key content_keys[] = {
    {"path", TEXT, NULL, true}, {"branch", TEXT, NULL, false}, {"text", TEXT, NULL, true}, {0}};
static const struct schema content = {"one of the contents", content_keys};

static const struct schema_key check_run_keys[] = {{"id", NUMBER, NULL, false},
                                                   {"name", TEXT, NULL, true},
                                                   {"head_sha", TEXT, NULL, true},
                                                   {"status", TEXT, NULL, false},
                                                   {"conclusion", TEXT | NOTHING, NULL, false},
                                                   {"external_id", TEXT | NOTHING, NULL, false},
                                                   {"details_url", TEXT | NOTHING, NULL, false},
                                                   {"started_at", TEXT | NOTHING, NULL, false},
                                                   {"completed_at", TEXT | NOTHING, NULL, false},
                                                   {"output", TABLE, NULL, false},
                                                   {"actions", TABLES, NULL, false},
                                                   {"app", TEXT, NULL, false},
                                                   {0}};
static const struct schema check_run = {"a check run", check_run_keys};

static const struct schema_key check_suite_keys[] = {{"id", NUMBER, NULL, false},
                                                     {"head_sha", TEXT, NULL, true},
                                                     {"head_branch", TEXT | NOTHING, NULL, false},
                                                     {"app", TEXT, NULL, false},
                                                     {"created_at", TEXT, NULL, false},
                                                     {0}};
static const struct schema check_suite = {"a check suite", check_suite_keys};

static const struct schema_key status_keys[] = {{"id", NUMBER, NULL, false},
                                                {"sha", TEXT, NULL, true},
                                                {"state", TEXT, NULL, true},
                                                {"context", TEXT, NULL, false},
                                                {"description", TEXT | NOTHING, NULL, false},
                                                {"target_url", TEXT | NOTHING, NULL, false},
                                                {"creator", TEXT | NOTHING, NULL, false},
                                                {"created_at", TEXT, NULL, false},
                                                {"updated_at", TEXT, NULL, false},
                                                {0}};
static const struct schema status = {"a status", status_keys};

static const struct schema_key workflow_run_keys[] = {{"id", NUMBER, NULL, false},
                                                      {"name", TEXT, NULL, true},
                                                      {"head_sha", TEXT, NULL, true},
                                                      {"head_branch", TEXT | NOTHING, NULL, false},
                                                      {"path", TEXT, NULL, false},
                                                      {"display_title", TEXT, NULL, false},
                                                      {"event", TEXT, NULL, false},
                                                      {"status", TEXT, NULL, false},
                                                      {"conclusion", TEXT | NOTHING, NULL, false},
                                                      {"run_number", NUMBER, NULL, false},
                                                      {"run_attempt", NUMBER, NULL, false},
                                                      {"actor", TEXT | NOTHING, NULL, false},
                                                      {"created_at", TEXT, NULL, false},
                                                      {"updated_at", TEXT, NULL, false},
                                                      {"run_started_at", TEXT, NULL, false},
                                                      {0}};
static const struct schema workflow_run = {"a workflow run", workflow_run_keys};

static const struct schema_key head_keys[] = {
    {"name", TEXT, NULL, true}, {"sha", TEXT, NULL, true}, {0}};
static const struct schema head = {"a branch of a repository", head_keys};

static const struct schema_key discussion_keys[] = {{"number", NUMBER, NULL, true},
                                                    {"id", NUMBER, NULL, false},
                                                    {"title", TEXT, NULL, false},
                                                    {"body", TEXT, NULL, false},
                                                    {"user", TEXT | NOTHING, NULL, false},
                                                    {"category", TEXT, NULL, false},
                                                    {"locked", YES, NULL, false},
                                                    {"created_at", TEXT, NULL, false},
                                                    {"updated_at", TEXT, NULL, false},
                                                    {"reactions", TABLES, &reaction, false},
                                                    {0}};
static const struct schema discussion = {"a discussion", discussion_keys};

static const struct schema_key discussion_comment_keys[] = {
    {"id", NUMBER, NULL, false},
    {"discussion", NUMBER, NULL, true},
    {"reply_to", NUMBER | NOTHING, NULL, false},
    {"body", TEXT, NULL, false},
    {"user", TEXT | NOTHING, NULL, false},
    {"created_at", TEXT, NULL, false},
    {"updated_at", TEXT, NULL, false},
    {"reactions", TABLES, &reaction, false},
    {0}};
static const struct schema discussion_comment = {"a comment of a discussion",
                                                 discussion_comment_keys};

static const struct schema_key repository_keys[] = {
    {"full_name", TEXT, NULL, true},
    {"id", NUMBER, NULL, false},
    {"private", YES, NULL, false},
    {"archived", YES, NULL, false},
    {"former_names", NAMES, NULL, false},
    {"issues", TABLES, &issue, false},
    {"comments", TABLES, &comment, false},
    {"review_comments", TABLES, &comment, false},
    {"collaborators", TABLES, &collaborator, false},
    {"teams", TABLES, &team, false},
    {"default_branch", TEXT, NULL, false},
    {"labels", TABLES, &label, false},
    {"milestones", TABLES, &milestone, false},
    {"contents", TABLES, &content, false},
    {"check_runs", TABLES, &check_run, false},
    {"check_suites", TABLES, &check_suite, false},
    {"statuses", TABLES, &status, false},
    {"workflow_runs", TABLES, &workflow_run, false},
    {"branches", TABLES, &head, false},
    {"commits", TABLES, &commit, false},
    {"discussions", TABLES, &discussion, false},
    {"discussion_comments", TABLES, &discussion_comment, false},
    {0}};
static const struct schema repository = {"one of github.repositories", repository_keys};

/* -- the rest -- */

static const struct schema_key installation_keys[] = {
    {"id", NUMBER, NULL, true},         {"account", TEXT, NULL, true},
    {"permissions", TABLE, NULL, true}, {"suspended", YES, NULL, false},
    {"created_at", TEXT, NULL, false},  {0}};
static const struct schema installation = {"one of github.installations", installation_keys};

static const struct schema_key graphql_keys[] = {
    {"contains", TEXT, NULL, false},        {"variables", TABLE, NULL, false},
    {"data", TABLE | NOTHING, NULL, false}, {"errors", TABLES, NULL, false},
    {"times", NUMBER, NULL, false},         {0}};
static const struct schema graphql = {"one of github.graphql", graphql_keys};

static const struct schema_key state_keys[] = {{"settings", TABLE, &settings, false},
                                               {"app", TABLE, &app, false},
                                               {"users", TABLES, &user, false},
                                               {"organizations", TABLES, &organization, false},
                                               {"repositories", TABLES, &repository, false},
                                               {"installations", TABLES, &installation, false},
                                               {"graphql", TABLES, &graphql, false},
                                               {0}};
const struct schema state_schema = {"github", state_keys};

/* -- the check -- */

const struct schema_key *schema_find(const struct schema *schema, const char *name) {
    for (const struct schema_key *key = schema->keys; key->name; key++) {
        if (strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

void schema_describe(unsigned kinds, char *out, size_t bytes) {
    static const char *const names[] = {"a text", "a whole number",   "true or false",   "a table",
                                        "a list", "a list of tables", "a list of texts", "null"};
    *out = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (kinds & 1u << i) {
            size_t used = strlen(out);
            snprintf(out + used, bytes - used, "%s%s", used ? " or " : "", names[i]);
        }
    }
}

unsigned schema_kinds_of(const json_t *value) {
    unsigned kinds = SCHEMA_LIST | SCHEMA_TABLES | SCHEMA_NAMES;
    size_t i;
    json_t *item;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return SCHEMA_TEXT;
    case JSON_INTEGER:
        return SCHEMA_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SCHEMA_YES;
    case JSON_OBJECT:
        return SCHEMA_TABLE;
    case JSON_NULL:
        return SCHEMA_NULL;
    case JSON_REAL:
        return 0;
    case JSON_ARRAY:
        break;
    }
    json_array_foreach(value, i, item) {
        kinds &= ~(json_is_object(item) ? 0u : (unsigned)SCHEMA_TABLES);
        kinds &= ~(json_is_string(item) ? 0u : (unsigned)SCHEMA_NAMES);
    }
    return kinds;
}

static int check_value(const json_t *value, const struct schema_key *key, struct error *err) {
    if (!(schema_kinds_of(value) & key->kinds)) {
        char wanted[128];
        schema_describe(key->kinds, wanted, sizeof wanted);
        return error_set(err, "%s is not %s", key->name, wanted);
    }
    if (!key->of || json_is_null(value)) {
        return 0;
    }
    if (json_is_object(value)) {
        return schema_check(value, key->of, err) < 0 ? error_wrap(err, "%s", key->name) : 0;
    }
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item) {
        if (schema_check(item, key->of, err) < 0) {
            return error_wrap(err, "%s[%zu]", key->name, i);
        }
    }
    return 0;
}

int schema_check(const json_t *table, const struct schema *schema, struct error *err) {
    const char *name;
    json_t *value;
    if (!json_is_object(table)) {
        return error_set(err, "it is not an object");
    }
    json_object_foreach((json_t *)table, name, value) {
        const struct schema_key *key = schema_find(schema, name);
        if (!key) {
            return error_set(err, "%s has no key %s", schema->label, name);
        }
        if (check_value(value, key, err) < 0) {
            return -1;
        }
    }
    for (const struct schema_key *key = schema->keys; key->name; key++) {
        if (key->required && !json_object_get(table, key->name)) {
            return error_set(err, "%s needs the key %s", schema->label, key->name);
        }
    }
    return 0;
}
