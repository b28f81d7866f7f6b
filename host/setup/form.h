/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks what a person entered in the first form. Any thread. */
#ifndef SNEK_SETUP_FORM_H
#define SNEK_SETUP_FORM_H

#include "ingest/form.h"
#include "setup/session.h"

#include <stddef.h>

#define SETUP_FORM_BYTES_MAX 8192
/* The fields that the person has to correct; each is "" or a sentence. */
struct setup_problems {
    char organization[200], name[200], address[400];
    bool any;
};

/* `api_url` is GitHub's, which must reach the address. Checks the fields "owner", "organization",
 * "name", "address" and "pull". True when they are all right. `*choices` has what was entered, as
 * far as it fits. */
bool setup_form_check(const struct http_field *fields, size_t count, const char *api_url,
                      struct setup_choices *choices, struct setup_problems *problems);

/* The same checks, each for one entry: a sentence, or NULL. */
const char *setup_check_name(const char *name);
const char *setup_check_organization(const char *organization);
/* Is `address` an origin that the GitHub of `api_url` can reach? 0 and `*origin` without a slash at
 * its end, for free(); or -1. */
int setup_check_address(const char *address, const char *api_url, char **origin, struct error *err);

#endif
