/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GraphQL: which requests change something, and what a response means. broker.h declares the two
 * functions that other rooms use. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_GRAPHQL_H
#define SNEK_BROKER_GRAPHQL_H

#include "base/buffer.h"
#include "base/error.h"
#include "broker/classify.h"

#include <stdint.h>

/* The class of a request to /graphql with this body. In doubt it is a mutation that notifies
 * people. */
struct request_class graphql_classify(const char *body, size_t body_bytes);

/* The outcome of a response with status 200: 0, or a negative enum snek_error and a sentence. */
int32_t graphql_judge(const struct buffer *body, struct error *err);

#endif
