/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The supervisor's counterpart of urls.c, without libcurl: keeps the URLs as they are. The
 * supervisor connects to none of them. Each host that it starts reads the same settings and judges
 * their URLs before it does anything else. */
#include "config/values.h"

#include <string.h>

static int keep(char *copy, char **value, struct error *err) {
    if (!copy) {
        return error_set(err, "does not fit into memory");
    }
    *value = copy;
    return 0;
}

int read_api_url(const char *text, const char *directory, char **value, struct error *err) {
    return keep(strdup(text), value, err);
}

int read_public_url(const char *text, const char *directory, char **value, struct error *err) {
    return keep(strdup(text), value, err);
}

int read_sentry_dsn(const char *text, const char *directory, char **value, struct error *err) {
    return keep(strdup(text), value, err);
}

int show_proxy(const char *url, char **shown) {
    *shown = NULL;
    return 0;
}
