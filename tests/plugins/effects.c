/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of effects: makes one of each sort, as the event's action says, for the member, the
 * issue and the text that the event names. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <string.h>

#define MEMBERSHIP "/orgs/{org}/memberships/{username}"
#define COMMENTS "/repos/sneks-united/terrarium/issues/12/comments"

static int32_t member(struct snek_run *run, const char *method) {
    const char *role = strcmp(method, "PUT") == 0 ? "{\"role\":\"member\"}" : NULL;
    return snek_request(
        run, method, MEMBERSHIP,
        .parameters = {{"org", "sneks-united"}, {"username", snek_string(run, "member")}},
        .json = role);
}

static int32_t comment(struct snek_run *run) {
    return snek_post(run, COMMENTS, snek_json(run, "{'body':'%s'}", snek_string(run, "text")));
}

static int32_t delete_and_comment(struct snek_run *run) {
    int32_t result = member(run, "DELETE");
    return result < 0 && result != SNEK_E_NOT_FOUND ? result : comment(run);
}

static int32_t react(struct snek_run *run, uint32_t flags) {
    return snek_request(run, "POST", "/repos/sneks-united/terrarium/issues/12/reactions",
                        .json = "{\"content\":\"eyes\"}", .flags = flags);
}

/* Looks, remembers and acts, like many plugins; does nothing for a person who is remembered. */
static int32_t welcome(struct snek_run *run) {
    const char *who = snek_string(run, "member");
    int32_t known = snek_set_has(run, SNEK_SCOPE_PLUGIN, "welcomed", who);
    if (known != 0) {
        return known < 0 ? known : snek_skip(run, "welcomed before");
    }
    if (member(run, "GET") != SNEK_E_NOT_FOUND) {
        return snek_skip(run, "a member already");
    }
    int32_t result = member(run, "PUT");
    if (result < 0) {
        return result;
    }
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, "welcomed", who);
    if (added <= 0) {
        return added < 0 ? added : snek_skip(run, "somebody was faster");
    }
    return comment(run);
}

/* Its effect depends on the response that it read. */
static int32_t quote_title(struct snek_run *run) {
    struct snek_response *issue;
    int32_t result = snek_get(run, "/repos/sneks-united/terrarium/issues/12", &issue);
    const char *title =
        result == SNEK_DONE ? snek_response_string(run, issue, "title") : "no title";
    result = snek_post(run, COMMENTS, snek_json(run, "{'body':'%s'}", title));
    snek_free_response(run, issue);
    return result;
}

/* Writes one comment by name, whose text differs in each attempt; its id goes to `*id`. */
static int32_t named_comment(struct snek_run *run, int64_t *id) {
    struct snek_response *response;
    int attempt = (int)snek_event(run)->attempt(run);
    int32_t result = snek_request(run, "POST", COMMENTS,
                                  .json = snek_json(run, "{'body':'attempt %d'}", attempt),
                                  .once = "welcome", .response = &response);
    *id = snek_response_integer(run, response, "id", 0);
    return result;
}

static int32_t named(struct snek_run *run, const char *what) {
    int64_t id, again;
    if (strcmp(what, "named_other_place") == 0 && snek_event(run)->attempt(run) > 1) {
        return snek_request(run, "POST", "/repos/sneks-united/terrarium/issues/13/comments",
                            .json = snek_json(run, "{'body':'elsewhere'}"), .once = "welcome");
    }
    int32_t result = named_comment(run, &id);
    if (result < 0 || strcmp(what, "named") == 0) {
        return result < 0 ? result : react(run, SNEK_REQUEST_REPEATABLE);
    }
    result = named_comment(run, &again);
    snek_log(run, SNEK_LOG_INFO, snek_print(run, "%s", id == again ? "the same id" : "another"));
    return result;
}

static int32_t effects(struct snek_run *run) {
    const char *what = snek_event(run)->action(run);
    if (strncmp(what, "named", 5) == 0) {
        return named(run, what);
    }
    if (strcmp(what, "welcome") == 0) {
        return welcome(run);
    }
    if (strncmp(what, "quote_title", 11) == 0) {
        int32_t result = quote_title(run);
        return result < 0 || what[11] == '\0' ? result : react(run, 0);
    }
    if (strcmp(what, "comment") == 0) {
        return comment(run);
    }
    if (strcmp(what, "comment_twice") == 0) {
        int32_t result = comment(run);
        return result < 0 ? result : comment(run);
    }
    /* Repeats the request itself, without a retry by the host. */
    if (strcmp(what, "comment_again") == 0) {
        int32_t result = comment(run);
        return result < 0 ? comment(run) : result;
    }
    /* Like the one above, but the host retries the run once. */
    if (strcmp(what, "comment_again_and_retry") == 0) {
        int32_t result = comment(run);
        result = result < 0 ? comment(run) : result;
        if (result < 0 || snek_event(run)->attempt(run) > 1) {
            return result;
        }
        return snek_retry_after(run, 0, "again");
    }
    if (strcmp(what, "other_way") == 0) {
        int attempt = (int)snek_event(run)->attempt(run);
        int32_t result = snek_post(run, COMMENTS, snek_json(run, "{'body':'attempt %d'}", attempt));
        if (result < 0) {
            return result;
        }
        return snek_event(run)->attempt(run) > 1 ? SNEK_DONE : snek_retry_after(run, 0, "again");
    }
    if (strcmp(what, "react_and_retry") == 0) {
        int32_t result = react(run, 0);
        if (result < 0 || snek_event(run)->attempt(run) > 1) {
            return result;
        }
        return snek_retry_after(run, 0, "again");
    }
    if (strcmp(what, "read_title") == 0) {
        struct snek_response *issue;
        int32_t result = snek_get(run, "/repos/sneks-united/terrarium/issues/12", &issue);
        snek_free_response(run, issue);
        return result;
    }
    if (strncmp(what, "delete", 6) == 0) {
        return what[6] == '\0' ? member(run, "DELETE") : delete_and_comment(run);
    }
    return react(run, strcmp(what, "react_repeatable") == 0 ? SNEK_REQUEST_REPEATABLE : 0);
}

static const struct snek_permission permissions[] = {{"issues", "write"}, {"members", "write"}};
static const struct snek_subscription subscriptions[] = {{"effects", NULL, effects, {{0}}, 0, 0}};
SNEK_PLUGIN(.name = "effects", .version = "1", .summary = "makes one effect of each sort",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
