/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The proxy settings, which config reads once from the environment. Each client of a TLS server
 * outside of this machine uses them. */
#ifndef SNEK_BASE_PROXY_H
#define SNEK_BASE_PROXY_H

struct proxy {
    /* scheme://[user:password@]host[:port]; NULL: none. */
    char *url;
    /* For people: without the user and the password. */
    char *shown;
    /* The hosts that are asked directly, as libcurl reads them; NULL: none. */
    char *except;
};

/* The variables that may name the proxy; the first that is set wins. NULL ends them. */
extern const char *const proxy_variables[];

/* Overwrites and removes the proxy variables, also those of plain HTTP: they may hold a password.
 * Main thread, before others start. */
void proxy_forget(void);

#endif
