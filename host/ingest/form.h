/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the body of a form, application/x-www-form-urlencoded. Any thread. */
#ifndef SNEK_INGEST_FORM_H
#define SNEK_INGEST_FORM_H

#include "ingest/routes.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_VALUE_MAX 512

struct http_field {
    const char *name;
    char value[HTTP_VALUE_MAX + 1];
    bool given;
};

/* Fills the fields, whose names the caller has set; those that are not in the body become "". 0; or
 * -1 when the body has another field, a field twice, a value that is too long, is not UTF-8, or has
 * a control character. */
int http_form_read(const char *body, size_t bytes, struct http_field *fields, size_t count);
/* The value of a field; "" if it was not given. */
const char *http_form_value(const struct http_field *fields, size_t count, const char *name);

/* Does the request's Content-Type say that it is such a form? On ingest's thread. */
bool http_is_form(struct http_request *request);
/* Does the browser say that another site, or a person's typed address, sent this? A browser that
 * says nothing counts as ours. On ingest's thread. */
bool http_is_from_elsewhere(struct http_request *request);

#endif
