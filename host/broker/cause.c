/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libcurl says what happened; what it cannot know is where that is configured. */
#include "broker/cause.h"

#include <stdio.h>

/* The proxy's own answer to CONNECT. */
static void describe_rejection(const struct cause *cause, long status, char *out, size_t room) {
    const char *shown = cause->proxy->shown;
    if (status == 407) {
        (void)snprintf(out, room,
                       "the proxy %s wants a user and a password, or others (407): HTTPS_PROXY is "
                       "to be http://USER:PASSWORD@HOST:PORT",
                       shown);
    } else {
        (void)snprintf(out, room,
                       "the proxy %s rejected the way to GitHub (%ld): have it allowed there, or "
                       "name the host in NO_PROXY if it can be reached without",
                       shown, status);
    }
}

void cause_describe(const struct cause *cause, char *out, size_t room) {
    long rejection = 0;
    if (cause->proxy && cause->easy &&
        curl_easy_getinfo(cause->easy, CURLINFO_HTTP_CONNECTCODE, &rejection) == CURLE_OK &&
        rejection >= 300) {
        describe_rejection(cause, rejection, out, room);
    } else if (cause->code == CURLE_PEER_FAILED_VERIFICATION ||
               cause->code == CURLE_SSL_CACERT_BADFILE) {
        /* With an inspecting proxy it is the proxy's certificate; the cure is the same. */
        (void)snprintf(out, room, "%s (certificates are checked against %s%s)", cause->text,
                       cause->ca_file
                           ? "those in github.ca_file, "
                           : "the system's; github.ca_file names others, for a server or proxy "
                             "with an authority of its own",
                       cause->ca_file ? cause->ca_file : "");
    } else if (cause->proxy && cause->unsent) {
        (void)snprintf(out, room,
                       "%s (HTTPS_PROXY sends requests through the proxy %s, but for the hosts of "
                       "NO_PROXY)",
                       cause->text, cause->proxy->shown);
    } else {
        (void)snprintf(out, room, "%s", cause->text);
    }
}
