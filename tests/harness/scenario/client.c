/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The HTTP client, on libcurl. */
#include "scenario/client.h"

#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <string.h>

#define TIMEOUT_MS 60000

int client_init(struct client *client, struct error *err) {
    client->curl = curl_easy_init();
    return client->curl ? 0 : error_set(err, "libcurl does not start");
}

void client_finish(struct client *client) {
    curl_easy_cleanup(client->curl);
    client->curl = NULL;
}

static size_t take(char *data, size_t size, size_t count, void *context) {
    return buffer_append(context, data, size * count) == 0 ? size * count : 0;
}

/* The status; 0 and the reason when there is no response. */
static long perform(struct client *client, const char *method, const char *url, const char *body,
                    size_t body_bytes, struct curl_slist *headers, struct buffer *response,
                    struct error *err) {
    CURL *curl = client->curl;
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, response);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        error_set(err, "%s", *why ? why : curl_easy_strerror(code));
        return 0;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void finish_headers(struct curl_slist **headers) {
    curl_slist_free_all(*headers);
}

int client_json(struct client *client, const char *method, const char *url, const json_t *body,
                json_t **response, struct error *err) {
    AUTO_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    AUTO_BUFFER struct buffer said = BUFFER_INIT(CLIENT_RESPONSE_MAX);
    CLEANUP(finish_headers)
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    long status = perform(client, method, url, text, text ? strlen(text) : 0, headers, &said, err);
    if (status / 100 != 2) {
        if (status == 0) {
            return error_wrap(err, "%s %s", method, url);
        }
        return error_set(err, "%s %s: %ld %s", method, url, status, said.data ? said.data : "");
    }
    if (response) {
        *response = said.bytes ? json_loadb(said.data, said.bytes, JSON_ALLOW_NUL, NULL) : NULL;
    }
    return 0;
}

static void sign(const struct webhook *webhook, char *hex) {
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&hmac, strlen(webhook->secret), (const uint8_t *)webhook->secret);
    hmac_sha256_update(&hmac, webhook->body_bytes, (const uint8_t *)webhook->body);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)] = '\0';
}

int client_webhook(struct client *client, const struct webhook *webhook, struct error *err) {
    char lines[3][256];
    char signature[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1];
    sign(webhook, signature);
    snprintf(lines[0], sizeof lines[0], "X-GitHub-Event: %s", webhook->event);
    snprintf(lines[1], sizeof lines[1], "X-GitHub-Delivery: %s", webhook->guid);
    snprintf(lines[2], sizeof lines[2], "X-Hub-Signature-256: sha256=%s", signature);
    CLEANUP(finish_headers)
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    headers = curl_slist_append(headers, "User-Agent: GitHub-Hookshot/scenario");
    for (size_t i = 0; i < 3; i++) {
        headers = curl_slist_append(headers, lines[i]);
    }
    AUTO_BUFFER struct buffer said = BUFFER_INIT(1u << 20);
    long status = perform(client, "POST", webhook->url, webhook->body, webhook->body_bytes, headers,
                          &said, err);
    if (status == 0) {
        return error_wrap(err, "the host does not respond");
    }
    if (status / 100 == 2) {
        return 0;
    }
    return error_set(err, "the host did not take the webhook: %ld %s", status,
                     said.data ? said.data : "");
}

long client_status(struct client *client, const char *url) {
    AUTO_BUFFER struct buffer said = BUFFER_INIT(1u << 20);
    struct error err;
    return perform(client, "GET", url, NULL, 0, NULL, &said, &err);
}
