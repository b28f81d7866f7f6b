/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ingest/signature: what is a signature, and whose. */
#include "unit.h"

#include "ingest/signature.h"

/* The vector of GitHub's documentation, "Validating webhook deliveries". */
static const char body[] = "Hello, World!";
static const char good[] =
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
static const struct secret documented = {.data = (char[]){"It's a Secret to Everybody"},
                                         .bytes = 26};
static const struct secret other = {.data = (char[]){"another"}, .bytes = 7};

static bool verify(enum signature_kind kind, const char *value, const struct secret *secrets,
                   size_t n_secrets) {
    struct signature signature;
    return signature_parse(kind, value, strlen(value), &signature) == 0 &&
           signature_verify(&signature, body, sizeof body - 1, secrets, n_secrets);
}

static void the_documented_signature_verifies(void **state) {
    (void)state;
    assert_true(verify(SIGNATURE_SHA256, good, &documented, 1));
}

static void digits_count_in_either_case(void **state) {
    (void)state;
    assert_true(verify(SIGNATURE_SHA256,
                       "sha256=757107EA0eb2509FC211221cce984B8A37570b6d7586c22c46f4379c8b043E17",
                       &documented, 1));
}

static void each_changed_byte_is_found(void **state) {
    (void)state;
    for (size_t i = strlen("sha256="); i < sizeof good - 1; i++) {
        char forged[sizeof good];
        memcpy(forged, good, sizeof good);
        forged[i] = forged[i] == '0' ? '1' : '0';
        if (verify(SIGNATURE_SHA256, forged, &documented, 1)) {
            fail_msg("digit %zu does not matter", i);
        }
    }
    struct signature signature;
    assert_int_equal(signature_parse(SIGNATURE_SHA256, good, sizeof good - 1, &signature), 0);
    assert_false(signature_verify(&signature, "Hello, world!", sizeof body - 1, &documented, 1));
    assert_false(signature_verify(&signature, body, sizeof body - 2, &documented, 1));
}

static void each_of_the_secrets_verifies_and_no_other(void **state) {
    (void)state;
    const struct secret both[] = {other, documented}, turned[] = {documented, other};
    assert_true(verify(SIGNATURE_SHA256, good, both, 2));
    assert_true(verify(SIGNATURE_SHA256, good, turned, 2));
    assert_false(verify(SIGNATURE_SHA256, good, &other, 1));
    assert_false(verify(SIGNATURE_SHA256, good, NULL, 0));
}

static void an_unset_secret_signs_nothing(void **state) {
    (void)state;
    const struct secret unset = {0};
    /* made with an empty key, as anybody can */
    assert_false(verify(SIGNATURE_SHA256,
                        "sha256=2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769",
                        &unset, 1));
}

static void sha1_never_verifies_as_sha256(void **state) {
    (void)state;
    static const char sha1[] = "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59";
    assert_true(verify(SIGNATURE_SHA1, sha1, &documented, 1));
    assert_false(verify(SIGNATURE_SHA1, sha1, &other, 1));
    assert_false(verify(SIGNATURE_SHA256, sha1, &documented, 1));
    assert_false(verify(SIGNATURE_SHA1, good, &documented, 1));
}

#define HEX63 "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1"

static void anything_but_prefix_and_digits_is_malformed(void **state) {
    (void)state;
    static const char *const malformed[] = {
        "",
        "sha256",
        "sha256=",
        "sha256=7",
        HEX63 "7",
        "sha256=" HEX63,
        "sha256=" HEX63 "77",
        "sha256=" HEX63 "g",
        "sha256=" HEX63 " ",
        "sha256=" HEX63 "\xB7",
        " sha256=" HEX63 "7",
        "sha256= " HEX63,
        "SHA256=" HEX63 "7",
        "sha512=" HEX63 "7",
        "sha256:" HEX63 "7",
        "sha1=" HEX63 "7",
        "sha256=" HEX63 "7,sha256=" HEX63 "7",
        "sha256=\"" HEX63 "\"",
        "sha256=0x" HEX63,
        "sha256=`bcdefghijklmnopqrstuvwxyz`bcdefghijklmnopqrstuvwxyz`bcdefghijk",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct signature signature;
        if (signature_parse(SIGNATURE_SHA256, malformed[i], strlen(malformed[i]), &signature) ==
            0) {
            fail_msg("taken: %s", malformed[i]);
        }
    }
    char with_nul[] = "sha256=" HEX63 "7";
    struct signature signature;
    with_nul[20] = '\0';
    assert_int_equal(signature_parse(SIGNATURE_SHA256, with_nul, sizeof with_nul - 1, &signature),
                     -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_signature_verifies),
        cmocka_unit_test(digits_count_in_either_case),
        cmocka_unit_test(each_changed_byte_is_found),
        cmocka_unit_test(each_of_the_secrets_verifies_and_no_other),
        cmocka_unit_test(an_unset_secret_signs_nothing),
        cmocka_unit_test(sha1_never_verifies_as_sha256),
        cmocka_unit_test(anything_but_prefix_and_digits_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
