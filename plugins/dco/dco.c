/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The check run "DCO": each commit of a pull request is signed off by its author or committer. A
 * button overrides it. The rules, and the file .github/dco.yml, are those of the app DCO of Probot.
 */
#include <snekomatic/snekomatic.h>

#include <ctype.h>

#define NAME "DCO"
/* GitHub lists no more commits of a pull request. */
#define COMMITS_MAX 250
/* The check run names at most so many commits. */
#define SHOWN_MAX 100
/* How often a run waits for a commit that GitHub does not list yet. */
#define LOOKS_MAX 4
/* The set of commits that people set to pass, of an installation: "repository-id sha". */
#define OVERRIDDEN "overridden"
#define BUTTON                                                                                     \
    "[{'label':'Set DCO to pass','description':'Accept it without sign-offs',"                     \
    "'identifier':'override'}]"
#define HEREBY "hereby add my Signed-off-by to this commit:"

/* The plugin's configuration, and the rules of a repository. */
struct rules {
    /* Members of the organization sign off, too. */
    int32_t require_members;
    /* A later commit of the author, or of anybody, may sign off a commit. */
    int32_t individual, third_party;
    const char *guide_url;
};

struct person {
    const char *name, *email;
};

/* A commit without the sign-off of its author. */
struct problem {
    const char *sha, *what;
    struct person author;
};

/* A commit, signed off itself, that signs off others. */
struct remedy {
    struct person author;
    const char *message;
};

struct review {
    struct rules rules;
    const char *number, *head;
    struct snek_pages *commits;
    uint32_t commits_count, problems_count, remedies_count;
    int has_head;
    struct problem problems[COMMITS_MAX];
    struct remedy remedies[COMMITS_MAX];
};

/* ---- sign-offs ---- */

struct sign_off {
    struct snek_text name, email;
};

/* Are the texts the same? ASCII letters in upper and lower case are. */
static int is_same(struct snek_text text, const char *other) {
    uint64_t i = 0;
    while (other && other[i] && i < text.bytes &&
           tolower((unsigned char)text.data[i]) == tolower((unsigned char)other[i])) {
        i++;
    }
    return other && i == text.bytes && !other[i];
}

/* Finds "Signed-off-by: NAME <EMAIL>" in a line, in any case. */
static int read_sign_off(struct snek_text line, struct sign_off *sign_off) {
    static const char key[] = "Signed-off-by: ";
    const struct snek_text begin = {line.data, sizeof key - 1};
    while (line.bytes > 0 && isspace((unsigned char)line.data[line.bytes - 1])) {
        line.bytes--;
    }
    if (line.bytes <= begin.bytes || !is_same(begin, key) || line.data[line.bytes - 1] != '>') {
        return 0;
    }
    for (uint64_t at = line.bytes - 2; at > begin.bytes; at--) {
        if (line.data[at] == '<' && line.data[at - 1] == ' ') {
            sign_off->name.data = line.data + begin.bytes;
            sign_off->name.bytes = at - 1 - begin.bytes;
            sign_off->email.data = line.data + at + 1;
            sign_off->email.bytes = line.bytes - at - 2;
            return 1;
        }
    }
    return 0;
}

/* Is it one of the author or the committer of the present commit? */
static int is_by(struct snek_run *run, struct snek_pages *commits,
                 const struct sign_off *sign_off) {
    return (is_same(sign_off->name, snek_item_string(run, commits, "commit.author.name")) ||
            is_same(sign_off->name, snek_item_string(run, commits, "commit.committer.name"))) &&
           (is_same(sign_off->email, snek_item_string(run, commits, "commit.author.email")) ||
            is_same(sign_off->email, snek_item_string(run, commits, "commit.committer.email")));
}

/* NULL when the present commit is signed off, else what is wrong. */
static const char *wrong_with(struct snek_run *run, struct snek_pages *commits) {
    const char *at = snek_item_string(run, commits, "commit.message");
    struct sign_off sign_off, last = {{NULL, 0}, {NULL, 0}};
    while (at) {
        const char *end = strchr(at, '\n');
        const struct snek_text line = {at, end ? (uint64_t)(end - at) : strlen(at)};
        if (read_sign_off(line, &sign_off)) {
            if (is_by(run, commits, &sign_off)) {
                return NULL;
            }
            last = sign_off;
        }
        at = end ? end + 1 : NULL;
    }
    const char *what = last.name.data ? snek_print(run, "The sign-off is that of `%.*s <%.*s>`.",
                                                   (int)last.name.bytes, last.name.data,
                                                   (int)last.email.bytes, last.email.data)
                                      : NULL;
    return what ? what : "The sign-off is missing.";
}

/* ---- the commits ---- */

static const char *copy(struct snek_run *run, const char *text) {
    return snek_print(run, "%.1000s", text ? text : "");
}

/* 1, 0 or negative: needs the present commit no sign-off? A merge, a commit of a bot, and if the
 * rules say so, a verified commit of a member. */
static int32_t is_exempt(struct snek_run *run, const struct review *review) {
    const char *type = snek_item_string(run, review->commits, "author.type");
    const char *login = snek_item_string(run, review->commits, "author.login");
    if (snek_item_count(run, review->commits, "parents") > 1 ||
        (type && strcmp(type, "Bot") == 0)) {
        return 1;
    }
    if (review->rules.require_members || !login ||
        !snek_item_boolean(run, review->commits, "commit.verification.verified")) {
        return 0;
    }
    return snek_role(run, login, SNEK_ROLE_ORG_MEMBER);
}

static int32_t look_at_commit(struct snek_run *run, struct review *review) {
    struct snek_pages *commits = review->commits;
    const struct person author = {copy(run, snek_item_string(run, commits, "commit.author.name")),
                                  copy(run, snek_item_string(run, commits, "commit.author.email"))};
    const char *sha = copy(run, snek_item_string(run, commits, "sha"));
    const char *message = snek_item_string(run, commits, "commit.message");
    int32_t exempt = is_exempt(run, review);
    if (exempt < 0 || !sha || !author.name || !author.email) {
        return exempt < 0 ? exempt : SNEK_E_FAILED;
    }
    review->commits_count++;
    review->has_head |= strcmp(sha, review->head) == 0;
    const char *what = wrong_with(run, commits);
    if (what && !exempt) {
        struct problem *problem = &review->problems[review->problems_count++];
        problem->sha = sha;
        problem->what = what;
        problem->author = author;
    } else if (!what && message && strstr(message, HEREBY)) {
        struct remedy *remedy = &review->remedies[review->remedies_count++];
        remedy->author = author;
        remedy->message = snek_print(run, "%s", message);
    }
    return SNEK_DONE;
}

/* Does a later commit sign this one off? */
static int is_remedied(struct snek_run *run, const struct review *review,
                       const struct problem *problem) {
    const struct person *author = &problem->author;
    const char *own =
        snek_print(run, "I, %s <%s>, " HEREBY " %s", author->name, author->email, problem->sha);
    for (uint32_t n = 0; n < review->remedies_count; n++) {
        const struct remedy *remedy = &review->remedies[n];
        const char *other =
            snek_print(run, "On behalf of %s <%s>, I, %s <%s>, " HEREBY " %s", author->name,
                       author->email, remedy->author.name, remedy->author.email, problem->sha);
        int is_own = strcmp(remedy->author.email, author->email) == 0;
        if (!own || !other || !remedy->message) {
            continue;
        }
        if ((review->rules.third_party && strstr(remedy->message, other)) ||
            (review->rules.individual && is_own && strstr(remedy->message, own))) {
            return 1;
        }
    }
    return 0;
}

static void drop_remedied(struct snek_run *run, struct review *review) {
    uint32_t kept = 0;
    for (uint32_t n = 0; n < review->problems_count; n++) {
        if (!is_remedied(run, review, &review->problems[n])) {
            review->problems[kept++] = review->problems[n];
        }
    }
    review->problems_count = kept;
}

/* ---- the check run ---- */

/* How to fix it, and the commits. */
static const char *explain(struct snek_run *run, const struct review *review) {
    struct snek_builder text = SNEK_EMPTY_TEXT;
    const struct problem *first = &review->problems[0];
    snek_append(run, &text,
                "A sign-off is a line of the commit's message, with the name and the "
                "e-mail address of its author:\n\n"
                "    Signed-off-by: Jane Doe <jane@example.org>\n\n"
                "With it you state the [Developer Certificate of Origin]"
                "(https://developercertificate.org).");
    if (*review->rules.guide_url) {
        snek_append(run, &text, " [This guide](%s) explains it.", review->rules.guide_url);
    }
    snek_append(run, &text, "\n\nTo add the sign-offs, run this in your branch:\n\n");
    if (review->commits_count == 1) {
        snek_append(run, &text, "    git commit --amend --no-edit --signoff\n");
    } else {
        snek_append(run, &text, "    git rebase HEAD~%u --signoff\n", review->commits_count);
    }
    snek_append(run, &text, "    git push --force-with-lease\n\n");
    if (review->rules.individual) {
        snek_append(run, &text,
                    "Or push a further commit, signed off itself, whose message has a line for "
                    "each of the commits:\n\n"
                    "    I, %.100s <%.100s>, " HEREBY " %s\n\n",
                    first->author.name, first->author.email, first->sha);
    }
    for (uint32_t n = 0; n < review->problems_count && n < SHOWN_MAX; n++) {
        const struct problem *problem = &review->problems[n];
        snek_append(run, &text, "- %.7s by `%.100s <%.100s>`: %.250s\n", problem->sha,
                    problem->author.name, problem->author.email, problem->what);
    }
    if (review->problems_count > SHOWN_MAX) {
        snek_append(run, &text, "- and %u more\n", review->problems_count - SHOWN_MAX);
    }
    if (review->commits_count >= COMMITS_MAX && !review->has_head) {
        snek_append(run, &text,
                    "\nGitHub lists %d commits of a pull request. Nobody has looked at the "
                    "others.\n",
                    COMMITS_MAX);
    }
    return snek_cut(run, text.text);
}

static int32_t show(struct snek_run *run, const struct review *review) {
    if (review->problems_count > 0) {
        return snek_check(
            run, NAME, .head_sha = review->head, .external_id = review->number,
            .conclusion = "action_required",
            .title = snek_print(run, "Commits without a sign-off: %u", review->problems_count),
            .summary = explain(run, review), .actions = snek_json(run, BUTTON));
    }
    if (!review->has_head) {
        return snek_check(run, NAME, .head_sha = review->head, .external_id = review->number,
                          .conclusion = "action_required", .title = "Too many commits",
                          .summary = "GitHub lists 250 commits of a pull request. They are signed "
                                     "off, but nobody has looked at the others.",
                          .actions = snek_json(run, BUTTON));
    }
    return snek_check(run, NAME, .head_sha = review->head, .external_id = review->number,
                      .conclusion = "success", .title = "All commits are signed off",
                      .summary = "Thank you!");
}

/* ---- the handlers ---- */

static int32_t read_rules(struct snek_run *run, struct rules *rules) {
    const struct rules *base = (const struct rules *)run->state;
    struct snek_repository_config *file;
    int32_t result;
    *rules = *base;
    if ((result = snek_repository_config(run, "dco", &file)) < 0 ||
        (result = snek_repository_boolean(run, file, "require.members", base->require_members,
                                          &rules->require_members)) < 0 ||
        (result = snek_repository_boolean(run, file, "allowRemediationCommits.individual",
                                          base->individual, &rules->individual)) < 0) {
        return result;
    }
    return snek_repository_boolean(run, file, "allowRemediationCommits.thirdParty",
                                   base->third_party, &rules->third_party);
}

/* The pull requests of a merge queue have passed already. Without a number, the external id is the
 * name. */
static int32_t pass_merge_group(struct snek_run *run, const char *head) {
    return snek_check(run, NAME, .head_sha = head, .conclusion = "success",
                      .title = "Checked in the pull requests",
                      .summary = "The commits of a merge group are those of its pull requests.");
}

/* The check of the pull request `number` at its commit `head`. */
static int32_t check(struct snek_run *run, const char *number, const char *head) {
    struct review *review = (struct review *)snek_allocate(run, sizeof *review);
    int32_t result = review ? SNEK_DONE : SNEK_E_FAILED;
    if (!number || !*number || !head) {
        return snek_reject(run, "the event names no pull request and commit");
    }
    if (strcmp(number, NAME) == 0) {
        return pass_merge_group(run, head);
    }
    if (result == SNEK_DONE) {
        memset(review, 0, sizeof *review);
        review->number = number;
        review->head = head;
        result = read_rules(run, &review->rules);
    }
    if (result < 0) {
        return result;
    }
    review->commits =
        snek_list(run, "/repos/{owner}/{repo}/pulls/{n}/commits", .parameters = {{"n", number}});
    while (review->commits_count < COMMITS_MAX && (result = snek_next(run, review->commits)) > 0) {
        result = look_at_commit(run, review);
        if (result < 0) {
            break;
        }
    }
    if (result < 0) {
        return result;
    }
    /* GitHub's list may be older than its webhook, and newer than a webhook that comes late. */
    if (!review->has_head && review->commits_count < COMMITS_MAX) {
        return snek_event(run)->attempt(run) < LOOKS_MAX
                   ? snek_retry_after(run, 5000, "GitHub does not list the commit yet")
                   : snek_skip(run, "the pull request does not have the commit any more");
    }
    drop_remedied(run, review);
    return show(run, review);
}

static const char *overridden_entry(struct snek_run *run, const char *head) {
    return snek_print(run, "%" PRId64 " %s", snek_integer(run, "repository.id", 0), head);
}

static int32_t on_push(struct snek_run *run) {
    const char *head = snek_string(run, "pull_request.head.sha");
    int32_t overridden =
        head ? snek_set_has(run, SNEK_SCOPE_INSTALLATION, OVERRIDDEN, overridden_entry(run, head))
             : 0;
    if (overridden != 0) {
        return overridden < 0 ? overridden : snek_skip(run, "somebody has set it to pass");
    }
    return check(run, snek_text(run, "pull_request.number"), head);
}

/* With another base, the pull request has other commits. */
static int32_t on_edit(struct snek_run *run) {
    return check(run, snek_text(run, "pull_request.number"),
                 snek_string(run, "pull_request.head.sha"));
}

/* "Re-run all checks". */
static int32_t run_all_again(struct snek_run *run, const char *head) {
    struct snek_pages *runs = snek_list(run, "/repos/{owner}/{repo}/check-suites/{id}/check-runs",
                                        .parameters = {{"id", snek_text(run, "check_suite.id")}},
                                        .query = {{"check_name", NAME}}, .list = "check_runs");
    int32_t more;
    while ((more = snek_next(run, runs)) > 0) {
        more = check(run, copy(run, snek_item_string(run, runs, "external_id")), head);
        if (more != SNEK_DONE) {
            return more;
        }
    }
    return more;
}

/* GitHub does not name the pull request of a fork here. So the check run's external id is its
 * number. */
static int32_t on_rerun(struct snek_run *run) {
    const char *number = snek_string(run, "check_run.external_id");
    const char *head = snek_string(run, number ? "check_run.head_sha" : "check_suite.head_sha");
    if (!head) {
        return snek_reject(run, "the event names no commit");
    }
    int32_t result =
        snek_set_remove(run, SNEK_SCOPE_INSTALLATION, OVERRIDDEN, overridden_entry(run, head));
    if (result < 0) {
        return result;
    }
    return number ? check(run, number, head) : run_all_again(run, head);
}

static int32_t on_override(struct snek_run *run) {
    const char *head = snek_string(run, "check_run.head_sha");
    if (!head) {
        return snek_reject(run, "the event names no commit");
    }
    int32_t added =
        snek_set_add(run, SNEK_SCOPE_INSTALLATION, OVERRIDDEN, overridden_entry(run, head));
    if (added < 0) {
        return added;
    }
    return snek_check(run, NAME, .external_id = snek_string(run, "check_run.external_id"),
                      .conclusion = "success", .title = "Set to pass",
                      .summary = snek_print(run, "@%s accepts it without sign-offs.",
                                            snek_string(run, "sender.login")));
}

static int32_t on_merge_group(struct snek_run *run) {
    return pass_merge_group(run, snek_string(run, "merge_group.head_sha"));
}

static int32_t create(const struct snek_host *host, void **state) {
    static const char *const keys[] = {"require_members", "individual_remediation",
                                       "third_party_remediation", "guide_url"};
    static struct rules rules;
    int32_t result;
    if ((result = snek_config_allow(host, keys, SNEK_COUNT(keys))) < 0 ||
        (result = snek_config_boolean(host, keys[0], 1, &rules.require_members)) < 0 ||
        (result = snek_config_boolean(host, keys[1], 0, &rules.individual)) < 0 ||
        (result = snek_config_boolean(host, keys[2], 0, &rules.third_party)) < 0) {
        return result;
    }
    rules.guide_url = snek_config_string(host, keys[3], "");
    *state = &rules;
    return rules.guide_url ? 0 : SNEK_E_INVALID;
}

static const struct snek_permission permissions[] = {
    {"checks", "write"}, {"contents", "read"}, {"pull_requests", "read"}};
/* To know members, and to report to merge queues. */
static const struct snek_permission optional_permissions[] = {{"members", "read"},
                                                              {"merge_queues", "read"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = on_push},
    {.event = "pull_request", .action = "synchronize", .handler = on_push},
    {.event = "pull_request", .action = "reopened", .handler = on_push},
    {.event = "pull_request",
     .action = "edited",
     .handler = on_edit,
     .filters = {{"changes.base", SNEK_EXISTS, 0, {NULL}}}},
    {.event = "merge_group", .action = "checks_requested", .handler = on_merge_group}};
static const struct snek_check_action check_actions[] = {
    {.identifier = "override", .check = NAME, .roles = SNEK_ROLE_WRITE, .handler = on_override},
    {.check = NAME, .kind = SNEK_RERUN, .handler = on_rerun}};
/* .github/dco.yml */
static const struct snek_setting settings[] = {
    {.path = "require.members", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "allowRemediationCommits.individual", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "allowRemediationCommits.thirdParty", .kind = SNEK_SETTING_BOOLEAN}};
static const struct snek_effect effects[] = {{"POST", "/repos/{owner}/{repo}/check-runs"},
                                             {"PATCH", "/repos/{owner}/{repo}/check-runs/{id}"}};

SNEK_PLUGIN(.name = "dco", .version = "1.0", .summary = "Checks that commits are signed off.",
            SNEK_TABLE(permissions), SNEK_TABLE(optional_permissions), SNEK_TABLE(subscriptions),
            SNEK_TABLE(effects), SNEK_TABLE(check_actions), .repository_config = "dco",
            SNEK_TABLE(settings), .create = create)
