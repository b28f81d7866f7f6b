/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formats UUIDs. */
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

void uuid_format(const uint8_t bytes[UUID_BYTES], enum uuid_version version,
                 char text[UUID_TEXT_MAX]) {
    uint8_t b[UUID_BYTES];
    memcpy(b, bytes, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | (version << 4));
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    snprintf(text, UUID_TEXT_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
