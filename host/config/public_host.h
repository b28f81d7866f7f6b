/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether GitHub can reach a host, as far as its name or address shows. Any thread. */
#ifndef SNEK_CONFIG_PUBLIC_HOST_H
#define SNEK_CONFIG_PUBLIC_HOST_H

/* `host` is what curl_url_get() gives. Returns NULL, or why the GitHub whose API is at `api_url`
 * cannot reach it: the end of a sentence that begins with the host, such as "is an address of a
 * private network". A GitHub Enterprise Server may be in the same private network. A GitHub on this
 * machine is a fake, for which names of examples exist. */
const char *public_host_problem(const char *host, const char *api_url);

#endif
