/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the proxy variables. libcurl would read them by itself, but late. We read them at the
 * start, to report problems then and to overwrite a password in them. */
#include "config/config_loader.h"
#include "config/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* SCHEME://[USER:PASSWORD@]HOST:PORT without anything behind it: in any other form libcurl could
 * take a part of the password for the host, which logs show. */
static bool is_clear(const char *url) {
    const char *rest = strstr(url, "://") + 3;
    const char *at = strchr(rest, '@');
    size_t bytes = strcspn(rest, "/?#");
    bool bare = rest[bytes] == '\0' || strcmp(rest + bytes, "/") == 0;
    return bare && (!at || !strchr(at + 1, '@'));
}

/* 0 and `*shown`, or -1. */
static int show(const char *url, char **shown) {
    static const char *const schemes[] = {"http",   "https",   "socks4", "socks4a",
                                          "socks5", "socks5h", NULL};
    AUTO_URL CURLU *parts = curl_url();
    AUTO_URL_PART char *scheme = NULL, *host = NULL, *port = NULL;
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0)) {
        return -1;
    }
    size_t known = 0;
    while (schemes[known] && strcasecmp(scheme, schemes[known]) != 0) {
        known++;
    }
    /* The shown URL always has a port, because libcurl's defaults surprise. */
    const char *usual = strcasecmp(scheme, "https") == 0 ? "443" : "1080";
    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) != CURLUE_OK) {
        port = NULL;
    }
    if (!schemes[known] ||
        asprintf(shown, "%s://%s:%s", schemes[known], host, port ? port : usual) < 0) {
        *shown = NULL;
        return -1;
    }
    return 0;
}

/* The value of the first variable that is set, or NULL. */
static const char *first_of(const struct config_loader *loader, const char *const names[],
                            const char **name) {
    for (size_t i = 0; names[i]; i++) {
        const char *value = config_loader_variable(loader, names[i]);
        if (value) {
            *name = names[i];
            return value;
        }
    }
    return NULL;
}

void config_loader_proxy(struct config_loader *loader) {
    static const char *const exceptions[] = {"no_proxy", "NO_PROXY", NULL};
    struct proxy *proxy = &loader->config->proxy;
    const char *name = NULL, *value = first_of(loader, proxy_variables, &name);
    if (!value) {
        return;
    }
    if (asprintf(&proxy->url, "%s%s", strstr(value, "://") ? "" : "http://", value) < 0) {
        proxy->url = NULL;
    }
    if (!proxy->url || !is_clear(proxy->url) || show(proxy->url, &proxy->shown) < 0) {
        /* The message shows nothing of the URL, which may hold a password. */
        config_loader_problem(loader, (struct place){.variable = name},
                              "is no URL of a proxy, such as http://proxy.example:3128 or "
                              "http://USER:PASSWORD@proxy.example:3128 (write %%XX for a special "
                              "character of the password: %%2F for \"/\", %%40 for \"@\")");
        return;
    }
    value = first_of(loader, exceptions, &name);
    proxy->except = value ? strdup(value) : NULL;
    if (value && !proxy->except) {
        config_loader_problem(loader, (struct place){.variable = name}, "out of memory");
    }
}
