/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The list of the requests that came, for the test that reads it. */
#ifndef SNEK_HARNESS_FAKE_REQUESTS_H
#define SNEK_HARNESS_FAKE_REQUESTS_H

#include "fake/http_exchange.h"

void requests_init(struct fake *fake);
void requests_finish(struct fake *fake);
/* Borrowed: the list. */
json_t *requests_list(const struct fake *fake);
json_int_t requests_forgotten(const struct fake *fake);
/* Empties the list; requests that are under way keep their entries. */
void requests_forget(struct fake *fake);

/* The entry of this exchange: made, completed by the caller, completed by the response. */
void request_record(struct http_exchange *exchange);
void request_record_caller(struct http_exchange *exchange);
void request_record_response(struct http_exchange *exchange, bool injected);

#endif
