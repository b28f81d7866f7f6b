/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* UUIDs (RFC 9562), the form of a delivery's GUID. */
#ifndef SNEK_BASE_UUID_H
#define SNEK_BASE_UUID_H

#include <stdint.h>

#define UUID_BYTES 16
/* With the NUL. */
#define UUID_TEXT_MAX 37

enum uuid_version {
    /* Random bytes. */
    UUID_RANDOM = 4,
    /* A digest. */
    UUID_CUSTOM = 8,
};

/* Writes the bytes as a UUID of this version, which replaces six of their bits. */
void uuid_format(const uint8_t bytes[UUID_BYTES], enum uuid_version version,
                 char text[UUID_TEXT_MAX]);

#endif
