/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes and frees deployments. */
#include "supervisor/deployment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct deployment *deployment_new(struct error *err) {
    struct deployment *deployment = calloc(1, sizeof *deployment);
    if (!deployment) {
        error_set(err, "out of memory");
        return NULL;
    }
    deployment->descriptions_fd = memfd_create("snekomatic-descriptions", MFD_CLOEXEC);
    if (deployment->descriptions_fd < 0) {
        error_set(err, "cannot create a memfd: %s", strerror(errno));
        free(deployment);
        return NULL;
    }
    return deployment;
}

void deployment_free(struct deployment *deployment) {
    if (!deployment) {
        return;
    }
    for (size_t i = 0; i < CONFIG_PLUGINS_MAX; i++) {
        plugin_copy_finish(&deployment->copies[i]);
    }
    cleanup_close(&deployment->descriptions_fd);
    config_free(deployment->owned_config);
    free(deployment);
}
