/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The pages of github.com on which a browser makes an App of a manifest, and installs it:
 * docs.github.com, "Registering a GitHub App from a manifest". */
#ifndef SNEK_HARNESS_FAKE_MANIFESTS_H
#define SNEK_HARNESS_FAKE_MANIFESTS_H

#include "fake/http_exchange.h"

void manifests_init(struct fake *fake);
void manifests_finish(struct fake *fake);

/* Is it a request for one of these pages? Then it has responded. */
bool manifests_serve(struct http_exchange *exchange);

#endif
