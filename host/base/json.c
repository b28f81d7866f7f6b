/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A state machine over the bytes of one JSON value, and lookups by path on top of it. */
#include "base/json.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined __SSE2__ && !defined JSON_PORTABLE
#include <emmintrin.h>
#endif

enum state {
    WANT_VALUE,       /* a value must come */
    WANT_FIRST_VALUE, /* a value or ] */
    WANT_FIRST_KEY,   /* a key or } */
    WANT_COLON,       /* after a key */
    /* A comma, or the end of the container. */
    AFTER_VALUE,
    FINISHED,
};

void json_init(struct json_reader *reader, const char *json, size_t bytes) {
    *reader =
        (struct json_reader){.start = json, .at = json, .end = json + bytes, .state = WANT_VALUE};
}

static enum json_token fail(struct json_reader *reader, const char *why) {
    reader->error = why;
    return JSON_ERROR;
}

/* The next byte that is not white space, or -1 at the end. */
static int peek(struct json_reader *reader) {
    const char *at = reader->at, *end = reader->end;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    reader->at = at;
    return at < end ? (unsigned char)*at : -1;
}

static bool inside_object(const struct json_reader *reader) {
    assert(reader->depth > 0 && reader->depth <= JSON_DEPTH_MAX);
    unsigned level = reader->depth - 1;
    return reader->in_object[level / 64] >> (level % 64) & 1;
}

static enum json_token open_container(struct json_reader *reader, bool object) {
    if (reader->depth == JSON_DEPTH_MAX) {
        return fail(reader, "nested too deeply");
    }
    unsigned level = reader->depth++;
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (object) {
        reader->in_object[level / 64] |= bit;
    } else {
        reader->in_object[level / 64] &= ~bit;
    }
    reader->text = reader->at++;
    reader->text_bytes = 1;
    reader->state = object ? WANT_FIRST_KEY : WANT_FIRST_VALUE;
    return object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
}

static enum json_token close_container(struct json_reader *reader, bool object) {
    assert(reader->depth > 0);
    reader->depth--;
    reader->text = reader->at++;
    reader->text_bytes = 1;
    reader->state = AFTER_VALUE;
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Past the escape at `at`, or NULL. */
static const char *skip_escape(const char *at, const char *end) {
    if (end - at < 2) {
        return NULL;
    }
    if (at[1] == 'u') {
        if (end - at < 6 || !is_hex(at[2]) || !is_hex(at[3]) || !is_hex(at[4]) || !is_hex(at[5])) {
            return NULL;
        }
        return at + 6;
    }
    return at[1] && strchr("\"\\/bfnrt", at[1]) ? at + 2 : NULL;
}

/* True for a byte of a string that is neither its end, nor an escape, nor a control character, nor
 * a part of a longer UTF-8 sequence. */
static bool is_plain(char c) {
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* Past the plain bytes from `at` on. Most bytes of a webhook are in strings, so this looks at many
 * bytes at a time. */
static const char *skip_plain(const char *at, const char *end) {
#if defined __SSE2__ && !defined JSON_PORTABLE
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* The bytes of longer sequences are negative, so they are less than a space too. */
        __m128i special = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
            _mm_cmplt_epi8(bytes, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
    }
#else
    const uint64_t ones = UINT64_MAX / 0xFF, tops = ones << 7;
    for (uint64_t word; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        uint64_t quotes = word ^ (ones * '"'), backslashes = word ^ (ones * '\\');
        /* Each difference borrows the top bit of a byte that is too small. */
        uint64_t special = (word - ones * ' ') | (quotes - ones) | (backslashes - ones) | word;
        if ((special & tops) != 0) {
            break;
        }
    }
#endif
    while (at < end && is_plain(*at)) {
        at++;
    }
    return at;
}

/* `at` is on the opening quote. */
static enum json_token read_string(struct json_reader *reader, enum json_token token) {
    const char *at = reader->at + 1;
    reader->text = at;
    while ((at = skip_plain(at, reader->end)) < reader->end && *at != '"') {
        unsigned char c = (unsigned char)*at;
        reader->at = at;
        if (c == '\\') {
            at = skip_escape(at, reader->end);
            if (!at) {
                return fail(reader, "bad escape in a string");
            }
        } else if (c < 0x20) {
            return fail(reader, "control character in a string");
        } else {
            size_t length = utf8_sequence(at, (size_t)(reader->end - at));
            if (length == 0) {
                return fail(reader, "not UTF-8");
            }
            at += length;
        }
    }
    if (at >= reader->end) {
        reader->at = reader->end;
        return fail(reader, "string without its end");
    }
    reader->text_bytes = (size_t)(at - reader->text);
    reader->at = at + 1;
    reader->state = token == JSON_KEY ? WANT_COLON : AFTER_VALUE;
    return token;
}

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

static enum json_token read_number(struct json_reader *reader) {
    const char *at = reader->at, *end = reader->end;
    if (at < end && *at == '-') {
        at++;
    }
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1)) {
        return fail(reader, "bad number");
    }
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits) {
            return fail(reader, "bad number");
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        digits = at;
        at = skip_digits(at, end);
        if (at == digits) {
            return fail(reader, "bad number");
        }
    }
    reader->text = reader->at;
    reader->text_bytes = (size_t)(at - reader->at);
    reader->at = at;
    reader->state = AFTER_VALUE;
    return JSON_NUMBER;
}

static enum json_token read_word(struct json_reader *reader, const char *word,
                                 enum json_token token) {
    size_t bytes = strlen(word);
    if ((size_t)(reader->end - reader->at) < bytes || memcmp(reader->at, word, bytes) != 0) {
        return fail(reader, "not a JSON value");
    }
    reader->text = reader->at;
    reader->text_bytes = bytes;
    reader->at += bytes;
    reader->state = AFTER_VALUE;
    return token;
}

static enum json_token read_value(struct json_reader *reader, int c) {
    switch (c) {
    case -1:
        return fail(reader, "ends too early");
    case '{':
        return open_container(reader, true);
    case '[':
        return open_container(reader, false);
    case '"':
        return read_string(reader, JSON_STRING);
    case 't':
        return read_word(reader, "true", JSON_TRUE);
    case 'f':
        return read_word(reader, "false", JSON_FALSE);
    case 'n':
        return read_word(reader, "null", JSON_NULL);
    default:
        return read_number(reader);
    }
}

static enum json_token read_key(struct json_reader *reader, int c) {
    if (c == '"') {
        return read_string(reader, JSON_KEY);
    }
    return fail(reader, c < 0 ? "ends too early" : "a key expected");
}

static enum json_token read_member_value(struct json_reader *reader, int c) {
    if (c != ':') {
        return fail(reader, c < 0 ? "ends too early" : "':' expected");
    }
    reader->at++;
    return read_value(reader, peek(reader));
}

static enum json_token read_after_value(struct json_reader *reader, int c) {
    if (reader->depth == 0) {
        reader->state = FINISHED;
        return c < 0 ? JSON_END : fail(reader, "more than one value");
    }
    bool object = inside_object(reader);
    if (c == ',') {
        reader->at++;
        c = peek(reader);
        return object ? read_key(reader, c) : read_value(reader, c);
    }
    if (c == (object ? '}' : ']')) {
        return close_container(reader, object);
    }
    if (c < 0) {
        return fail(reader, "ends too early");
    }
    return fail(reader, object ? "',' or '}' expected" : "',' or ']' expected");
}

enum json_token json_next(struct json_reader *reader) {
    if (reader->error) {
        return JSON_ERROR;
    }
    int c = peek(reader);
    switch (reader->state) {
    case WANT_COLON:
        return read_member_value(reader, c);
    case AFTER_VALUE:
        return read_after_value(reader, c);
    case WANT_FIRST_KEY:
        return c == '}' ? close_container(reader, true) : read_key(reader, c);
    case WANT_FIRST_VALUE:
        return c == ']' ? close_container(reader, false) : read_value(reader, c);
    case FINISHED:
        return JSON_END;
    default:
        return read_value(reader, c);
    }
}

int json_skip(struct json_reader *reader, enum json_token first) {
    if (first != JSON_OBJECT_BEGIN && first != JSON_ARRAY_BEGIN) {
        return first == JSON_ERROR ? -1 : 0;
    }
    unsigned outer = reader->depth - 1;
    while (reader->depth > outer) {
        if (json_next(reader) == JSON_ERROR) {
            return -1;
        }
    }
    return 0;
}

int json_check(const char *json, size_t bytes, const char **why, size_t *at) {
    struct json_reader reader;
    enum json_token token;
    json_init(&reader, json, bytes);
    do {
        token = json_next(&reader);
    } while (token != JSON_END && token != JSON_ERROR);
    if (token == JSON_END) {
        return 0;
    }
    *why = reader.error;
    *at = (size_t)(reader.at - reader.start);
    return -1;
}

static uint32_t hex4(const char *text) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/* Decodes the escape at `raw` into `out` (room for 4); the raw bytes that it took. */
static size_t unescape_one(const char *raw, size_t bytes, char *out, size_t *out_bytes) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = raw[1] == 'u' ? NULL : strchr(from, raw[1]);
    if (simple) {
        *out = to[simple - from];
        *out_bytes = 1;
        return 2;
    }
    uint32_t code = hex4(raw + 2);
    size_t taken = 6;
    if (code >= 0xD800 && code < 0xDC00 && bytes >= 12 && raw[6] == '\\' && raw[7] == 'u') {
        uint32_t low = hex4(raw + 8);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            taken = 12;
        }
    }
    if (code >= 0xD800 && code < 0xE000) {
        code = 0xFFFD;
    }
    *out_bytes = utf8_encode(code, out);
    return taken;
}

size_t json_unescape(const char *raw, size_t bytes, char *out) {
    size_t written = 0;
    for (size_t at = 0; at < bytes;) {
        if (raw[at] != '\\') {
            out[written++] = raw[at++];
            continue;
        }
        char decoded[4];
        size_t decoded_bytes;
        at += unescape_one(raw + at, bytes - at, decoded, &decoded_bytes);
        memcpy(out + written, decoded, decoded_bytes);
        written += decoded_bytes;
    }
    return written;
}

bool json_text_is(const char *raw, size_t bytes, const char *text, size_t text_bytes) {
    if (bytes <= text_bytes) {
        /* Each escape is longer than its character. */
        return bytes == text_bytes && memcmp(raw, text, bytes) == 0 && !memchr(raw, '\\', bytes);
    }
    size_t matched = 0;
    for (size_t at = 0; at < bytes;) {
        char decoded[4] = {raw[at]};
        size_t decoded_bytes = 1, taken = 1;
        if (raw[at] == '\\') {
            taken = unescape_one(raw + at, bytes - at, decoded, &decoded_bytes);
        }
        if (text_bytes - matched < decoded_bytes ||
            memcmp(text + matched, decoded, decoded_bytes) != 0) {
            return false;
        }
        matched += decoded_bytes;
        at += taken;
    }
    return matched == text_bytes;
}

/* The reader stands before a value's members; moves it to the value of `key`. */
static enum json_token enter_key(struct json_reader *reader, const char *key, size_t key_bytes) {
    for (;;) {
        if (json_next(reader) != JSON_KEY) {
            /* The end of the object, or an error. */
            return JSON_ERROR;
        }
        bool found = json_text_is(reader->text, reader->text_bytes, key, key_bytes);
        enum json_token token = json_next(reader);
        if (found || json_skip(reader, token) < 0) {
            return found ? token : JSON_ERROR;
        }
    }
}

static enum json_token enter_index(struct json_reader *reader, unsigned long index) {
    for (;; index--) {
        enum json_token token = json_next(reader);
        if (token == JSON_ARRAY_END || index == 0) {
            return token == JSON_ARRAY_END ? JSON_ERROR : token;
        }
        if (json_skip(reader, token) < 0) {
            return JSON_ERROR;
        }
    }
}

bool json_find(const char *json, size_t bytes, const char *path, struct json_value *value) {
    struct json_reader reader;
    json_init(&reader, json, bytes);
    enum json_token token = json_next(&reader);
    while (*path && token != JSON_ERROR) {
        if (*path == '[') {
            /* strtoul() alone would also accept signs and white space. */
            size_t digits = strspn(path + 1, "0123456789");
            if (token != JSON_ARRAY_BEGIN || digits == 0 || path[1 + digits] != ']') {
                return false;
            }
            token = enter_index(&reader, strtoul(path + 1, NULL, 10));
            path += digits + 2;
        } else {
            size_t key_bytes = strcspn(path, ".[");
            if (token != JSON_OBJECT_BEGIN) {
                return false;
            }
            token = enter_key(&reader, path, key_bytes);
            path += key_bytes;
        }
        path += *path == '.';
    }
    bool quoted = token == JSON_STRING;
    if (token == JSON_ERROR) {
        return false;
    }
    const char *raw = reader.text - quoted;
    if (json_skip(&reader, token) < 0) {
        return false;
    }
    *value = (struct json_value){.type = token, .raw = raw, .raw_bytes = (size_t)(reader.at - raw)};
    return true;
}

bool json_to_integer(const struct json_value *value, int64_t *number) {
    if (value->type != JSON_NUMBER) {
        return false;
    }
    bool negative = value->raw[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, sum = 0;
    for (size_t i = negative; i < value->raw_bytes; i++) {
        char c = value->raw[i];
        uint64_t digit = (uint64_t)(c - '0');
        if (c < '0' || c > '9' || sum > (limit - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *number = negative ? (int64_t)-sum : (int64_t)sum;
    return true;
}

bool json_to_time(const struct json_value *value, int64_t *time_ms) {
    char text[sizeof "2016-07-11T22:14:10Z"];
    struct tm utc = {0};
    if (value->type != JSON_STRING || value->raw_bytes - 2 != sizeof text - 1) {
        return false;
    }
    memcpy(text, value->raw + 1, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    *time_ms = (int64_t)timegm(&utc) * 1000;
    return end && !*end;
}
