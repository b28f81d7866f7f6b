/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the fake GitHub: one JSON tree, in the form that docs/fake-github.md describes. */
#ifndef SNEK_HARNESS_FAKE_STATE_H
#define SNEK_HARNESS_FAKE_STATE_H

#include "fake/instance.h"

/* Reads the state from a file; NULL: nothing exists. 0, or -1 with the reason. */
int state_load(struct fake *fake, const char *file, struct error *err);
void state_finish(struct fake *fake);

/* Checks a whole state (stolen), fills in what was left out, and takes it over. 0, or -1 with the
 * reason; then the old state stays. */
int state_replace(struct fake *fake, json_t *state, struct error *err);
/* Merges changes into the state. 0, or -1 with the reason; then the old state stays. */
int state_patch(struct fake *fake, const json_t *changes, struct error *err);
/* Could the changes be merged now? 0, or -1 with the reason. */
int state_patch_check(struct fake *fake, const json_t *changes, struct error *err);
int state_change_settings(struct fake *fake, const json_t *changes, struct error *err);

/* Borrowed: the whole state, its settings, one of its lists. */
json_t *state_whole(const struct fake *fake);
json_t *state_settings(const struct fake *fake);
json_t *state_list(const struct fake *fake, const char *name);
json_int_t state_setting(const struct fake *fake, const char *name);
/* Does settings.auto_create name it? */
bool state_creates(const struct fake *fake, const char *what);
json_int_t state_new_id(struct fake *fake);
/* A person for the list of users; `id` (borrowed) may be NULL. The caller's. */
json_t *state_new_user(struct fake *fake, const char *login, json_t *id);
/* The user, created if the settings say so; borrowed, or NULL. */
json_t *state_user(struct fake *fake, const char *login);

/* The item of `list` whose `key` is the text (in any case) or the number; borrowed, or NULL. */
json_t *list_find(const json_t *list, const char *key, const char *text);
json_t *list_find_number(const json_t *list, const char *key, json_int_t number);
void list_remove(json_t *list, const json_t *item);
/* Steals the item; returns it, borrowed. */
json_t *list_add(json_t *list, json_t *item);
/* NULL when the member is no text, 0 when it is no number. */
const char *text_of(const json_t *object, const char *key);
json_int_t number_of(const json_t *object, const char *key);

#endif
