/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Serves the style sheet, the script and the icon from the program's own memory. */
#include "console/assets.h"

#include "base/array.h"
#include "console/task.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the hash that a URL has. */
#define HASH_BYTES 8

static const char style[] =
#include "console.css.inc"
    ;
static const char script[] =
#include "console.js.inc"
    ;
static const char icon[] =
#include "console.svg.inc"
    ;

enum { STYLE, SCRIPT, ICON };

static struct asset {
    const char *content, *type, *extension;
    size_t bytes;
    char path[64];
} assets[] = {
    [STYLE] = {style, "text/css; charset=utf-8", "css", sizeof style - 1, ""},
    [SCRIPT] = {script, "text/javascript; charset=utf-8", "js", sizeof script - 1, ""},
    [ICON] = {icon, "image/svg+xml", "svg", sizeof icon - 1, ""},
};

void assets_init(void) {
    for (size_t i = 0; i < ARRAY_LENGTH(assets); i++) {
        struct asset *asset = &assets[i];
        struct sha256_ctx context;
        uint8_t digest[HASH_BYTES];
        char hash[2 * HASH_BYTES + 1];
        sha256_init(&context);
        sha256_update(&context, asset->bytes, (const uint8_t *)asset->content);
        sha256_digest(&context, sizeof digest, digest);
        for (size_t j = 0; j < sizeof digest; j++) {
            snprintf(hash + 2 * j, 3, "%02x", digest[j]);
        }
        snprintf(asset->path, sizeof asset->path, CONSOLE_PATH "/assets/%s.%s", hash,
                 asset->extension);
    }
}

const char *assets_style_path(void) {
    return assets[STYLE].path;
}

const char *assets_script_path(void) {
    return assets[SCRIPT].path;
}

const char *assets_icon_path(void) {
    return assets[ICON].path;
}

bool assets_respond(struct http_request *request, const char *path) {
    for (size_t i = 0; i < ARRAY_LENGTH(assets); i++) {
        if (strcmp(assets[i].path + strlen(CONSOLE_PATH), path) == 0) {
            http_respond(request, 200, assets[i].type, assets[i].content, assets[i].bytes);
            http_response_is_immutable(request);
            return true;
        }
    }
    return false;
}
