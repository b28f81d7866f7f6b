/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program snekomatic-host: the table of all verbs. `snekomatic` execs it for every verb but
 * `serve`. */
#include "cli/cli.h"

int main(int argc, char **argv) {
    static const struct cli_verb verbs[] = {
        {"serve", "receive webhooks and run the plugins on them", cli_serve},
        {"setup", "create the bot's GitHub App and store its credentials", cli_setup},
        {"check", "check the configuration, the credentials and the plugins", cli_check},
        {"plugins", "list what the plugins subscribe to and need; pause, resume, release them",
         cli_plugins},
        {"reload", "make the running host read its configuration and plugins again", cli_reload},
        {"hook", "show and set the App's webhook at GitHub", cli_hook},
        {"send", "sign a webhook and post it to a running host", cli_send},
        {"deliveries", "list, show, retry or discard deliveries in the store", cli_deliveries},
        {"installations", "list the installations that wait, and end their waits",
         cli_installations},
        {"token", "print a token of an installation, for git", cli_token},
        {"new-plugin", "create a folder with a first plugin and its test", cli_new_plugin},
        {"recover", "ask GitHub to redeliver webhooks that did not arrive", cli_recover},
        {"version", "print the versions of the program, the plugin ABI and the libraries",
         cli_version},
        {"host", NULL, cli_host}, /* serve starts it */
        {"setup-page", NULL, cli_setup_page},
        {0}};
    return cli_run(verbs, argc, argv);
}
