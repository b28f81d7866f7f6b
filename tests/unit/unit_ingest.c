/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests ingest over real sockets: the response to each request, and what reaches the inbox. */
#include "ingest_rig.h"

#define HOST "Host: h\r\n"
#define LENGTH "Content-Length: @LENGTH@\r\n"
#define TYPE "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define GUID_LINE "X-GitHub-Delivery: " GUID "\r\n"
#define EVENT "X-GitHub-Event: pull_request\r\n"
#define SIGNATURE "X-Hub-Signature-256: @SIGNATURE@\r\n"
#define ALL HOST LENGTH TYPE GUID_LINE EVENT SIGNATURE
#define POST "POST /webhook/github HTTP/1.1\r\n"
#define ZEROES "0000000000000000000000000000000000000000000000000000000000000000"

/* `head` with @LENGTH@ and @SIGNATURE@ filled in for `body`, then the body. */
static const char *fill(const char *head, const char *body) {
    static char request[32768];
    char *out = request;
    for (const char *at = head; *at;) {
        if (strncmp(at, "@LENGTH@", 8) == 0) {
            out += sprintf(out, "%zu", strlen(body));
            at += 8;
        } else if (strncmp(at, "@SIGNATURE@", 11) == 0) {
            out += sprintf(out, "%s", sign(body, strlen(body)));
            at += 11;
        } else {
            *out++ = *at++;
        }
    }
    sprintf(out, "\r\n%s", body);
    return request;
}

static void assert_reply_has(const struct rig *rig, const char *text) {
    if (!strstr(rig->reply, text)) {
        fail_msg("lacks %s: %s", text, rig->reply);
    }
}

static void the_greeting_is_a_page_of_its_own(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    assert_int_equal(ask(rig, "GET / HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_reply_has(rig, "Hi! 🐍🐍🐍");
    assert_reply_has(rig, "Content-Type: text/html; charset=utf-8\r\n");
    assert_reply_has(rig, "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
    assert_reply_has(rig, "Ready for webhooks");
    assert_null(strstr(rig->reply, "http://"));
    assert_null(strstr(rig->reply, "https://"));
    assert_null(strstr(rig->reply, "src="));
    rig->ready = false;
    assert_int_equal(ask(rig, "GET / HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_reply_has(rig, "Not ready");
    rig_stop(rig);
}

static void head_is_get_without_the_body(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    static const char *const paths[] = {"/", "/healthz", "/readyz"};
    for (size_t i = 0; i < 3; i++) {
        char request[64];
        int fd = rig_connect(rig);
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
                 paths[i]);
        assert_true(send_text(fd, request));
        assert_int_equal(read_reply_of(rig, fd, true), 200);
        assert_true(at_end(fd));
        close(fd);
    }
    rig_stop(rig);
}

/* A client sends this form to a proxy. */
static void a_whole_url_counts_as_its_path(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    static const struct {
        const char *target;
        int status;
    } table[] = {
        {"http://h/healthz", 200}, {"HTTPS://h:8000/healthz", 200}, {"http://h", 200},
        {"http://h/", 200},        {"http://h/healthz?x", 200},     {"http:///healthz", 404},
        {"http://h/nowhere", 404}, {"ftp://h/healthz", 404},        {"http://", 404},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char request[100];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", table[i].target);
        int status = ask(rig, request);
        if (status != table[i].status) {
            fail_msg("%s: %d", table[i].target, status);
        }
    }
    char request[8300];
    const char *plain = webhook(delivery);
    snprintf(request, sizeof request, "POST http://h%s", plain + strlen("POST "));
    assert_int_equal(ask(rig, request), 202);
    rig_stop(rig);
}

static void health_and_readiness_are_json(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    assert_int_equal(ask(rig, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_reply_has(rig, "\r\n\r\n{\"status\":\"ok\"}\n");
    assert_int_equal(ask(rig, "GET /readyz HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_reply_has(rig, "\r\n\r\n{\"ready\":true,\"store\":\"ok\",\"plugins\":2}\n");
    rig->ready = false;
    assert_int_equal(ask(rig, "GET /readyz HTTP/1.1\r\n" HOST "\r\n"), 503);
    assert_reply_has(rig, "\r\n\r\n{\"ready\":false,\"store\":\"ok\",\"plugins\":2}\n");
    assert_int_equal(ask(rig, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
    rig_stop(rig);
}

static void every_response_has_the_security_headers(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" HOST "\r\n",        "GET /readyz HTTP/1.1\r\n" HOST "\r\n",
        "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", "DELETE /healthz HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.1\r\n" HOST HOST "\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        assert_true(ask(rig, requests[i]) >= 200);
        assert_reply_has(rig, "\r\nX-Content-Type-Options: nosniff\r\n");
        assert_reply_has(rig, "\r\nContent-Security-Policy: default-src 'none'; ");
        assert_reply_has(rig, "\r\nCache-Control: no-store\r\n");
        assert_null(strstr(rig->reply, "\r\nServer:"));
    }
    rig_stop(rig);
}

static void a_delivery_is_stored_before_the_response(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    struct inbox *inbox = &rig->inbox;
    assert_int_equal(ask(rig, webhook(delivery)), 202);
    assert_reply_has(rig, "\r\n\r\n{\"delivery\":\"" GUID "\",\"status\":\"queued\"}\n");
    assert_reply_has(rig, "Content-Type: application/json\r\n");
    assert_int_equal(inbox->n_puts, 1);
    assert_string_equal(inbox->guid, GUID);
    assert_string_equal(inbox->event, "pull_request");
    assert_string_equal(inbox->action, "closed");
    assert_string_equal(inbox->installation, "12345");
    assert_string_equal(inbox->repository, "o/r");
    assert_string_equal(inbox->sender, "someone");
    assert_string_equal(inbox->body, delivery);
    assert_string_equal(inbox->plugins, "invite;ping;");
    assert_true(inbox->due_ms == inbox->received_ms + 1000);
    assert_int_equal(rig->n_stored, 1);
    assert_logged(rig, "level=info msg=stored delivery=" GUID
                       " event=pull_request action=closed installation=12345 bytes=109 runs=2\n");
    rig_stop(rig);
}

static void the_inbox_decides_the_response(void **state) {
    (void)state;
    static const struct {
        int result, status;
        unsigned n_stored;
        const char *text, *log;
    } cases[] = {
        {INBOX_DUPLICATE, 200, 1, "\"status\":\"duplicate\"", "msg=duplicate delivery=" GUID},
        {INBOX_REDELIVERED, 202, 1, "\"status\":\"queued\"", "msg=redelivered delivery=" GUID},
        {-1, 503, 0, "\r\nRetry-After: 10\r\n", "reason=\"the disk is full\""},
        {-1, 503, 0, "{\"error\":\"the delivery cannot be stored now\",\"fix\":\"", "status=503"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *rig = rig_start(NULL);
        rig->inbox.result = cases[i].result;
        assert_int_equal(ask(rig, webhook(delivery)), cases[i].status);
        assert_reply_has(rig, cases[i].text);
        assert_int_equal(rig->n_stored, cases[i].n_stored);
        assert_logged(rig, cases[i].log);
        /* The response does not show internals. */
        assert_null(strstr(rig->reply, "disk"));
        rig_stop(rig);
    }
}

static void a_delivery_without_installation_runs_nothing(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    assert_int_equal(ask(rig, webhook("{\"action\":\"closed\",\"zen\":\"x\"}")), 202);
    assert_int_equal(rig->inbox.n_puts, 1);
    assert_string_equal(rig->inbox.installation, "");
    assert_string_equal(rig->inbox.plugins, "");
    assert_int_equal(rig->n_routed, 0);
    assert_int_equal(rig->n_stored, 0);
    rig_stop(rig);
}

struct rejection {
    const char *head, *body;
    int status;
    const char *text;
};

static void assert_rejected(struct rig *rig, const struct rejection *rejection) {
    unsigned before = rig->inbox.n_puts;
    int status = ask(rig, fill(rejection->head, rejection->body));
    if (status != rejection->status || !strstr(rig->reply, rejection->text) ||
        !strstr(rig->reply, "\"fix\":\"")) {
        fail_msg("%d \"%s\" wanted for:\n%s\ngot:\n%s", rejection->status, rejection->text,
                 fill(rejection->head, rejection->body), rig->reply);
    }
    assert_int_equal(rig->inbox.n_puts, before);
    assert_reply_has(rig, "Content-Type: application/json\r\n");
}

static void wrong_requests_are_rejected_with_the_fix(void **state) {
    (void)state;
    static const struct rejection cases[] = {
        {"GET /webhook HTTP/1.1\r\n" HOST, "", 404, "{\"error\":\"there is nothing at this path\""},
        {"GET /webhook/github/ HTTP/1.1\r\n" HOST, "", 404, ""},
        {"GET //healthz HTTP/1.1\r\n" HOST, "", 404, ""},
        {"GET /webhook/github HTTP/1.1\r\n" HOST, "", 405, "\r\nAllow: POST\r\n"},
        {"PUT /webhook/github HTTP/1.1\r\n" ALL, delivery, 405, "\r\nAllow: POST\r\n"},
        {"POST / HTTP/1.1\r\n" ALL, delivery, 405, "\r\nAllow: GET, HEAD\r\n"},
        {"get / HTTP/1.1\r\n" HOST, "", 405, "\r\nAllow: GET, HEAD\r\n"},
        {POST HOST LENGTH GUID_LINE EVENT SIGNATURE, delivery, 415,
         "content type is not supported"},
        {POST HOST LENGTH GUID_LINE EVENT SIGNATURE "Content-Type: text/json\r\n", delivery, 415,
         ""},
        {POST HOST LENGTH GUID_LINE EVENT SIGNATURE "Content-Type: application/jsonp\r\n", delivery,
         415, ""},
        {POST HOST LENGTH TYPE EVENT SIGNATURE, delivery, 400, "X-GitHub-Delivery is missing"},
        {POST HOST LENGTH TYPE GUID_LINE SIGNATURE, delivery, 400, "X-GitHub-Event is missing"},
        {POST HOST LENGTH TYPE GUID_LINE SIGNATURE "X-GitHub-Event: \r\n", delivery, 400,
         "X-GitHub-Event is missing"},
        {POST HOST LENGTH TYPE GUID_LINE SIGNATURE "X-GitHub-Event: pull request\r\n", delivery,
         400, "X-GitHub-Event is malformed"},
        {POST HOST LENGTH TYPE GUID_LINE SIGNATURE "X-GitHub-Event: snekomatic.timer\r\n", delivery,
         400, "an event of the host"},
        {POST HOST LENGTH TYPE EVENT SIGNATURE "X-GitHub-Delivery: \xC3\xA9\r\n", delivery, 400,
         "X-GitHub-Delivery is malformed"},
        {POST HOST LENGTH TYPE EVENT SIGNATURE "X-GitHub-Delivery: " ZEROES ZEROES "0\r\n",
         delivery, 400, "X-GitHub-Delivery is malformed"},
        {POST HOST LENGTH TYPE GUID_LINE SIGNATURE "X-GitHub-Event: " ZEROES
                                                   "0000000000000000000000000000000000000\r\n",
         delivery, 400, "X-GitHub-Event is malformed"},
        {POST HOST LENGTH TYPE GUID_LINE EVENT, delivery, 401, "X-Hub-Signature-256 is missing"},
        {POST HOST LENGTH TYPE GUID_LINE EVENT "X-Hub-Signature-256: sha256=abc\r\n", delivery, 401,
         "the signature is malformed"},
        {POST HOST LENGTH TYPE GUID_LINE EVENT "X-Hub-Signature-256: sha256=" ZEROES "\r\n",
         delivery, 401, "{\"error\":\"the signature does not match\",\"fix\":\""},
        {POST HOST LENGTH TYPE GUID_LINE EVENT
         "X-Hub-Signature: sha1=0000000000000000000000000000000000000000\r\n",
         delivery, 401, "X-Hub-Signature-256 is missing"},
        {POST ALL, "", 400, "body is not JSON: ends too early at byte 0"},
        {POST ALL, "{\"action\":\"a\" 1}", 400, "body is not JSON: ',' or '}' expected at byte 14"},
        {POST ALL, "[]", 400, "body is not a JSON object"},
        {POST HOST LENGTH FORM GUID_LINE EVENT SIGNATURE, delivery, 400, "no field payload"},
        {POST HOST LENGTH FORM GUID_LINE EVENT SIGNATURE, "payload=%7B%7D&payload=%7B%7D", 400,
         "payload twice"},
    };
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_rejected(rig, &cases[i]);
    }
    assert_logged(rig, "level=warning msg=rejected delivery=" GUID
                       " status=401 reason=\"the signature does not match\"\n");
    assert_logged(rig, "level=warning msg=rejected status=415 ");
    rig_stop(rig);
}

/* Each request has the expected fault, and all faults that are checked later. */
static void checks_run_in_a_fixed_order(void **state) {
    (void)state;
#define BAD_SIGNATURE "X-Hub-Signature-256: sha256=" ZEROES "\r\n"
#define TOO_LONG "Content-Length: 1048577\r\n"
    static const struct rejection cases[] = {
        {"POST /x HTTP/1.1\r\n" HOST TOO_LONG, "", 404, ""},
        {"PUT /webhook/github HTTP/1.1\r\n" HOST TOO_LONG, "", 405, ""},
        {POST HOST TOO_LONG, "", 413, "too large"},
        {POST HOST LENGTH "Content-Type: x\r\n", "x", 415, ""},
        {POST HOST LENGTH TYPE BAD_SIGNATURE, "x", 400, "missing"},
        {POST HOST LENGTH TYPE GUID_LINE EVENT BAD_SIGNATURE, "x", 401, "match"},
        {POST ALL, "x", 400, "JSON"},
    };
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = 256;
    rig->options.header_deadline_ms = rig->options.body_deadline_ms = 5000;
    rig_start(rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_rejected(rig, &cases[i]);
    }
    rig_stop(rig);
}

static void content_types_may_have_parameters_and_any_case(void **state) {
    (void)state;
    static const char *const types[] = {
        "Content-Type: application/json; charset=utf-8\r\n",
        "content-type: Application/JSON;charset=UTF-8\r\n",
        "CONTENT-TYPE: application/json \t \r\n",
        "Content-Type:application/json ;x\r\n",
    };
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char head[1024];
        snprintf(head, sizeof head, "%s%s", POST HOST LENGTH GUID_LINE EVENT SIGNATURE, types[i]);
        assert_int_equal(ask(rig, fill(head, delivery)), 202);
    }
    rig_stop(rig);
}

static void a_form_carries_its_payload_signed_as_it_was_sent(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    static const char form[] = "payload=%7B%22action%22%3A%22a+b%22%2C%22installation%22%3A%7B%22"
                               "id%22%3A%22xyzzy%22%7D%7D";
    static const char head[] = POST HOST LENGTH FORM GUID_LINE EVENT SIGNATURE;
    assert_int_equal(ask(rig, fill(head, form)), 202);
    assert_string_equal(rig->inbox.body,
                        "{\"action\":\"a b\",\"installation\":{\"id\":\"xyzzy\"}}");
    assert_string_equal(rig->inbox.action, "a b");
    assert_string_equal(rig->inbox.installation, "xyzzy");
    rig_stop(rig);
}

static void sha1_counts_only_where_allowed_and_alone(void **state) {
    (void)state;
    static const char sha1[] = POST HOST LENGTH TYPE GUID_LINE EVENT
        "X-Hub-Signature: sha1=9f1fb3bbe9ebeb6a3b0d0ab0a6d1ae0a4ef5cf4d\r\n";
    struct rig *rig = rig_init();
    rig->options.allow_sha1 = true;
    rig_start(rig);
    /* An HMAC-SHA1 of "{}" made here, because no published vector uses the test's secret. */
    struct hmac_sha1_ctx hmac;
    uint8_t digest[SHA1_DIGEST_SIZE];
    char head[1024], digits[41];
    hmac_sha1_set_key(&hmac, strlen(RIG_SECRET), (const uint8_t *)RIG_SECRET);
    hmac_sha1_update(&hmac, 2, (const uint8_t *)"{}");
    hmac_sha1_digest(&hmac, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        sprintf(digits + 2 * i, "%02x", digest[i]);
    }
    snprintf(head, sizeof head, "%sX-Hub-Signature: sha1=%s\r\n",
             POST HOST LENGTH TYPE GUID_LINE EVENT, digits);
    assert_int_equal(ask(rig, fill(head, "{}")), 202);
    assert_int_equal(ask(rig, fill(sha1, "{}")), 401);
    strcat(head, BAD_SIGNATURE);
    /* The stronger signature is present, and wrong. */
    assert_int_equal(ask(rig, fill(head, "{}")), 401);
    rig_stop(rig);
}

/* Raw bytes: `%` stands for a NUL. */
static const struct {
    const char *bytes, *text;
} ambiguous[] = {
    {POST ALL "Transfer-Encoding: chunked\r\n", "both Content-Length and Transfer-Encoding"},
    {POST ALL "transfer-encoding: CHUNKED\r\n", "both Content-Length and Transfer-Encoding"},
    {POST ALL LENGTH, "more than one Content-Length"},
    {POST ALL "Content-Length: 5\r\n", "more than one Content-Length"},
    {POST ALL SIGNATURE, "more than one X-Hub-Signature-256"},
    {POST ALL BAD_SIGNATURE, "more than one X-Hub-Signature-256"},
    {POST ALL "x-hub-signature: a\r\nX-Hub-Signature: b\r\n", "more than one X-Hub-Signature"},
    {POST ALL EVENT, "more than one X-GitHub-Event"},
    {POST ALL GUID_LINE, "more than one X-GitHub-Delivery"},
    {POST ALL TYPE, "more than one Content-Type"},
    {POST ALL HOST, "more than one Host"},
    {POST LENGTH TYPE GUID_LINE EVENT SIGNATURE, "without the header Host"},
    {POST HOST TYPE "Transfer-Encoding: gzip, chunked\r\n", "other than chunked"},
    {POST HOST TYPE "Transfer-Encoding: identity\r\n", "other than chunked"},
    {POST HOST TYPE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     "more than one Transfer-Encoding"},
    {"POST /webhook/github HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", "other than chunked"},
    {POST ALL "X-Other: a%b\r\n", "NUL"},
    {POST ALL "X-Other: %\r\n", "NUL"},
    {POST ALL "X-Oth%er: a\r\n", NULL},
    {POST "X-Other: a%b\r\n" ALL, "NUL"},
    {POST HOST LENGTH TYPE GUID_LINE SIGNATURE "X-GitHub-Event: pull_request%x\r\n", "NUL"},
    {"POST /webhook/github%x HTTP/1.1\r\n" ALL, "NUL"},
    {"POST%/webhook/github HTTP/1.1\r\n" ALL, NULL},
    {POST ALL "X-Other: a\001b\r\n", "control character"},
    {POST ALL "X-Other: a\033[2Jb\r\n", "control character"},
    {POST ALL "X-Other: a\rb\r\n", "control character"},
    {POST ALL "X-Other: a\177b\r\n", "control character"},
    {POST ALL "X-Other : a\r\n", "header name"},
    {POST HOST TYPE GUID_LINE EVENT SIGNATURE "Content-Length : 10\r\n", "header name"},
    {POST ALL "X-Other: a\r\n b\r\n", "continued line"},
    {POST ALL "X-Other: a\r\n\tb\r\nX-More: c\r\n", "continued line"},
    {POST " X-Other: a\r\n" ALL, "header name"},
    {POST ALL "X-Other: a\n", "bare LF"},
    {POST "X-Other: a\n" ALL, "bare LF"},
    {"POST /webhook/github HTTP/1.1\n" ALL, "bare LF"},
    {POST ALL "X-Other: a\nX-More: b\r\n", "bare LF"},
    {"POST  /webhook/github HTTP/1.1\r\n" ALL, "more than one blank"},
    {"POST /webhook/github x HTTP/1.1\r\n" ALL, "blank or control character in the URL"},
    {"POST /webhook/github\t HTTP/1.1\r\n" ALL, "URL"},
    {"POST /webhook/github%00 HTTP/1.1\r\n" ALL, NULL},
    {"POST /webhook/github?a=\001 HTTP/1.1\r\n" ALL, "URL"},
};

static void ambiguous_requests_are_rejected(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof ambiguous / sizeof *ambiguous; i++) {
        char request[8192];
        const char *filled = fill(ambiguous[i].bytes, delivery);
        size_t bytes = strlen(filled);
        memcpy(request, filled, bytes + 1);
        bool url_escape = strstr(filled, "%00") != NULL;
        for (size_t j = 0; j < bytes && !url_escape; j++) {
            request[j] = request[j] == '%' ? '\0' : request[j];
        }
        int fd = rig_connect(rig);
        assert_true(send_bytes(fd, request, bytes));
        int status = read_reply(rig, fd);
        /* libmicrohttpd itself closes some of these connections, which is right too. */
        if ((status != 400 && (status != 0 || ambiguous[i].text)) ||
            (ambiguous[i].text && !strstr(rig->reply, ambiguous[i].text))) {
            fail_msg("%zu: %s\nis answered %s", i, filled, rig->reply);
        }
        /* Nothing after it counts as a request. */
        assert_true(at_end(fd));
        close(fd);
    }
    assert_int_equal(rig->inbox.n_puts, 0);
    rig_stop(rig);
}

static void only_a_well_formed_host_is_accepted(void **state) {
    (void)state;
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"bot.example.com", 200},
        {"bot.example.com:8000", 200},
        {"h:", 200},
        {"127.0.0.1:1", 200},
        {"[::1]", 200},
        {"[2001:db8::7]:65535", 200},
        {"a_b%7Ec", 200},
        {"", 400},
        {":80", 400},
        {"a b", 400},
        {"a/b", 400},
        {"a@b", 400},
        {"a?b", 400},
        {"a<script>", 400},
        {"h:80:80", 400},
        {"h:65536", 400},
        {"h:99999999999999999999", 400},
        {"h:8x", 400},
        {"[::1", 400},
        {"[::1]x", 400},
        {"[g::1]", 400},
        {"::1", 400},
        {"%7", 400},
    };
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n",
                 cases[i].host);
        int status = ask(rig, request);
        if (status != cases[i].status) {
            fail_msg("%d for Host: %s", status, cases[i].host);
        }
    }
    assert_logged(rig, "malformed header Host");
    rig_stop(rig);
}

static void unambiguous_variants_are_accepted(void **state) {
    (void)state;
    static const char *const heads[] = {
        POST ALL,
        "\r\n" POST ALL,
        "POST /webhook/github?x=%2500&y HTTP/1.1\r\n" ALL,
        "POST /webhook/github HTTP/1.0\r\n" LENGTH TYPE GUID_LINE EVENT SIGNATURE,
        POST ALL "X-Empty:\r\nX-Blank:   \r\nX-Tab:\t a\tb \t\r\nX-Colon:a:b: c\r\n",
        POST ALL "X-Utf-8: \xC3\xA9\r\n",
        POST HOST LENGTH TYPE GUID_LINE EVENT "X-Hub-Signature-256:\t @SIGNATURE@ \t\r\n",
        POST ALL "Cookie: a=b; c=d\r\nCookie: e=f\r\nAccept: a\r\nAccept: b\r\n",
    };
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (ask(rig, fill(heads[i], delivery)) != 202) {
            fail_msg("%s\nis answered %s", heads[i], rig->reply);
        }
    }
    /* The largest headers that fit, in pieces, so that the buffer that holds them grows. */
    char head[16384] = POST ALL;
    for (int i = 0; i < 60; i++) {
        sprintf(head + strlen(head), "X-Number-%d: " ZEROES ZEROES "\r\n", i);
    }
    const char *request = fill(head, delivery);
    assert_int_equal(ask(rig, request), 202);
    int fd = rig_connect(rig);
    for (size_t at = 0, bytes = strlen(request); at < bytes; at += 611) {
        assert_true(send_bytes(fd, request + at, bytes - at < 611 ? bytes - at : 611));
        usleep(500);
    }
    assert_int_equal(read_reply(rig, fd), 202);
    close(fd);
    rig_stop(rig);
}

static void bad_lengths_are_rejected(void **state) {
    (void)state;
    static const char *const lengths[] = {"abc",  "-1",  "+5", "0x10",
                                          "5, 5", "5 5", "",   "99999999999999999999999"};
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char head[1024];
        snprintf(head, sizeof head, "%sContent-Length: %s\r\n",
                 POST HOST TYPE GUID_LINE EVENT SIGNATURE, lengths[i]);
        int fd = rig_connect(rig);
        assert_true(send_text(fd, fill(head, delivery)));
        int status = read_reply(rig, fd);
        if (status != 400 && status != 413) {
            fail_msg("%s is answered %s", lengths[i], rig->reply);
        }
        /* libmicrohttpd 0.9.75 responds to these itself, with its header twice, and closes the
         * connection. */
        while (recv(fd, rig->reply, REPLY_MAX, 0) > 0) {}
        assert_true(at_end(fd));
        close(fd);
    }
    assert_int_equal(rig->inbox.n_puts, 0);
    rig_stop(rig);
}

#define CHUNKED HOST TYPE GUID_LINE EVENT SIGNATURE "Transfer-Encoding: chunked\r\n"

/* fill() signs the body; this sends it in chunks of `size`. */
static int ask_chunked(struct rig *rig, const char *body, size_t size) {
    static char request[32768];
    size_t bytes = strlen(body);
    strcpy(request, fill(POST CHUNKED, body));
    char *out = request + strlen(request) - bytes;
    for (size_t at = 0; at < bytes; at += size) {
        size_t n = bytes - at < size ? bytes - at : size;
        out += sprintf(out, "%zx;x=y\r\n%.*s\r\n", n, (int)n, body + at);
    }
    sprintf(out, "0\r\nX-Trailer: 1\r\n\r\n");
    return ask(rig, request);
}

static void a_chunked_body_is_accepted(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    for (size_t size = 1; size < 200; size += 33) {
        assert_int_equal(ask_chunked(rig, delivery, size), 202);
        assert_string_equal(rig->inbox.body, delivery);
    }
    assert_int_equal(ask(rig, fill(POST CHUNKED, "zz\r\nab\r\n")), 400);
    rig_stop(rig);
}

static void bytes_after_a_chunked_body_are_no_request(void **state) {
    (void)state;
    static char request[8192];
    static const char *const ends[] = {"\r\n", "\n"};
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        strcpy(request, fill(POST CHUNKED, delivery));
        char *body = request + strlen(request) - strlen(delivery);
        sprintf(body, "%zx%s%s\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n", strlen(delivery),
                ends[i], delivery);
        int fd = rig_connect(rig);
        assert_true(send_text(fd, request));
        assert_int_equal(read_reply(rig, fd), 202);
        assert_true(at_end(fd));
        close(fd);
    }
    rig_stop(rig);
}

static void rejections_by_libmicrohttpd_are_logged(void **state) {
    (void)state;
    static const struct {
        const char *head, *body, *logged;
    } cases[] = {
        {POST CHUNKED, "zz\r\nab\r\n", "msg=rejected status=400 reason=\"libmicrohttpd"},
        {POST CHUNKED, "fffffffffffffffff\r\n", "msg=rejected status=413 reason=\"libmicrohttpd"},
        {POST HOST TYPE "Content-Length: 99999999999999999999999\r\n", "",
         "msg=rejected status=413 reason=\"libmicrohttpd"},
    };
    struct rig *rig = rig_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = rig_connect(rig);
        assert_true(send_text(fd, fill(cases[i].head, cases[i].body)));
        /* It closes the connection once it has logged. */
        while (recv(fd, rig->reply, REPLY_MAX, 0) > 0) {}
        assert_logged(rig, cases[i].logged);
        close(fd);
    }
    rig_stop(rig);
}

static void a_chunked_body_is_counted(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = 256;
    rig_start(rig);
    char body[600];
    memset(body, ' ', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    body[0] = '{', body[1] = '}', body[256] = '\0';
    /* The largest body that is allowed. */
    assert_int_equal(ask_chunked(rig, body, 50), 202);
    body[256] = ' ', body[257] = '\0';
    /* One byte more. */
    assert_int_equal(ask_chunked(rig, body, 50), 413);
    assert_reply_has(rig, "{\"error\":\"the body is too large\"");
    body[257] = ' ';
    /* An endless body: the server closes the connection. */
    assert_int_equal(ask_chunked(rig, body, 50), 0);
    rig_stop(rig);
}

static void expect_100_continue_gets_a_response_before_the_body(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int fd = rig_connect(rig);
    const char *request = fill(POST ALL "Expect: 100-continue\r\n", delivery);
    size_t head_bytes = strlen(request) - strlen(delivery);
    assert_true(send_bytes(fd, request, head_bytes));
    assert_int_equal(read_reply(rig, fd), 100);
    assert_true(send_text(fd, delivery));
    assert_int_equal(read_reply(rig, fd), 202);
    close(fd);

    /* A rejection by the headers alone comes at once. */
    fd = rig_connect(rig);
    request = fill(POST HOST LENGTH TYPE GUID_LINE EVENT "Expect: 100-continue\r\n", delivery);
    assert_true(send_bytes(fd, request, strlen(request) - strlen(delivery)));
    assert_int_equal(read_reply(rig, fd), 401);
    assert_true(at_end(fd));
    close(fd);
    rig_stop(rig);
}

static void a_rejection_reaches_a_client_that_writes_before_it_reads(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    static const struct {
        const char *line;
        int status;
    } cases[] = {{"POST /nowhere HTTP/1.1\r\n" HOST TYPE, 404},
                 {POST HOST "Content-Type: text/plain\r\n", 415},
                 {POST HOST TYPE GUID_LINE EVENT, 401},
                 {POST HOST TYPE GUID_LINE EVENT BAD_SIGNATURE, 413}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = cases[i].status == 413 ? RIG_BODY_MAX + 1 : RIG_BODY_MAX;
        char head[1024];
        char *body = calloc(1, bytes);
        int fd = rig_connect(rig);
        snprintf(head, sizeof head, "%sContent-Length: %zu\r\n\r\n", cases[i].line, bytes);
        assert_non_null(body);
        assert_true(send_text(fd, head));
        assert_true(send_bytes(fd, body, bytes));
        assert_int_equal(read_reply(rig, fd), cases[i].status);
        /* The connection stays usable, as after any other response. */
        assert_true(send_text(fd, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
        assert_int_equal(read_reply(rig, fd), 200);
        close(fd);
        free(body);
    }
    rig_stop(rig);
}

static void an_absurd_length_is_rejected_at_once(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int fd = rig_connect(rig);
    assert_true(send_text(fd, POST HOST TYPE GUID_LINE EVENT BAD_SIGNATURE
                          "Content-Length: 18446744073709551615\r\n\r\n"));
    assert_int_equal(read_reply(rig, fd), 413);
    assert_true(at_end(fd));
    close(fd);
    rig_stop(rig);
}

static void a_connection_serves_one_request_after_the_other(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int fd = rig_connect(rig);
    for (int i = 0; i < 3; i++) {
        assert_true(send_text(fd, webhook(delivery)));
        assert_int_equal(read_reply(rig, fd), 202);
        assert_true(send_text(fd, fill(POST HOST LENGTH TYPE GUID_LINE EVENT, delivery)));
        assert_int_equal(read_reply(rig, fd), 401);
    }
    /* Pipelined: the second request arrives while the inbox has the first. */
    inbox_hold(&rig->inbox);
    assert_true(send_text(fd, webhook(delivery)));
    assert_true(send_text(fd, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    wait_until_held(&rig->inbox, 1);
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, fd), 202);
    assert_int_equal(read_reply(rig, fd), 200);
    close(fd);
    rig_stop(rig);
}

/* A route of another room: it responds with the request, and frees its state. */
static void page_begin(struct http_request *request) {
    request->state = malloc(1);
    size_t bytes;
    if (!http_header(request, "X-Token", &bytes)) {
        http_reject(request, 403, "no token", "send one");
    }
}

static void page_handle(struct http_request *request) {
    char text[512];
    const char *q = http_query(request, "q"), *empty = http_query(request, "empty");
    snprintf(text, sizeof text, "%s %s q=%s empty=%s none=%d body=%s", request->method,
             request->path, q ? q : "-", empty ? empty : "-", http_query(request, "none") == NULL,
             request->body.bytes ? request->body.data : "");
    http_respond(request, 200, "text/plain", text, strlen(text));
    http_response_header(request, "X-Page", "yes");
}

static void page_release(struct http_request *request) {
    free(request->state);
    ++*(unsigned *)request->route->context;
}

static void other_rooms_add_routes(void **state) {
    (void)state;
    unsigned released = 0;
    const struct http_route routes[] = {{.path = "/console/*",
                                         .methods = "GET, POST",
                                         .max_body_bytes = 10,
                                         .on_headers = page_begin,
                                         .on_request = page_handle,
                                         .release = page_release,
                                         .context = &released}};
    struct rig *rig = rig_init();
    rig->options.routes = routes;
    rig->options.n_routes = 1;
    rig_start(rig);
#define TOKEN HOST "X-Token: t\r\n"
    assert_int_equal(ask(rig, "GET /console HTTP/1.1\r\n" TOKEN "\r\n"), 200);
    assert_int_equal(ask(rig, "GET /console/a%20b?q=1%2B+2&empty HTTP/1.1\r\n" TOKEN "\r\n"), 200);
    assert_reply_has(rig, "\r\n\r\nGET /console/a b q=1+ 2 empty= none=1 body=");
    assert_reply_has(rig, "\r\nX-Page: yes\r\n");
    assert_int_equal(ask(rig, "POST /console/x HTTP/1.1\r\n" TOKEN "Content-Length: 3\r\n\r\nabc"),
                     200);
    assert_reply_has(rig, "body=abc");
    assert_int_equal(ask(rig, "GET /console/ HTTP/1.1\r\n" HOST "\r\n"), 403);
    assert_int_equal(ask(rig, "GET /consoles HTTP/1.1\r\n" TOKEN "\r\n"), 404);
    assert_int_equal(ask(rig, "PUT /console HTTP/1.1\r\n" TOKEN "\r\n"), 405);
    assert_reply_has(rig, "\r\nAllow: GET, POST\r\n");
    assert_int_equal(
        ask(rig, "POST /console HTTP/1.1\r\n" TOKEN "Content-Length: 11\r\n\r\n01234567890"), 413);
    rig_stop(rig);
    assert_int_equal(released, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greeting_is_a_page_of_its_own),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(a_whole_url_counts_as_its_path),
        cmocka_unit_test(health_and_readiness_are_json),
        cmocka_unit_test(every_response_has_the_security_headers),
        cmocka_unit_test(a_delivery_is_stored_before_the_response),
        cmocka_unit_test(the_inbox_decides_the_response),
        cmocka_unit_test(a_delivery_without_installation_runs_nothing),
        cmocka_unit_test(wrong_requests_are_rejected_with_the_fix),
        cmocka_unit_test(checks_run_in_a_fixed_order),
        cmocka_unit_test(content_types_may_have_parameters_and_any_case),
        cmocka_unit_test(a_form_carries_its_payload_signed_as_it_was_sent),
        cmocka_unit_test(sha1_counts_only_where_allowed_and_alone),
        cmocka_unit_test(ambiguous_requests_are_rejected),
        cmocka_unit_test(only_a_well_formed_host_is_accepted),
        cmocka_unit_test(unambiguous_variants_are_accepted),
        cmocka_unit_test(bad_lengths_are_rejected),
        cmocka_unit_test(a_chunked_body_is_accepted),
        cmocka_unit_test(bytes_after_a_chunked_body_are_no_request),
        cmocka_unit_test(rejections_by_libmicrohttpd_are_logged),
        cmocka_unit_test(a_chunked_body_is_counted),
        cmocka_unit_test(expect_100_continue_gets_a_response_before_the_body),
        cmocka_unit_test(a_rejection_reaches_a_client_that_writes_before_it_reads),
        cmocka_unit_test(an_absurd_length_is_rejected_at_once),
        cmocka_unit_test(a_connection_serves_one_request_after_the_other),
        cmocka_unit_test(other_rooms_add_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
