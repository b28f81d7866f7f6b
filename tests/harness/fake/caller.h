/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The caller of a request: nobody, the app with its JWT, or an installation with its token. */
#ifndef SNEK_HARNESS_FAKE_CALLER_H
#define SNEK_HARNESS_FAKE_CALLER_H

#include "fake/instance.h"

enum caller_kind { CALLER_NONE, CALLER_INVALID, CALLER_APP, CALLER_INSTALLATION };

/* All JSON values are references of ours. */
struct caller {
    enum caller_kind kind;
    /* GitHub's message for CALLER_INVALID. */
    char problem[160];
    /* The JWT's claims, of CALLER_APP. */
    json_t *claims;
    /* For CALLER_INSTALLATION: the installation as the state has it, and the token's permissions,
     * repositories (NULL: all) and serial number. */
    json_t *installation;
    json_t *permissions;
    json_t *repositories;
    uint64_t token;
};

/* Reads the value of the header Authorization, which may be NULL. */
void caller_identify(struct fake *fake, const char *authorization, struct caller *caller);
void caller_finish(struct caller *caller);

#endif
