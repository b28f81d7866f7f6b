/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hello, in C++17 by hand: without SNEK_PLUGIN and designated initialisers, which C++ lacks then.
 */
#include <snekomatic/snekomatic.h>

#include <cstdint>

namespace {

std::int32_t hello(snek_run *run) {
    return snek_reply(run, "Hello!");
}

const snek_permission permissions[] = {{"issues", "write"}, {"pull_requests", "write"}};
const snek_command commands[] = {{"hello", "/hello", SNEK_ROLE_ANYBODY, 0, hello, nullptr}};

snek_plugin describe() {
    snek_plugin plugin{};
    plugin.head = SNEK_ABI_HEAD;
    plugin.name = "hello";
    plugin.version = "1.0";
    plugin.summary = "Answers /hello.";
    plugin.permissions = permissions;
    plugin.permissions_count = 2;
    plugin.permissions_bytes = sizeof permissions[0];
    plugin.commands = commands;
    plugin.commands_count = 1;
    plugin.commands_bytes = sizeof commands[0];
    return plugin;
}

} // namespace

extern "C" SNEK_EXPORT const snek_plugin *snek_plugin_entry() {
    static const snek_plugin plugin = describe();
    return &plugin;
}
