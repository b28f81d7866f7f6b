/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* POST /webhook/github: checks a delivery, routes it, gives it to the inbox, and responds once the
 * inbox has committed it. */
#include "ingest/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "inbox/limits.h"
#include "ingest/body.h"
#include "ingest/signature.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The state of a request. Until the inbox has finished, it uses this state and holds a reference on
 * the request. */
struct webhook {
    struct inbox_put put;
    struct http_request *request;
    struct signature signature;
    bool is_form;
    char event[INBOX_NAME_MAX + 1];
    char guid[INBOX_GUID_MAX + 1];
    struct body_routing routing;
    struct inbox_put_run runs[INGEST_ROUTES_MAX];
};

enum media { MEDIA_OTHER, MEDIA_JSON, MEDIA_FORM };

/* Compares the media type without its parameters. */
static enum media media_of(const char *type, size_t bytes) {
    static const char json[] = "application/json", form[] = "application/x-www-form-urlencoded";
    const char *parameters = memchr(type, ';', bytes);
    if (parameters) {
        bytes = (size_t)(parameters - type);
    }
    while (bytes > 0 && (type[bytes - 1] == ' ' || type[bytes - 1] == '\t')) {
        bytes--;
    }
    if (bytes == sizeof json - 1 && strncasecmp(type, json, bytes) == 0) {
        return MEDIA_JSON;
    }
    return bytes == sizeof form - 1 && strncasecmp(type, form, bytes) == 0 ? MEDIA_FORM
                                                                           : MEDIA_OTHER;
}

/* Reads a header that holds a name: printable ASCII without blanks, at most `max` bytes. 0, or -1
 * after it has rejected the request. */
static int read_name(struct http_request *request, const char *header, char *out, size_t max,
                     const char *missing, const char *bad) {
    size_t bytes = 0;
    const char *value = http_header(request, header, &bytes);
    if (!value || bytes == 0) {
        http_reject(request, MHD_HTTP_BAD_REQUEST, missing,
                    "send the headers that GitHub sends with a webhook");
        return -1;
    }
    bool fits = bytes <= max;
    for (size_t i = 0; fits && i < bytes; i++) {
        fits = value[i] > ' ' && value[i] < 0x7F;
    }
    if (!fits) {
        http_reject(request, MHD_HTTP_BAD_REQUEST, bad,
                    "send printable ASCII without blanks, at most 100 bytes for an event and 128 "
                    "for a delivery");
        return -1;
    }
    memcpy(out, value, bytes);
    out[bytes] = '\0';
    return 0;
}

static void read_signature(struct http_request *request, struct webhook *webhook) {
    const struct ingest *ingest = request->route->context;
    size_t bytes = 0;
    enum signature_kind kind = SIGNATURE_SHA256;
    const char *value = http_header(request, "X-Hub-Signature-256", &bytes);
    if (!value && ingest->options.allow_sha1) {
        kind = SIGNATURE_SHA1;
        value = http_header(request, "X-Hub-Signature", &bytes);
    }
    if (!value) {
        bool sha1 = http_header(request, "X-Hub-Signature", &bytes) != NULL;
        http_reject(request, MHD_HTTP_UNAUTHORIZED, "header X-Hub-Signature-256 is missing",
                    sha1 ? "send it; X-Hub-Signature (SHA-1) counts only with github.allow_sha1"
                         : "set the webhook secret in the GitHub App's settings");
    } else if (signature_parse(kind, value, bytes, &webhook->signature) < 0) {
        http_reject(request, MHD_HTTP_UNAUTHORIZED, "the signature is malformed",
                    "send sha256= and the 64 hex digits of the HMAC of the raw body");
    }
}

static void on_headers(struct http_request *request) {
    const struct ingest *ingest = request->route->context;
    if (ingest->options.not_serving) {
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, ingest->options.not_serving,
                    ingest->options.not_serving_fix);
        return;
    }
    size_t bytes = 0;
    if (ingest->options.pulls) {
        http_reject(request, MHD_HTTP_NOT_FOUND, "this host accepts no webhooks",
                    "it reads GitHub's list of deliveries (github.receive = \"pull\"); to send it "
                    "webhooks, remove that line and restart it");
        return;
    }
    const char *type = http_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, &bytes);
    enum media media = type ? media_of(type, bytes) : MEDIA_OTHER;
    if (media == MEDIA_OTHER) {
        http_reject(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the content type is not supported",
                    "send application/json or application/x-www-form-urlencoded");
        return;
    }
    struct webhook *webhook = calloc(1, sizeof *webhook);
    if (!webhook) {
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the host is out of memory",
                    "send it again later");
        return;
    }
    request->state = webhook;
    webhook->request = request;
    webhook->is_form = media == MEDIA_FORM;
    if (read_name(request, "X-GitHub-Delivery", webhook->guid, INBOX_GUID_MAX,
                  "header X-GitHub-Delivery is missing",
                  "header X-GitHub-Delivery is malformed") < 0) {
        return;
    }
    request->delivery = webhook->guid;
    if (read_name(request, "X-GitHub-Event", webhook->event, INBOX_NAME_MAX,
                  "header X-GitHub-Event is missing", "header X-GitHub-Event is malformed") < 0) {
        return;
    }
    if (strncmp(webhook->event, INBOX_OWN_EVENTS, strlen(INBOX_OWN_EVENTS)) == 0) {
        http_reject(request, MHD_HTTP_BAD_REQUEST,
                    "header X-GitHub-Event names an event of the host",
                    "send an event of GitHub; only the host makes events that begin with "
                    "\"" INBOX_OWN_EVENTS "\"");
        return;
    }
    read_signature(request, webhook);
}

static void release(struct http_request *request) {
    free(request->state);
}

static void log_accepted(const struct webhook *webhook, const char *message) {
    log_event(SNEK_LEVEL_INFO, message, LOG_TEXT("delivery", webhook->guid),
              LOG_TEXT("event", webhook->event),
              LOG_TEXT("action", text_or_null(webhook->routing.action)),
              LOG_TEXT("installation", text_or_null(webhook->routing.installation)),
              LOG_NUMBER("bytes", (int64_t)webhook->put.body_bytes),
              LOG_NUMBER("runs", (int64_t)webhook->put.n_runs),
              LOG_TEXT("reason", *webhook->routing.installation
                                     ? NULL
                                     : "it names no installation, so no plugin can act on it"));
}

static void respond_accepted(const struct webhook *webhook, enum metrics_taken taken) {
    static const struct {
        const char *message, *text;
        unsigned status;
    } outcomes[METRICS_TAKEN] = {
        [METRICS_STORED] = {"stored", "queued", MHD_HTTP_ACCEPTED},
        [METRICS_DUPLICATE] = {"duplicate", "duplicate", MHD_HTTP_OK},
        [METRICS_REDELIVERED] = {"redelivered", "queued", MHD_HTTP_ACCEPTED}};
    struct http_request *request = webhook->request;
    AUTO_BUFFER struct buffer json = BUFFER_INIT(2 * INBOX_GUID_MAX + 64);
    log_accepted(webhook, outcomes[taken].message);
    buffer_append_text(&json, "{\"delivery\":");
    buffer_append_json_string(&json, webhook->guid, strlen(webhook->guid));
    buffer_printf(&json, ",\"status\":\"%s\"}\n", outcomes[taken].text);
    http_respond(request, outcomes[taken].status, "application/json", json.data, json.bytes);
    metrics_delivery(webhook->event, taken, clock_monotonic_us() - request->exchange->began_us);
}

static enum metrics_taken metric_of(int result) {
    switch (result) {
    case INBOX_DUPLICATE:
        return METRICS_DUPLICATE;
    case INBOX_REDELIVERED:
        return METRICS_REDELIVERED;
    default:
        return METRICS_STORED;
    }
}

/* The client may have closed the connection meanwhile, or the server may have given up on it. */
static void on_stored(struct inbox_operation *operation) {
    struct webhook *webhook = CONTAINER_OF(operation, struct webhook, put.operation);
    struct http_request *request = webhook->request;
    const struct ingest_options *options = &((struct ingest *)request->route->context)->options;
    assert(webhook->put.n_runs <= INGEST_ROUTES_MAX);
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "not_stored", LOG_TEXT("delivery", webhook->guid),
                  LOG_TEXT("event", webhook->event),
                  LOG_TEXT("installation", text_or_null(webhook->routing.installation)),
                  LOG_TEXT("reason", operation->error.text));
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the delivery cannot be stored now",
                    "redeliver it later; the host's log has the reason (msg=not_stored)");
    } else {
        respond_accepted(webhook, metric_of(operation->result));
    }
    if (webhook->put.n_runs > 0) {
        options->on_stored(options->context, &webhook->put, &request->body);
        request->exchange->ingest->stored_some = true;
    }
    inbox_put_finish(&webhook->put);
    http_drop_body(request);
    http_request_unref(request);
}

static void submit(struct webhook *webhook, const char *json, size_t json_bytes) {
    const struct ingest *ingest = webhook->request->route->context;
    const struct ingest_options *options = &ingest->options;
    const struct body_routing *routing = &webhook->routing;
    int64_t now_ms = clock_wall_ms();
    webhook->put = (struct inbox_put){
        .operation = {.kind = INBOX_PUT,
                      .reply_to = http_mailbox(webhook->request),
                      .on_result = on_stored},
        .guid = webhook->guid,
        .event = webhook->event,
        .action = routing->action,
        .installation = routing->installation,
        .repository = routing->repository,
        .sender = routing->sender,
        .repository_id = routing->repository_id,
        .item = routing->item,
        .body = json,
        .body_bytes = json_bytes,
        .received_ms = now_ms,
        .due_ms = now_ms + options->delay_ms,
        .runs = webhook->runs,
    };
    /* Without an installation no token exists, so no plugin can act. */
    if (*routing->installation) {
        options->route(options->context, &webhook->put);
    }
    /* The inbox's reference, until on_stored(). */
    http_request_ref(webhook->request);
    inbox_submit(options->inbox, &webhook->put.operation);
}

/* The last secret of a rotation ends at its time, without a reload. */
static size_t secrets_in_force(const struct ingest_options *options) {
    bool over =
        options->last_secret_until_ms > 0 && clock_wall_ms() >= options->last_secret_until_ms;
    assert(!over || options->n_webhook_secrets > 1);
    return options->n_webhook_secrets - (over ? 1 : 0);
}

static void on_request(struct http_request *request) {
    struct webhook *webhook = request->state;
    const struct ingest_options *options = &((struct ingest *)request->route->context)->options;
    char *json = request->body.data ? request->body.data : "";
    size_t json_bytes = request->body.bytes;
    struct error err;
    if (!signature_verify(&webhook->signature, json, json_bytes, options->webhook_secrets,
                          secrets_in_force(options))) {
        http_reject(request, MHD_HTTP_UNAUTHORIZED, "the signature does not match",
                    "use the same webhook secret in the host's configuration and in the GitHub "
                    "App's settings");
        return;
    }
    if ((webhook->is_form && body_decode_form(json, json_bytes, &json, &json_bytes, &err) < 0) ||
        body_read(json, json_bytes, &webhook->routing, &err) < 0) {
        http_reject(request, MHD_HTTP_BAD_REQUEST, err.text,
                    "send the payload as GitHub does: one JSON object, or a form with it in the "
                    "field payload");
        return;
    }
    submit(webhook, json, json_bytes);
}

void webhook_route(struct ingest *ingest, struct http_route *route) {
    *route = (struct http_route){.path = "/webhook/github",
                                 .methods = "POST",
                                 .max_body_bytes = (uint64_t)ingest->options.max_body_bytes,
                                 .on_headers = on_headers,
                                 .on_request = on_request,
                                 .release = release,
                                 .context = ingest};
}
