/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rejects requests that a proxy in front of the host may read differently than libmicrohttpd does:
 * two lengths, folded lines, a NUL that ends a text early. RFC 9112 sections 2.2, 3.2, 5, 6.3 and
 * 11.2. */
#ifndef SNEK_INGEST_STRICT_H
#define SNEK_INGEST_STRICT_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

struct strict_request {
    /* The texts that libmicrohttpd passes to its handler. */
    const char *method, *uri, *version;
    /* The length of the URI as the client sent it. */
    size_t uri_bytes;
};

/* Takes the URI as the client sent it, before it is decoded. Returns NULL or the reason for a
 * rejection. */
const char *strict_check_uri(const char *uri);

/* Returns NULL, or the ambiguity of the request line or the headers (static text). */
const char *strict_check(struct MHD_Connection *connection, const struct strict_request *request);

#endif
