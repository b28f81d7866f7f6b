/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The greeting page, the liveness and the readiness endpoint. */
#include "ingest/page.h"
#include "ingest/server.h"

#include <string.h>

/* In bytes, of the members that the host adds to /readyz. */
#define STATUS_MAX 65536

/* Appends /readyz's response. Returns readiness. */
static bool describe(const struct ingest *ingest, struct buffer *json) {
    const struct ingest_options *options = &ingest->options;
    AUTO_BUFFER struct buffer members = BUFFER_INIT(STATUS_MAX);
    bool ready = options->append_status(options->context, &members) && !ingest->quiesced;
    buffer_printf(json, "{\"ready\":%s", ready ? "true" : "false");
    if (members.bytes > 0) {
        buffer_printf(json, ",%s", members.data);
    }
    buffer_append_text(json, "}\n");
    return ready;
}

static void respond_alive(struct http_request *request) {
    static const char json[] = "{\"status\":\"ok\"}\n";
    http_respond(request, MHD_HTTP_OK, "application/json", json, sizeof json - 1);
}

static void respond_ready(struct http_request *request) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(STATUS_MAX + 64);
    bool ready = describe(request->route->context, &json);
    http_respond(request, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "application/json",
                 json.data, json.bytes);
    if (!ready) {
        http_response_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "10");
    }
}

static void respond_greeting(struct http_request *request) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(STATUS_MAX + 64), page = BUFFER_INIT(8192);
    bool ready = describe(request->route->context, &json);
    http_page_begin(&page, "snekomatic");
    http_page_html(
        &page, "<h1>Hi! 🐍🐍🐍</h1>\n"
               "<p>This is <strong>snekomatic</strong>, a host for GitHub bots. GitHub sends it "
               "the events of a repository, at <code>/webhook/github</code>, and its plugins "
               "act on them.</p>\n");
    http_page_html(&page, ready ? "<p><span class=\"state\">Ready for webhooks</span></p>\n"
                                : "<p><span class=\"state not\">Not ready; /readyz gives the "
                                  "reason</span></p>\n");
    http_respond_page(request, MHD_HTTP_OK, &page, NULL);
}

void endpoints_routes(struct ingest *ingest, struct http_route routes[OWN_ROUTES - 1]) {
    const struct http_route endpoints[OWN_ROUTES - 1] = {
        {.path = "/", .methods = "GET, HEAD", .on_request = respond_greeting, .context = ingest},
        {.path = "/healthz",
         .methods = "GET, HEAD",
         .on_request = respond_alive,
         .context = ingest},
        {.path = "/readyz", .methods = "GET, HEAD", .on_request = respond_ready, .context = ingest},
    };
    memcpy(routes, endpoints, sizeof endpoints);
}
