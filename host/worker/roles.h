/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds out whether a person has one of a set of roles: from the payload, and with requests of the
 * run to GitHub, which the host records like those of the plugin. */
#ifndef SNEK_WORKER_ROLES_H
#define SNEK_WORKER_ROLES_H

#include "base/buffer.h"
#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;
struct snek_plugin;

struct person {
    const char *login;
    /* 0 when only the login is known. Logins change hands, ids do not. */
    int64_t id;
};

/* GitHub's responses about people, which a run remembers. Beyond the maximum it asks again. */
#define ROLE_FACTS_MAX 16

struct role_fact {
    char login[FRAME_NAME_MAX + 1];
    int64_t id;
    /* The flags that this response decides, and those that the person has of them. */
    uint32_t decides, has;
};

/* A member of struct run. Only roles.c reads and writes it. */
struct role_facts {
    pthread_mutex_t lock;
    size_t count;
    struct role_fact facts[ROLE_FACTS_MAX];
};

void role_facts_init(struct role_facts *facts);
void role_facts_finish(struct role_facts *facts);

/* Are all bits of `roles` in enum snek_role_flag? */
bool roles_are_known(uint32_t roles);

/* Does the plugin declare the permissions that these roles need? */
bool roles_are_readable(const struct snek_plugin *plugin, uint32_t roles);

/* 1 when the person has at least one of `roles` (any number of enum snek_role_flag; 0 is anybody),
 * 0 when not, or a negative enum snek_error with a reason left. Blocks until GitHub responds. Any
 * thread, while a handler of the run has not returned. */
int32_t roles_has(struct run *run, const struct person *person, uint32_t roles);

#endif
