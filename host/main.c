/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program `snekomatic`: a verb a line. */
#include "cli/cli.h"

int main(int argc, char **argv) {
    static const struct cli_verb verbs[] = {
        {"serve", "receive webhooks and let the plugins act on them", cli_serve},
        {"check", "is everything right? configuration, credentials, plugins", cli_check},
        {"plugins", "what the plugins subscribe to, their commands and permissions", cli_plugins},
        {"send", "sign a webhook and post it to a running host", cli_send},
        {"deliveries", "list, show, retry or discard what is in the store", cli_deliveries},
        {"token", "a token of an installation, for git", cli_token},
        {"new-plugin", "a folder with a plugin to start from, and its test", cli_new_plugin},
        {"recover", "ask GitHub for the webhooks that did not arrive", cli_recover},
        {"version", "versions of the program, the plugin ABI and the libraries", cli_version},
        {"host", NULL, cli_host}, /* started by serve */
        {0}};
    return cli_run(verbs, argc, argv);
}
