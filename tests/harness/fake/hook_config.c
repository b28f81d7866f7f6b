/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The configuration of the app's webhook: GET and PATCH /app/hook/config. It is in the settings, so
 * the webhooks that follow a change go to the new URL and have the new signature. */
#include "fake/handlers.h"
#include "fake/response.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

/* GitHub never shows a secret. */
#define SECRET_SHOWN "********"

/* An app without a webhook, or with one that is not active, has no configuration. */
static bool has_webhook(const struct fake *fake) {
    const json_t *settings = state_settings(fake);
    return json_is_true(json_object_get(settings, "webhook_active")) &&
           *text_of(settings, "webhook_url");
}

static void respond_config(struct http_exchange *exchange) {
    const json_t *settings = state_settings(exchange->fake);
    json_t *config =
        json_pack("{s:s, s:s, s:s}", "content_type", text_of(settings, "webhook_content_type"),
                  "insecure_ssl", text_of(settings, "webhook_insecure_ssl"), "url",
                  text_of(settings, "webhook_url"));
    if (*text_of(settings, "webhook_secret")) {
        json_object_set_new(config, "secret", json_string(SECRET_SHOWN));
    }
    respond_json(exchange, 200, config);
}

void handle_hook_config_get(struct http_exchange *exchange) {
    if (has_webhook(exchange->fake)) {
        respond_config(exchange);
    } else {
        respond_error(exchange, 404, "Not Found");
    }
}

static bool is_web_url(const char *text) {
    return text && (strncasecmp(text, "https://", 8) == 0 || strncasecmp(text, "http://", 7) == 0);
}

/* GitHub takes the number too: "0" or 0. NULL: neither. */
static const char *insecure_ssl(const json_t *value) {
    static const char *const numbers[] = {"0", "1"};
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= 0 && number <= 1) {
        text = numbers[number];
    }
    return text && (strcmp(text, "0") == 0 || strcmp(text, "1") == 0) ? text : NULL;
}

/* The key that is wrong; NULL: none. */
static const char *wrong_key(const json_t *body) {
    const json_t *url = json_object_get(body, "url"), *type = json_object_get(body, "content_type"),
                 *secret = json_object_get(body, "secret"),
                 *insecure = json_object_get(body, "insecure_ssl");
    if (url && !is_web_url(json_string_value(url))) {
        return "url";
    }
    if (type && (!json_is_string(type) || (strcmp(json_string_value(type), "json") != 0 &&
                                           strcmp(json_string_value(type), "form") != 0))) {
        return "content_type";
    }
    if (secret && !json_is_string(secret)) {
        return "secret";
    }
    return insecure && !insecure_ssl(insecure) ? "insecure_ssl" : NULL;
}

static void change(struct fake *fake, const json_t *body) {
    static const char *const keys[][2] = {{"url", "webhook_url"},
                                          {"content_type", "webhook_content_type"},
                                          {"secret", "webhook_secret"}};
    json_t *settings = state_settings(fake);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(body, keys[i][0]);
        if (value) {
            json_object_set(settings, keys[i][1], value);
        }
    }
    const json_t *insecure = json_object_get(body, "insecure_ssl");
    if (insecure) {
        json_object_set_new(settings, "webhook_insecure_ssl", json_string(insecure_ssl(insecure)));
    }
}

void handle_hook_config_patch(struct http_exchange *exchange) {
    static const char *const allowed[] = {"url", "content_type", "secret", "insecure_ssl", NULL};
    if (!has_webhook(exchange->fake)) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    json_t *body = exchange_body(exchange, "Hook", allowed);
    if (!body) {
        return;
    }
    const char *wrong = wrong_key(body);
    if (wrong) {
        respond_invalid(exchange, "Hook", wrong, "invalid", NULL);
    } else {
        change(exchange->fake, body);
        respond_config(exchange);
    }
    json_decref(body);
}
