/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The style sheet, the script and the icon, which are a part of the program. Their URLs have a hash
 * of their content. */
#ifndef SNEK_CONSOLE_ASSETS_H
#define SNEK_CONSOLE_ASSETS_H

#include "ingest/routes.h"

#include <stdbool.h>

/* Call it once, before any thread uses the others. */
void assets_init(void);

/* The paths on this host; live as long as the program. */
const char *assets_style_path(void);
const char *assets_script_path(void);
const char *assets_icon_path(void);

/* Responds if `path`, below /console, is one of them. On ingest's thread. */
bool assets_respond(struct http_request *request, const char *path);

#endif
