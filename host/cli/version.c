/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic version`: prints the versions that a bug report needs. */
#include "cli/cli.h"

#include "config/toml.h"

#include <curl/curl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <microhttpd.h>
#include <nettle/version.h>
#include <snekomatic/types.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sysexits.h>

static const char usage[] =
    "Usage: snekomatic version\n"
    "\n"
    "Prints the versions of snekomatic, of the plugin ABI that it offers, and of its libraries.\n"
    "\n"
    "  -h, --help  this text\n"
    "\n"
    "Exit status: 0 success; 64 wrong usage.\n";

int cli_version(int argc, char **argv) {
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option != 'h') {
            return EX_USAGE;
        }
        fputs(usage, stdout);
        return EX_OK;
    }
    if (optind < argc) {
        return cli_usage_error("version", "'%s' is one argument too many", argv[optind]);
    }
    printf("snekomatic     " SNEK_VERSION "\n"
           "plugin ABI     %d.%d\n"
           "libcurl        %s\n"
           "GnuTLS         %s\n"
           "nettle         %d.%d\n"
           "libmicrohttpd  %s\n"
           "SQLite         %s\n"
           "libpq          %d.%d\n"
           "Jansson        %s\n"
           "toml++         %s\n",
           SNEK_ABI_MAJOR, SNEK_ABI_MINOR, curl_version(), gnutls_check_version(NULL),
           nettle_version_major(), nettle_version_minor(), MHD_get_version(), sqlite3_libversion(),
           PQlibVersion() / 10000, PQlibVersion() % 10000, jansson_version_str(),
           toml_library_version());
    return EX_OK;
}
