/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A manifest's way: a form of another site, GitHub's page with a button, a redirect with a code, an
 * App. There is no login: whoever asks owns every organization. */
#include "fake/manifests.h"

#include "fake/handlers.h"
#include "fake/jwt.h"
#include "fake/manifest_check.h"
#include "fake/node_ids.h"
#include "fake/requests.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/webhooks.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#define CODE_LIFE_S 3600
#define CODE_BYTES 20
#define PAGE_MAX (256 << 10)

void manifests_init(struct fake *fake) {
    fake->manifests = json_array();
    fake->app_names = json_array();
    fake->former_installations = json_array();
}

void manifests_finish(struct fake *fake) {
    json_decref(fake->manifests);
    json_decref(fake->app_names);
    json_decref(fake->former_installations);
}

/* ---- pages ---- */

static void put_text(struct buffer *page, const char *text) {
    for (; text && *text; text++) {
        if (strchr("&<>\"'", *text)) {
            buffer_printf(page, "&#%d;", *text);
        } else {
            buffer_append(page, text, 1);
        }
    }
}

static void begin(struct buffer *page, const char *title) {
    buffer_printf(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
        "</head><body><main><h1>%s</h1>\n",
        title, title);
}

static void respond_page(struct http_exchange *exchange, unsigned status, struct buffer *page) {
    buffer_append_text(page, "</main></body></html>\n");
    exchange->status = status;
    exchange->response_text = buffer_steal(page);
}

static void respond_redirect(struct http_exchange *exchange, const char *place) {
    respond_empty(exchange, 302);
    response_header(exchange, "Location", place);
}

static void put_hidden(struct buffer *page, const char *name, const char *value) {
    buffer_printf(page, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    put_text(page, value);
    buffer_append_text(page, "\">\n");
}

/* ---- a manifest arrives ---- */

static void respond_errors(struct http_exchange *exchange, const json_t *errors) {
    struct buffer page = BUFFER_INIT(PAGE_MAX);
    size_t i;
    json_t *error;
    begin(&page, "Invalid GitHub App configuration");
    buffer_append_text(&page, "<p>The configuration does not appear to be a valid GitHub App "
                              "manifest.</p>\n<ul>\n");
    json_array_foreach(errors, i, error) {
        buffer_append_text(&page, "<li>");
        put_text(&page, json_string_value(error));
        buffer_append_text(&page, "</li>\n");
    }
    buffer_append_text(&page, "</ul>\n");
    respond_page(exchange, 422, &page);
}

static void respond_confirmation(struct http_exchange *exchange, const char *owner,
                                 const char *manifest, json_t *parsed, const char *state) {
    struct buffer page = BUFFER_INIT(PAGE_MAX);
    begin(&page, "Create GitHub App");
    buffer_append_text(&page, "<form method=\"post\" action=\"/settings/apps/manifest\">\n"
                              "<p><label>GitHub App name <input name=\"name\" value=\"");
    put_text(&page, text_of(parsed, "name"));
    buffer_append_text(&page, "\"></label></p>\n");
    put_hidden(&page, "owner", owner);
    put_hidden(&page, "manifest", manifest);
    put_hidden(&page, "state", state ? state : "");
    buffer_append_text(&page, "<button>Create GitHub App</button>\n</form>\n");
    respond_page(exchange, 200, &page);
}

/* `owner` is an organization's login, or "" for the account. */
static void take_manifest(struct http_exchange *exchange, const char *owner) {
    struct fake *fake = exchange->fake;
    if (*owner && !list_find(state_list(fake, "organizations"), "login", owner)) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    AUTO_FREE char *text = exchange_form(exchange, "manifest");
    AUTO_FREE char *state = exchange_query(exchange, "state");
    json_t *manifest = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *errors = manifest_check(manifest, fake->app_names);
    if (json_array_size(errors) > 0) {
        respond_errors(exchange, errors);
    } else {
        respond_confirmation(exchange, owner, text, manifest, state);
    }
    json_decref(errors);
    json_decref(manifest);
}

/* ---- the button ---- */

static void make_code(char code[2 * CODE_BYTES + 1]) {
    uint8_t bytes[CODE_BYTES];
    (void)!getrandom(bytes, sizeof bytes, 0);
    for (size_t i = 0; i < CODE_BYTES; i++) {
        snprintf(code + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void create(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    AUTO_FREE char *text = exchange_form(exchange, "manifest");
    AUTO_FREE char *name = exchange_form(exchange, "name");
    AUTO_FREE char *owner = exchange_form(exchange, "owner");
    AUTO_FREE char *state = exchange_form(exchange, "state");
    json_t *manifest = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(manifest) && name) {
        json_object_set_new(manifest, "name", json_string(name));
    }
    json_t *errors = manifest_check(manifest, fake->app_names);
    if (json_array_size(errors) > 0) {
        respond_errors(exchange, errors);
    } else {
        char code[2 * CODE_BYTES + 1], place[2048];
        const char *back = text_of(manifest, "redirect_url");
        make_code(code);
        json_array_append(fake->app_names, json_object_get(manifest, "name"));
        json_array_append_new(fake->manifests,
                              json_pack("{s:s, s:O, s:s, s:I}", "code", code, "manifest", manifest,
                                        "owner", owner ? owner : "", "until_s",
                                        (json_int_t)(fake_now_s(fake) + CODE_LIFE_S)));
        snprintf(place, sizeof place, "%s%scode=%s%s%s", back, strchr(back, '?') ? "&" : "?", code,
                 state && *state ? "&state=" : "", state ? state : "");
        respond_redirect(exchange, place);
    }
    json_decref(errors);
    json_decref(manifest);
}

/* ---- the code ---- */

static void make_slug(const char *name, char slug[FAKE_SLUG_MAX + 1]) {
    size_t used = 0;
    for (; *name && used < FAKE_SLUG_MAX; name++) {
        if (isalnum((unsigned char)*name)) {
            slug[used++] = (char)tolower((unsigned char)*name);
        } else if (used > 0 && slug[used - 1] != '-') {
            slug[used++] = '-';
        }
    }
    slug[used] = '\0';
}

/* A new App is installed nowhere. Its accounts get the ids of before, which payloads may name. */
static void forget_installations(struct fake *fake) {
    json_t *installations = state_list(fake, "installations"), *installation;
    size_t i;
    json_array_foreach(installations, i, installation) {
        json_array_append(fake->former_installations, installation);
    }
    json_array_clear(installations);
}

static json_int_t installation_id(struct fake *fake, const char *account) {
    const json_t *former = list_find(fake->former_installations, "account", account);
    return former ? number_of(former, "id") : state_new_id(fake);
}

/* The App becomes the one that the fake knows: its JWTs count, its webhook gets the deliveries. */
static void adopt(struct fake *fake, json_t *made, const char *secret) {
    json_t *manifest = json_object_get(made, "manifest");
    json_t *settings = state_settings(fake);
    json_t *hook = json_object_get(manifest, "hook_attributes");
    const char *url = text_of(hook, "url"), *owner = text_of(made, "owner");
    const json_t *active = json_object_get(hook, "active");
    bool sends = url && (!active || json_is_true(active));
    fake->app_id = state_new_id(fake);
    make_slug(text_of(manifest, "name"), fake->app_slug);
    forget_installations(fake);
    json_object_set_new(settings, "webhook_url", json_string(url ? url : ""));
    json_object_set_new(settings, "webhook_active", json_boolean(sends));
    json_object_set_new(settings, "webhook_secret", json_string(secret ? secret : ""));
    json_object_set_new(state_whole(fake), "app",
                        json_pack("{s:s, s:O?, s:O?}", "owner", *owner ? owner : "owner-of-the-app",
                                  "permissions", json_object_get(manifest, "default_permissions"),
                                  "events", json_object_get(manifest, "default_events")));
}

static void respond_app(struct http_exchange *exchange, json_t *made, const char *pem) {
    struct fake *fake = exchange->fake;
    char secret[2 * CODE_BYTES + 1];
    const char *owner = text_of(made, "owner");
    make_code(secret);
    bool has_secret = json_is_true(json_object_get(state_settings(fake), "manifest_secret"));
    adopt(fake, made, has_secret ? secret : NULL);
    json_t *manifest = json_object_get(made, "manifest");
    json_t *app = json_pack(
        "{s:I, s:s, s:o, s:o, s:s, s:n, s:O, s:s, s:o, s:s, s:s, s:O?, s:O?, s:s, s:s, s:s?}", "id",
        (json_int_t)fake->app_id, "slug", fake->app_slug, "node_id",
        node_id("A", (json_int_t)fake->app_id), "owner",
        shape_account(fake, *owner ? owner : "owner-of-the-app"), "name", text_of(manifest, "name"),
        "description", "external_url", json_object_get(manifest, "url"), "client_id",
        "Iv1.0000000000000000", "html_url",
        json_sprintf("%s/apps/%s", fake->web_origin, fake->app_slug), "created_at",
        "2025-01-01T00:00:00Z", "updated_at", "2025-01-01T00:00:00Z", "permissions",
        json_object_get(manifest, "default_permissions"), "events",
        json_object_get(manifest, "default_events"), "client_secret",
        "0000000000000000000000000000000000000000", "pem", pem, "webhook_secret",
        has_secret ? secret : NULL);
    json_object_set_new(app, "webhook_secret", has_secret ? json_string(secret) : json_null());
    respond_json(exchange, 201, app);
}

void handle_conversion(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    json_t *made = list_find(fake->manifests, "code", exchange->parameters[0]);
    if (!made || number_of(made, "until_s") <= fake_now_s(fake)) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    AUTO_FREE char *pem = jwt_make_key(fake);
    if (!pem) {
        respond_error(exchange, 500, "no key");
        return;
    }
    respond_app(exchange, made, pem);
    /* It works once. */
    size_t i;
    json_t *one;
    json_array_foreach(fake->manifests, i, one) {
        if (one == made) {
            json_array_remove(fake->manifests, i);
            break;
        }
    }
}

/* ---- the installation ---- */

static void ask_to_install(struct http_exchange *exchange) {
    struct buffer page = BUFFER_INIT(PAGE_MAX);
    size_t i;
    json_t *organization;
    begin(&page, "Install GitHub App");
    buffer_append_text(&page,
                       "<form method=\"post\">\n<p><label>Account <select name=\"account\">");
    json_array_foreach(state_list(exchange->fake, "organizations"), i, organization) {
        buffer_append_text(&page, "<option>");
        put_text(&page, text_of(organization, "login"));
        buffer_append_text(&page, "</option>");
    }
    buffer_append_text(&page, "</select></label></p>\n<button>Install</button>\n</form>\n");
    respond_page(exchange, 200, &page);
}

static void install(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    AUTO_FREE char *account = exchange_form(exchange, "account");
    json_t *permissions = json_object_get(json_object_get(state_whole(fake), "app"), "permissions");
    json_t *organization =
        account ? list_find(state_list(fake, "organizations"), "login", account) : NULL;
    if (!organization || !permissions) {
        respond_error(exchange, 404, "Not Found");
        return;
    }
    json_t *installation = list_find(state_list(fake, "installations"), "account", account);
    if (!installation) {
        installation =
            list_add(state_list(fake, "installations"),
                     json_pack("{s:I, s:s, s:b}", "id", installation_id(fake, account), "account",
                               text_of(organization, "login"), "suspended", 0));
    }
    json_object_set_new(installation, "permissions", json_deep_copy(permissions));
    webhooks_send(fake, "installation",
                  json_pack("{s:s, s:{s:O, s:{s:s}}, s:{s:s, s:i}}", "action", "created",
                            "installation", "id", json_object_get(installation, "id"), "account",
                            "login", text_of(organization, "login"), "sender", "login",
                            "owner-of-the-app", "id", 1));
    struct buffer page = BUFFER_INIT(PAGE_MAX);
    begin(&page, "GitHub App installed");
    respond_page(exchange, 200, &page);
}

/* ---- routes ---- */

static bool segment_is(const struct http_exchange *exchange, size_t i, const char *text) {
    return i < exchange->n_segments && strcmp(exchange->segments[i], text) == 0;
}

static bool is_post(const struct http_exchange *exchange) {
    return strcmp(exchange->method, "POST") == 0;
}

/* "settings", "apps", "new" from `at` on. */
static bool is_new(const struct http_exchange *exchange, size_t at) {
    return exchange->n_segments == at + 3 && segment_is(exchange, at, "settings") &&
           segment_is(exchange, at + 1, "apps") && segment_is(exchange, at + 2, "new");
}

static bool route(struct http_exchange *exchange) {
    size_t n = exchange->n_segments;
    bool organizations = segment_is(exchange, 0, "organizations") && is_new(exchange, 2);
    if (is_new(exchange, 0) || organizations) {
        if (is_post(exchange)) {
            take_manifest(exchange, organizations ? exchange->segments[1] : "");
        } else {
            respond_error(exchange, 404, "Not Found");
        }
    } else if (n == 3 && segment_is(exchange, 0, "settings") && segment_is(exchange, 1, "apps") &&
               segment_is(exchange, 2, "manifest") && is_post(exchange)) {
        create(exchange);
    } else if (n == 4 && segment_is(exchange, 0, "apps") &&
               segment_is(exchange, 1, exchange->fake->app_slug) &&
               segment_is(exchange, 2, "installations") && segment_is(exchange, 3, "new")) {
        (is_post(exchange) ? install : ask_to_install)(exchange);
    } else {
        return false;
    }
    return true;
}

bool manifests_serve(struct http_exchange *exchange) {
    if (exchange->n_segments == SIZE_MAX || !route(exchange)) {
        return false;
    }
    request_record(exchange);
    request_record_response(exchange, false);
    return true;
}
