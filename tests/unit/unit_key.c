/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* supervisor/key: every form of the app's key that people paste, what is said of a bad one, and the
 * JWT, checked with the public half. The keys are made here and die with the process. */
#include "unit.h"

#include "base/buffer.h"
#include "supervisor/key.h"
#include "supervisor/messages.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <jansson.h>
#include <nettle/base64.h>
#include <stdio.h>

#define TEXT_MAX 65536

static gnutls_x509_privkey_t rsa;
static char pkcs1[8192], pkcs8[8192], public_pem[4096];

static gnutls_x509_privkey_t make_key(gnutls_pk_algorithm_t algorithm, unsigned bits) {
    gnutls_x509_privkey_t key;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
    return key;
}

static void export_pkcs8(gnutls_x509_privkey_t key, const char *password, char *out, size_t room) {
    unsigned flags = password ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN;
    size_t bytes = room;
    assert_int_equal(
        gnutls_x509_privkey_export_pkcs8(key, GNUTLS_X509_FMT_PEM, password, flags, out, &bytes),
        0);
}

static int make_keys(void **state) {
    rsa = make_key(GNUTLS_PK_RSA, 2048);
    size_t bytes = sizeof pkcs1;
    assert_int_equal(gnutls_x509_privkey_export(rsa, GNUTLS_X509_FMT_PEM, pkcs1, &bytes), 0);
    /* GnuTLS puts a description of the numbers in front of it; GitHub's file has none. */
    memmove(pkcs1, strstr(pkcs1, "-----BEGIN"), strlen(strstr(pkcs1, "-----BEGIN")) + 1);
    export_pkcs8(rsa, NULL, pkcs8, sizeof pkcs8);
    gnutls_pubkey_t public;
    gnutls_privkey_t private;
    assert_int_equal(gnutls_privkey_init(&private), 0);
    assert_int_equal(gnutls_privkey_import_x509(private, rsa, 0), 0);
    assert_int_equal(gnutls_pubkey_init(&public), 0);
    assert_int_equal(gnutls_pubkey_import_privkey(public, private, 0, 0), 0);
    bytes = sizeof public_pem;
    assert_int_equal(gnutls_pubkey_export(public, GNUTLS_X509_FMT_PEM, public_pem, &bytes), 0);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(private);
    return 0;
}

static int drop_keys(void **state) {
    gnutls_x509_privkey_deinit(rsa);
    return 0;
}

/* `text` with every `from` replaced; the caller's to free. */
static char *replaced(const char *text, const char *from, const char *to) {
    struct buffer out = BUFFER_INIT(TEXT_MAX);
    for (const char *hit; (hit = strstr(text, from)); text = hit + strlen(from)) {
        assert_int_equal(buffer_append(&out, text, (size_t)(hit - text)), 0);
        assert_int_equal(buffer_append_text(&out, to), 0);
    }
    assert_int_equal(buffer_append_text(&out, text), 0);
    return buffer_steal(&out);
}

static char *joined(const char *before, const char *text, const char *after) {
    struct buffer out = BUFFER_INIT(TEXT_MAX);
    assert_int_equal(buffer_printf(&out, "%s%s%s", before, text, after), 0);
    return buffer_steal(&out);
}

/* Base64 in lines of `width` (0: one line); url: URL-safe and without padding. */
static char *base64(const void *data, size_t bytes, bool url, size_t width) {
    AUTO_FREE char *raw = malloc(BASE64_ENCODE_RAW_LENGTH(bytes) + 1);
    struct base64_encode_ctx context;
    if (url) {
        base64url_encode_init(&context);
    } else {
        base64_encode_init(&context);
    }
    size_t length = base64_encode_update(&context, raw, bytes, data);
    length += base64_encode_final(&context, raw + length);
    while (url && raw[length - 1] == '=') {
        length--;
    }
    struct buffer out = BUFFER_INIT(TEXT_MAX);
    for (size_t at = 0; at < length;) {
        size_t step = width && length - at > width ? width : length - at;
        assert_int_equal(buffer_append(&out, raw + at, step), 0);
        at += step;
        if (width) {
            assert_int_equal(buffer_append_text(&out, "\n"), 0);
        }
    }
    return buffer_steal(&out);
}

static int parse(const char *text, size_t bytes, struct app_key **key, struct error *err) {
    const struct secret secret = {.data = (char *)text, .bytes = bytes};
    *err = (struct error){0};
    return app_key_parse(&secret, key, err);
}

static void free_all(char **texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
}

static void every_form_of_a_good_key_is_read(void **state) {
    AUTO_FREE char *crlf = replaced(pkcs1, "\n", "\r\n");
    AUTO_FREE char *literal = replaced(pkcs1, "\n", "\\n");
    char *forms[] = {
        strdup(pkcs1),
        strdup(pkcs8),
        joined("", literal, ""),
        replaced(pkcs8, "\n", "\\n"),
        replaced(pkcs1, "\n", "\\\\n"),
        replaced(pkcs1, "\n", "\\r\\n"),
        joined("", crlf, ""),
        replaced(pkcs1, "\n", " "), /* a shell's unquoted echo */
        replaced(pkcs1, "\n", "\n    "),
        joined(" \n\t", pkcs1, "\n\n "),
        joined("\"", pkcs1, "\""),
        joined("'", literal, "'\n"),
        joined(" \" ", pkcs8, " \" "),
        joined("\xEF\xBB\xBF", pkcs1, ""),
        joined(public_pem, pkcs1, ""),
        joined("Bag Attributes\n", pkcs8, public_pem),
        base64(pkcs1, strlen(pkcs1), false, 0),
        base64(pkcs1, strlen(pkcs1), false, 76),
        base64(pkcs1, strlen(pkcs1), true, 0),
        base64(pkcs8, strlen(pkcs8), true, 64),
        base64(crlf, strlen(crlf), false, 0),
        base64(literal, strlen(literal), false, 0),
        base64(pkcs1, strlen(pkcs1) - 1, false, 0), /* another padding each */
        base64(pkcs1, strlen(pkcs1) - 1, true, 0),
        NULL,
        NULL,
    };
    size_t count = sizeof forms / sizeof *forms;
    forms[count - 2] = joined("\"", forms[16], "\"\n");
    forms[count - 1] = replaced(forms[17], "\n", "\\n");
    for (size_t i = 0; i < count; i++) {
        struct app_key *key = NULL;
        struct error err;
        if (parse(forms[i], strlen(forms[i]), &key, &err) != 0) {
            fail_msg("form %zu is rejected: %s", i, err.text);
        }
        app_key_free(key);
    }
    free_all(forms, count);
}

/* No run of 12 characters of the key stands in the message. */
static void assert_tells_nothing(const char *text, const char *message) {
    const char *body = strstr(text, "-----\n");
    for (body = body ? body + 6 : text; strlen(body) >= 12; body++) {
        char piece[13] = {0};
        memcpy(piece, body, 12);
        if (!strstr(body, "-----END") || strchr(piece, '-')) {
            break;
        }
        assert_null(strstr(message, piece));
    }
}

static void assert_rejected(const char *text, size_t bytes, const char *sentence) {
    struct app_key *key = NULL;
    struct error err;
    if (parse(text, bytes, &key, &err) != -1) {
        fail_msg("accepted, but should say: %s", sentence);
    }
    assert_null(key);
    if (!strstr(err.text, sentence)) {
        fail_msg("says \"%s\", not \"%s\"", err.text, sentence);
    }
    if (text) {
        assert_tells_nothing(text, err.text);
    }
}

static void what_is_not_the_key_is_named(void **state) {
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "is empty"},
        {" \n\t", "is empty"},
        {"\"\"", "is empty"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is a certificate, not"},
        {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
         "is a certificate request"},
        {"-----BEGIN NEW CERTIFICATE REQUEST-----\nAA\n-----END NEW CERTIFICATE REQUEST-----\n",
         "is a certificate request"},
        {"-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----", "is a public key"},
        {"ssh-rsa AAAAB3NzaC1yc2E someone@somewhere", "is a public key"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
         "OpenSSH's own format"},
        {"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n",
         "GitHub Apps use RSA"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
         "AAAA\n-----END RSA PRIVATE KEY-----\n",
         "is encrypted with a passphrase; decrypt it first: openssl pkey"},
        {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n",
         "not a private key of a GitHub App"},
        {"-----BEGIN RSA PRIVATE KEY-----\n!!!!\n-----END RSA PRIVATE KEY-----\n", "is damaged"},
        {"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n", "is damaged"},
        {"-----BEGIN RSA PRIVATE KEY-----", "cut short: it has a BEGIN line but no END line"},
        {"-----BEGIN RSA PRIV", "cut short"},
        {"AAAA\n-----END RSA PRIVATE KEY-----\n", "cut short: it has an END line but no BEGIN"},
        {"/etc/snekomatic/key.pem", "the path of a file"},
        {"./app", "the path of a file"},
        {"~/app", "the path of a file"},
        {"my-app.2024-01-01.private-key.pem", "the path of a file"},
        {"SHA256:q1S5v6zQ0nZ3H3mR4oYQ8l4Q0Yc1J6f2m2b9tW8xL0E=", "fingerprint"},
        {"hunter2hunter2", "is not a private key"},
        {"\xF0\x9F\x90\x8D", "is not a private key"},
        {"aGVsbG8gd29ybGQ=", "is not a private key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_rejected(cases[i].text, strlen(cases[i].text), cases[i].sentence);
    }
    assert_rejected("a\0b", 3, "is not a private key");
    assert_rejected(NULL, 0, "is empty");
    assert_rejected(public_pem, strlen(public_pem), "is a public key");
}

static void a_key_of_another_kind_is_named(void **state) {
    static const struct {
        gnutls_pk_algorithm_t algorithm;
        unsigned bits;
        const char *password, *sentence;
    } cases[] = {
        {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), NULL,
         "is an EC key; GitHub Apps use RSA"},
        {GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), NULL,
         "is an Ed25519 or Ed448 key; GitHub Apps use RSA"},
        {GNUTLS_PK_RSA, 1024, NULL, "has 1024 bits; at least 2048"},
        {GNUTLS_PK_RSA, 2048, "secret", "is encrypted with a passphrase; decrypt it first"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pem[8192];
        gnutls_x509_privkey_t key = make_key(cases[i].algorithm, cases[i].bits);
        export_pkcs8(key, cases[i].password, pem, sizeof pem);
        assert_rejected(pem, strlen(pem), cases[i].sentence);
        AUTO_FREE char *encoded = base64(pem, strlen(pem), false, 0);
        assert_rejected(encoded, strlen(encoded), cases[i].sentence);
        gnutls_x509_privkey_deinit(key);
    }
    gnutls_x509_privkey_t ec =
        make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
    char pem[8192];
    size_t bytes = sizeof pem;
    assert_int_equal(gnutls_x509_privkey_export(ec, GNUTLS_X509_FMT_PEM, pem, &bytes), 0);
    assert_rejected(pem, strlen(pem), "is an EC key");
    gnutls_x509_privkey_deinit(ec);
}

static void a_key_that_lost_a_part_is_rejected_wherever_it_was_cut(void **state) {
    size_t begin_bytes = strlen("-----BEGIN RSA PRIVATE KEY-----\n");
    size_t end_at = (size_t)(strstr(pkcs1, "-----END") - pkcs1);
    for (size_t bytes = begin_bytes; bytes < end_at; bytes += 97) {
        AUTO_FREE char *cut = strndup(pkcs1, bytes);
        assert_rejected(cut, bytes, "cut short: it has a BEGIN line but no END line");
        AUTO_FREE char *encoded = base64(cut, bytes, false, 0);
        assert_rejected(encoded, strlen(encoded), "cut short");
    }
    AUTO_FREE char *body = strndup(pkcs1 + begin_bytes, end_at - begin_bytes);
    assert_rejected(body, strlen(body), "lacks its BEGIN and END lines");
    assert_rejected(pkcs1 + begin_bytes, strlen(pkcs1 + begin_bytes), "END line but no BEGIN line");
    char der[4096];
    size_t der_bytes = sizeof der;
    assert_int_equal(gnutls_x509_privkey_export(rsa, GNUTLS_X509_FMT_DER, der, &der_bytes), 0);
    assert_rejected(der, der_bytes, "lacks its BEGIN and END lines");

    AUTO_FREE char *holed = strdup(pkcs1);
    memmove(holed + 400, holed + 465, strlen(holed + 465) + 1); /* one line is gone */
    assert_rejected(holed, strlen(holed), "is damaged");
}

static void a_key_with_a_wrong_digit_is_rejected_or_signs_all_the_same(void **state) {
    size_t begin_bytes = strlen("-----BEGIN RSA PRIVATE KEY-----\n");
    size_t end_at = (size_t)(strstr(pkcs1, "-----END") - pkcs1), rejected = 0;
    for (size_t at = begin_bytes; at < end_at; at += 23) {
        AUTO_FREE char *turned = strdup(pkcs1);
        AUTO_FREE char *jwt = NULL;
        struct app_key *key = NULL;
        struct error err;
        turned[at] = turned[at] == 'A' ? 'B' : 'A';
        if (parse(turned, strlen(turned), &key, &err) != 0) {
            rejected++;
        } else if (app_key_sign_jwt(key, "1", 0, &jwt, &err) != 0) {
            fail_msg("digit %zu: accepted, then %s", at - begin_bytes, err.text);
        }
        app_key_free(key);
    }
    /* Only what signing does not use may pass. */
    assert_true(rejected > 20);
}

/* The part of a JWT at `*at`, decoded; `*at` moves behind it. */
static size_t decode_part(const char **at, char *out) {
    size_t length = strcspn(*at, "."), bytes = length;
    struct base64_decode_ctx context;
    base64url_decode_init(&context);
    assert_int_equal(base64_decode_update(&context, &bytes, (uint8_t *)out, length, *at), 1);
    out[bytes] = '\0';
    *at += length;
    return bytes;
}

static void a_jwt_is_what_github_asks_for(void **state) {
    static const int64_t now_s = 1700000000;
    struct app_key *key = NULL;
    struct error err;
    char *jwt = NULL;
    assert_int_equal(parse(pkcs8, strlen(pkcs8), &key, &err), 0);
    assert_int_equal(app_key_sign_jwt(key, "12345\"6", now_s, &jwt, &err), 0);
    app_key_free(key);
    assert_int_equal(strspn(jwt, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "-_."),
                     /* No padding, no standard alphabet. */
                     strlen(jwt));

    char header[256], claims_text[512], signature[1024];
    const char *at = jwt;
    (void)decode_part(&at, header);
    assert_string_equal(header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
    at++;
    (void)decode_part(&at, claims_text);
    const gnutls_datum_t signed_part = {(unsigned char *)jwt, (unsigned)(at - jwt)};
    at++;
    gnutls_datum_t sig = {(unsigned char *)signature, (unsigned)decode_part(&at, signature)};
    assert_int_equal(*at, '\0');

    json_t *claims = json_loads(claims_text, 0, NULL);
    assert_non_null(claims);
    assert_int_equal(json_object_size(claims), 3);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "12345\"6");
    int64_t iat = json_integer_value(json_object_get(claims, "iat"));
    int64_t exp = json_integer_value(json_object_get(claims, "exp"));
    assert_int_equal(iat, now_s - 60);
    assert_in_range(exp, now_s + 60, now_s + 540);
    /* GitHub's ten minutes, counted either way. */
    assert_in_range(exp - iat, 1, 600);
    json_decref(claims);

    gnutls_pubkey_t public;
    const gnutls_datum_t pem = {(unsigned char *)public_pem, (unsigned)strlen(public_pem)};
    assert_int_equal(gnutls_pubkey_init(&public), 0);
    assert_int_equal(gnutls_pubkey_import(public, &pem, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(
        gnutls_pubkey_verify_data2(public, GNUTLS_SIGN_RSA_SHA256, 0, &signed_part, &sig), 0);
    jwt[0] ^= 1;
    assert_true(gnutls_pubkey_verify_data2(public, GNUTLS_SIGN_RSA_SHA256, 0, &signed_part, &sig) <
                0);
    gnutls_pubkey_deinit(public);
    free(jwt);
}

static void an_app_id_that_cannot_be_signed_is_an_error(void **state) {
    struct app_key *key = NULL;
    struct error err;
    char *jwt = NULL, long_id[SUPERVISOR_JWT_MAX];
    assert_int_equal(parse(pkcs1, strlen(pkcs1), &key, &err), 0);
    assert_int_equal(app_key_sign_jwt(key, "\xFF", 0, &jwt, &err), -1);
    memset(long_id, '1', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    assert_int_equal(app_key_sign_jwt(key, long_id, 0, &jwt, &err), -1);
    assert_null(jwt);
    app_key_free(key);
    app_key_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_good_key_is_read),
        cmocka_unit_test(what_is_not_the_key_is_named),
        cmocka_unit_test(a_key_of_another_kind_is_named),
        cmocka_unit_test(a_key_that_lost_a_part_is_rejected_wherever_it_was_cut),
        cmocka_unit_test(a_key_with_a_wrong_digit_is_rejected_or_signs_all_the_same),
        cmocka_unit_test(a_jwt_is_what_github_asks_for),
        cmocka_unit_test(an_app_id_that_cannot_be_signed_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
