/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --online`: sends the requests to GitHub. */
#include "cli/online.h"

#include "base/clock.h"
#include "base/link.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/app_check.h"
#include "cli/broker_client.h"
#include "cli/webhook_check.h"
#include "setup/origins.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* serve logs this warning if GitHub accepts the next key only. On the broker's thread. */
static void on_log(void *context, enum log_level level, const char *message,
                   const struct log_field *fields) {
    (void)level, (void)fields;
    if (strcmp(message, "private_key_next") == 0) {
        atomic_store((atomic_bool *)context, true);
    }
}

/* GitHub's response has shown its clock, even if it rejected the request. */
static void check_clock(struct findings *findings) {
    int64_t ahead_ms;
    if (!clock_error_ms(&ahead_ms) ||
        (ahead_ms <= CLOCK_ERROR_MAX_MS && ahead_ms >= -CLOCK_ERROR_MAX_MS)) {
        return;
    }
    int64_t seconds = ahead_ms / 1000;
    fprintf(stderr, "clock: this machine's clock is %" PRId64 " s %s GitHub's; set it (NTP)\n",
            seconds < 0 ? -seconds : seconds, seconds < 0 ? "behind" : "ahead of");
    findings->problems++;
}

/* The fix of a rejected GET /app, in the words of GitHub's form. */
static void explain(const struct config *config, int32_t status, const char *key_source) {
    char web_url[SETUP_ORIGIN_MAX];
    if (status != 401 && status != 404) {
        return;
    }
    if (setup_web_url(config->github.api_url, web_url)) {
        fprintf(stderr,
                "  The App is in the list at %s/settings/apps, or, for an organization's,\n"
                "  at %s/organizations/ORGANIZATION/settings/apps\n",
                web_url, web_url);
    }
    if (status == 401) {
        fprintf(stderr,
                "  GitHub accepts only a key of this App: Settings > General > Private keys > "
                "Generate a private key.\n  Replace the key in %s with the downloaded one\n",
                key_source);
    }
    fprintf(stderr, "  github.app_id (%s) is the number at Settings > General > About > App ID\n",
            config->github.app_id);
}

static bool is_our_app(const struct config *config, const json_t *app) {
    const char *client_id = json_string_value(json_object_get(app, "client_id"));
    char id[24];
    snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(app, "id")));
    return strcmp(id, config->github.app_id) == 0 ||
           (client_id && strcmp(client_id, config->github.app_id) == 0);
}

static void print_app(const struct config *config, const json_t *app) {
    const struct proxy *proxy = &config->proxy;
    const char *slug = json_string_value(json_object_get(app, "slug"));
    char shown[APP_URL_MAX], settings[APP_URL_MAX];
    text_clean(shown, sizeof shown, slug, strlen(slug));
    printf("GitHub          ok: the app is %s%s%s\n", shown, proxy->url ? "; HTTPS_PROXY is " : "",
           proxy->url ? proxy->shown : "");
    app_settings_url(config, app, settings);
    text_clean_in_place(settings);
    if (*settings) {
        printf("                its settings: %s\n", settings);
    }
}

/* NULL after it has reported why. */
static json_t *get_app(struct broker_client *client, const struct config *config,
                       const char *key_source, struct findings *findings) {
    struct broker_request request;
    char settings[APP_URL_MAX];
    json_t *app = broker_client_json(client, "GET", "/app", NULL, &request);
    bool named = json_is_string(json_object_get(app, "slug"));
    fflush(stdout);
    if (!app) {
        fprintf(stderr, "%s%s%s\n",
                request.status == 401 ? "private key: " : "GitHub: ", request.error.text,
                broker_client_fix(&request));
        explain(config, request.status, key_source);
    } else if (!named) {
        fprintf(stderr, "GitHub: GET /app answered %d without a slug: check github.api_url\n",
                (int)request.status);
    } else if (!is_our_app(config, app)) {
        fprintf(stderr,
                "GitHub: the private key belongs to another App, %s, than github.app_id %s\n",
                json_string_value(json_object_get(app, "slug")), config->github.app_id);
        app_settings_url(config, app, settings);
        text_clean_in_place(settings);
        fprintf(stderr, "  The other App's settings: %s\n", settings);
        explain(config, 401, key_source);
        named = false;
    }
    broker_request_finish(&request);
    if (!named) {
        findings->problems++;
        json_decref(app);
        return NULL;
    }
    print_app(config, app);
    return app;
}

static void check_webhook(struct broker_client *client, const struct app_check *check) {
    struct broker_request request;
    json_t *config = broker_client_json(client, "GET", "/app/hook/config", NULL, &request);
    if (config || request.status == 404) {
        webhook_check(check, config);
    } else {
        fflush(stdout);
        fprintf(stderr, "webhook: %s%s\n", request.error.text, broker_client_fix(&request));
        check->findings->problems++;
    }
    json_decref(config);
    broker_request_finish(&request);
}

static void check_deliveries(struct broker_client *client, const struct app_check *check) {
    struct broker_request request;
    json_t *page =
        broker_client_json(client, "GET", "/app/hook/deliveries?per_page=100", NULL, &request);
    if (page) {
        webhook_check_deliveries(check, page);
    } else if (request.status != 404) {
        /* An App without a webhook, or an old server, has no list. */
        findings_warning(check->findings, "deliveries: %s%s", request.error.text,
                         broker_client_fix(&request));
    }
    json_decref(page);
    broker_request_finish(&request);
}

/* The URL of the next page, the caller's; NULL: it was the last. */
static char *next_page(const struct broker_request *request) {
    size_t bytes = 0, url_bytes = 0;
    const char *header = broker_header(&request->headers, "link", &bytes);
    const char *url = link_next(header, bytes, &url_bytes);
    return url ? strndup(url, url_bytes) : NULL;
}

static void check_installations(struct broker_client *client, const struct app_check *check) {
    AUTO_FREE char *url = strdup("/app/installations?per_page=100");
    size_t count = 0;
    while (url) {
        struct broker_request request;
        json_t *page = broker_client_json(client, "GET", url, NULL, &request), *installation;
        size_t i;
        char *next = page ? next_page(&request) : NULL;
        json_array_foreach(page, i, installation) {
            app_check_installation(check, installation);
            count++;
        }
        if (!page) {
            fflush(stdout);
            fprintf(stderr, "installations: %s%s\n", request.error.text,
                    broker_client_fix(&request));
            check->findings->problems++;
        } else if (!next) {
            app_check_installed(check, count);
        }
        json_decref(page);
        broker_request_finish(&request);
        free(url);
        url = next;
    }
}

static void check_app(struct broker_client *client, const struct config *config,
                      const char *key_source, const struct inspected_plugins *plugins,
                      struct findings *findings) {
    struct app_needs needs;
    json_t *app = get_app(client, config, key_source, findings);
    uint64_t able = 0;
    struct app_check check = {.config = config,
                              .plugins = plugins,
                              .needs = &needs,
                              .app = app,
                              .findings = findings,
                              .able = &able};
    if (app_needs_merge(&needs, inspected_plugins_list(plugins), config->n_plugins) < 0) {
        fputs("out of memory\n", stderr);
        findings->problems++;
    } else if (app) {
        app_check_permissions(&check);
        app_check_events(&check);
        check_webhook(client, &check);
        check_deliveries(client, &check);
        check_installations(client, &check);
    }
    app_needs_finish(&needs);
    json_decref(app);
    check_clock(findings);
}

void online_check(const struct config *config, int messages_fd, const char *key_source,
                  const struct inspected_plugins *plugins, struct findings *findings) {
    struct error err;
    struct broker_client client;
    atomic_bool next_only = false;
    /* Standard output is for the results. */
    log_setup(SNEK_LEVEL_ERROR, config->log.format);
    log_watch(on_log, &next_only);
    if (broker_client_open(&client, config, messages_fd, &err) < 0) {
        fprintf(stderr, "GitHub: cannot send requests: %s\n", err.text);
        findings->problems++;
    } else {
        check_app(&client, config, key_source, plugins, findings);
        broker_client_close(&client);
    }
    log_watch(NULL, NULL);
    if (atomic_load(&next_only)) {
        fflush(stdout);
        fprintf(stderr, "warning: GitHub rejects the private key and accepts the next one: make it "
                        "github.private_key_file\n");
        findings->warnings++;
    }
}
