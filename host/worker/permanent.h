/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Recognises responses after which no retry of a change can succeed: the target is locked, archived
 * or deleted, its owner has blocked the bot, or the text is too long. */
#ifndef SNEK_WORKER_PERMANENT_H
#define SNEK_WORKER_PERMANENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

/* GitHub's limit of the text of an issue, comment or review: characters. */
#define TEXT_CHARACTERS_MAX 65536

/* `json` is the body of GitHub's response. */
bool permanent_response(int32_t status, const char *json, size_t bytes);

/* Is the text, in UTF-8, longer than GitHub accepts? */
bool permanent_text(const char *text);

/* 0, or the error of a comment's text that is NULL or too long, with a reason left. */
int32_t permanent_check(struct run *run, const char *markdown);

#endif
