/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether a request means the same to everybody. What a proxy before us may read otherwise than
 * libmicrohttpd does (two lengths, folded lines, a NUL that ends a text early) is rejected, instead
 * of being interpreted. RFC 9112 sections 2.2, 3.2, 5, 6.3 and 11.2. */
#ifndef SNEK_INGEST_STRICT_H
#define SNEK_INGEST_STRICT_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

struct strict_request {
    const char *method, *uri, *version; /* as libmicrohttpd hands them to its handler */
    size_t uri_bytes;                   /* of the URI as it was sent */
};

/* Called with the URI as it was sent, before it is decoded; NULL, or what is wrong with it. */
const char *strict_check_uri(const char *uri);

/* NULL, or what is ambiguous about the request line and the headers (static text). */
const char *strict_check(struct MHD_Connection *connection, const struct strict_request *request);

#endif
