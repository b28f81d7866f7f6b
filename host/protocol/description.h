/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a plugin said of itself, checked and copied out of its worker's frame: data that routing,
 * `check`, `plugins` and the app's manifest are made of. */
#ifndef SNEK_PROTOCOL_DESCRIPTION_H
#define SNEK_PROTOCOL_DESCRIPTION_H

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct described_permission {
    char *name, *access;
};

struct described_subscription {
    char *event, *action; /* action "" for any */
    char *filters;        /* for people */
};

struct described_command {
    char *name, *usage;
    uint32_t who; /* enum snek_who */
};

struct description {
    char *name, *version, *summary;
    uint32_t abi_major, abi_minor;
    enum frame_sandbox_level level;
    struct described_permission *permissions;
    size_t n_permissions;
    struct described_subscription *subscriptions;
    size_t n_subscriptions;
    struct described_command *commands;
    size_t n_commands;
    char *permissions_json; /* canonical, as the broker wants it */
};

/* From the body of a DESCRIBED frame. 0 and `*description`; -1 when it is malformed. */
int description_parse(const void *body, size_t bytes, struct description **description,
                      struct error *err);
void description_free(struct description *description); /* takes NULL */

/* Does the plugin want this event and action: by a subscription, or because one of its commands
 * might be in it? Filters and the commands themselves are the worker's to look at. Any thread. */
bool description_wants(const struct description *description, const char *event,
                       const char *action);

/* Is this one of the event and action pairs that may hold commands (original.md, "Commands")? */
bool description_command_event(const char *event, const char *action);

/* 0, or -1 and a sentence when two plugins have one name or one command. NULLs are skipped. */
int descriptions_conflict(const struct description *const *descriptions, size_t count,
                          struct error *err);

const char *description_who(uint32_t who); /* "anybody", "collaborators" … */

#endif
