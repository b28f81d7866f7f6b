/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker over TLS: only a certificate of a known issuer, for the right name, gets a JWT. */
#include "unit.h"

#include "base/log.h"
#include "broker/broker.h"
#include "supervisor/messages.h"

#include <snekomatic/types.h>

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct entry {
    struct MHD_Daemon *daemon;
    gnutls_datum_t certificate, key; /* PEM */
    char ca_file[64];
    unsigned requests;
    int fds[2];
    pthread_t supervisor;
};

/* Signed by itself, for 127.0.0.1 or for another address. */
static void make_certificate(struct entry *entry, bool right_address) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    struct in_addr address = {.s_addr = htonl(right_address ? 0x7F000001 : 0x7F000009)};
    unsigned char serial = 1;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    (void)gnutls_x509_crt_set_version(certificate, 3);
    (void)gnutls_x509_crt_set_serial(certificate, &serial, 1);
    (void)gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 3600);
    (void)gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
    (void)gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, "snake", 5);
    (void)gnutls_x509_crt_set_basic_constraints(certificate, 1, -1);
    (void)gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &address,
                                               sizeof address, GNUTLS_FSAN_SET);
    (void)gnutls_x509_crt_set_key(certificate, key);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &entry->certificate),
                     0);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &entry->key), 0);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_bytes, void **request) {
    (void)url, (void)method, (void)version, (void)body, (void)body_bytes;
    struct entry *entry = context;
    static int seen;
    if (!*request) {
        *request = &seen;
        return MHD_YES;
    }
    entry->requests++;
    static char json[] = "{\"slug\":\"snek-o\"}";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof json - 1, json, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void *supervise(void *context) {
    struct entry *entry = context;
    struct supervisor_message question;
    struct supervisor_reply jwt = {.ok = 1, .text = "a.b.c"};
    while (recv(entry->fds[1], &question, sizeof question, 0) > 0) {
        (void)send(entry->fds[1], &jwt, sizeof jwt, MSG_NOSIGNAL);
    }
    return NULL;
}

static void open_place(struct entry *entry, bool right_address) {
    memset(entry, 0, sizeof *entry);
    make_certificate(entry, right_address);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    entry->daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
                                     answer, entry, MHD_OPTION_SOCK_ADDR, &address,
                                     MHD_OPTION_HTTPS_MEM_CERT, entry->certificate.data,
                                     MHD_OPTION_HTTPS_MEM_KEY, entry->key.data, MHD_OPTION_END);
    assert_non_null(entry->daemon);
    (void)snprintf(entry->ca_file, sizeof entry->ca_file, "/tmp/snek-ca-XXXXXX");
    int fd = mkstemp(entry->ca_file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, entry->certificate.data, entry->certificate.size),
                     entry->certificate.size);
    (void)close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, entry->fds), 0);
    assert_int_equal(pthread_create(&entry->supervisor, NULL, supervise, entry), 0);
}

static void close_place(struct entry *entry) {
    (void)shutdown(entry->fds[1], SHUT_RDWR);
    (void)pthread_join(entry->supervisor, NULL);
    (void)close(entry->fds[0]);
    (void)close(entry->fds[1]);
    MHD_stop_daemon(entry->daemon);
    (void)unlink(entry->ca_file);
    gnutls_free(entry->certificate.data);
    gnutls_free(entry->key.data);
}

struct asked {
    struct broker_request request;
    bool done;
};

static void mark_done(struct broker_request *request) {
    CONTAINER_OF(request, struct asked, request)->done = true;
}

static void expect_slug(bool right_address, bool knows_issuer, int32_t outcome) {
    struct entry entry;
    struct mailbox mailbox;
    struct broker *broker;
    struct error err;
    char url[64];
    open_place(&entry, right_address);
    assert_int_equal(mailbox_init(&mailbox), 0);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d",
                   (int)MHD_get_daemon_info(entry.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    struct broker_options options = {.api_url = url,
                                     .user_agent = "snekomatic/test",
                                     .ca_file = knows_issuer ? entry.ca_file : NULL,
                                     .supervisor_fd = entry.fds[0]};
    assert_int_equal(broker_new(&options, &broker, &err), 0);
    struct asked asked = {
        .request = {.kind = BROKER_SLUG, .reply_to = &mailbox, .on_done = mark_done}};
    broker_submit(broker, &asked.request);
    while (!asked.done) {
        struct pollfd fd = {.fd = mailbox.event_fd, .events = POLLIN};
        assert_int_equal(poll(&fd, 1, 40000), 1);
        (void)mailbox_drain(&mailbox);
    }
    broker_free(broker);
    mailbox_finish(&mailbox);
    close_place(&entry);
    assert_int_equal(asked.request.outcome, outcome);
    assert_int_equal(entry.requests, outcome == 0 ? 1 : 0);
    broker_request_finish(&asked.request);
}

static void a_server_of_a_known_issuer_is_asked(void **state) {
    (void)state;
    expect_slug(true, true, 0);
}

static void a_server_of_an_unknown_issuer_is_not_asked(void **state) {
    (void)state;
    expect_slug(true, false, SNEK_E_NETWORK);
}

static void a_server_with_anothers_certificate_is_not_asked(void **state) {
    (void)state;
    expect_slug(false, true, SNEK_E_NETWORK);
}

int main(void) {
    log_setup(SNEK_LEVEL_ERROR, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_a_known_issuer_is_asked),
        cmocka_unit_test(a_server_of_an_unknown_issuer_is_not_asked),
        cmocka_unit_test(a_server_with_anothers_certificate_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
