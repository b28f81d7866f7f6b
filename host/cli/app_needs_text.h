/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Texts about what the App needs, in the words of the form in an App's settings. One thread. */
#ifndef SNEK_CLI_APP_NEEDS_TEXT_H
#define SNEK_CLI_APP_NEEDS_TEXT_H

#include "github_app/needs.h"

/* Where the form has permissions and events. */
#define APP_FORM_PERMISSIONS "Settings > Permissions & events"

#define APP_NEED_PLACE_MAX 256

/* "Settings > Permissions & events > Repository permissions > Issues: Read and write". Returns
 * `place`. */
const char *app_needs_permission_place(const struct app_need *permission,
                                       char place[APP_NEED_PLACE_MAX]);

/* "Settings > Permissions & events > Subscribe to events > Issue comment". Returns `place`. */
const char *app_needs_event_place(const struct app_need *event, char place[APP_NEED_PLACE_MAX]);

/* Prints everything that the App needs on standard output. Nothing without needs. */
void app_needs_print(const struct app_needs *needs);

/* Prints a warning on standard error for each permission, event and action that this version does
 * not know: GitHub may have new ones. Returns the number of warnings. */
unsigned app_needs_warn(const struct description *description);

#endif
