/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the webhook at GitHub with what the host receives, and reads how GitHub's last
 * deliveries went. */
#include "cli/webhook_check.h"

#include "base/text.h"
#include "cli/cli.h"
#include "config/public_host.h"

#include <stdio.h>
#include <string.h>

#define EVENT_MAX 64
#define TIME_MAX 40
#define STATUS_MAX 80

static const char *text_at(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* ---- the URL ---- */

void webhook_target_finish(struct webhook_target *target) {
    curl_free(target->scheme);
    curl_free(target->host);
    curl_free(target->path);
    curl_url_cleanup(target->url);
}

int webhook_target_read(struct webhook_target *target, const char *text) {
    *target = (struct webhook_target){.url = curl_url()};
    bool good = target->url && curl_url_set(target->url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(target->url, CURLUPART_SCHEME, &target->scheme, 0) == CURLUE_OK &&
                curl_url_get(target->url, CURLUPART_HOST, &target->host, 0) == CURLUE_OK &&
                curl_url_get(target->url, CURLUPART_PATH, &target->path, 0) == CURLUE_OK;
    return good && (strcmp(target->scheme, "https") == 0 || strcmp(target->scheme, "http") == 0)
               ? 0
               : -1;
}

static bool ends_with(const char *text, const char *end) {
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

bool webhook_pull_host(const char *host) {
    return ends_with(host, ".invalid");
}

const char *webhook_public_url(const struct config *config, char url[APP_URL_MAX]) {
    if (!config->server.public_url) {
        return NULL;
    }
    snprintf(url, APP_URL_MAX, "%s" APP_WEBHOOK_PATH, config->server.public_url);
    return url;
}

static bool pulls(const struct app_check *check) {
    return check->config->github.receive == CONFIG_RECEIVE_PULL;
}

/* The URL that the form should have. */
static const char *wanted_url(const struct app_check *check, char url[APP_URL_MAX]) {
    if (pulls(check)) {
        return APP_PULL_URL;
    }
    const char *wanted = webhook_public_url(check->config, url);
    return wanted ? wanted : "https://YOUR-HOST" APP_WEBHOOK_PATH;
}

/* The verb that sets it. */
static struct cli_command wanted_verb(const struct app_check *check) {
    bool knows = pulls(check) || check->config->server.public_url;
    return cli_command(knows ? "hook --set-url" : "hook --set-url https://YOUR-HOST");
}

/* In pull mode nobody receives at the URL. */
static void check_pull_url(const struct app_check *check, const char *url,
                           const struct webhook_target *target) {
    if (!target->host || !webhook_pull_host(target->host)) {
        findings_warning(check->findings,
                         "webhook URL: it is %s, and GitHub sends all payloads there, though the "
                         "host pulls them: set " APP_FORM_WEBHOOK " > Webhook URL: " APP_PULL_URL
                         ", or run `%s`",
                         url, wanted_verb(check).text);
    }
}

/* True after it has reported that GitHub cannot reach the host. */
static bool report_unreachable(const struct app_check *check, const char *url,
                               const struct webhook_target *target) {
    char wanted[APP_URL_MAX];
    const char *why = public_host_problem(target->host, check->config->github.api_url);
    if (webhook_pull_host(target->host)) {
        findings_problem(
            check->findings,
            "webhook URL: it is %s, which leads nowhere, and the host waits for webhooks: to let "
            "the host ask GitHub instead, set receive = \"pull\" in the table [github] and restart "
            "it; to get webhooks, set " APP_FORM_WEBHOOK " > Webhook URL: %s, or run `%s`",
            url, wanted_url(check, wanted), wanted_verb(check).text);
        return true;
    }
    if (why) {
        findings_problem(
            check->findings,
            "webhook URL: it is %s, and GitHub cannot reach it, because %s %s: "
            "set " APP_FORM_WEBHOOK " > Webhook URL: %s, or run `%s`; without a public "
            "address, use pull mode (receive = \"pull\" in the table [github])",
            url, target->host, why, wanted_url(check, wanted), wanted_verb(check).text);
        return true;
    }
    return false;
}

/* Without server.public_url nothing shows whether the URL is this bot's. */
static void report_not_compared(const struct app_check *check, const char *url) {
    const char *file = check->config->file;
    int origin_bytes = (int)(strlen(url) - strlen(APP_WEBHOOK_PATH));
    findings_warning(check->findings,
                     "webhook URL: GitHub sends webhooks to %s, and server.public_url is not set, "
                     "so nothing shows whether this is the bot's address. If it is, set public_url "
                     "= \"%.*s\" in the table [server]%s%s, or the variable "
                     "SNEKOMATIC_PUBLIC_URL; if not, run `%s`",
                     url, origin_bytes, url, file ? " of " : "", file ? file : "",
                     wanted_verb(check).text);
}

static void compare_url(const struct app_check *check, const char *url) {
    char wanted[APP_URL_MAX];
    bool known = webhook_public_url(check->config, wanted) != NULL;
    if (known && strcmp(url, wanted) != 0) {
        findings_problem(
            check->findings,
            "webhook URL: it is %s, not that of server.public_url: set " APP_FORM_WEBHOOK
            " > Webhook URL: %s, or run `%s`",
            url, wanted, wanted_verb(check).text);
    } else if (!ends_with(url, APP_WEBHOOK_PATH)) {
        findings_problem(check->findings,
                         "webhook URL: it is %s, but the host receives webhooks "
                         "at " APP_WEBHOOK_PATH " only: set " APP_FORM_WEBHOOK
                         " > Webhook URL: https://YOUR-HOST" APP_WEBHOOK_PATH,
                         url);
    } else if (!known) {
        report_not_compared(check, url);
    }
}

static void check_url(const struct app_check *check, const char *url) {
    CLEANUP(webhook_target_finish) struct webhook_target target = {NULL};
    bool readable = webhook_target_read(&target, url) == 0;
    if (pulls(check)) {
        check_pull_url(check, url, &target);
    } else if (!readable || !report_unreachable(check, url, &target)) {
        compare_url(check, url);
    }
}

/* ---- how GitHub sends ---- */

static void check_sending(const struct app_check *check, const json_t *webhook) {
    const char *type = text_at(webhook, "content_type"),
               *insecure = text_at(webhook, "insecure_ssl"), *secret = text_at(webhook, "secret");
    if (type && strcmp(type, "json") != 0) {
        findings_warning(check->findings,
                         "webhook content type: it is %s, and the signature then covers an encoded "
                         "form: set " APP_FORM_WEBHOOK
                         " > Content type: application/json, or run `%s`",
                         type, cli_command("hook --set-url").text);
    }
    if (insecure && strcmp(insecure, "0") != 0) {
        findings_warning(check->findings,
                         "webhook SSL verification: it is off, so GitHub sends webhooks to anybody "
                         "who answers at this address: set " APP_FORM_WEBHOOK
                         " > SSL verification: Enable SSL verification");
    }
    if (!secret || !*secret) {
        findings_problem(check->findings, "webhook secret: the App has none, so the host rejects "
                                          "every webhook: set " APP_FORM_WEBHOOK
                                          " > Secret: the one of github.webhook_secret_file");
    }
}

void webhook_check(const struct app_check *check, const json_t *webhook) {
    const char *url = text_at(webhook, "url");
    char wanted[APP_URL_MAX], shown[APP_URL_MAX];
    if (!url || !*url) {
        findings_problem(check->findings,
                         "webhook: the App has none, or it is not active%s: check " APP_FORM_WEBHOOK
                         " > Active, and set Webhook URL: %s",
                         pulls(check) ? ", so GitHub lists no deliveries" : "",
                         wanted_url(check, wanted));
        return;
    }
    text_clean(shown, sizeof shown, url, strlen(url));
    printf("webhook         %s\n", shown);
    check_url(check, url);
    if (!pulls(check)) {
        check_sending(check, webhook);
    }
}

/* ---- the deliveries ---- */

static long code_of(const json_t *delivery) {
    return (long)json_integer_value(json_object_get(delivery, "status_code"));
}

static bool is_accepted(const json_t *delivery) {
    return code_of(delivery) >= 200 && code_of(delivery) < 300;
}

/* GitHub is still sending it, or GitHub's ping met the setup, which takes no webhook. */
static bool says_nothing(const json_t *delivery) {
    const char *status = text_at(delivery, "status"), *event = text_at(delivery, "event");
    return (status && strcmp(status, "pending") == 0) ||
           (event && strcmp(event, "ping") == 0 && code_of(delivery) == 503);
}

/* The fix for the status that GitHub got. */
static const char *fix_of(long status) {
    switch (status) {
    case 401:
        return "the App's webhook secret is not this host's: enter the one of "
               "github.webhook_secret_file at " APP_FORM_WEBHOOK " > Secret";
    case 404:
    case 405:
        return "another program responds there, or a proxy does not pass on the "
               "path " APP_WEBHOOK_PATH ", or the running host pulls";
    case 413:
        return "a proxy limits the size of requests: let it pass 25 MiB";
    case 503:
        return "the host or a proxy rejected them: see the host's log (its store, its setup), and "
               "whether the host runs";
    default:
        break;
    }
    if (status >= 300 && status < 400) {
        return "GitHub follows no redirect: set the URL to which it leads";
    }
    if (status >= 400 && status < 500) {
        return "a proxy or another program changed or rejected them: see the response at GitHub";
    }
    return "GitHub or a proxy does not reach the host: start it, and check the name, the "
           "certificate, the firewall and the proxy's target";
}

/* The newest delivery in words: what GitHub got, for which event, when. */
static void describe(const json_t *delivery, char *text, size_t room) {
    const char *status = text_at(delivery, "status"), *event = text_at(delivery, "event"),
               *at = text_at(delivery, "delivered_at");
    snprintf(text, room, "%ld (%.*s) for %.*s at %.*s", code_of(delivery), STATUS_MAX,
             status ? status : "no status", EVENT_MAX, event ? event : "an event", TIME_MAX,
             at ? at : "an unknown time");
    text_clean_in_place(text);
}

static void report_failed(const struct app_check *check, const json_t *newest, size_t failed,
                          bool any_accepted) {
    char text[STATUS_MAX + EVENT_MAX + TIME_MAX + 40], settings[APP_URL_MAX];
    struct cli_command rotate = cli_command("hook --rotate");
    bool other_secret = code_of(newest) == 401;
    AUTO_FREE char *line = NULL;
    describe(newest, text, sizeof text);
    app_settings_url(check->config, check->app, settings);
    int bytes = asprintf(
        &line,
        "deliveries: GitHub could not deliver the last %zu%s. The newest got %s: %s%s%s%s. Then "
        "press Redeliver there: %s/advanced (Settings > Advanced > Recent Deliveries)",
        failed, any_accepted ? "" : ", and no other is listed", text, fix_of(code_of(newest)),
        other_secret ? ", or run `" : "", other_secret ? rotate.text : "", other_secret ? "`" : "",
        settings);
    if (bytes < 0) {
        line = NULL;
    }
    if (any_accepted) {
        findings_idle(check->findings, "%s", line ? line : "out of memory");
    } else {
        findings_problem(check->findings, "%s", line ? line : "out of memory");
    }
}

void webhook_check_deliveries(const struct app_check *check, const json_t *deliveries) {
    const json_t *delivery, *newest = NULL;
    size_t i, failed = 0;
    bool any_accepted = false;
    char text[STATUS_MAX + EVENT_MAX + TIME_MAX + 40];
    json_array_foreach(deliveries, i, delivery) {
        if (says_nothing(delivery)) {
            continue;
        }
        newest = newest ? newest : delivery;
        any_accepted = any_accepted || is_accepted(delivery);
        failed += any_accepted ? 0 : 1;
    }
    if (!newest) {
        printf("deliveries      GitHub lists none yet\n");
    } else if (pulls(check)) {
        /* They fail at GitHub, which is right and would only frighten people. */
        const char *event = text_at(newest, "event"), *at = text_at(newest, "delivered_at");
        snprintf(text, sizeof text, "%.*s at %.*s", EVENT_MAX, event ? event : "an event", TIME_MAX,
                 at ? at : "an unknown time");
        text_clean_in_place(text);
        printf("deliveries      ok: GitHub lists them for the host; the newest is %s\n", text);
    } else if (failed == 0) {
        describe(newest, text, sizeof text);
        printf("deliveries      ok: the newest got %s\n", text);
    } else {
        report_failed(check, newest, failed, any_accepted);
    }
}
