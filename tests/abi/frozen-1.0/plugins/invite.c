/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Invites a contributor to the organization after their first merged pull request, and welcomes
 * them there. README.md promises the order of the steps in handle_closed(). */
#include <snekomatic/snekomatic.h>

#include <ctype.h>

/* GitHub's own limits are 39 for people and organizations, 100 for repositories. */
#define NAME_MAX_BYTES 100
#define MEMBERSHIP "/orgs/{org}/memberships/{username}"
#define NAMES(invitation)                                                                          \
    .parameters = {{"org", (invitation)->organization}, {"username", (invitation)->user}}

/* The sets, shared by all installations. Entries are "organization/user id", because a login can
 * pass to another person. In the original bot's database, entries are logins. */
#define INVITED "invited"
#define INVITED_BY_THE_ORIGINAL "sent_invitation"

/* The message unless the configuration has one. {guide} and {code} are a sentence and a half that
 * are empty unless the configuration has their URLs. All of it must be true for any organization.
 */
static const char default_message[] =
    "Hi @{user}! Your first pull request in {organization} has just been merged. Thank you! 🎉 🐍\n"
    "\n"
    "We would be glad to have you with us, so an invitation to join {organization} is on its way "
    "to you. If you accept it, you become a member: GitHub may notify you of what goes on here, "
    "you can show that you belong to {organization} on your profile and beside your comments, and "
    "you get the rights that {organization} gives to its members. In many organizations these are "
    "to triage issues, and to review and merge the pull requests of others.{guide}\n"
    "\n"
    "None of this is a duty. You may decline or ignore the invitation, and I will not ask you "
    "again: what you contribute is as welcome as before, and so are you. If you change your mind "
    "later, tell us.\n"
    "\n"
    "As for me, I am only a bot{code}. Whatever you would like to know, please ask {ask}.";
static const char guide_sentence[] =
    " How we go about all that is written down in [our contributing guide]({guide_url}).";
static const char code_clause[] = ", and [this is my code]({code_url})";
/* The {guide_url} of a configured message when there is no configured guide. */
static const char default_guide_url[] =
    "https://github.com/{organization}/{repository}/blob/HEAD/CONTRIBUTING.md";
static const char default_ask[] = "in a comment right here, and a human will answer";

struct invitation {
    const char *user;
    const char *organization;
    const char *repository;
    /* In INVITED. */
    const char *entry;
};

/* A copy; "" for NULL. NULL when memory is short. */
static const char *lower_case(struct snek_run *run, const char *text) {
    size_t bytes = text ? strlen(text) : 0;
    char *copy = (char *)snek_allocate(run, bytes + 1);
    for (size_t i = 0; copy && i < bytes; i++) {
        copy[i] = (char)tolower((unsigned char)text[i]);
    }
    if (copy) {
        copy[bytes] = '\0';
    }
    return copy;
}

/* 0, or the end of the run when the author is no person who could accept an invitation: an account
 * that was deleted, a bot, a Mannequin (a stand-in for somebody whose contributions were imported),
 * an organization. */
static int32_t check_person(struct snek_run *run) {
    const char *type = snek_string(run, "pull_request.user.type");
    const char *kind = lower_case(run, type ? type : "user");
    const char *login = lower_case(run, snek_string(run, "pull_request.user.login"));
    if (!kind || !login) {
        return SNEK_E_FAILED;
    }
    /* GitHub shows the contributions of deleted accounts as those of the user ghost. */
    if (!snek_exists(run, "pull_request.user") || strcmp(login, "ghost") == 0) {
        return snek_skip(run, "the author's account is gone");
    }
    if (strcmp(kind, "user") == 0) {
        return 0;
    }
    return snek_skip(run, snek_print(run, "the author is no person but a %.20s", type));
}

/* The name at `path`; NULL when there is none, or when it has a character that GitHub's names never
 * have (those of managed users have an underscore). So a name cannot add Markdown or a mention to
 * the welcome. */
static const char *name_at(struct snek_run *run, const char *path, const char *extra) {
    const char *name = snek_string(run, path);
    size_t bytes = name ? strlen(name) : 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!(name[i] >= '0' && name[i] <= '9') && !(name[i] >= 'a' && name[i] <= 'z') &&
            !(name[i] >= 'A' && name[i] <= 'Z') && !strchr(extra, name[i])) {
            return NULL;
        }
    }
    return bytes > 0 && bytes <= NAME_MAX_BYTES ? name : NULL;
}

/* 0, or the result of the run when the payload lacks a member. It reads everything before the
 * plugin changes anything. */
static int32_t read_invitation(struct snek_run *run, struct invitation *invitation) {
    int64_t id = snek_integer(run, "pull_request.user.id", 0);
    invitation->user = name_at(run, "pull_request.user.login", "-_");
    invitation->organization = name_at(run, "organization.login", "-_");
    invitation->repository = name_at(run, "repository.name", "-_.");
    if (!invitation->user || id <= 0) {
        return snek_reject(run, "pull_request.user has no usable login and id");
    }
    if (!invitation->organization) {
        return snek_reject(run, "organization.login is missing, or is no GitHub name");
    }
    if (!invitation->repository) {
        return snek_reject(run, "repository.name is missing, or is no GitHub name");
    }
    if (!snek_string(run, "pull_request.comments_url")) {
        return snek_reject(run, "pull_request.comments_url is missing");
    }
    invitation->entry =
        snek_print(run, "%s/%" PRId64, lower_case(run, invitation->organization), id);
    return invitation->entry ? 0 : SNEK_E_FAILED;
}

/* 1, 0 or negative: did this plugin or the original bot invite the person before? */
static int32_t is_recorded(struct snek_run *run, const struct invitation *invitation) {
    int32_t found = snek_set_has(run, SNEK_SCOPE_PLUGIN, INVITED, invitation->entry);
    if (found != 0) {
        return found;
    }
    return snek_set_has(run, SNEK_SCOPE_PLUGIN, INVITED_BY_THE_ORIGINAL, invitation->user);
}

static int32_t record(struct snek_run *run, const struct invitation *invitation) {
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, INVITED, invitation->entry);
    return added < 0 ? added : 0;
}

/* 1, 0 or negative: is the person a member, or invited by somebody else? */
static int32_t is_member(struct snek_run *run, const struct invitation *invitation) {
    struct snek_response *response;
    int32_t result = snek_request(run, "GET", MEMBERSHIP, NAMES(invitation), .response = &response);
    if (snek_status(run, response) == 404) {
        return 0;
    }
    if (result < 0) {
        return result;
    }
    const char *state = snek_response_string(run, response, "state");
    if (state && (strcmp(state, "active") == 0 || strcmp(state, "pending") == 0)) {
        return 1;
    }
    return snek_fail(run, "GitHub responded with a membership that is neither active nor pending");
}

static int32_t welcome(struct snek_run *run, const struct invitation *invitation) {
    const struct snek_parameter names[] = {{"user", invitation->user},
                                           {"organization", invitation->organization},
                                           {"repository", invitation->repository}};
    return snek_reply_once(run, "welcome",
                           snek_fill(run, (const char *)run->state, names, SNEK_COUNT(names)));
}

static int32_t invite(struct snek_run *run, const struct invitation *invitation) {
    int32_t member = is_member(run, invitation);
    if (member < 0) {
        return member;
    }
    if (member) {
        int32_t result = record(run, invitation);
        return result < 0 ? result : snek_skip(run, "a member already, or invited by somebody");
    }
    int32_t result = snek_request(run, "PUT", MEMBERSHIP, NAMES(invitation),
                                  .json = snek_json(run, "{'role':'member'}"));
    if (result < 0) {
        return result;
    }
    result = record(run, invitation);
    return result < 0 ? result : welcome(run, invitation);
}

static int32_t handle_closed(struct snek_run *run) {
    if (!snek_boolean(run, "pull_request.merged")) {
        return snek_skip(run, "closed without a merge");
    }
    int32_t result = check_person(run);
    if (result != 0) {
        return result;
    }
    if (!snek_exists(run, "organization")) {
        return snek_skip(run, "the repository belongs to no organization");
    }
    struct invitation invitation;
    result = read_invitation(run, &invitation);
    if (result != 0) {
        return result;
    }
    int32_t recorded = is_recorded(run, &invitation);
    if (recorded < 0) {
        return recorded;
    }
    return recorded ? snek_skip(run, "invited before") : invite(run, &invitation);
}

/* A copy that joins the lines of each paragraph with a space, because GitHub shows every newline of
 * a comment as a line break. A blank line still starts a new paragraph. NULL after
 * snek_reject_start(). */
static const char *join_lines(const struct snek_host *host, const char *text) {
    static const char spaces[] = " \t\r\n";
    const char *in = text + strspn(text, spaces);
    char *joined = (char *)snek_allocate_kept(host, strlen(text) + 1), *out = joined;
    while (out && *in) {
        size_t word = strcspn(in, spaces);
        memcpy(out, in, word);
        out += word;
        in += word;
        size_t space = strspn(in, spaces);
        size_t newlines = 0;
        for (size_t i = 0; i < space; i++) {
            newlines += in[i] == '\n';
        }
        const char *between = in;
        size_t between_bytes = space;
        if (newlines > 0) {
            between = newlines == 1 ? " " : "\n\n";
            between_bytes = newlines == 1 ? 1 : 2;
        }
        if (!in[space]) {
            between_bytes = 0;
        }
        memcpy(out, between, between_bytes);
        out += between_bytes;
        in += space;
    }
    if (out) {
        *out = '\0';
    }
    return joined;
}

/* Is it the name of a {word} that has a value? */
static int is_word(const char *name, size_t bytes) {
    static const char *const words[] = {"user", "organization", "repository"};
    for (size_t i = 0; i < SNEK_COUNT(words); i++) {
        if (strlen(words[i]) == bytes && strncmp(words[i], name, bytes) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Rejects a {word} of `text` that has no value, so that a typing error shows at start and not in
 * the welcome of a contributor. */
static int32_t check_words(const struct snek_host *host, const char *text) {
    for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
        size_t bytes = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
        if (bytes > 0 && at[bytes + 1] == '}' && !is_word(at + 1, bytes)) {
            return snek_reject_start(
                host, snek_print_kept(
                          host,
                          "plugin.config: {%.*s} has no value; use {user}, {organization} and "
                          "{repository}, and in message also {guide_url}, {code_url} and {ask}",
                          (int)(bytes < 40 ? bytes : 40), at + 1));
        }
    }
    return *text ? 0 : snek_reject_start(host, "plugin.config.message is empty");
}

/* The message with its parts, but without names; NULL after snek_reject_start(). */
static const char *compose(const struct snek_host *host) {
    const char *message = snek_config_string(host, "message", default_message);
    const char *guide_url = snek_config_string(host, "guide_url", "");
    const char *code_url = snek_config_string(host, "code_url", "");
    const char *ask = snek_config_string(host, "ask", default_ask);
    if (!message || !guide_url || !code_url || !ask) {
        return NULL;
    }
    const struct snek_parameter sentences[] = {{"guide", *guide_url ? guide_sentence : ""},
                                               {"code", *code_url ? code_clause : ""}};
    const struct snek_parameter parts[] = {
        {"guide_url", *guide_url ? guide_url : default_guide_url},
        {"code_url", code_url},
        {"ask", ask}};
    message = snek_fill_kept(host, message, sentences, SNEK_COUNT(sentences));
    message = snek_fill_kept(host, message, parts, SNEK_COUNT(parts));
    return message ? join_lines(host, message) : NULL;
}

static int32_t create(const struct snek_host *host, void **state) {
    static const char *const keys[] = {"message", "guide_url", "code_url", "ask"};
    int32_t result = snek_config_allow(host, keys, SNEK_COUNT(keys));
    if (result < 0) {
        return result;
    }
    const char *message = compose(host);
    *state = (void *)message;
    return message ? check_words(host, message) : SNEK_E_INVALID;
}

static const struct snek_permission permissions[] = {{"members", "write"},
                                                     {"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    /* The bot's own merge counts like anybody's. */
    {.event = "pull_request",
     .action = "closed",
     .handler = handle_closed,
     .flags = SNEK_OWN_EVENTS}};

SNEK_PLUGIN(.name = "invite", .version = "1.0",
            .summary = "Invites contributors to the organization after their first merge.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), .create = create)
