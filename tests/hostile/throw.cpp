/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin in C++ that lets an exception out of its handler. */
#include <snekomatic/snekomatic.h>

#include <stdexcept>

extern "C" {

static int32_t throw_one(struct snek_run *run) {
    throw std::runtime_error(run ? "thrown on purpose" : "");
}

static const struct snek_subscription subscriptions[] = {{"throw", NULL, throw_one, {}}};
SNEK_PLUGIN(.name = "throw", .version = "1", .summary = "throws", SNEK_TABLE(subscriptions))
}
