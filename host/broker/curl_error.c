/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libcurl reports what happened; this file adds the setting that fixes it. */
#include "broker/curl_error.h"

#include <stdio.h>

/* The proxy's own response to CONNECT. */
static void describe_rejection(const struct curl_error *error, long status, char *out,
                               size_t room) {
    const char *shown = error->proxy->shown;
    if (status == 407) {
        snprintf(out, room,
                 "the proxy %s wants a user and a password, or others (407): set HTTPS_PROXY "
                 "to http://USER:PASSWORD@HOST:PORT",
                 shown);
    } else {
        snprintf(out, room,
                 "the proxy %s rejected the connection to GitHub (%ld): allow it there, or "
                 "name the host in NO_PROXY if it can be reached without the proxy",
                 shown, status);
    }
}

static void describe_certificates(const struct curl_error *error, char *out, size_t room) {
    if (error->ca_file) {
        snprintf(out, room, "%s (certificates are checked against those in github.ca_file, %s)",
                 error->text, error->ca_file);
    } else {
        snprintf(out, room,
                 "%s (certificates are checked against the system's; github.ca_file names "
                 "others, for a server or proxy with an authority of its own)",
                 error->text);
    }
}

void curl_error_describe(const struct curl_error *error, char *out, size_t room) {
    long rejection = 0;
    if (error->proxy && error->easy &&
        curl_easy_getinfo(error->easy, CURLINFO_HTTP_CONNECTCODE, &rejection) == CURLE_OK &&
        rejection >= 300) {
        describe_rejection(error, rejection, out, room);
    } else if (error->code == CURLE_PEER_FAILED_VERIFICATION ||
               error->code == CURLE_SSL_CACERT_BADFILE) {
        /* Behind an inspecting proxy it is the proxy's certificate; the fix is the same. */
        describe_certificates(error, out, room);
    } else if (error->proxy && error->unsent) {
        snprintf(out, room,
                 "%s (HTTPS_PROXY sends requests through the proxy %s, except for the hosts "
                 "of NO_PROXY)",
                 error->text, error->proxy->shown);
    } else {
        snprintf(out, room, "%s", error->text);
    }
}
