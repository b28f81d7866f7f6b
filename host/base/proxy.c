/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The names of the proxy variables, and their removal. */
#include "base/proxy.h"

#include "base/secret.h"

#include <stddef.h>

/* Not HTTP_PROXY: a web server's CGI sets it from a request's header ("httpoxy"). */
const char *const proxy_variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                       NULL};

void proxy_forget(void) {
    for (size_t i = 0; proxy_variables[i]; i++) {
        secret_scrub_environment(proxy_variables[i]);
    }
    /* No request without TLS leaves the machine, but these usually hold the same password. */
    secret_scrub_environment("http_proxy");
    secret_scrub_environment("HTTP_PROXY");
}
