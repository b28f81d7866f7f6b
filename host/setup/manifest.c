/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Builds the manifest: docs.github.com, "Registering a GitHub App from a manifest". */
#include "setup/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *access_of(enum permission_level level) {
    switch (level) {
    case PERMISSION_ADMIN:
        return "admin";
    case PERMISSION_WRITE:
        return "write";
    default:
        return "read";
    }
}

static json_t *permissions(const struct app_needs *needs) {
    json_t *all = json_object();
    for (size_t i = 0; i < needs->n_permissions; i++) {
        json_object_set_new(all, needs->permissions[i].name,
                            json_string(access_of(needs->permissions[i].level)));
    }
    return all;
}

static json_t *events(const struct app_needs *needs) {
    json_t *all = json_array();
    for (size_t i = 0; i < needs->n_events; i++) {
        json_array_append_new(all, json_string(needs->events[i].name));
    }
    return all;
}

static json_t *homepage(const struct setup_choices *choices, const char *web_url) {
    if (*choices->address) {
        return json_string(choices->address);
    }
    return json_sprintf("%s/%s", web_url, choices->organization);
}

static json_t *webhook_url(const struct setup_choices *choices) {
    return choices->pull ? json_string(SETUP_PULL_URL)
                         : json_sprintf("%s/webhook/github", choices->address);
}

char *setup_manifest(const struct app_needs *needs, const struct setup_choices *choices,
                     const char *origin, const char *web_url) {
    json_t *manifest =
        json_pack("{s:s, s:o, s:{s:o, s:b}, s:o, s:b, s:o, s:o}", "name", choices->name, "url",
                  homepage(choices, web_url), "hook_attributes", "url", webhook_url(choices),
                  "active", 1, "redirect_url", json_sprintf("%s/setup/callback", origin), "public",
                  0, "default_events", events(needs), "default_permissions", permissions(needs));
    char *text = manifest ? json_dumps(manifest, JSON_COMPACT) : NULL;
    json_decref(manifest);
    return text;
}

bool setup_manifest_target(const struct setup_attempt *attempt, const char *web_url,
                           char target[SETUP_TARGET_MAX]) {
    const char *organization = attempt->choices.organization;
    return snprintf(target, SETUP_TARGET_MAX, "%s%s%s/settings/apps/new?state=%s", web_url,
                    *organization ? "/organizations/" : "", organization,
                    attempt->state) < SETUP_TARGET_MAX;
}
