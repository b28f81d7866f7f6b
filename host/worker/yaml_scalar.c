/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The core schema of YAML 1.2.2, section 10.3.2: null, booleans and numbers among plain scalars. */
#include "worker/yaml.h"

#include "base/array.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static bool is_one_of(const char *text, size_t bytes, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == bytes && memcmp(words[i], text, bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* The parts of `[-+]? digits? (. digits?)? ([eE] [-+]? digits)?`, borrowed. */
struct number {
    bool negative, has_point, has_exponent, exponent_negative;
    const char *whole, *fraction, *exponent;
    size_t whole_bytes, fraction_bytes, exponent_bytes;
};

static size_t count_digits(const char *at, const char *end) {
    size_t count = 0;
    while (at + count < end && at[count] >= '0' && at[count] <= '9') {
        count++;
    }
    return count;
}

/* Reads a sign, if there is one. */
static const char *read_sign(const char *at, const char *end, bool *negative) {
    *negative = at < end && *at == '-';
    return at < end && (*at == '-' || *at == '+') ? at + 1 : at;
}

static bool read_number(const char *at, const char *end, struct number *number) {
    *number = (struct number){.negative = false};
    at = read_sign(at, end, &number->negative);
    number->whole = at;
    number->whole_bytes = count_digits(at, end);
    at += number->whole_bytes;
    if (at < end && *at == '.') {
        number->has_point = true;
        number->fraction = at + 1;
        number->fraction_bytes = count_digits(at + 1, end);
        at += 1 + number->fraction_bytes;
    }
    if (number->whole_bytes + number->fraction_bytes == 0) {
        return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        number->has_exponent = true;
        at = read_sign(at + 1, end, &number->exponent_negative);
        number->exponent = at;
        number->exponent_bytes = count_digits(at, end);
        at += number->exponent_bytes;
        if (number->exponent_bytes == 0) {
            return false;
        }
    }
    return at == end;
}

/* JSON's grammar of numbers is narrower: no plus, no leading zeros, digits around the point. */
static int append_number(struct buffer *json, const struct number *number) {
    const char *whole = number->whole;
    size_t bytes = number->whole_bytes;
    while (bytes > 1 && *whole == '0') {
        whole++;
        bytes--;
    }
    if ((number->negative && buffer_append(json, "-", 1) < 0) ||
        (bytes > 0 ? buffer_append(json, whole, bytes) : buffer_append(json, "0", 1)) < 0) {
        return -1;
    }
    if (number->has_point &&
        (buffer_append(json, ".", 1) < 0 ||
         (number->fraction_bytes > 0 ? buffer_append(json, number->fraction, number->fraction_bytes)
                                     : buffer_append(json, "0", 1)) < 0)) {
        return -1;
    }
    if (!number->has_exponent) {
        return 0;
    }
    if (buffer_append_text(json, number->exponent_negative ? "e-" : "e") < 0) {
        return -1;
    }
    return buffer_append(json, number->exponent, number->exponent_bytes);
}

static int value_of_digit(char digit) {
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = digit ? strchr(digits, digit) : NULL;
    if (!found) {
        return 16;
    }
    return found - digits < 16 ? (int)(found - digits) : (int)(found - digits) - 6;
}

/* `0x…` or `0o…`: 1 with its value, 0 when the text is none, -1 when the value is over 64 bits. */
static int read_based(const char *text, size_t bytes, uint64_t *value) {
    bool hexadecimal = bytes > 2 && memcmp(text, "0x", 2) == 0;
    unsigned base = hexadecimal ? 16 : 8;
    bool fits = true;
    *value = 0;
    if (!hexadecimal && !(bytes > 2 && memcmp(text, "0o", 2) == 0)) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        unsigned digit = (unsigned)value_of_digit(text[i]);
        if (digit >= base) {
            return 0;
        }
        fits = fits && *value <= (UINT64_MAX - digit) / base;
        *value = *value * base + digit;
    }
    return fits ? 1 : -1;
}

int yaml_append_plain(struct buffer *json, const char *text, size_t bytes) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    static const char *const not_in_json[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                              "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    struct number number;
    uint64_t value;
    if (is_one_of(text, bytes, nulls, ARRAY_LENGTH(nulls))) {
        return buffer_append_text(json, "null");
    }
    if (is_one_of(text, bytes, trues, ARRAY_LENGTH(trues))) {
        return buffer_append_text(json, "true");
    }
    if (is_one_of(text, bytes, falses, ARRAY_LENGTH(falses))) {
        return buffer_append_text(json, "false");
    }
    if (is_one_of(text, bytes, not_in_json, ARRAY_LENGTH(not_in_json))) {
        return 1;
    }
    int based = read_based(text, bytes, &value);
    if (based != 0) {
        return based < 0 ? 1 : buffer_printf(json, "%" PRIu64, value);
    }
    if (read_number(text, text + bytes, &number)) {
        return append_number(json, &number);
    }
    return buffer_append_json_string(json, text, bytes);
}
