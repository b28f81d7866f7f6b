/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's JWTs, checked as GitHub checks them: docs.github.com "Generating a JSON Web Token (JWT)
 * for a GitHub App". */
#include "fake/jwt.h"

#include "fake/caller.h"
#include "fake/state.h"
#include "fake/tokens.h"

#include "base/io.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <string.h>

#define KEY_FILE_MAX 65536
#define JWT_MAX 8192
#define JWT_LIFE_MAX_S 600

static const char undecodable[] = "A JSON web token could not be decoded";

static int import_private(gnutls_pubkey_t key, const gnutls_datum_t *pem) {
    gnutls_privkey_t private_key;
    if (gnutls_privkey_init(&private_key) < 0) {
        return -1;
    }
    int result = gnutls_privkey_import_x509_raw(private_key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result == 0) {
        result = gnutls_pubkey_import_privkey(key, private_key, 0, 0);
    }
    gnutls_privkey_deinit(private_key);
    return result;
}

int jwt_read_key(const char *file, gnutls_pubkey_t *out, struct error *err) {
    AUTO_BUFFER struct buffer pem = BUFFER_INIT(KEY_FILE_MAX);
    if (io_read_file(file, &pem, err) < 0) {
        return -1;
    }
    gnutls_pubkey_t key;
    if (gnutls_pubkey_init(&key) < 0) {
        return error_set(err, "no memory for the key");
    }
    gnutls_datum_t datum = {(unsigned char *)pem.data, (unsigned)pem.bytes};
    int result = gnutls_pubkey_import(key, &datum, GNUTLS_X509_FMT_PEM);
    if (result < 0) {
        result = import_private(key, &datum);
    }
    if (pem.data) {
        explicit_bzero(pem.data, pem.bytes);
    }
    if (result < 0 || gnutls_pubkey_get_pk_algorithm(key, NULL) != GNUTLS_PK_RSA) {
        gnutls_pubkey_deinit(key);
        return error_set(err, "%s: not an RSA key in PEM%s%s", file, result < 0 ? ": " : "",
                         result < 0 ? gnutls_strerror(result) : "");
    }
    *out = key;
    return 0;
}

char *jwt_make_key(struct fake *fake) {
    gnutls_x509_privkey_t key;
    gnutls_privkey_t private_key;
    gnutls_pubkey_t public_key;
    gnutls_datum_t pem = {NULL, 0};
    char *text = NULL;
    if (gnutls_x509_privkey_init(&key) < 0) {
        return NULL;
    }
    if (gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0) == 0 &&
        gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
        gnutls_privkey_init(&private_key) == 0) {
        if (gnutls_privkey_import_x509(private_key, key, GNUTLS_PRIVKEY_IMPORT_COPY) == 0 &&
            gnutls_pubkey_init(&public_key) == 0) {
            if (gnutls_pubkey_import_privkey(public_key, private_key, 0, 0) == 0) {
                for (size_t i = 0; i < fake->n_keys; i++) {
                    gnutls_pubkey_deinit(fake->keys[i]);
                }
                fake->keys[0] = public_key;
                fake->n_keys = 1;
                text = strndup((const char *)pem.data, pem.size);
            } else {
                gnutls_pubkey_deinit(public_key);
            }
        }
        gnutls_privkey_deinit(private_key);
    }
    gnutls_free(pem.data);
    gnutls_x509_privkey_deinit(key);
    return text;
}

/* Decodes base64url without padding into `out`, which has room for `bytes`. False when it is
 * anything else; nettle alone would let white space and padding pass. */
static bool decode(const char *text, size_t bytes, uint8_t *out, size_t *out_bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text[i])) {
            return false;
        }
    }
    struct base64_decode_ctx context;
    base64url_decode_init(&context);
    *out_bytes = bytes;
    /* nettle's check of the end needs padding, so missing padding is added. */
    if (bytes % 4 == 1 || !base64_decode_update(&context, out_bytes, out, bytes, text)) {
        return false;
    }
    uint8_t none[3];
    size_t none_bytes = sizeof none;
    size_t padding = (4 - bytes % 4) % 4;
    return base64_decode_update(&context, &none_bytes, none, padding, "==") &&
           base64_decode_final(&context);
}

static json_t *decode_object(const char *text, size_t bytes) {
    uint8_t json[JWT_MAX];
    size_t json_bytes;
    if (!decode(text, bytes, json, &json_bytes)) {
        return NULL;
    }
    json_t *object = json_loadb((const char *)json, json_bytes, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool signature_is_good(const struct fake *fake, const char *jwt, size_t signed_bytes,
                              const char *signature) {
    uint8_t bytes[JWT_MAX];
    size_t n_bytes;
    if (!decode(signature, strlen(signature), bytes, &n_bytes)) {
        return false;
    }
    const gnutls_datum_t data = {(unsigned char *)jwt, (unsigned)signed_bytes};
    const gnutls_datum_t signature_datum = {bytes, (unsigned)n_bytes};
    for (size_t i = 0; i < fake->n_keys; i++) {
        if (gnutls_pubkey_verify_data2(fake->keys[i], GNUTLS_SIGN_RSA_SHA256, 0, &data,
                                       &signature_datum) >= 0) {
            return true;
        }
    }
    return false;
}

static bool issuer_is_ours(const struct fake *fake, const json_t *claims) {
    const json_t *issuer = json_object_get(claims, "iss");
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, fake->app_id);
    return json_is_integer(issuer)
               ? json_integer_value(issuer) == fake->app_id
               : json_is_string(issuer) && strcmp(json_string_value(issuer), id) == 0;
}

/* NULL, or GitHub's sentence. */
static const char *claims_problem(const struct fake *fake, const json_t *claims) {
    const json_t *issued = json_object_get(claims, "iat");
    const json_t *expires = json_object_get(claims, "exp");
    int64_t now_s = fake_now_s(fake);
    if (!json_is_integer(issued) || json_integer_value(issued) > now_s) {
        return "'Issued at' claim ('iat') must be an Integer representing the time that the "
               "assertion was issued";
    }
    if (!json_is_integer(expires) || json_integer_value(expires) <= now_s) {
        return "'Expiration time' claim ('exp') must be a numeric value representing the future "
               "time at which the assertion expires";
    }
    if (json_integer_value(expires) > now_s + JWT_LIFE_MAX_S) {
        return "'Expiration time' claim ('exp') is too far in the future";
    }
    return issuer_is_ours(fake, claims) ? NULL : undecodable;
}

void jwt_verify(const struct fake *fake, const char *jwt, struct caller *caller) {
    caller->kind = CALLER_INVALID;
    snprintf(caller->problem, sizeof caller->problem, "%s", undecodable);
    const char *first = strchr(jwt, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.') || strlen(jwt) > JWT_MAX) {
        return;
    }
    json_t *header = decode_object(jwt, (size_t)(first - jwt));
    const char *algorithm = text_of(header, "alg");
    bool good = algorithm && strcmp(algorithm, "RS256") == 0 &&
                signature_is_good(fake, jwt, (size_t)(second - jwt), second + 1);
    json_decref(header);
    json_t *claims = good ? decode_object(first + 1, (size_t)(second - first) - 1) : NULL;
    if (!claims) {
        return;
    }
    const char *problem = claims_problem(fake, claims);
    if (problem) {
        snprintf(caller->problem, sizeof caller->problem, "%s", problem);
        json_decref(claims);
        return;
    }
    caller->kind = CALLER_APP;
    caller->claims = claims;
}
