/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes and reads global ids. */
#include "fake/node_ids.h"

#include "fake/items.h"

#include <nettle/base64.h>
#include <string.h>

#define NAMESPACE "snek:"
#define PLAIN_MAX 32

json_t *node_id(const char *letters, json_int_t id) {
    char plain[PLAIN_MAX], encoded[BASE64_ENCODE_RAW_LENGTH(PLAIN_MAX) + 1] = "";
    int bytes = snprintf(plain, sizeof plain, NAMESPACE "%" JSON_INTEGER_FORMAT, id);
    base64_encode_raw(encoded, (size_t)bytes, (const uint8_t *)plain);
    encoded[strcspn(encoded, "=")] = '\0';
    return json_sprintf("%s_%s", letters, encoded);
}

bool node_id_read(const char *text, char letters[NODE_LETTERS_MAX], json_int_t *id) {
    struct base64_decode_ctx decoder;
    char plain[PLAIN_MAX + 1];
    size_t prefix = strcspn(text, "_"), bytes = sizeof plain - 1;
    const char *encoded = text + prefix + 1;
    if (text[prefix] != '_' || prefix >= NODE_LETTERS_MAX ||
        BASE64_DECODE_LENGTH(strlen(encoded)) >= PLAIN_MAX) {
        return false;
    }
    base64_decode_init(&decoder);
    if (!base64_decode_update(&decoder, &bytes, (uint8_t *)plain, strlen(encoded), encoded)) {
        return false;
    }
    plain[bytes] = '\0';
    snprintf(letters, NODE_LETTERS_MAX, "%.*s", (int)prefix, text);
    return strncmp(plain, NAMESPACE, strlen(NAMESPACE)) == 0 &&
           parse_number(plain + strlen(NAMESPACE), id);
}
