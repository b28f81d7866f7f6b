/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The greeting page, the liveness and the readiness endpoint. */
#include "ingest/server.h"

#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha2.h>

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

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;"
    "font:1.05rem/1.6 system-ui,sans-serif;background:#f6f8f5;color:#1d2a1f}"
    "main{max-width:34rem;padding:2rem}"
    "h1{font-size:2.4rem;margin:0 0 1rem}"
    ".state{display:inline-block;padding:.1rem .7rem;border-radius:1rem;"
    "background:#d6efd8;color:#14501c}"
    ".state.not{background:#fbe3c3;color:#6b3d00}"
    "code{font-family:ui-monospace,monospace}"
    "@media(prefers-color-scheme:dark){"
    "body{background:#121a14;color:#dfeae0}"
    ".state{background:#1d4a25;color:#c9f0ce}"
    ".state.not{background:#5a3a0a;color:#fbe3c3}}";

/* The policy allows only this style sheet, identified by its hash. */
static void add_policy(struct http_request *request) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char digest_text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "", policy[256];
    sha256_init(&hash);
    sha256_update(&hash, sizeof style - 1, (const uint8_t *)style);
    sha256_digest(&hash, sizeof digest, digest);
    base64_encode_raw(digest_text, sizeof digest, digest);
    snprintf(policy, sizeof policy,
             "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
             "form-action 'none'; frame-ancestors 'none'",
             digest_text);
    http_response_header(request, "Content-Security-Policy", policy);
}

static void respond_greeting(struct http_request *request) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(STATUS_MAX + 64), page = BUFFER_INIT(8192);
    bool ready = describe(request->route->context, &json);
    buffer_printf(
        &page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>snekomatic</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n"
        "<h1>Hi! 🐍🐍🐍</h1>\n"
        "<p>This is <strong>snekomatic</strong>, a host for GitHub bots. GitHub sends it the "
        "events of a repository, at <code>/webhook/github</code>, and its plugins act on "
        "them.</p>\n"
        "<p><span class=\"%s\">%s</span></p>\n"
        "</main>\n</body>\n</html>\n",
        style, ready ? "state" : "state not",
        ready ? "Ready for webhooks" : "Not ready; /readyz gives the reason");
    http_respond(request, MHD_HTTP_OK, "text/html; charset=utf-8", page.data, page.bytes);
    add_policy(request);
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
