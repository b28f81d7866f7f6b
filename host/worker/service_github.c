/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github": the slots over http_send, response and pagination. */
#include "base/json.h"
#include "protocol/access.h"
#include "worker/app_call.h"
#include "worker/descriptor.h"
#include "worker/http_send.h"
#include "worker/pagination.h"
#include "worker/response.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/worker.h"

#include <snekomatic/convenience.h>

#include <string.h>

static int32_t github_send(struct snek_run *shown, const struct snek_request *request) {
    AUTO_HTTP_CALL struct http_call call = {0};
    if (!shown) {
        return SNEK_E_INVALID;
    }
    http_call_init(&call);
    int32_t result = http_call_build(run_of(shown), request, &call);
    return result < 0 ? result : http_send(run_of(shown), &call, call.response);
}

static int32_t github_graphql(struct snek_run *shown, const struct snek_graphql *query) {
    AUTO_HTTP_CALL struct http_call call = {0};
    if (!shown) {
        return SNEK_E_INVALID;
    }
    http_call_init(&call);
    int32_t result = http_call_build_graphql(run_of(shown), query, false, &call);
    return result < 0 ? result : http_send(run_of(shown), &call, call.response);
}

static int32_t github_has_permission(struct snek_run *shown, const char *name, const char *access) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    struct frame_text granted;
    struct json_value value;
    if (!name || !*name || !access || access_rank(access, strlen(access)) == 0) {
        return run_fail(run, SNEK_E_INVALID,
                        "has_permission() needs the name of a permission and read, write or admin");
    }
    if (!descriptor_declares(worker_plugin(run_worker(run)), name)) {
        return run_fail(run, SNEK_E_INVALID,
                        "the plugin does not declare the permission %.100s: add it to "
                        "optional_permissions",
                        name);
    }
    int32_t result = app_call_send(run, FRAME_APP_PERMISSIONS, &granted);
    if (result < 0) {
        return result;
    }
    bool found = json_find(granted.data, granted.bytes, name, &value) && value.type == JSON_STRING;
    return found &&
           access_rank(value.raw + 1, value.raw_bytes - 2) >= access_rank(access, strlen(access));
}

static int32_t github_bot_login(struct snek_run *shown, struct snek_text *login) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    struct frame_text slug;
    if (!login) {
        return run_fail_null(run, "bot_login() needs a place for the login, and got NULL");
    }
    int32_t result = app_call_send(run, FRAME_APP_SLUG, &slug);
    if (result < 0) {
        return result;
    }
    const char *text = snek_print(shown, "%s[bot]", slug.data);
    if (!text) {
        return run_take_text_failure(run);
    }
    *login = (struct snek_text){.data = text, .bytes = strlen(text)};
    return 0;
}

const struct snek_github_service service_github = {
    .bytes = sizeof(struct snek_github_service),
    .request_bytes = sizeof(struct snek_request),
    .send = github_send,
    .free_response = response_free,
    .status = response_status,
    .body = response_body,
    .header = response_header,
    .find = response_find,
    .graphql = github_graphql,
    .pages = pagination_begin,
    .graphql_pages = pagination_begin_graphql,
    .next = pagination_next,
    .item = pagination_item,
    .page = pagination_page,
    .free_pages = pagination_free,
    .has_permission = github_has_permission,
    .bot_login = github_bot_login,
};
