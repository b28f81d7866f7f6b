/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* POST /app-manifests/{code}/conversions, and its response. The response holds the App's private
 * key, so no parser makes a copy of it that is not wiped. */
#include "setup/conversion.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "broker/curl_error.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define CONNECT_TIMEOUT_MS 10000
#define TIMEOUT_MS 30000
#define RESPONSE_MAX (256 << 10)
#define URL_MAX 2048
#define SECRET_BYTES 32
#define VERSION_LINE "X-GitHub-Api-Version: 2022-11-28"

void setup_app_finish(struct setup_app *app) {
    secret_finish(&app->key);
    secret_finish(&app->webhook_secret);
    app->id = 0;
}

int setup_make_secret(struct secret *secret) {
    uint8_t bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return -1;
    }
    for (size_t i = 0; i < SECRET_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    int result = secret_copy(secret, text, sizeof text - 1);
    explicit_bzero(text, sizeof text);
    explicit_bzero(bytes, sizeof bytes);
    return result;
}

bool setup_code_is_sound(const char *code) {
    size_t bytes = strlen(code);
    return bytes > 0 && bytes <= SETUP_CODE_MAX &&
           strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
               bytes;
}

/* ---- the response ---- */

/* 0; 1 when it is null or absent; -1 when it is anything but a text. */
static int read_secret(const char *json, size_t bytes, const char *path, struct secret *secret) {
    struct json_value value;
    if (!json_find(json, bytes, path, &value) || value.type == JSON_NULL) {
        return 1;
    }
    if (value.type != JSON_STRING || value.raw_bytes < 2) {
        return -1;
    }
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_SECRET_MAX);
    if (buffer_reserve(&text, value.raw_bytes) < 0) {
        return -1;
    }
    text.bytes = json_unescape(value.raw + 1, value.raw_bytes - 2, text.data);
    return text.bytes == 0 ? 1 : secret_copy(secret, text.data, text.bytes);
}

/* A text without unsafe characters. */
static int read_line(const char *json, size_t bytes, const char *path, char *out, size_t max) {
    struct json_value value;
    if (!json_find(json, bytes, path, &value) || value.type != JSON_STRING || value.raw_bytes < 2 ||
        value.raw_bytes - 2 > max) {
        return -1;
    }
    out[json_unescape(value.raw + 1, value.raw_bytes - 2, out)] = '\0';
    return text_is_line(out, max) ? 0 : -1;
}

/* The page becomes a link, so it must be one of GitHub's. */
static bool is_below(const char *page, const char *web_url) {
    size_t bytes = strlen(web_url);
    return strncmp(page, web_url, bytes) == 0 && page[bytes] == '/';
}

int setup_app_read(const char *json, size_t bytes, const char *web_url, struct setup_app *app,
                   struct error *err) {
    const char *why;
    size_t at;
    struct json_value id;
    setup_app_finish(app);
    if (json_check(json, bytes, &why, &at) < 0 || !json_find(json, bytes, "id", &id) ||
        !json_to_integer(&id, &app->id) || app->id <= 0 ||
        read_line(json, bytes, "slug", app->slug, SETUP_SLUG_MAX) < 0 ||
        read_secret(json, bytes, "pem", &app->key) != 0 ||
        read_secret(json, bytes, "webhook_secret", &app->webhook_secret) < 0) {
        setup_app_finish(app);
        return error_set(err, "GitHub's response has no App with an id, a slug and a key");
    }
    if (read_line(json, bytes, "html_url", app->page, SETUP_URL_MAX) < 0 ||
        !is_below(app->page, web_url)) {
        snprintf(app->page, sizeof app->page, "%.150s/apps/%s", web_url, app->slug);
    }
    return 0;
}

/* ---- the request ---- */

static size_t on_data(char *data, size_t size, size_t count, void *context) {
    return buffer_append(context, data, size * count) == 0 ? size * count : 0;
}

static void finish_curl(CURL **curl) {
    curl_easy_cleanup(*curl);
}

static void finish_list(struct curl_slist **list) {
    curl_slist_free_all(*list);
}

static CURLcode set_request(CURL *curl, const char *url, struct buffer *body) {
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_POST, 1L);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    code = code ? code : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    return code ? code : curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
}

static CURLcode set_connection(CURL *curl, const struct config *config) {
    bool tls = strncmp(config->github.api_url, "https:", strlen("https:")) == 0;
    const struct proxy *proxy = &config->proxy;
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
#else
    CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                                     tls ? (long)CURLPROTO_HTTPS : (long)CURLPROTO_HTTP);
#endif
    code = code ? code : curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_USERAGENT, config->github.user_agent);
    /* Never the proxy that libcurl would find in the environment. */
    const char *proxy_url = proxy->url ? proxy->url : "";
    const char *no_proxy = proxy->url ? proxy->except : "*";
    code = code ? code : curl_easy_setopt(curl, CURLOPT_PROXY, proxy_url);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_NOPROXY, no_proxy);
    code =
        code ? code : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!code && config->github.ca_file) {
        code = curl_easy_setopt(curl, CURLOPT_CAINFO, config->github.ca_file);
        code = code ? code : curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    return code;
}

/* GitHub's own sentence, for the end of ours. */
static void read_message(const struct buffer *body, char message[200]) {
    struct json_value value;
    char text[1024];
    message[0] = '\0';
    if (body->data && json_find(body->data, body->bytes, "message", &value) &&
        value.type == JSON_STRING && value.raw_bytes - 2 < sizeof text) {
        size_t bytes = json_unescape(value.raw + 1, value.raw_bytes - 2, text);
        text_clean(message, 200, text, bytes);
    }
}

static int read_response(const struct config *config, const char *web_url, long status,
                         const struct buffer *body, struct setup_app *app, struct error *err) {
    char message[200];
    if (status == 201 && body->data) {
        return setup_app_read(body->data, body->bytes, web_url, app, err);
    }
    read_message(body, message);
    if ((status == 404 || status == 422) && *message) {
        error_set(err, "%s", message);
        return SETUP_CODE_UNKNOWN;
    }
    return error_set(err, "%s responded %ld%s%s", config->github.api_url, status,
                     *message ? ": " : "", message);
}

static int add_headers(struct curl_slist **headers) {
    static const char *const lines[] = {"Accept: application/vnd.github+json", VERSION_LINE,
                                        "Content-Type:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct curl_slist *longer = curl_slist_append(*headers, lines[i]);
        if (!longer) {
            return -1;
        }
        *headers = longer;
    }
    return 0;
}

static int perform(CURL *curl, const struct config *config, const char *code,
                   struct curl_slist *headers, struct buffer *body, struct error *err) {
    char url[URL_MAX], reason[CURL_ERROR_SIZE] = "", text[512];
    if (snprintf(url, sizeof url, "%s/app-manifests/%s/conversions", config->github.api_url,
                 code) >= (int)sizeof url) {
        return error_set(err, "github.api_url is too long");
    }
    CURLcode result = set_request(curl, url, body);
    result = result ? result : set_connection(curl, config);
    result = result ? result : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    result = result ? result : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    result = result ? result : curl_easy_perform(curl);
    if (result) {
        const struct curl_error failure = {.easy = curl,
                                           .code = result,
                                           .text = *reason ? reason : curl_easy_strerror(result),
                                           .ca_file = config->github.ca_file,
                                           .proxy = config->proxy.url ? &config->proxy : NULL};
        curl_error_describe(&failure, text, sizeof text);
        return error_set(err, "%s: %s", config->github.api_url, text);
    }
    return 0;
}

int setup_convert(const struct config *config, const char *web_url, const char *code,
                  struct setup_app *app, struct error *err) {
    CLEANUP(finish_list) struct curl_slist *headers = NULL;
    CLEANUP(finish_curl) CURL *curl = curl_easy_init();
    /* One allocation, because a growing buffer would leave copies behind. */
    AUTO_WIPED_BUFFER struct buffer body = BUFFER_INIT(RESPONSE_MAX);
    long status = 0;
    if (!curl || buffer_reserve(&body, RESPONSE_MAX) < 0 || add_headers(&headers) < 0) {
        return error_set(err, "out of memory");
    }
    if (perform(curl, config, code, headers, &body, err) < 0) {
        return -1;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return read_response(config, web_url, status, &body, app, err);
}
