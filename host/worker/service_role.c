/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "role": the slot over roles. */
#include "worker/roles.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/worker.h"

#include <snekomatic/role.h>

static int32_t role_has(struct snek_run *shown, const char *login, uint32_t roles) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!login) {
        return run_fail_null(run, "has() needs a login, and got NULL");
    }
    if (!roles_are_known(roles)) {
        return run_fail(run, SNEK_E_INVALID,
                        "has() got the roles %u, which are no enum snek_role_flag of this host",
                        roles);
    }
    if (!roles_are_readable(worker_plugin(run_worker(run)), roles)) {
        return run_fail(run, SNEK_E_INVALID,
                        "SNEK_ROLE_ORG_MEMBER needs a permission: declare {\"members\", \"read\"}");
    }
    return roles_has(run, &(struct person){.login = login}, roles);
}

const struct snek_role_service service_role = {
    .bytes = sizeof(struct snek_role_service),
    .has = role_has,
};
