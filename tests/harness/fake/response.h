/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The responses that all handlers give. Each function replaces an earlier response as a whole. */
#ifndef SNEK_HARNESS_FAKE_RESPONSE_H
#define SNEK_HARNESS_FAKE_RESPONSE_H

#include "fake/http_exchange.h"

/* Steals `body`. */
void respond_json(struct http_exchange *exchange, unsigned status, json_t *body);
void respond_empty(struct http_exchange *exchange, unsigned status);
void respond_error(struct http_exchange *exchange, unsigned status, const char *message);
/* 422 Validation Failed; the message may be NULL. */
void respond_invalid(struct http_exchange *exchange, const char *resource, const char *field,
                     const char *code, const char *message);
/* Adds a header to the response that was given before. */
void response_header(struct http_exchange *exchange, const char *name, const char *value);
/* Hands the response to libmicrohttpd. */
enum MHD_Result response_send(struct http_exchange *exchange);

#endif
