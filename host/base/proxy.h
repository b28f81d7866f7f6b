/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way out of a network that lets nobody out by himself. config reads it from the environment,
 * once; who asks something of the world over TLS takes it from there. */
#ifndef SNEK_BASE_PROXY_H
#define SNEK_BASE_PROXY_H

struct proxy {
    char *url;    /* scheme://[user:password@]host[:port]; NULL: none */
    char *shown;  /* for people: without the user and the password */
    char *except; /* the hosts that are asked directly, as libcurl reads them; NULL: none */
};

/* What may name the proxy, in the order in which they count; NULL ends them. */
extern const char *const proxy_variables[];

/* Removes them and their like from the environment, and overwrites them: they may hold a password.
 * Main thread, before others. */
void proxy_forget(void);

#endif
