/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Responds to a person who may not use a command, as the command declares: with silence, a reaction
 * or a reply. At most once per person and item in an hour, so that nobody can make the bot shout.
 */
#ifndef SNEK_WORKER_DENIAL_H
#define SNEK_WORKER_DENIAL_H

#include <stdint.h>

struct comment_target;
struct person;
struct run;
struct snek_command;

/* The key of the plugin's store that has the denials of the last hour, for each installation. */
#define DENIAL_KEY "snekomatic.denials"

/* Denies `command` to the person who wrote the text of `target`. Blocks until the host's store and
 * GitHub respond. 0, also when the person was denied before or GitHub rejects the response; or a
 * negative enum snek_error, with a reason left, after which the run can be retried. Only for the
 * thread that handles the run, while no handler runs. */
int32_t denial_send(struct run *run, const struct comment_target *target,
                    const struct snek_command *command, const struct person *person);

#endif
