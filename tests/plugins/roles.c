/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A command for each role; each replies with its name. /ask LOGIN ROLES replies with what the role
 * service says. */
#include <snekomatic/snekomatic.h>

static int32_t allowed(struct snek_run *run) {
    char text[100];
    snprintf(text, sizeof text, "%.50s is allowed", snek_argument(run, 0));
    return snek_reply(run, text);
}

/* Two roles of one person, and twice the same one: at most one request each. */
static int32_t ask(struct snek_run *run) {
    const char *login = snek_argument(run, 1), *roles = snek_argument(run, 2);
    char text[100];
    int32_t first = snek_role(run, login, roles ? (uint32_t)strtoul(roles, NULL, 10) : 0);
    int32_t second = snek_role(run, login, roles ? (uint32_t)strtoul(roles, NULL, 10) : 0);
    if (first < 0) {
        return first;
    }
    snprintf(text, sizeof text, "%s: %d%d", login, (int)first, (int)second);
    return snek_reply(run, text);
}

static const struct snek_permission permissions[] = {
    {"issues", "write"},
    {"pull_requests", "write"},
    {"members", "read"},
#ifdef WITH_DISCUSSIONS
    {"discussions", "write"},
#endif
};

#define COMMAND(command, who, how, text)                                                           \
    {                                                                                              \
        .name = command, .usage = "/" command ": replies when allowed", .roles = who,              \
        .handler = allowed, .denied = how, .denied_text = text                                     \
    }

static const struct snek_command commands[] = {
    COMMAND("anybody", SNEK_ROLE_ANYBODY, SNEK_DENIED_SILENT, NULL),
    COMMAND("author", SNEK_ROLE_AUTHOR, SNEK_DENIED_REACTION, NULL),
    COMMAND("triage", SNEK_ROLE_TRIAGE, SNEK_DENIED_SILENT, NULL),
    COMMAND("write", SNEK_ROLE_WRITE, SNEK_DENIED_SILENT, NULL),
    COMMAND("maintain", SNEK_ROLE_MAINTAIN, SNEK_DENIED_SILENT, NULL),
    COMMAND("admin", SNEK_ROLE_ADMIN, SNEK_DENIED_SILENT, NULL),
    COMMAND("member", SNEK_ROLE_ORG_MEMBER, SNEK_DENIED_REPLY, "This is for members."),
    COMMAND("mixed", SNEK_ROLE_AUTHOR | SNEK_ROLE_TRIAGE | SNEK_ROLE_ORG_MEMBER, SNEK_DENIED_REPLY,
            "This is not for you."),
    COMMAND("puzzled", SNEK_ROLE_ADMIN, SNEK_DENIED_REACTION, "confused"),
    {.name = "ask", .usage = "/ask LOGIN ROLES", .handler = ask},
};

SNEK_PLUGIN(.name = "roles", .version = "1.0", .summary = "Has a command for each role.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
