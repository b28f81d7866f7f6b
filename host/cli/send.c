/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic send`: signs the bytes of a file as GitHub does, and posts them unchanged to a
 * running host. */
#include "cli/cli.h"
#include "cli/host_url.h"

#include "base/buffer.h"
#include "base/io.h"
#include "github_app/events.h"
#include "inbox/limits.h"

#include <curl/curl.h>
#include <getopt.h>
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

/* More than a host accepts, so that its rejection can be tested. */
#define BODY_MAX (64u << 20)
/* The largest response. */
#define RESPONSE_MAX (1u << 20)
#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS 60000
#define GUID_BYTES 37
#define WEBHOOK_PATH "/webhook/github"

static const char usage[] =
    "Usage: snekomatic send [OPTION...] EVENT FILE\n"
    "\n"
    "Posts the bytes of FILE (- for standard input) as GitHub's webhook EVENT to a running host,\n"
    "signed with its webhook secret. Prints the status and the body of the response.\n"
    "\n"
    "  -c, --config FILE       the host's configuration (default as for serve)\n"
    "      --url URL           where to post (default: the host's server.listen, or 127.0.0.1 if\n"
    "                          that is every address, and " WEBHOOK_PATH ")\n"
    "      --delivery GUID     the delivery's GUID (default: a random one)\n"
    "      --secret-file FILE  the webhook secret (default: the configuration's). With --url and\n"
    "                          this option, send reads no configuration\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0 the host accepted it (2xx); 64 wrong usage; 66 FILE cannot be read; 69 the "
    "host\n"
    "cannot be reached; 76 the host rejected it; 78 the configuration or the secret is wrong.\n";

struct send {
    /* From the command line; NULL: not given. */
    const char *config_path, *url, *delivery, *secret_file, *event, *file;
    /* NULL: not needed. */
    struct config *config;
    struct secret secret;
    char *own_url;
    char guid[GUID_BYTES];
    struct buffer body, response;
};

/* -1: continue; else the exit status. */
static int parse(int argc, char **argv, struct send *send) {
    enum { URL = 256, DELIVERY, SECRET_FILE };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"url", required_argument, NULL, URL},
                                            {"delivery", required_argument, NULL, DELIVERY},
                                            {"secret-file", required_argument, NULL, SECRET_FILE},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            send->config_path = optarg;
            break;
        case URL:
            send->url = optarg;
            break;
        case DELIVERY:
            send->delivery = optarg;
            break;
        case SECRET_FILE:
            send->secret_file = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    if (argc - optind != 2) {
        return cli_usage_error("send", "EVENT and FILE are needed");
    }
    send->event = argv[optind];
    send->file = argv[optind + 1];
    return -1;
}

/* Can a header contain it? */
static bool is_header_value(const char *text, size_t most) {
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return bytes > 0 && bytes <= most;
}

/* Only a warning: GitHub may have new events, and a plugin may be tested with one of its own. */
static void warn_of_event(const char *event) {
    const char *nearest;
    char suggestion[CLI_SUGGESTION_MAX];
    if (!github_event_find(event, &nearest)) {
        fprintf(stderr, "snekomatic send: warning: GitHub has no event '%s'%s\n", event,
                cli_suggestion(nearest, suggestion));
    }
}

static int check_arguments(const struct send *send) {
    if (!is_header_value(send->event, INBOX_NAME_MAX)) {
        return cli_usage_error("send",
                               "EVENT must be a name such as pull_request, at most %d characters",
                               INBOX_NAME_MAX);
    }
    if (send->delivery && !is_header_value(send->delivery, INBOX_GUID_MAX)) {
        return cli_usage_error("send",
                               "--delivery must be printable ASCII without spaces, at "
                               "most %d characters",
                               INBOX_GUID_MAX);
    }
    if (send->url && strncmp(send->url, "http://", 7) != 0 &&
        strncmp(send->url, "https://", 8) != 0) {
        return cli_usage_error("send", "--url must start with http:// or https://");
    }
    warn_of_event(send->event);
    return EX_OK;
}

static int choose_url(struct send *send) {
    if (send->config && send->config->github.receive == CONFIG_RECEIVE_PULL) {
        fputs("snekomatic send: github.receive is \"pull\", so the host fetches deliveries from "
              "GitHub "
              "and accepts none by send\n",
              stderr);
        return EX_CONFIG;
    }
    if (send->url) {
        return EX_OK;
    }
    if (send->config->server.port == 0) {
        return cli_usage_error("send", "the host chooses its port itself (server.listen ends in "
                                       "0): read its log line msg=listening, and use --url");
    }
    send->own_url = host_url(send->config, WEBHOOK_PATH);
    if (!send->own_url) {
        return EX_OSERR;
    }
    send->url = send->own_url;
    return EX_OK;
}

static int choose_secret(struct send *send) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    int64_t until_ms;
    size_t count = 0;
    int result = send->secret_file
                     ? config_secret_file(send->secret_file, &send->secret, &err)
                     : config_webhook_secrets(send->config, secrets, &count, &until_ms, &err);
    if (result < 0) {
        fprintf(stderr, "snekomatic send: webhook secret: %s\n", err.text);
        return EX_CONFIG;
    }
    if (!send->secret_file && count == 0) {
        fputs("snekomatic send: there is no webhook secret: the host pulls deliveries "
              "(github.receive), and accepts no webhook\n",
              stderr);
        return EX_CONFIG;
    }
    if (!send->secret_file) {
        send->secret = secrets[0];
        secret_finish(&secrets[1]);
    }
    return EX_OK;
}

static int choose_delivery(struct send *send) {
    unsigned char b[16];
    if (send->delivery) {
        return EX_OK;
    }
    if (getrandom(b, sizeof b, 0) != sizeof b) {
        fputs("snekomatic send: the system has no random numbers\n", stderr);
        return EX_OSERR;
    }
    /* RFC 9562: version 4 */
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0F));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3F));
    snprintf(send->guid, sizeof send->guid,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    send->delivery = send->guid;
    return EX_OK;
}

static int read_body(struct send *send) {
    struct error err;
    int result = strcmp(send->file, "-") == 0
                     ? io_read_rest(STDIN_FILENO, "standard input", &send->body, &err)
                     : io_read_file(send->file, &send->body, &err);
    if (result < 0) {
        fprintf(stderr, "snekomatic send: %s\n", err.text);
        return EX_NOINPUT;
    }
    return EX_OK;
}

static void sign(const struct send *send, char hex[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1]) {
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&hmac, send->secret.bytes, (const uint8_t *)send->secret.data);
    hmac_sha256_update(&hmac, send->body.bytes, (const uint8_t *)send->body.data);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)] = '\0';
    explicit_bzero(&hmac, sizeof hmac);
}

static size_t on_response_data(char *data, size_t size, size_t count, void *context) {
    struct send *send = context;
    return buffer_append(&send->response, data, size * count) == 0 ? size * count : 0;
}

/* False if memory is short. */
static bool add_header(struct curl_slist **headers, const char *name, const char *value) {
    char line[INBOX_GUID_MAX + 64];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*headers, line);
    *headers = longer ? longer : *headers;
    return longer != NULL;
}

static void finish_headers(struct curl_slist **headers) {
    curl_slist_free_all(*headers);
}

static void finish_curl(CURL **curl) {
    curl_easy_cleanup(*curl);
}

static CURLcode post(struct send *send, char why[CURL_ERROR_SIZE], long *status) {
    CLEANUP(finish_curl) CURL *curl = curl_easy_init();
    CLEANUP(finish_headers) struct curl_slist *headers = NULL;
    char signature[sizeof "sha256=" + BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)] = "sha256=";
    sign(send, signature + strlen(signature));
    if (!curl || !add_header(&headers, "Content-Type", "application/json") ||
        !add_header(&headers, "X-GitHub-Event", send->event) ||
        !add_header(&headers, "X-GitHub-Delivery", send->delivery) ||
        !add_header(&headers, "X-Hub-Signature-256", signature) ||
        !add_header(&headers, "Expect", "")) {
        return CURLE_OUT_OF_MEMORY;
    }
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_URL, send->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "snekomatic-send/" SNEK_VERSION);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)send->body.bytes);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, send->body.data ? send->body.data : "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_response_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, send);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (send->own_url) {
        /* The host runs on this machine. */
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    }
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return code;
}

static void print_response(const struct send *send, long status) {
    printf("%ld\n", status);
    for (size_t i = 0; i < send->response.bytes; i++) {
        char c = send->response.data[i];
        bool control = (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7F;
        /* A foreign server must not control the terminal. */
        putchar(control ? '?' : c);
    }
    if (send->response.bytes > 0 && send->response.data[send->response.bytes - 1] != '\n') {
        putchar('\n');
    }
}

static int send_it(struct send *send) {
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("snekomatic send: libcurl does not start\n", stderr);
        return EX_OSERR;
    }
    CURLcode code = post(send, why, &status);
    curl_global_cleanup();
    /* A host that rejects early may close the connection after its response. */
    if (status != 0) {
        print_response(send, status);
        return status / 100 == 2 ? EX_OK : EX_PROTOCOL;
    }
    fprintf(stderr, "snekomatic send: no response from %s: %s\n", send->url,
            *why ? why : curl_easy_strerror(code));
    if (code == CURLE_COULDNT_CONNECT) {
        const struct cli_command serve = cli_command("serve");
        fprintf(stderr, "Does the host run? Start it with `%s`, or name its address with --url.\n",
                serve.text);
    }
    return code == CURLE_URL_MALFORMAT ? EX_USAGE : EX_UNAVAILABLE;
}

static void finish(struct send *send) {
    secret_finish(&send->secret);
    buffer_finish(&send->body);
    buffer_finish(&send->response);
    free(send->own_url);
    config_free(send->config);
}

int cli_send(int argc, char **argv) {
    CLEANUP(finish)
    struct send send = {.body = BUFFER_INIT(BODY_MAX), .response = BUFFER_INIT(RESPONSE_MAX)};
    int status = parse(argc, argv, &send);
    if (status >= 0) {
        return status;
    }
    status = check_arguments(&send);
    if (status == EX_OK && !(send.url && send.secret_file)) {
        status = cli_load_config(send.config_path, CONFIG_NEED_HOST, &send.config);
    }
    int (*const steps[])(struct send *) = {choose_url, choose_secret, choose_delivery, read_body,
                                           send_it};
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == EX_OK; i++) {
        status = steps[i](&send);
    }
    return status;
}
