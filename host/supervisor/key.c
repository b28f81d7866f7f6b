/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the app's private key in the forms that people paste it, and signs JWTs with it. Messages
 * name the problem of a key, but never hold a byte of it: none of them formats its text. */
#include "supervisor/key.h"

#include "base/array.h"
#include "base/buffer.h"
#include "supervisor/messages.h"

#include <assert.h>
#include <ctype.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <jansson.h>
#include <nettle/base64.h>
#include <stdbool.h>
#include <string.h>

#define KEY_BITS_MIN 2048

/* exp may be at most 600 s ahead of GitHub's clock, and iat must not lie in its future. These
 * values allow a clock that is 60 s fast or 8 min slow. */
#define JWT_BACK_S 60
#define JWT_AHEAD_S 480

struct app_key {
    gnutls_privkey_t private;
};

static void close_x509(gnutls_x509_privkey_t *key) {
    if (*key) {
        gnutls_x509_privkey_deinit(*key);
    }
}

/* ---- the forms of a key ---- */

static bool starts_with(const struct secret *text, const char *prefix) {
    size_t bytes = strlen(prefix);
    return text->bytes >= bytes && memcmp(text->data, prefix, bytes) == 0;
}

static bool is_wrapping(unsigned char c) {
    return isspace(c) || c == '"' || c == '\'' || c == '`';
}

/* Copies the text without white space, quotes and byte order mark around it, and with real newlines
 * where a shell or a form left "\n" as two characters. */
static int tidy(const struct secret *given, struct secret *tidied) {
    const char *start = given->data, *end = given->data + given->bytes;
    if (starts_with(given, "\xEF\xBB\xBF")) {
        start += 3;
    }
    while (start < end && is_wrapping((unsigned char)*start)) {
        start++;
    }
    while (end > start && is_wrapping((unsigned char)end[-1])) {
        end--;
    }
    struct secret text;
    if (secret_copy(&text, start, (size_t)(end - start)) < 0) {
        return -1;
    }
    size_t kept = 0;
    for (size_t at = 0; at < text.bytes; at++) {
        char c = text.data[at];
        if (c != '\\') {
            text.data[kept++] = c;
        } else if (text.data[at + 1] == 'n' || text.data[at + 1] == 'r') {
            text.data[kept++] = '\n';
            at++;
        }
    }
    explicit_bzero(text.data + kept, text.bytes - kept);
    *tidied = (struct secret){.data = text.data, .bytes = kept};
    return 0;
}

static char standard_digit(char c) {
    switch (c) {
    case '-':
        return '+';
    case '_':
        return '/';
    default:
        return c;
    }
}

/* Standard or URL-safe base64, padded or not, with or without line breaks. 0; 1 when it is not
 * base64; -1 when memory is short. */
static int decode_base64(const struct secret *text, struct secret *decoded) {
    AUTO_SECRET struct secret digits = {0}, out = {0};
    if (secret_copy(&digits, text->data, text->bytes) < 0 ||
        secret_copy(&out, text->data, text->bytes) < 0) { /* decoding only shrinks */
        return -1;
    }
    size_t count = 0;
    for (size_t at = 0; at < text->bytes; at++) {
        char c = text->data[at];
        if (!isspace((unsigned char)c) && c != '=') {
            digits.data[count++] = standard_digit(c);
        }
    }
    struct base64_decode_ctx context;
    base64_decode_init(&context);
    size_t length = out.bytes;
    /* Bits left over in context.bits belong to the padding that we removed. */
    int ok = base64_decode_update(&context, &length, (uint8_t *)out.data, count, digits.data);
    explicit_bzero(&context, sizeof context);
    if (!ok || count % 4 == 1) {
        return 1;
    }
    explicit_bzero(out.data + length, out.bytes - length);
    *decoded = (struct secret){.data = STEAL(out.data), .bytes = length};
    return 0;
}

static const char *find(const struct secret *text, const char *word) {
    return memmem(text->data, text->bytes, word, strlen(word));
}

static bool is_der(const struct secret *text) {
    return starts_with(text, "\x30\x82") && text->bytes > 64;
}

static bool looks_like_a_path(const struct secret *text) {
    if (text->bytes == 0 || text->bytes > 4096 || memchr(text->data, '\n', text->bytes)) {
        return false;
    }
    static const char *const ends[] = {".pem", ".key", ".txt", ".der"};
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        size_t bytes = strlen(ends[i]);
        if (text->bytes > bytes && memcmp(text->data + text->bytes - bytes, ends[i], bytes) == 0) {
            return true;
        }
    }
    return starts_with(text, "/") || starts_with(text, "./") || starts_with(text, "../") ||
           starts_with(text, "~") || starts_with(text, "file:");
}

static const char encrypted[] =
    "this private key is encrypted with a passphrase; decrypt it first: "
    "openssl pkey -in ENCRYPTED.pem -out KEY.pem";

/* The labels of BEGIN lines, each with its problem; NULL: read the block. */
static const struct label {
    const char *label, *problem;
} labels[] = {
    {"RSA PRIVATE KEY", NULL},
    {"PRIVATE KEY", NULL},
    {"ENCRYPTED PRIVATE KEY", encrypted},
    {"OPENSSH PRIVATE KEY",
     "this is a private key in OpenSSH's own format, not the one that GitHub gave for the app"},
    {"EC PRIVATE KEY", "this is an EC key; GitHub Apps use RSA"},
    {"DSA PRIVATE KEY", "this is a DSA key; GitHub Apps use RSA"},
    {"PUBLIC KEY", "this is a public key; the private one is needed"},
    {"RSA PUBLIC KEY", "this is a public key; the private one is needed"},
    {"CERTIFICATE", "this is a certificate, not a private key"},
    {"CERTIFICATE REQUEST", "this is a certificate request, not a private key"},
    {"NEW CERTIFICATE REQUEST", "this is a certificate request, not a private key"},
};

/* The label of the BEGIN line at `begin`; NULL for an unknown one. */
static const struct label *label_at(const struct secret *text, const char *begin) {
    const char *name = begin + strlen("-----BEGIN ");
    size_t room = (size_t)(text->data + text->bytes - name);
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        size_t bytes = strlen(labels[i].label);
        if (room >= bytes + 5 && memcmp(name, labels[i].label, bytes) == 0 &&
            memcmp(name + bytes, "-----", 5) == 0) {
            return &labels[i];
        }
    }
    return NULL;
}

static int reject_non_pem(const struct secret *text, bool was_base64, struct error *err) {
    if (text->bytes == 0) {
        return error_set(err, "the private key is empty");
    }
    if (find(text, "-----END ")) {
        return error_set(err, "the private key is cut short: it has an END line but no BEGIN line");
    }
    if (is_der(text)) {
        return error_set(err, "the private key lacks its BEGIN and END lines; give the whole .pem "
                              "file as it was downloaded from GitHub");
    }
    if (starts_with(text, "ssh-") || starts_with(text, "ecdsa-")) {
        return error_set(err, "this is a public key; the private one is needed");
    }
    if (starts_with(text, "SHA256:")) {
        return error_set(err, "this is the key's fingerprint, not the key");
    }
    if (!was_base64 && looks_like_a_path(text)) {
        return error_set(err, "this is the path of a file, not a private key; a path goes into "
                              "github.private_key_file, GITHUB_PRIVATE_KEY is the key itself");
    }
    return error_set(err, "this is not a private key; it should be the .pem file that GitHub gave "
                          "for the app, which begins with -----BEGIN RSA PRIVATE KEY-----");
}

static int check_kind(gnutls_x509_privkey_t key, struct error *err) {
    unsigned bits = 0;
    switch (gnutls_x509_privkey_get_pk_algorithm2(key, &bits)) {
    case GNUTLS_PK_RSA:
        break;
    case GNUTLS_PK_ECDSA:
    case GNUTLS_PK_ECDH_X25519:
    case GNUTLS_PK_ECDH_X448:
        return error_set(err, "this is an EC key; GitHub Apps use RSA");
    case GNUTLS_PK_EDDSA_ED25519:
    case GNUTLS_PK_EDDSA_ED448:
        return error_set(err, "this is an Ed25519 or Ed448 key; GitHub Apps use RSA");
    default:
        return error_set(err, "this is not a plain RSA key; GitHub Apps use RSA");
    }
    if (bits < KEY_BITS_MIN) {
        return error_set(err, "this RSA key has %u bits; at least %d are needed", bits,
                         KEY_BITS_MIN);
    }
    if (gnutls_x509_privkey_verify_params(key) < 0) {
        return error_set(err, "the private key is damaged: its numbers do not match each other; "
                              "download a new key from GitHub");
    }
    return 0;
}

static int read_block(const struct secret *text, const char *begin, struct app_key **key,
                      struct error *err) {
    size_t bytes = (size_t)(text->data + text->bytes - begin);
    const gnutls_datum_t pem = {.data = (unsigned char *)begin, .size = (unsigned)bytes};
    CLEANUP(close_x509) gnutls_x509_privkey_t x509 = NULL;
    if (gnutls_x509_privkey_init(&x509) < 0) {
        return error_set(err, "out of memory");
    }
    int code = gnutls_x509_privkey_import2(x509, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code < 0) {
        return error_set(err, "the private key is damaged: %s", gnutls_strerror(code));
    }
    if (check_kind(x509, err) < 0) {
        return -1;
    }
    struct app_key *parsed = calloc(1, sizeof *parsed);
    if (!parsed || gnutls_privkey_init(&parsed->private) < 0) {
        free(parsed);
        return error_set(err, "out of memory");
    }
    code = gnutls_privkey_import_x509(parsed->private, x509, GNUTLS_PRIVKEY_IMPORT_COPY);
    const gnutls_datum_t nothing = {.data = (unsigned char *)"", .size = 0};
    gnutls_datum_t signature = {0};
    if (code >= 0) {
        /* gnutls_x509_privkey_verify_params() overlooks some wrong digits, which a signature shows.
         */
        code = gnutls_privkey_sign_data2(parsed->private, GNUTLS_SIGN_RSA_SHA256, 0, &nothing,
                                         &signature);
        gnutls_free(signature.data);
    }
    if (code < 0) {
        app_key_free(parsed);
        return error_set(err, "the private key is damaged: %s", gnutls_strerror(code));
    }
    *key = parsed;
    return 0;
}

/* Reads the first block that is a private key. Without one, reports the kind of the first block. */
static int read_pem(const struct secret *text, struct app_key **key, struct error *err) {
    static const char dashes[] = "-----BEGIN ";
    const char *end = text->data + text->bytes, *chosen = NULL;
    const char *first = find(text, dashes);
    for (const char *at = first; at && !chosen;) {
        const struct label *label = label_at(text, at);
        chosen = label && strstr(label->label, "PRIVATE") ? at : NULL;
        at += sizeof dashes - 1;
        at = memmem(at, (size_t)(end - at), dashes, sizeof dashes - 1);
    }
    const char *begin = chosen ? chosen : first;
    /* The caller has found one. */
    assert(begin);
    const struct label *label = label_at(text, begin);
    if (label && label->problem) {
        return error_set(err, "%s", label->problem);
    }
    if (!memmem(begin, (size_t)(end - begin), "-----END ", 9)) {
        return error_set(err, "the private key is cut short: it has a BEGIN line but no END line; "
                              "all lines of the file are needed");
    }
    if (!label) {
        return error_set(err, "this is not a private key of a GitHub App; that begins with "
                              "-----BEGIN RSA PRIVATE KEY-----");
    }
    if (memmem(begin, (size_t)(end - begin), "4,ENCRYPTED", 11)) {
        /* An encrypted key in PKCS#1. */
        return error_set(err, "%s", encrypted);
    }
    return read_block(text, begin, key, err);
}

int app_key_parse(const struct secret *text, struct app_key **key, struct error *err) {
    AUTO_SECRET struct secret given = {0}, decoded = {0}, inner = {0};
    if (tidy(&(struct secret){.data = text->data ? text->data : "", .bytes = text->bytes}, &given) <
        0) {
        return error_set(err, "out of memory");
    }
    if (find(&given, "-----BEGIN ")) {
        return read_pem(&given, key, err);
    }
    if (given.bytes == 0 || find(&given, "-----END ")) {
        return reject_non_pem(&given, false, err);
    }
    int outcome = decode_base64(&given, &decoded);
    if (outcome < 0 || (outcome == 0 && tidy(&decoded, &inner) < 0)) {
        return error_set(err, "out of memory");
    }
    if (outcome == 0 && find(&inner, "-----BEGIN ")) {
        return read_pem(&inner, key, err);
    }
    if (outcome == 0 && (find(&inner, "-----END ") || is_der(&decoded))) {
        return reject_non_pem(is_der(&decoded) ? &decoded : &inner, true, err);
    }
    return reject_non_pem(&given, false, err);
}

void app_key_free(struct app_key *key) {
    if (key) {
        gnutls_privkey_deinit(key->private); /* wipes the numbers */
        free(key);
    }
}

/* Appends base64url without padding (RFC 7515). */
static int append_base64url(struct buffer *out, const void *data, size_t bytes) {
    AUTO_FREE char *text = malloc(BASE64_ENCODE_LENGTH(bytes) + BASE64_ENCODE_FINAL_LENGTH);
    if (!text) {
        return -1;
    }
    struct base64_encode_ctx context;
    base64url_encode_init(&context);
    size_t length = base64_encode_update(&context, text, bytes, data);
    length += base64_encode_final(&context, text + length);
    while (length > 0 && text[length - 1] == '=') {
        length--;
    }
    return buffer_append(out, text, length);
}

static int append_claims(struct buffer *out, const char *app_id, int64_t now_s) {
    json_t *claims = json_pack("{s:I, s:I, s:s}", "iat", (json_int_t)(now_s - JWT_BACK_S), "exp",
                               (json_int_t)(now_s + JWT_AHEAD_S), "iss", app_id);
    AUTO_FREE char *text = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text ? append_base64url(out, text, strlen(text)) : -1;
}

int app_key_sign_jwt(struct app_key *key, const char *app_id, int64_t now_s, char **jwt,
                     struct error *err) {
    static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    AUTO_BUFFER struct buffer token = BUFFER_INIT(SUPERVISOR_JWT_MAX - 1);
    if (buffer_reserve(&token, token.max) < 0 ||
        append_base64url(&token, header, sizeof header - 1) < 0 ||
        buffer_append(&token, ".", 1) < 0 || append_claims(&token, app_id, now_s) < 0) {
        return error_set(err, "cannot make a JWT: the app id is not text, or memory is short");
    }
    const gnutls_datum_t signed_part = {.data = (unsigned char *)token.data,
                                        .size = (unsigned)token.bytes};
    gnutls_datum_t signature = {0};
    int code = gnutls_privkey_sign_data2(key->private, GNUTLS_SIGN_RSA_SHA256, 0, &signed_part,
                                         &signature);
    if (code < 0) {
        return error_set(err, "cannot sign a JWT: %s", gnutls_strerror(code));
    }
    int result = buffer_append(&token, ".", 1);
    if (result == 0) {
        result = append_base64url(&token, signature.data, signature.size);
    }
    if (result < 0) {
        error_set(err, "a JWT with this key is longer than %d bytes", SUPERVISOR_JWT_MAX - 1);
    }
    gnutls_free(signature.data);
    if (result == 0) {
        *jwt = buffer_steal(&token);
    }
    return result;
}
