/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a manifest key by key. */
#include "fake/manifest_check.h"

#include "fake/permissions.h"
#include "fake/state.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 34

static void add(json_t *errors, const char *text) {
    json_array_append_new(errors, json_string(text));
}

static void add_about(json_t *errors, const char *text, const char *what) {
    json_array_append_new(errors, json_sprintf("%s: %.100s", text, what ? what : "null"));
}

/* ---- URLs ---- */

static bool is_private(const char *host) {
    struct in_addr ipv4;
    if (inet_pton(AF_INET, host, &ipv4) == 1) {
        uint32_t address = ntohl(ipv4.s_addr);
        return address >> 24 == 127 || address >> 24 == 10 || address >> 24 == 0 ||
               address >> 16 == 0xC0A8 || address >> 16 == 0xA9FE || address >> 20 == 0xAC1;
    }
    return *host == '[' || strcasecmp(host, "localhost") == 0 || !strchr(host, '.');
}

/* Is it an http(s) URL, and (if that is wanted) one that GitHub could reach? */
static bool is_url(const char *text, bool reachable) {
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    bool good = text && url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0) &&
                (!reachable || !is_private(host));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return good;
}

static void check_hook(json_t *manifest, json_t *errors) {
    const json_t *hook = json_object_get(manifest, "hook_attributes");
    const json_t *active = json_object_get(hook, "active");
    const char *url = text_of(hook, "url");
    if (!hook) {
        return;
    }
    if (!url) {
        add(errors, "Hook url can't be blank");
    } else if (!is_url(url, active == NULL || json_is_true(active))) {
        add(errors,
            "Hook url is not supported because it isn't reachable over the public Internet");
    }
    if (active && !json_is_boolean(active)) {
        add(errors, "Hook active is not a boolean");
    }
}

static void check_urls(json_t *manifest, json_t *errors) {
    if (!is_url(text_of(manifest, "url"), false)) {
        add(errors, "Url must be a valid URL");
    }
    if (!is_url(text_of(manifest, "redirect_url"), false)) {
        add(errors, "Redirect url must be a valid URL");
    }
    check_hook(manifest, errors);
}

/* ---- the name ---- */

static void check_name(json_t *manifest, const json_t *names, json_t *errors) {
    const char *name = text_of(manifest, "name");
    size_t i;
    json_t *taken;
    if (!name || !*name) {
        add(errors, "Name can't be blank");
        return;
    }
    if (strlen(name) > NAME_MAX_BYTES) {
        add(errors, "Name is too long (maximum is 34 characters)");
    }
    json_array_foreach(names, i, taken) {
        if (strcasecmp(json_string_value(taken), name) == 0) {
            add(errors, "Name is already taken");
        }
    }
}

/* ---- permissions and events ---- */

/* Any one of these permissions allows the event. */
static const struct {
    const char *event, *permission, *or_else;
} events[] = {
    {"check_run", "checks", NULL},
    {"check_suite", "checks", NULL},
    {"commit_comment", "contents", NULL},
    {"create", "contents", NULL},
    {"delete", "contents", NULL},
    {"deployment", "deployments", NULL},
    {"deployment_status", "deployments", NULL},
    {"discussion", "discussions", NULL},
    {"discussion_comment", "discussions", NULL},
    {"fork", "contents", NULL},
    {"gollum", "contents", NULL},
    {"issue_comment", "issues", NULL},
    {"issues", "issues", NULL},
    {"label", "metadata", NULL},
    {"member", "members", NULL},
    {"membership", "members", NULL},
    {"merge_group", "merge_queues", NULL},
    {"milestone", "issues", "pull_requests"},
    {"organization", "members", NULL},
    {"public", "metadata", NULL},
    {"pull_request", "pull_requests", NULL},
    {"pull_request_review", "pull_requests", NULL},
    {"pull_request_review_comment", "pull_requests", NULL},
    {"pull_request_review_thread", "pull_requests", NULL},
    {"push", "contents", NULL},
    {"release", "contents", NULL},
    {"repository", "metadata", NULL},
    {"star", "metadata", NULL},
    {"status", "statuses", NULL},
    {"team", "members", NULL},
    {"team_add", "members", NULL},
    {"watch", "metadata", NULL},
    {"workflow_job", "actions", NULL},
    {"workflow_run", "actions", NULL},
};

static bool allows(const json_t *permissions, const char *name) {
    return name && (strcmp(name, "metadata") == 0 || permission_covers(permissions, name, "read"));
}

/* An automatic event, such as installation, is unsupported too. */
static void check_event(const char *name, const json_t *permissions, json_t *errors) {
    for (size_t i = 0; name && i < sizeof events / sizeof *events; i++) {
        if (strcmp(events[i].event, name) == 0) {
            if (!allows(permissions, events[i].permission) &&
                !allows(permissions, events[i].or_else)) {
                add_about(errors, "Default events are not supported by permissions", name);
            }
            return;
        }
    }
    add_about(errors, "Default events unsupported", name);
}

static void check_access(json_t *manifest, json_t *errors) {
    json_t *permissions = json_object_get(manifest, "default_permissions"), *level, *event;
    json_t *list = json_object_get(manifest, "default_events");
    const char *name;
    size_t i;
    if ((permissions && !json_is_object(permissions)) || (list && !json_is_array(list))) {
        add(errors, "Default permissions is an object, and default events is a list");
        return;
    }
    json_object_foreach(permissions, name, level) {
        if (!permission_exists(name)) {
            add_about(errors, "Default permission records resource is not included in the list",
                      name);
        } else if (!json_is_string(level) ||
                   !permission_has_level(name, json_string_value(level))) {
            add_about(errors, "Default permission records action is not included in the list",
                      name);
        }
    }
    json_array_foreach(list, i, event) {
        check_event(json_string_value(event), permissions, errors);
    }
}

/* Stricter than GitHub: a key that it does not know is an error, so that a typing error shows. */
static void check_keys(json_t *manifest, json_t *errors) {
    static const char *const known[] = {"name",
                                        "url",
                                        "hook_attributes",
                                        "redirect_url",
                                        "callback_urls",
                                        "setup_url",
                                        "description",
                                        "public",
                                        "default_permissions",
                                        "default_events",
                                        "setup_on_update",
                                        "request_oauth_on_install"};
    const char *key;
    json_t *value;
    json_object_foreach(manifest, key, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            found = found || strcmp(known[i], key) == 0;
        }
        if (!found) {
            add_about(errors, "Unknown key", key);
        }
    }
}

json_t *manifest_check(json_t *manifest, const json_t *names) {
    json_t *errors = json_array();
    if (!json_is_object(manifest)) {
        add(errors, "Manifest is not a JSON object");
        return errors;
    }
    check_keys(manifest, errors);
    check_name(manifest, names, errors);
    check_urls(manifest, errors);
    check_access(manifest, errors);
    return errors;
}
