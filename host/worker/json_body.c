/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A body that is not JSON gets its sentence here, not GitHub's "Problems parsing JSON". */
#include "worker/json_body.h"

#include "base/json.h"
#include "protocol/frames.h"
#include "worker/run.h"

int32_t json_body_too_large(struct run *run) {
    return run_fail(run, SNEK_E_TOO_LARGE, "the request's body is larger than %u bytes",
                    FRAME_TO_HOST_MAX);
}

int32_t json_body_check(struct run *run, const char *body, size_t bytes) {
    const char *why;
    size_t at;
    return json_check(body, bytes, &why, &at) == 0
               ? 0
               : run_fail(run, SNEK_E_INVALID, "the request's body is not JSON: %s at byte %zu",
                          why, at);
}
