/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the body of a form, application/x-www-form-urlencoded, and checks what a person entered.
 * Any thread. */
#ifndef SNEK_SETUP_FORM_H
#define SNEK_SETUP_FORM_H

#include "setup/session.h"

#include <stddef.h>

#define SETUP_FORM_BYTES_MAX 8192
#define SETUP_FIELDS_MAX 8
#define SETUP_VALUE_MAX 512

struct setup_field {
    const char *name;
    char value[SETUP_VALUE_MAX + 1];
    bool given;
};

/* Fills the fields, whose names the caller has set; those that are not in the body become "". 0; or
 * -1 when the body has another field, a field twice, a value that is too long, is not UTF-8, or has
 * a control character. */
int setup_form_read(const char *body, size_t bytes, struct setup_field *fields, size_t count);
/* The value of a field; "" if it was not given. */
const char *setup_form_value(const struct setup_field *fields, size_t count, const char *name);

/* The fields that the person has to correct; each is "" or a sentence. */
struct setup_problems {
    char organization[200], name[200], address[400];
    bool any;
};

/* Checks the fields "owner", "organization", "name", "address" and "pull". True when they are all
 * right. `*choices` has what was entered, as far as it fits. */
bool setup_form_check(const struct setup_field *fields, size_t count, struct setup_choices *choices,
                      struct setup_problems *problems);

/* The same checks, each for one entry: a sentence, or NULL. */
const char *setup_check_name(const char *name);
const char *setup_check_organization(const char *organization);
/* Is `address` an origin that GitHub can reach? 0 and `*origin` without a slash at its end, for
 * free(); or -1. */
int setup_check_address(const char *address, char **origin, struct error *err);

#endif
