/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads effective permissions and memberships from GitHub. The payload's `author_association` does
 * not count: it shows a private member of the organization as CONTRIBUTOR. */
#include "worker/roles.h"

#include "base/lock.h"
#include "worker/descriptor.h"
#include "worker/http_send.h"
#include "worker/response.h"
#include "worker/run.h"
#include "worker/worker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LEVELS (SNEK_ROLE_TRIAGE | SNEK_ROLE_WRITE | SNEK_ROLE_MAINTAIN | SNEK_ROLE_ADMIN)

/* The levels from the lowest to the highest: each includes those before it. */
static const struct {
    uint32_t role;
    const char *flag;
} levels[] = {{SNEK_ROLE_TRIAGE, "user.permissions.triage"},
              {SNEK_ROLE_WRITE, "user.permissions.push"},
              {SNEK_ROLE_MAINTAIN, "user.permissions.maintain"},
              {SNEK_ROLE_ADMIN, "user.permissions.admin"}};
#define N_LEVELS (sizeof levels / sizeof *levels)

/* ---- what a run remembers ---- */

void role_facts_init(struct role_facts *facts) {
    *facts = (struct role_facts){.count = 0};
    pthread_mutex_init(&facts->lock, NULL);
}

void role_facts_finish(struct role_facts *facts) {
    pthread_mutex_destroy(&facts->lock);
}

static bool recall(struct run *run, const struct person *person, uint32_t decides, uint32_t *has) {
    struct role_facts *facts = run_role_facts(run);
    SCOPED_LOCK(&facts->lock);
    for (size_t i = 0; i < facts->count; i++) {
        const struct role_fact *fact = &facts->facts[i];
        if (fact->decides == decides && fact->id == person->id &&
            strcasecmp(fact->login, person->login) == 0) {
            *has = fact->has;
            return true;
        }
    }
    return false;
}

static void remember(struct run *run, const struct person *person, uint32_t decides, uint32_t has) {
    struct role_facts *facts = run_role_facts(run);
    struct role_fact fact = {.id = person->id, .decides = decides, .has = has};
    assert((has & ~decides) == 0);
    if (strlen(person->login) >= sizeof fact.login) {
        return;
    }
    strcpy(fact.login, person->login);
    SCOPED_LOCK(&facts->lock);
    if (facts->count < ROLE_FACTS_MAX) {
        facts->facts[facts->count++] = fact;
    }
}

/* ---- the payload ---- */

static bool is_author_of(struct run *run, const struct person *person, const char *item) {
    struct snek_value id;
    char path[40];
    snprintf(path, sizeof path, "%s.user.id", item);
    if (person->id > 0 && run_find(run, path, &id) == SNEK_NUMBER) {
        return id.is_integer && id.integer == person->id;
    }
    snprintf(path, sizeof path, "%s.user.login", item);
    const char *login = run_find_text(run, path);
    return login && strcasecmp(login, person->login) == 0;
}

/* The item is the issue, pull request or discussion that the event is about. */
static bool is_author(struct run *run, const struct person *person) {
    return is_author_of(run, person, "issue") || is_author_of(run, person, "pull_request") ||
           is_author_of(run, person, "discussion");
}

/* ---- GitHub's responses ---- */

/* The highest level, from 1, that the texts of the response imply; 0 for none. `permission` knows
 * admin, write, read and none. `role_name` has names of custom roles too, so only two of its values
 * count. */
static size_t implied_level(struct snek_response *response, bool *known) {
    static const struct {
        const char *path, *text;
        size_t level;
    } texts[] = {{"permission", "admin", 4},
                 {"role_name", "maintain", 3},
                 {"permission", "write", 2},
                 {"role_name", "triage", 1}};
    struct snek_value value;
    *known = response_find(response, "permission", NULL) == SNEK_STRING;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (response_find(response, texts[i].path, &value) == SNEK_STRING &&
            strcmp(value.text.data, texts[i].text) == 0) {
            return texts[i].level;
        }
    }
    return 0;
}

/* 0 and the levels that a 200 names, or a negative error. A flag decides its level; the texts
 * decide the levels whose flag is absent. */
static int32_t read_levels(struct run *run, const struct person *person,
                           struct snek_response *response, uint32_t *has) {
    struct snek_value id;
    bool known;
    size_t implied = implied_level(response, &known), highest = 0;
    for (size_t i = 0; i < N_LEVELS; i++) {
        uint32_t kind = response_find(response, levels[i].flag, NULL);
        bool is_flag = kind == SNEK_TRUE || kind == SNEK_FALSE;
        known = known || is_flag;
        if (kind == SNEK_TRUE || (!is_flag && i < implied)) {
            highest = i + 1;
        }
    }
    if (!known) {
        return run_fail(run, SNEK_E_SERVER,
                        "GitHub's response about the permission of %.100s has neither "
                        "`user.permissions` nor `permission`: is github.api_url right?",
                        person->login);
    }
    if (person->id > 0 && response_find(response, "user.id", &id) == SNEK_NUMBER &&
        id.integer != person->id) {
        worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_WARNING,
                   "the login of the person who wrote the event belongs to another account now");
        return 0;
    }
    for (size_t i = 0; i < highest; i++) {
        *has |= levels[i].role;
    }
    return 0;
}

/* GitHub does not let the app know. The run's reason has the response. */
static void log_unknown(struct run *run, const struct person *person, const char *subject) {
    char text[FRAME_REASON_MAX + 1], reason[FRAME_REASON_MAX + 1];
    run_copy_reason(run, reason);
    snprintf(text, sizeof text,
             "GitHub does not let this app know %s of %.100s, so it counts as none: %.700s",
             subject, person->login, reason);
    worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_WARNING, text);
}

static int32_t send_read(struct run *run, const struct snek_request *request, bool no_follow,
                         struct snek_response **response) {
    AUTO_HTTP_CALL struct http_call call = {0};
    http_call_init(&call);
    int32_t result = http_call_build(run, request, &call);
    call.no_follow = no_follow;
    return result < 0 ? result : http_send(run, &call, response);
}

/* The member's 302 is not followed: it leads to the public members, which is another list. */
static int32_t send_lookup(struct run *run, const struct person *person, uint32_t decides,
                           struct snek_response **response) {
    const struct snek_request of_level = {
        .bytes = sizeof of_level,
        .method = "GET",
        .url = "/repos/{owner}/{repo}/collaborators/{username}/permission",
        .parameters = {{"username", person->login}}};
    const struct snek_request of_member = {
        .bytes = sizeof of_member,
        .method = "GET",
        .url = "/orgs/{org}/members/{username}",
        .parameters = {{"org", run_find_text(run, "organization.login")},
                       {"username", person->login}}};
    bool of_levels = decides == LEVELS;
    return send_read(run, of_levels ? &of_level : &of_member, !of_levels, response);
}

/* 0 and the roles of `decides` that GitHub says the person has; or a negative error. */
static int32_t look_up(struct run *run, const struct person *person, uint32_t decides,
                       uint32_t *has) {
    bool of_levels = decides == LEVELS;
    struct snek_response *response = NULL;
    int32_t result = send_lookup(run, person, decides, &response);
    int32_t status = response_status(response);
    if (result == 0 && of_levels) {
        result = read_levels(run, person, response, has);
    } else if (result == 0 && status == 204) {
        *has = decides;
    } else if (result == 0) {
        result =
            run_fail(run, SNEK_E_SERVER,
                     "GitHub responded with %d, neither 204 nor 404, when asked whether %.100s "
                     "is a member: is github.api_url right?",
                     status, person->login);
    } else if (result == SNEK_E_NOT_FOUND && status == 404) {
        result = 0;
    } else if ((result == SNEK_E_FORBIDDEN && status == 403) || status == 302) {
        log_unknown(run, person, of_levels ? "the permission" : "the membership");
        result = 0;
    }
    if (result == 0) {
        /* A response that denies is no failure, so it leaves no reason. */
        run_leave_reason(run, "", 0);
    }
    response_free(response);
    return result;
}

/* ---- the roles ---- */

bool roles_are_known(uint32_t roles) {
    return (roles & ~(uint32_t)(LEVELS | SNEK_ROLE_AUTHOR | SNEK_ROLE_ORG_MEMBER)) == 0;
}

bool roles_are_readable(const struct snek_plugin *plugin, uint32_t roles) {
    return (roles & SNEK_ROLE_ORG_MEMBER) == 0 || descriptor_declares(plugin, "members");
}

int32_t roles_has(struct run *run, const struct person *person, uint32_t roles) {
    static const uint32_t lookups[] = {LEVELS, SNEK_ROLE_ORG_MEMBER};
    assert(person->login && roles_are_known(roles));
    if (roles == SNEK_ROLE_ANYBODY || ((roles & SNEK_ROLE_AUTHOR) && is_author(run, person))) {
        return 1;
    }
    for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
        uint32_t decides = lookups[i], has = 0;
        bool personal =
            decides == SNEK_ROLE_ORG_MEMBER && !run_find_text(run, "organization.login");
        if (!(roles & decides) || personal) {
            /* A personal account has no members. */
            continue;
        }
        if (!recall(run, person, decides, &has)) {
            int32_t result = look_up(run, person, decides, &has);
            if (result < 0) {
                return result;
            }
            remember(run, person, decides, has);
        }
        if (has & roles) {
            return 1;
        }
    }
    return 0;
}
