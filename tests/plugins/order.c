/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says in the log which of its handlers were called; each returns what the payload has under
 * `returns`, by its name. Its commands answer where they were given. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>

static int32_t called(struct snek_run *run, const char *name) {
    char path[64], reason[64];
    snek_log(run, SNEK_LOG_INFO, name);
    snprintf(path, sizeof path, "returns.%s", name);
    snprintf(reason, sizeof reason, "%s said so", name);
    run->host->explain(run->host, run, reason, 0);
    return (int32_t)snek_integer(run, path, SNEK_SKIPPED);
}

#define HANDLER(name)                                                                              \
    static int32_t name(struct snek_run *run) {                                                    \
        return called(run, #name);                                                                 \
    }
HANDLER(any_push)
HANDLER(created_push)
HANDLER(merged)
HANDLER(unmerged)
HANDLER(in_two)
HANDLER(exists)
HANDLER(is_null)
HANDLER(all_four)
HANDLER(number)
HANDLER(any_check)
HANDLER(own_check)

/* Logs its words, then posts a reply and a reaction. */
static int32_t one(struct snek_run *run) {
    char text[200] = "one:";
    for (uint32_t i = 0; snek_argument(run, i); i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[%s]", snek_argument(run, i));
    }
    return called(run, text);
}

static int32_t members(struct snek_run *run) {
    return called(run, "members");
}

static int32_t answer(struct snek_run *run) {
    char text[200];
    struct snek_text body = snek_commands(run)->body(run);
    int32_t replied = snek_reply(run, "pong \"!\"\n");
    int32_t reacted = snek_react(run, "heart");
    snprintf(text, sizeof text, "%d %d %s %d", replied, reacted, body.data ? "body" : "none",
             snek_react(run, "snake"));
    snek_log(run, SNEK_LOG_INFO, text);
    return replied < 0 ? replied : SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {
    {"push", NULL, any_push, {{0}}, 0, 0},
    {"push", "created", created_push, {{0}}, 0, 0},
    {"pull_request", "closed", merged, {{"pull_request.merged", SNEK_IS, 0, {"true"}}}, 0, 0},
    {"pull_request", "closed", unmerged, {{"pull_request.merged", SNEK_IS, 0, {"false"}}}, 0, 0},
    {"pull_request",
     "closed",
     in_two,
     {{"labels[1].name", SNEK_IN, 0, {"snake", "caf\xC3\xA9"}}},
     0,
     0},
    {"pull_request", "closed", exists, {{"milestone", SNEK_EXISTS, 0, {NULL}}}, 0, 0},
    {"pull_request", "closed", is_null, {{"milestone", SNEK_IS, 0, {"null"}}}, 0, 0},
    {"pull_request", "closed", number, {{"number", SNEK_IS, 0, {"42"}}}, 0, 0},
    {"pull_request",
     "closed",
     all_four,
     {{"number", SNEK_EXISTS, 0, {NULL}},
      {"labels", SNEK_EXISTS, 0, {NULL}},
      {"pull_request.merged", SNEK_IN, 0, {"true", "false"}},
      {"labels[0].name", SNEK_IS, 0, {"snake"}}},
     0,
     0},
    {"pull_request", "labeled", answer, {{0}}, 0, 0},
    {"commit_comment", NULL, answer, {{0}}, 0, 0},
    {"check_run", NULL, any_check, {{0}}, 0, 0},
    {"check_run", NULL, own_check, {{0}}, SNEK_OWN_EVENTS, 0},
};

static const struct snek_command commands[] = {
    {"one", "/one WORDS: repeats them", SNEK_ROLE_ANYBODY, 0, one, NULL},
    {"writers", "/writers", SNEK_ROLE_WRITE, SNEK_DENIED_REPLY, members, "Not you."},
    {"members", "/members", SNEK_ROLE_AUTHOR | SNEK_ROLE_ORG_MEMBER, SNEK_DENIED_REACTION, members,
     NULL},
    {"admins", "/admins", SNEK_ROLE_ADMIN, SNEK_DENIED_SILENT, members, NULL},
    {"answer", "/answer: here", SNEK_ROLE_ANYBODY, 0, answer, NULL},
};

static const struct snek_permission permissions[] = {{"members", "read"}, {"discussions", "write"}};

SNEK_PLUGIN(.name = "order", .version = "1", .summary = "says what was called",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), SNEK_TABLE(commands))
