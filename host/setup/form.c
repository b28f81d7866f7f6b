/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decodes forms, and checks the entries of the first one. */
#include "setup/form.h"

#include "base/text.h"
#include "config/url.h"
#include "config/values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)tolower((unsigned char)digit);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* 0, or -1. `out` has room for `room` bytes and a NUL. */
static int decode(const char *text, size_t bytes, char *out, size_t room) {
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        int byte = text[i] == '+' ? ' ' : (unsigned char)text[i];
        if (text[i] == '%') {
            int high = i + 2 < bytes ? hex(text[i + 1]) : -1;
            int low = i + 2 < bytes ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return -1;
            }
            byte = high * 16 + low;
            i += 2;
        }
        if (used == room || byte < ' ' || byte == 0x7F) {
            return -1;
        }
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return text_is_utf8(out, used) ? 0 : -1;
}

static struct setup_field *find(struct setup_field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int read_pair(const char *pair, size_t bytes, struct setup_field *fields, size_t count) {
    char name[32];
    const char *equals = memchr(pair, '=', bytes);
    if (!equals || decode(pair, (size_t)(equals - pair), name, sizeof name - 1) < 0) {
        return -1;
    }
    struct setup_field *field = find(fields, count, name);
    if (!field || field->given) {
        return -1;
    }
    field->given = true;
    return decode(equals + 1, bytes - (size_t)(equals + 1 - pair), field->value, SETUP_VALUE_MAX);
}

int setup_form_read(const char *body, size_t bytes, struct setup_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fields[i].value[0] = '\0';
        fields[i].given = false;
    }
    while (bytes > 0) {
        const char *end = memchr(body, '&', bytes);
        size_t pair_bytes = end ? (size_t)(end - body) : bytes;
        if (read_pair(body, pair_bytes, fields, count) < 0) {
            return -1;
        }
        size_t step = end ? pair_bytes + 1 : pair_bytes;
        body += step;
        bytes -= step;
    }
    return 0;
}

const char *setup_form_value(const struct setup_field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].value;
        }
    }
    return "";
}

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
        return "Enter the organization, as in the address github.com/ORGANIZATION.";
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
                 "address github.com/ORGANIZATION.";
}

static bool is_loopback(const char *origin) {
    AUTO_URL CURLU *url = curl_url();
    AUTO_URL_PART char *host = NULL;
    return !url || curl_url_set(url, CURLUPART_URL, origin, 0) != CURLUE_OK ||
           curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK || url_is_loopback(host);
}

int setup_check_address(const char *address, char **origin, struct error *err) {
    char *read = NULL;
    if (!*address) {
        return error_set(err, "is missing");
    }
    if (read_public_url(address, "/", &read, err) < 0) {
        return -1;
    }
    if (is_loopback(read) || strlen(read) > SETUP_ADDRESS_MAX) {
        free(read);
        return error_set(err, "must be one that GitHub can reach, not one of this machine");
    }
    *origin = read;
    return 0;
}

static void check_address(const char *address, struct setup_choices *choices,
                          struct setup_problems *problems) {
    struct error err;
    AUTO_FREE char *origin = NULL;
    if (setup_check_address(address, &origin, &err) == 0) {
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

bool setup_form_check(const struct setup_field *fields, size_t count, struct setup_choices *choices,
                      struct setup_problems *problems) {
    const char *owner = setup_form_value(fields, count, "owner");
    const char *organization = setup_form_value(fields, count, "organization");
    const char *name = setup_form_value(fields, count, "name");
    *choices = (struct setup_choices){.pull = *setup_form_value(fields, count, "pull") != '\0'};
    *problems = (struct setup_problems){.any = false};
    snprintf(choices->name, sizeof choices->name, "%.*s", SETUP_NAME_MAX, name);
    copy_problem(problems->name, sizeof problems->name, setup_check_name(name));
    if (strcmp(owner, "account") != 0) {
        snprintf(choices->organization, sizeof choices->organization, "%.*s", SETUP_LOGIN_MAX,
                 organization);
        copy_problem(problems->organization, sizeof problems->organization,
                     setup_check_organization(organization));
    }
    if (!choices->pull) {
        check_address(setup_form_value(fields, count, "address"), choices, problems);
    }
    problems->any = *problems->name || *problems->organization || *problems->address;
    return !problems->any;
}
