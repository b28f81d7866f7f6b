/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the proxy variables. libcurl would read them by itself, but late. We read them at the
 * start, to report problems then and to overwrite a password in them. */
#include "config/config_loader.h"
#include "config/values.h"

#include <stdlib.h>
#include <string.h>

/* SCHEME://[USER:PASSWORD@]HOST:PORT without anything behind it: in any other form libcurl could
 * take a part of the password for the host, which logs show. */
static bool is_clear(const char *url) {
    const char *rest = strstr(url, "://") + 3;
    const char *at = strchr(rest, '@');
    size_t bytes = strcspn(rest, "/?#");
    bool bare = rest[bytes] == '\0' || strcmp(rest + bytes, "/") == 0;
    return bare && (!at || !strchr(at + 1, '@'));
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
    if (!proxy->url || !is_clear(proxy->url) || show_proxy(proxy->url, &proxy->shown) < 0) {
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
