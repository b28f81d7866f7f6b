/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* config/public_host: names and addresses that GitHub cannot reach. */
#include "unit.h"

#include "config/public_host.h"

#include <string.h>

static void hosts_that_github_cannot_reach_are_known(void **state) {
    static const struct {
        const char *host, *api_url, *why;
    } cases[] = {
        {"bot.dev", "https://api.github.com", NULL},
        {"8.8.8.8", "https://api.github.com", NULL},
        {"172.32.0.1", "https://api.github.com", NULL},
        {"[2606:50c0::1]", "https://api.github.com", NULL},
        {"myexample.com", "https://api.github.com", NULL},
        {"127.0.0.2", "https://api.github.com", "is this machine itself"},
        {"LOCALHOST", "https://api.github.com", "is this machine itself"},
        {"bot.localhost.", "https://api.github.com", "is this machine itself"},
        {"[::1]", "https://ghe.corp/api/v3", "is this machine itself"},
        {"[0:0:0:0:0:0:0:1]", "https://api.github.com", "is this machine itself"},
        {"[::ffff:127.0.0.1]", "https://api.github.com", "is this machine itself"},
        {"10.0.0.1", "https://api.github.com", "private network"},
        {"172.16.0.1", "https://api.corp.ghe.com", "private network"},
        {"192.168.1.2", "https://api.github.com", "private network"},
        {"169.254.1.1", "https://api.github.com", "private network"},
        {"100.64.0.1", "https://api.github.com", "private network"},
        {"0.0.0.0", "https://api.github.com", "private network"},
        {"[::]", "https://api.github.com", "private network"},
        {"[fc00::1]", "https://api.github.com", "private network"},
        {"[fd12:3456::1]", "https://api.github.com", "private network"},
        {"[fe80::1]", "https://api.github.com", "private network"},
        {"[febf::1]", "https://api.github.com", "private network"},
        {"[::ffff:192.168.0.1]", "https://api.github.com", "private network"},
        {"[::ffff:8.8.8.8]", "https://api.github.com", NULL},
        {"printer.local", "https://api.github.com", "private network"},
        {"bot", "https://api.github.com", "private network"},
        {"example.com", "https://api.github.com", "is a name for examples"},
        {"bot.Example.ORG", "https://api.github.com", "is a name for examples"},
        {"bot.test", "https://api.github.com", "is a name for examples"},
        {"snekomatic.invalid", "https://api.github.com", "no name ends in .invalid"},
        /* A server of one's own may be in the same network. */
        {"10.0.0.1", "https://ghe.corp/api/v3", NULL},
        {"bot", "https://ghe.corp/api/v3", NULL},
        {"bot.example.com", "https://ghe.corp/api/v3", "is a name for examples"},
        /* A fake. */
        {"bot.example.com", "http://127.0.0.1:8080", NULL},
        {"bot.example.com", "http://localhost:8080", NULL},
        {"127.0.0.1", "http://127.0.0.1:8080", "is this machine itself"},
        {"bot.invalid", "http://127.0.0.1:8080", "no name ends in .invalid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = public_host_problem(cases[i].host, cases[i].api_url);
        if (!!why != !!cases[i].why || (why && !strstr(why, cases[i].why))) {
            fail_msg("%s for %s: %s", cases[i].host, cases[i].api_url, why ? why : "good");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_github_cannot_reach_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
