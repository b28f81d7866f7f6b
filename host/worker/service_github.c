/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github": the slots over http_send, response and pagination. */
#include "worker/http_send.h"
#include "worker/pagination.h"
#include "worker/response.h"
#include "worker/run.h"
#include "worker/services.h"

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
};
