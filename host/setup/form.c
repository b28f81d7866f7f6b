/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the entries of the first form. */
#include "setup/form.h"

#include "base/text.h"
#include "config/public_host.h"
#include "config/url.h"
#include "config/values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GitHub counts characters. */
static size_t characters(const char *text) {
    size_t count = 0;
    for (; *text; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

const char *setup_check_name(const char *name) {
    if (!*name) {
        return "Enter a name.";
    }
    if (characters(name) > SETUP_NAME_MAX || strlen(name) > SETUP_NAME_MAX) {
        return "The name is too long: GitHub allows 34 characters.";
    }
    return text_is_line(name, SETUP_NAME_MAX) ? NULL
                                              : "The name has a character that cannot be shown.";
}

const char *setup_check_organization(const char *organization) {
    if (!*organization) {
        return "Enter the organization, as in the address of its page at GitHub.";
    }
    size_t bytes = strlen(organization);
    for (size_t i = 0; i < bytes; i++) {
        if (!isalnum((unsigned char)organization[i]) && organization[i] != '_' &&
            (organization[i] != '-' || i == 0)) {
            bytes = SETUP_LOGIN_MAX + 1;
        }
    }
    return bytes <= SETUP_LOGIN_MAX
               ? NULL
               : "This is not the name of an organization: letters, digits and hyphens, as in the "
                 "address of its page at GitHub.";
}

/* NULL, or why GitHub cannot reach it. */
static const char *origin_problem(const char *origin, const char *api_url) {
    AUTO_URL CURLU *url = curl_url();
    AUTO_URL_PART char *host = NULL;
    if (!url || curl_url_set(url, CURLUPART_URL, origin, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return "is no URL";
    }
    return public_host_problem(host, api_url);
}

int setup_check_address(const char *address, const char *api_url, char **origin,
                        struct error *err) {
    char *read = NULL;
    if (!*address) {
        return error_set(err, "is missing");
    }
    if (read_public_url(address, "/", &read, err) < 0) {
        return -1;
    }
    const char *why = origin_problem(read, api_url);
    if (!why && strlen(read) > SETUP_ADDRESS_MAX) {
        why = "is too long";
    }
    if (why) {
        free(read);
        return error_set(err, "must be one that GitHub can reach, and this one %s", why);
    }
    *origin = read;
    return 0;
}

static void check_address(const char *address, const char *api_url, struct setup_choices *choices,
                          struct setup_problems *problems) {
    struct error err;
    AUTO_FREE char *origin = NULL;
    if (setup_check_address(address, api_url, &origin, &err) == 0) {
        snprintf(choices->address, sizeof choices->address, "%s", origin);
        return;
    }
    snprintf(choices->address, sizeof choices->address, "%.*s", SETUP_ADDRESS_MAX, address);
    snprintf(problems->address, sizeof problems->address,
             "The public address %.200s. Without one, choose \"I have no public address\".",
             err.text);
}

static void copy_problem(char *out, size_t room, const char *problem) {
    snprintf(out, room, "%s", problem ? problem : "");
}

static void check_owner(const char *organization, struct setup_choices *choices,
                        struct setup_problems *problems) {
    if (choices->account && *organization) {
        copy_problem(problems->organization, sizeof problems->organization,
                     "An organization is entered, but \"My own account\" is chosen: choose the "
                     "organization, or empty this field.");
    } else if (!choices->account) {
        copy_problem(problems->organization, sizeof problems->organization,
                     setup_check_organization(organization));
    }
    snprintf(choices->organization, sizeof choices->organization, "%.*s", SETUP_LOGIN_MAX,
             organization);
}

static void check_reach(const char *address, const char *api_url, struct setup_choices *choices,
                        struct setup_problems *problems) {
    if (!choices->pull) {
        check_address(address, api_url, choices, problems);
    } else if (*address) {
        snprintf(choices->address, sizeof choices->address, "%.*s", SETUP_ADDRESS_MAX, address);
        copy_problem(problems->address, sizeof problems->address,
                     "An address is entered, but \"I have no public address\" is chosen: choose "
                     "\"GitHub posts events to this address\", or empty this field.");
    }
}

bool setup_form_check(const struct http_field *fields, size_t count, const char *api_url,
                      struct setup_choices *choices, struct setup_problems *problems) {
    const char *name = http_form_value(fields, count, "name");
    *choices = (struct setup_choices){
        .account = strcmp(http_form_value(fields, count, "owner"), "account") == 0,
        .pull = strcmp(http_form_value(fields, count, "pull"), "yes") == 0};
    *problems = (struct setup_problems){.any = false};
    snprintf(choices->name, sizeof choices->name, "%.*s", SETUP_NAME_MAX, name);
    copy_problem(problems->name, sizeof problems->name, setup_check_name(name));
    check_owner(http_form_value(fields, count, "organization"), choices, problems);
    check_reach(http_form_value(fields, count, "address"), api_url, choices, problems);
    problems->any = *problems->name || *problems->organization || *problems->address;
    return !problems->any;
}
