/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "role", revision 1: is a person allowed to do something in the event's repository?
 *
 *   plugin                                   host                             GitHub
 *    | has(run, "mona", SNEK_ROLE_AUTHOR |    |                                  |
 *    |                  SNEK_ROLE_TRIAGE)     |                                  |
 *    |--------------------------------------->| the payload: is mona the author? |
 *    |                                        | if not: mona's permission        |
 *    |                                        |--------------------------------->|
 *    |        1, 0 or a negative error        |<---------------------------------|
 *    |<---------------------------------------|
 *
 * The levels are read with GET /repos/{owner}/{repo}/collaborators/{user}/permission, which needs
 * {"metadata", "read"}: GitHub grants it with every permission of repositories. Membership is read
 * with GET /orgs/{org}/members/{user}, which needs {"members", "read"}. The service never looks at
 * `author_association`: there, a private member of the organization looks like anybody else.
 *
 * The host records these reads like those of the plugin, so a retry gets the same answer for them.
 * A run asks GitHub once about each person. The roles of a command (plugin.h) are checked in the
 * same way. */
#ifndef SNEKOMATIC_ROLE_H
#define SNEKOMATIC_ROLE_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_ROLE_SERVICE "role"
#define SNEK_ROLE_REVISION 1

struct snek_role_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] 1 when the user with this login has at least one of `roles` (enum snek_role_flag),
     * 0 when not, or a negative enum snek_error with a reason. SNEK_ROLE_ANYBODY is always 1.
     * Copies `login`. Blocks until GitHub responds, unless the payload or this run knows the
     * answer.
     *
     * Only 200 and 404 (of a membership 204 and 404) are an answer. A 403, and a 302 for a
     * membership, mean that the app may not know it: that is 0, with a warning in the log that
     * names the missing permission. Any other response is an error. SNEK_E_INVALID when `login` is
     * NULL, when a bit of `roles` is unknown, or when the plugin asks for SNEK_ROLE_ORG_MEMBER and
     * does not declare the permission `members`. */
    int32_t (*has)(struct snek_run *run, const char *login, uint32_t roles);
};

#ifdef __cplusplus
}
#endif

#endif
