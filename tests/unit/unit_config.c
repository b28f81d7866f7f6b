/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* config: what a file and the environment may say, and the sentences about what they may not. */
#include "config_home.h"

#include "config/keys.h"
#include "config/sentry_dsn.h"
#include "config/toml.h"

#include <stdlib.h>
#include <unistd.h>

static void without_a_file_the_credentials_are_enough(void **state) {
    set_credentials();
    struct config *config = load_good(NULL);
    assert_null(config->file);
    assert_string_equal(config->server.host, "0.0.0.0");
    assert_int_equal(config->server.port, 8000);
    assert_int_equal(config->server.max_body_bytes, 26214400);
    assert_int_equal(config->server.drain_ms, 20000);
    assert_string_equal(config->github.app_id, "7");
    assert_null(config->github.private_key_file);
    assert_null(config->github.ca_file);
    assert_string_equal(config->github.api_url, "https://api.github.com");
    assert_memory_equal(config->github.user_agent, "snekomatic/", 11);
    assert_false(config->github.allow_sha1);
    assert_store_under_home(config, "/snekomatic.db");
    assert_int_equal(config->store.retention_days, 7);
    assert_int_equal(config->github.recover_interval_minutes, 10);
    assert_int_equal(config->github.receive, CONFIG_RECEIVE_WEBHOOK);
    assert_int_equal(config->github.pull_interval_seconds, 10);
    assert_int_equal(config->dispatch.delay_ms, 1000);
    assert_int_equal(config->dispatch.max_attempts, 9);
    assert_int_equal(config->dispatch.first_retry_ms, 5000);
    assert_int_equal(config->dispatch.lease_ms, 30000);
    assert_int_equal(config->log.level, SNEK_LEVEL_INFO);
    assert_int_equal(config->log.format, LOG_LOGFMT);
    assert_int_equal(config->n_plugins, 2);
    static const char *const bundled[] = {"invite", "ping"};
    for (size_t i = 0; i < 2; i++) {
        const struct config_plugin *plugin = &config->plugins[i];
        char path[512];
        snprintf(path, sizeof path, "%s/%s.so", config->plugins_directory, bundled[i]);
        assert_string_equal(plugin->path, path);
        assert_string_equal(plugin->as_written, bundled[i]);
        assert_true(plugin->enabled);
        assert_int_equal(plugin->concurrency, 32);
        assert_int_equal(plugin->deadline_ms, 60000);
        assert_int_equal(plugin->memory_mib, 256);
        assert_int_equal(plugin->store_mib, 16);
        assert_int_equal(plugin->effects_per_run, 100);
        assert_int_equal(plugin->effects_per_hour, 500);
        assert_int_equal(plugin->sandbox, CONFIG_SANDBOX_BEST);
        assert_null(plugin->installations);
        assert_null(plugin->permissions);
        assert_null(plugin->repositories);
        assert_string_equal(plugin->config_json, "{}");
        assert_int_equal(plugin->line, 0);
    }
    config_free(config);
}

static const char whole_file[] = "[server]\n"
                                 "listen = \"[::1]:0\"\n"
                                 "max_body_bytes = 1000\n"
                                 "drain_ms = 0\n"
                                 "[github]\n"
                                 "app_id = 12345\n"
                                 "private_key_file = \"keys/./app.pem\"\n"
                                 "webhook_secret_file = \"/etc//secret\"\n"
                                 "user_agent = \"my bot\"\n"
                                 "api_url = \"https://github.example/api/v3///\"\n"
                                 "allow_sha1 = true\n"
                                 "ca_file = \"ca.pem\"\n"
                                 "recover_interval_minutes = 0\n"
                                 "[store]\n"
                                 "url = \"sqlite:data/inbox.db\"\n"
                                 "retention_days = 0\n"
                                 "audit_days = 9\n"
                                 "[dispatch]\n"
                                 "delay_ms = 0\n"
                                 "max_attempts = 1\n"
                                 "first_retry_ms = 700\n"
                                 "lease_ms = 5000\n"
                                 "[[plugin]]\n"
                                 "path = \"welcome\"\n"
                                 "enabled = false\n"
                                 "concurrency = 1\n"
                                 "deadline_ms = 100\n"
                                 "memory_mib = 64\n"
                                 "store_mib = 3\n"
                                 "effects_per_run = 5\n"
                                 "effects_per_hour = 6\n"
                                 "permissions = [\"issues:write\", \"members: read\"]\n"
                                 "sandbox = \"strict\"\n"
                                 "installations = [12, \"345\", \"4*\"]\n"
                                 "repositories = [\"snakes/*\"]\n"
                                 "[plugin.config]\n"
                                 "guide = \"a\\\"b\"\n"
                                 "[[plugin]]\n"
                                 "path = \"./my.so\"\n"
                                 "[[plugin]]\n"
                                 "path = \"other.so\"\n"
                                 "sandbox = \"off\"\n"
                                 "[plugins]\n"
                                 "directory = \"plug\"\n"
                                 "[log]\n"
                                 "level = \"debug\"\n"
                                 "format = \"json\"\n"
                                 "[sentry]\n"
                                 "dsn = \"https://abc@sentry.example/1\"\n"
                                 "environment = \"staging\"\n";

static void a_hash_of_a_plugin_is_64_hexadecimal_digits(void **state) {
    static const char lower[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    set_credentials();
    struct config *config = load_good(
        "[[plugin]]\npath = \"./a.so\"\n"
        "sha256 = \"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"\n");
    assert_string_equal(config->plugins[0].sha256, lower);
    config_free(config);
    assert_problems("[[plugin]]\npath = \"./a.so\"\nsha256 = \"0123\"\n",
                    "snekomatic.toml:3: plugin.sha256 must be the 64 hexadecimal digits that "
                    "`sha256sum FILE` prints\n");
}

static void every_key_of_a_file_is_taken(void **state) {
    struct config *config = load_good(whole_file);
    assert_under_home(config->file, "/snekomatic.toml");
    assert_string_equal(config->server.host, "::1");
    assert_int_equal(config->server.port, 0);
    assert_int_equal(config->server.max_body_bytes, 1000);
    assert_int_equal(config->server.drain_ms, 0);
    assert_string_equal(config->github.app_id, "12345");
    assert_under_home(config->github.private_key_file, "/keys/app.pem");
    assert_string_equal(config->github.webhook_secret_file, "/etc/secret");
    assert_string_equal(config->github.user_agent, "my bot");
    assert_string_equal(config->github.api_url, "https://github.example/api/v3");
    assert_true(config->github.allow_sha1);
    assert_under_home(config->github.ca_file, "/ca.pem");
    assert_store_under_home(config, "/data/inbox.db");
    assert_int_equal(config->store.retention_days, 0);
    assert_int_equal(config->store.audit_days, 9);
    assert_int_equal(config->github.recover_interval_minutes, 0);
    assert_int_equal(config->dispatch.delay_ms, 0);
    assert_int_equal(config->dispatch.max_attempts, 1);
    assert_int_equal(config->dispatch.first_retry_ms, 700);
    assert_int_equal(config->dispatch.lease_ms, 5000);
    assert_int_equal(config->log.level, SNEK_LEVEL_DEBUG);
    assert_int_equal(config->log.format, LOG_JSON);
    assert_int_equal(config->n_plugins, 3);
    const struct config_plugin *plugin = &config->plugins[0];
    assert_under_home(plugin->path, "/plug/welcome.so"); /* although [plugins] comes later */
    assert_int_equal(plugin->line, 23);
    assert_false(plugin->enabled);
    assert_int_equal(plugin->concurrency, 1);
    assert_int_equal(plugin->deadline_ms, 100);
    assert_int_equal(plugin->memory_mib, 64);
    assert_int_equal(plugin->store_mib, 3);
    assert_int_equal(plugin->effects_per_run, 5);
    assert_int_equal(plugin->effects_per_hour, 6);
    assert_string_equal(plugin->permissions[0], "issues:write");
    assert_string_equal(plugin->permissions[1], "members:read");
    assert_null(plugin->permissions[2]);
    assert_int_equal(plugin->sandbox, CONFIG_SANDBOX_STRICT);
    assert_string_equal(plugin->installations[0], "12");
    assert_string_equal(plugin->installations[1], "345");
    assert_string_equal(plugin->installations[2], "4*");
    assert_null(plugin->installations[3]);
    assert_string_equal(plugin->repositories[0], "snakes/*");
    assert_null(plugin->repositories[1]);
    assert_string_equal(plugin->config_json, "{\"guide\":\"a\\\"b\"}");
    assert_under_home(config->plugins[1].path, "/my.so");
    assert_under_home(config->plugins[2].path, "/plug/other.so");
    assert_int_equal(config->plugins[2].sandbox, CONFIG_SANDBOX_OFF);
    assert_string_equal(config->sentry.dsn, "https://abc@sentry.example/1");
    assert_string_equal(config->sentry.environment, "staging");
    config_free(config);
}

static void the_environment_wins_over_the_file(void **state) {
    setenv("PORT", "9000", 1);
    setenv("GITHUB_APP_ID", "Iv1.8a61f9b3a7aba766", 1);
    setenv("GITHUB_USER_AGENT", "other bot", 1);
    setenv("GITHUB_API_URL", "http://127.0.0.1:99/", 1);
    setenv("DATABASE_URL", "sqlite:/var/lib/x.db", 1);
    setenv("SNEKOMATIC_LOG", "error", 1);
    struct config *config = load_good(whole_file);
    /* PORT is the port alone. */
    assert_string_equal(config->server.host, "::1");
    assert_int_equal(config->server.port, 9000);
    assert_string_equal(config->github.app_id, "Iv1.8a61f9b3a7aba766");
    assert_string_equal(config->github.user_agent, "other bot");
    assert_string_equal(config->github.api_url, "http://127.0.0.1:99");
    assert_string_equal(config->store.url, "sqlite:/var/lib/x.db");
    assert_int_equal(config->log.level, SNEK_LEVEL_ERROR);
    config_free(config);
}

static void an_empty_variable_counts_as_unset(void **state) {
    static const char *const names[] = {"PORT", "GITHUB_APP_ID", "DATABASE_URL", "SENTRY_DSN",
                                        "SNEKOMATIC_LOG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv(names[i], "", 1);
    }
    struct config *config = load_good(whole_file);
    assert_int_equal(config->server.port, 0);
    assert_string_equal(config->github.app_id, "12345");
    config_free(config);
    setenv("GITHUB_WEBHOOK_SECRET", "", 1);
    assert_problems("[github]\napp_id = 1\nprivate_key_file = \"k\"\n",
                    "snekomatic.toml: github.webhook_secret_file is missing; set it, or the secret "
                    "itself in the variable GITHUB_WEBHOOK_SECRET, or read GitHub's list of "
                    "deliveries with github.receive = \"pull\"\n");
}

static void pull_mode_needs_no_webhook_secret(void **state) {
    setenv("GITHUB_WEBHOOK_SECRET", "", 1);
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"k\"\n"
                                      "receive = \"pull\"\npull_interval_seconds = 1\n");
    assert_int_equal(config->github.receive, CONFIG_RECEIVE_PULL);
    assert_int_equal(config->github.pull_interval_seconds, 1);
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    struct error err;
    size_t count = 9;
    int64_t until_ms;
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(config_check_webhook_secret(config, &err), 0);
    config_free(config);
}

static void listen_takes_addresses_and_names(void **state) {
    static const struct {
        const char *listen, *host;
        unsigned port;
    } cases[] = {{"127.0.0.1:8080", "127.0.0.1", 8080},
                 {"[::]:65535", "::", 65535},
                 {"[fe80::1]:1", "fe80::1", 1},
                 {"localhost:0", "localhost", 0},
                 {"bot.example:80", "bot.example", 80}};
    set_credentials();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "server.listen = \"%s\"\n", cases[i].listen);
        struct config *config = load_good(text);
        assert_string_equal(config->server.host, cases[i].host);
        assert_int_equal(config->server.port, cases[i].port);
        config_free(config);
    }
}

static void api_urls_that_are_safe_are_taken(void **state) {
    static const char *const cases[][2] = {
        {"https://api.github.com/", "https://api.github.com"},
        {"https://ghe.example:8443/api/v3", "https://ghe.example:8443/api/v3"},
        {"http://localhost:3000", "http://localhost:3000"},
        {"http://127.1.2.3/", "http://127.1.2.3"},
        {"http://[::1]:3000/x/", "http://[::1]:3000/x"}};
    set_credentials();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("GITHUB_API_URL", cases[i][0], 1);
        struct config *config = load_good("");
        assert_string_equal(config->github.api_url, cases[i][1]);
        config_free(config);
    }
}

static void public_urls_are_origins(void **state) {
    static const char *const cases[][2] = {
        {"https://bot.example.org/", "https://bot.example.org"},
        {"https://bot.example.org:8443", "https://bot.example.org:8443"},
        {"http://127.0.0.1:8000", "http://127.0.0.1:8000"}};
    set_credentials();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("SNEKOMATIC_PUBLIC_URL", cases[i][0], 1);
        struct config *config = load_good("");
        assert_string_equal(config->server.public_url, cases[i][1]);
        config_free(config);
    }
    unsetenv("SNEKOMATIC_PUBLIC_URL");
    struct config *config = load_good("");
    assert_null(config->server.public_url);
    config_free(config);
}

/* One wrong line each; `want` follows "snekomatic.toml:1: ". */
static const struct {
    const char *line, *want;
} rejected[] = {
    {"server.drain_ms = \"5\"",
     "server.drain_ms must be a whole number of milliseconds, not a string"},
    {"server.drain_ms = 5.0",
     "server.drain_ms must be a whole number of milliseconds, not a floating-point number"},
    {"server.drain_ms = -1", "server.drain_ms must be from 0 to 3600000 milliseconds, not -1"},
    {"server.max_body_bytes = 26214401",
     "server.max_body_bytes must be from 1 to 26214400 bytes, not 26214401"},
    {"dispatch.max_attempts = true", "dispatch.max_attempts must be a whole number, not a boolean"},
    {"dispatch.first_retry_ms = 9",
     "dispatch.first_retry_ms must be from 10 to 43200000 milliseconds, not 9"},
    {"dispatch.max_attempts = 0", "dispatch.max_attempts must be from 1 to 100, not 0"},
    {"github.allow_sha1 = \"yes\"", "github.allow_sha1 must be true or false, not a string"},
    {"github.app_id = 1.5",
     "github.app_id must be a whole number or a string, not a floating-point number"},
    {"github.app_id = -4",
     "github.app_id must be the number that GitHub shows as App ID, or the client ID"},
    {"github.app_id = \"1\\\"2\"",
     "github.app_id must be the number that GitHub shows as App ID, or the client ID"},
    {"github.user_agent = \"\"", "github.user_agent must not be empty"},
    {"github.user_agent = \"a\\r\\nb\"",
     "github.user_agent must be at most 256 printable ASCII characters"},
    {"github.user_agent = \"a\\u0000b\"", "github.user_agent must not hold a NUL"},
    {"github.ca_file = 2024-02-29", "github.ca_file must be a string, not a date or time"},
    {"github.api_url = \"http://api.github.com\"",
     "github.api_url must start with https:// (http:// is for a loopback host only)"},
    {"github.api_url = \"http://localhost.example\"",
     "github.api_url must start with https:// (http:// is for a loopback host only)"},
    {"github.api_url = \"http://127.0.0.1.example\"",
     "github.api_url must start with https:// (http:// is for a loopback host only)"},
    {"github.api_url = \"https://me:pass@ghe.example\"",
     "github.api_url must not hold credentials, a query or a fragment"},
    {"github.api_url = \"http://127.0.0.1?x@ghe.example\"",
     "github.api_url must not hold credentials, a query or a fragment"},
    {"github.api_url = \"https://ghe.example/#x\"",
     "github.api_url must not hold credentials, a query or a fragment"},
    {"github.api_url = \"https://ghe.example/api/../v3\"",
     "github.api_url must not have . or .. as a part of its path"},
    {"github.api_url = \"https://ghe.example/api/v3/%2E\"",
     "github.api_url must not have . or .. as a part of its path"},
    {"github.api_url = \"ftp://ghe.example\"", "github.api_url must start with https://"},
    {"github.api_url = \"gopher-ish://x\"", "github.api_url must start with https://"},
    {"github.api_url = \"api.github.com\"", "github.api_url must start with https://"},
    {"server.public_url = \"http://bot.example\"",
     "server.public_url must start with https:// (http:// is for a loopback host only)"},
    {"server.public_url = \"https://bot.example/webhook/github\"",
     "server.public_url must be https://HOST or https://HOST:PORT, without a path"},
    {"server.public_url = \"https://bot.example?x\"",
     "server.public_url must not hold credentials, a query or a fragment"},
    {"server.public_url = \"bot.example\"", "server.public_url must start with https://"},
    {"server.listen = \"8000\"", "server.listen must be HOST:PORT, as in \"0.0.0.0:8000\""},
    {"server.listen = \":8000\"", "server.listen must have an address or a name before the port, "
                                  "as in \"0.0.0.0:8000\""},
    {"server.listen = \"1.2.3:80\"", "server.listen must have an address or a name before the "
                                     "port, as in \"0.0.0.0:8000\""},
    {"server.listen = \"[1.2.3.4]:80\"", "server.listen must have an address or a name before the "
                                         "port, as in \"0.0.0.0:8000\""},
    {"server.listen = \"::1:80\"",
     "server.listen must have an IPv6 address in brackets, as in \"[::1]:8000\""},
    {"server.listen = \"h:65536\"",
     "server.listen must have a port from 0 to 65535, not \"65536\""},
    {"server.listen = \"h:\"", "server.listen must have a port from 0 to 65535, not \"\""},
    {"server.listen = \"h:+1\"", "server.listen must have a port from 0 to 65535, not \"+1\""},
    {"server.listen = 8000", "server.listen must be a string, not a whole number"},
    {"store.url = \"mysql://u:secret@h/d\"",
     "store.url must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"},
    {"store.url = \"sqlite:\"", "store.url must be sqlite:PATH, with no // before the path"},
    {"store.url = \"sqlite:///x.db\"", "store.url must be sqlite:PATH, with no // before the path"},
    {"store.url = \"sqlite::memory:\"",
     "store.url must name a file: a store in memory would lose deliveries"},
    {"log.level = \"inof\"",
     "log.level must be debug, info, warning or error, not \"inof\"; did you mean info?"},
    {"log.level = \"warn\"",
     "log.level must be debug, info, warning or error, not \"warn\"; did you mean warning?"},
    {"log.format = \"xml\"", "log.format must be logfmt or json, not \"xml\""},
    {"server.drain = 1", "unknown key server.drain; did you mean server.drain_ms?"},
    {"github.user_agnet = \"x\"", "unknown key github.user_agnet; did you mean github.user_agent?"},
    {"server.colour = 1", "unknown key server.colour"},
    {"server.api_url = 1", "unknown key server.api_url; did you mean github.api_url?"},
    {"listen = 1", "unknown key listen; did you mean server.listen?"},
    {"sever.listen = 1", "unknown key sever; did you mean server?"},
    {"snakes = 1", "unknown key snakes"},
    {"\"server.listen\" = 1", "unknown key \"server.listen\"; did you mean server.listen?"},
    {"\"a\\nb\" = 1", "unknown key a b"},
    {"server = 1", "server must be a table, not a whole number"},
    {"[[plugins]]", "plugins must be a table, not an array; did you mean [[plugin]]?"},
    {"[plugin]", "plugin must be an array of tables: write [[plugin]]"},
    {"plugin = [1]", "plugin must be an array of tables: write [[plugin]]"},
    {"server.tls_key_file = \"x\"",
     "server.tls_key_file is known, but not supported by this version; remove it"},
    {"github.recover_interval_minutes = 1441",
     "github.recover_interval_minutes must be from 0 to 1440 minutes, not 1441"},
    {"github.receive = \"push\"", "github.receive must be webhook or pull, not \"push\""},
    {"github.pull_interval_seconds = 0",
     "github.pull_interval_seconds must be from 1 to 3600 seconds, not 0"},
    {"store.retention_days = -1", "store.retention_days must be from 0 to 3650 days, not -1"},
    {"sentry.dsn = \"https://sentry.example/1\"",
     "sentry.dsn must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT, in which PROJECT is a "
     "number"},
    {"sentry.dsn = \"http://key@sentry.example/1\"",
     "sentry.dsn must start with https:// (http:// is for a loopback host only)"},
    {"sentry.environment = \"two words\"",
     "sentry.environment must be at most 64 letters, digits, dots, - and _"},
    {"sentry.dns = \"x\"", "unknown key sentry.dns; did you mean sentry.dsn?"},
    {"plugin = [{path = \"a\", dry_run = 1}]",
     "plugin.dry_run must be true or false, not a whole number"},
    {"plugin = [{path = \"a\", enable = true}]",
     "unknown key plugin.enable; did you mean plugin.enabled?"},
    {"plugin = [{path = \"a\", concurrency = 0}]",
     "plugin.concurrency must be from 1 to 1024 runs, not 0"},
    {"[[plugin]]\npath = \"a\"\nconcurrency = 300",
     "plugin.concurrency = 300 takes a plugin.memory_mib of at least as much, not 256: each run "
     "has "
     "a thread, whose stack takes half a MiB of it"},
    {"plugin = [{path = \"a\", sandbox = \"on\"}]",
     "plugin.sandbox must be best, strict or off, not \"on\""},
    {"plugin = [{path = \"a\", installations = [\"acme\"]}]",
     "plugin.installations must list the numbers of installations, in which * stands for anything; "
     "plugin.repositories = [\"OWNER/*\"] names an account"},
    {"plugin = [{path = \"a\", installations = 5}]",
     "plugin.installations must be an array of strings, not a whole number"},
    {"plugin = [{path = \"a\", installations = []}]",
     "plugin.installations is empty, so that the plugin would never act; remove the key to mean "
     "all, or disable the plugin"},
    {"plugin = [{path = \"a\", repositories = [5]}]",
     "plugin.repositories must be an array of strings, not a whole number"},
    {"plugin = [{path = \"a\", repositories = [\"snakes\"]}]",
     "plugin.repositories must list repositories as OWNER/NAME, in which * stands for anything"},
    {"plugin = [{path = \"a\", permissions = [\"issues\"]}]",
     "plugin.permissions must list permissions as NAME:ACCESS, like \"issues:write\", in which "
     "ACCESS "
     "is read, write or admin"},
    {"plugin = [{path = \"a\", permissions = [\"issues:own\"]}]",
     "plugin.permissions must list permissions as NAME:ACCESS, like \"issues:write\", in which "
     "ACCESS "
     "is read, write or admin"},
    {"plugin = [{path = \"a\", store_mib = 0}]",
     "plugin.store_mib must be from 1 to 65536 MiB, not 0"},
    {"plugin = [{path = \"a\", config = 5}]", "plugin.config must be a table, not a whole number"},
    {"plugin = [{path = \"a\", config = {x = [nan]}}]",
     "a value of plugin.config must be finite, since JSON has no such number"},
    {"plugin = [{path = \"a\", config = {x = [\"a\\u0000b\"]}}]",
     "a value of plugin.config must not hold a NUL"},
    {"plugin = [{path = \"a\", config = {\"a\\u0000b\" = 1}}]",
     "a value of plugin.config must not hold a NUL in its name"},
    {"plugin = [{path = \"a\"}, {path = \"a.so\"}]",
     "plugin.path \"a.so\" is the same file as in line 1"},
    {"plugin = [{path = \"./a\"}, {path = \"b/../a\"}, {path = \".//./a\"}]",
     "plugin.path \".//./a\" is the same file as in line 1"},
    {"plugin = [{}]", "this [[plugin]] has no path: the name of a plugin in plugins.directory, or "
                      "the path of a .so"},
};

static void what_a_file_may_not_say_is_rejected_with_a_sentence(void **state) {
    set_credentials();
    for (size_t i = 0; i < sizeof rejected / sizeof *rejected; i++) {
        AUTO_FREE char *problems = load_bad(rejected[i].line);
        AUTO_FREE char *want = NULL;
        assert_true(asprintf(&want, "snekomatic.toml:1: %s\n", rejected[i].want) > 0);
        if (strcmp(problems, want) != 0) {
            fail_msg("%s\n got: %s want: %s", rejected[i].line, problems, want);
        }
        assert_null(strstr(problems, "secret@"));
        assert_null(strstr(problems, "pass@"));
    }
}

static void the_url_of_a_database_is_kept_as_it_is(void **state) {
    static const char *const urls[] = {
        "postgres://u:p%40ss@db.example:5433/d?sslmode=verify-full", "postgresql:///d",
        "postgres://u:p?a:s%2Fs@h1:1,[::1]:2,h3/d?sslmode=require",  "postgres://db.example",
        "postgres://%2Frun%2Fpostgresql/d?host=/tmp&port=5433",      "postgres://u@:5432/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        set_credentials();
        setenv("DATABASE_URL", urls[i], 1);
        struct config *config = load_good(NULL);
        assert_string_equal(config->store.url, urls[i]);
        config_free(config);
    }
    unsetenv("DATABASE_URL");
}

static void a_database_url_that_libpq_misreads_is_rejected_without_being_shown(void **state) {
    static const char *const rests[] = {"u:secr/et@db.example/d",
                                        "u:secr@et@db.example/d",
                                        "u:%secret@db.example/d",
                                        "u:s%00ecret@db.example/d",
                                        "u:secr et@db.example/d",
                                        "u:@secret/x@db.example/d",
                                        "db.example/secret/d",
                                        "u:secret",
                                        "u:5432,v:secret/d",
                                        "u:p@ss?secret@db.example/d",
                                        "db.example/d?secret",
                                        "db.example/d?password=sec=ret",
                                        "[::1/secret",
                                        "u:secret\n@db.example/d"};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        for (int scheme = 0; scheme < 2; scheme++) {
            char url[100];
            snprintf(url, sizeof url, "%s://%s", scheme ? "postgresql" : "postgres", rests[i]);
            set_credentials();
            setenv("DATABASE_URL", url, 1);
            struct config *config = NULL;
            AUTO_PROBLEMS struct config_problems problems = {0};
            if (config_load(NULL, CONFIG_NEED_EVERYTHING, &config, &problems) == 0) {
                fail_msg("%s is accepted", url);
            }
            assert_non_null(strstr(problems.text, "%2F"));
            assert_null(strstr(problems.text, "sec"));
            assert_null(strstr(problems.text, "example"));
        }
    }
    unsetenv("DATABASE_URL");
}

static void a_proxy_that_could_be_misread_is_rejected_without_being_shown(void **state) {
    static const char *const urls[] = {
        "http://u:123/secret@proxy.example:3128", "http://u:sec@ret@proxy.example:3128",
        "u:123?secret@proxy.example:3128", "http://u:123#secret@proxy.example:3128",
        "http://proxy.example:3128/secret"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        set_credentials();
        setenv("https_proxy", urls[i], 1);
        struct config *config = NULL;
        AUTO_PROBLEMS struct config_problems problems = {0};
        if (config_load(NULL, CONFIG_NEED_EVERYTHING, &config, &problems) == 0) {
            fail_msg("%s is accepted", urls[i]);
        }
        assert_non_null(strstr(problems.text, "https_proxy: "));
        assert_null(strstr(problems.text, "sec"));
    }
    unsetenv("https_proxy");
}

static void an_app_id_is_a_number_or_a_client_id_without_the_space_around_it(void **state) {
    static const char *const good[][2] = {{"12345\n", "12345"},
                                          {" 7\r\n", "7"},
                                          {"Iv1.8a61f9b3a7aba766\n", "Iv1.8a61f9b3a7aba766"},
                                          {"Iv23liABCDEFGHIJKLMN", "Iv23liABCDEFGHIJKLMN"}};
    static const char *const bad[] = {
        "my-bot", "12.5", "0", "00", "1 2", "Iv1", "iv1.8a61f9b3a7aba766", "Iv1.8a61f9b3/aba766",
        "-4",     "+4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        set_credentials();
        setenv("GITHUB_APP_ID", good[i][0], 1);
        struct config *config = load_good(NULL);
        assert_string_equal(config->github.app_id, good[i][1]);
        config_free(config);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("GITHUB_APP_ID", bad[i], 1);
        AUTO_FREE char *problems = load_bad(NULL);
        assert_non_null(strstr(problems, "GITHUB_APP_ID: github.app_id must be the number"));
    }
}

static void a_wrong_variable_is_reported_by_its_name(void **state) {
    static const char *const cases[][3] = {
        {"PORT", "99999", "PORT: server.listen must have a port from 0 to 65535, not \"99999\"\n"},
        {"PORT", "80a", "PORT: server.listen must have a port from 0 to 65535, not \"80a\"\n"},
        {"GITHUB_APP_ID", "x y",
         "GITHUB_APP_ID: github.app_id must be the number that GitHub shows as App ID, or the "
         "client ID\n"},
        {"GITHUB_API_URL", "http://ghe.example",
         "GITHUB_API_URL: github.api_url must start with https:// (http:// is for a loopback host "
         "only)\n"},
        {"DATABASE_URL", "mysql://u:secret@h/d",
         "DATABASE_URL: store.url must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE\n"},
        {"SNEKOMATIC_LOG", "loud",
         "SNEKOMATIC_LOG: log.level must be debug, info, warning or error, not \"loud\"\n"},
        {"SENTRY_DSN", "https://secret@sentry.example/snakes",
         "SENTRY_DSN: sentry.dsn must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT, in "
         "which PROJECT is a number\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)config_start_empty(NULL);
        set_credentials();
        setenv(cases[i][0], cases[i][1], 1);
        assert_problems(NULL, cases[i][2]);
    }
}

static void all_problems_are_told_at_once_in_the_order_of_the_file(void **state) {
    setenv("PORT", "x", 1);
    assert_problems("# one\n"
                    "[server]\n"
                    "drain_ms = \"1\"\n"
                    "colour = 1\n"
                    "\n"
                    "[[plugin]]\n"
                    "concurrency = 5000\n"
                    "[[plugin]]\n"
                    "path = \"x\"\n"
                    "[plugin.config]\n"
                    "a = 1\n"
                    "b = [1,\n"
                    "     inf]\n"
                    "[log]\n"
                    "level = 1\n",
                    "snekomatic.toml:3: server.drain_ms must be a whole number of milliseconds, "
                    "not a string\n"
                    "snekomatic.toml:4: unknown key server.colour\n"
                    "snekomatic.toml:7: plugin.concurrency must be from 1 to 1024 runs, not 5000\n"
                    "snekomatic.toml:6: this [[plugin]] has no path: the name of a plugin in "
                    "plugins.directory, or the path of a .so\n"
                    "snekomatic.toml:13: a value of plugin.config must be finite, since JSON has "
                    "no such number\n"
                    "snekomatic.toml:15: log.level must be a string, not a whole number\n"
                    "PORT: server.listen must have a port from 0 to 65535, not \"x\"\n"
                    "snekomatic.toml: github.app_id is missing; set it, or the variable "
                    "GITHUB_APP_ID\n"
                    "snekomatic.toml: github.private_key_file is missing; set it, or the key "
                    "itself in the variable GITHUB_PRIVATE_KEY\n"
                    "snekomatic.toml: github.webhook_secret_file is missing; set it, or the "
                    "secret itself in the variable GITHUB_WEBHOOK_SECRET, or read GitHub's list of "
                    "deliveries with github.receive = \"pull\"\n");
}

static void without_file_and_credentials_it_says_how_to_start(void **state) {
    setenv("GITHUB_APP_ID", "1", 1);
    assert_problems(NULL,
                    "not configured: GITHUB_PRIVATE_KEY GITHUB_WEBHOOK_SECRET not set, and there "
                    "is no snekomatic.toml here or in /etc/snekomatic; set GITHUB_APP_ID, "
                    "GITHUB_PRIVATE_KEY and GITHUB_WEBHOOK_SECRET, or write a snekomatic.toml "
                    "with github.app_id, github.private_key_file and github.webhook_secret_file; "
                    "`snekomatic setup` creates a GitHub App and does this\n");
}

static void the_host_needs_everything_but_the_key(void **state) {
    struct config *config = NULL;
    AUTO_PROBLEMS struct config_problems problems = {0};
    set_credentials();
    unsetenv("GITHUB_PRIVATE_KEY");
    assert_int_equal(config_load(NULL, CONFIG_NEED_HOST, &config, &problems), 0);
    config_free(config);
    unsetenv("GITHUB_WEBHOOK_SECRET");
    assert_int_equal(config_load(NULL, CONFIG_NEED_HOST, &config, &problems), -1);
    assert_non_null(strstr(problems.text, "not configured: GITHUB_WEBHOOK_SECRET not set"));
}

static void bad_toml_is_reported_with_line_and_column(void **state) {
    set_credentials();
    static const struct {
        const char *text, *start;
    } cases[] = {
        {"[server]\ndrain_ms = tru\n", "snekomatic.toml:2: column "},
        {"[server]\n[server]\n", "snekomatic.toml:2: column "},
        {"a = 1\na = 2\n", "snekomatic.toml:2: column "},
        {"\n\nx = \"\xFF\"\n", "snekomatic.toml:3: column "},
        {"[server]\nlisten = \"0.0.0.0:8000\n[github]\n",
         "snekomatic.toml:2: column 23: a text has no closing quote at its end"},
        {"x = 'caf\u00E9\r\n",
         "snekomatic.toml:1: column 10: a text has no closing quote at its end"},
        {"x = \"y", "snekomatic.toml:1: column 7: a text has no closing quote at its end"},
        {"x = y\"\n", "snekomatic.toml:1: column 5: this is no value; a text needs quotes"},
        {"x = \"a\x01z\"\n", "snekomatic.toml:1: column 7: Error while parsing string"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *problems = load_bad(cases[i].text);
        if (strncmp(problems, cases[i].start, strlen(cases[i].start)) != 0) {
            fail_msg("%s\n got: %s", cases[i].text, problems);
        }
        /* One line, although nothing of the file was seen: no key is called missing. */
        assert_ptr_equal(strchr(problems, '\n'), problems + strlen(problems) - 1);
    }
    char deep[4000] = "x = ";
    memset(deep + 4, '[', sizeof deep - 5);
    deep[sizeof deep - 1] = '\0';
    AUTO_FREE char *problems = load_bad(deep);
    assert_memory_equal(problems, "snekomatic.toml:1: column ", 26);
}

static void a_toml_table_becomes_json(void **state) {
    static const char toml[] = "z = 1\n"
                               "a = \"\\u0001\\u00e9\\\"\"\n"
                               "f = [1.0, 0.1, 1e300, -0.0, 3.0000000000000004]\n"
                               "i = [-9223372036854775808, 0xFF, true, false]\n"
                               "d = [2024-02-29, 07:32:00, 1979-05-27T07:32:00Z]\n"
                               "\"q.k\" = { b = [], c = {} }\n"
                               "[t]\n"
                               "x = [{ y = 1 }, { y = 2 }]\n";
    struct toml_value *root = NULL;
    struct toml_error error;
    assert_int_equal(toml_parse(toml, sizeof toml - 1, &root, &error), 0);
    AUTO_BUFFER struct buffer json = BUFFER_INIT(1000);
    assert_int_equal(toml_append_json(root, &json, &error), 0);
    assert_string_equal(json.data, "{\"z\":1,\"a\":\"\\u0001\xC3\xA9\\\"\","
                                   "\"f\":[1.0,0.1,1e+300,-0.0,3.0000000000000004],"
                                   "\"i\":[-9223372036854775808,255,true,false],"
                                   "\"d\":[\"2024-02-29\",\"07:32:00\",\"1979-05-27T07:32:00Z\"],"
                                   "\"q.k\":{\"b\":[],\"c\":{}},"
                                   "\"t\":{\"x\":[{\"y\":1},{\"y\":2}]}}");
    AUTO_BUFFER struct buffer small = BUFFER_INIT(20);
    assert_int_equal(toml_append_json(root, &small, &error), -1);
    assert_string_equal(error.text, "is too large");
    toml_free(root);
}

static void a_dsn_becomes_an_address_and_a_key(void **state) {
    static const char *const cases[][2] = {
        {"https://abc123@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/"},
        {"https://abc123:old@sentry.example:9000/deep/er/42",
         "https://sentry.example:9000/deep/er/api/42/envelope/"},
        {"http://abc123@127.0.0.1:8000/1", "http://127.0.0.1:8000/api/1/envelope/"},
        {"http://abc123@[::1]:8000/1", "http://[::1]:8000/api/1/envelope/"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sentry_dsn dsn;
        struct error err;
        assert_int_equal(sentry_dsn_parse(cases[i][0], &dsn, &err), 0);
        assert_string_equal(dsn.url, cases[i][1]);
        assert_string_equal(dsn.key, "abc123");
        sentry_dsn_finish(&dsn);
    }
}

static void a_wrong_dsn_is_rejected_without_being_shown(void **state) {
    static const char *const cases[] = {"x",
                                        "https://sentry.example/1",
                                        "https://abc123@sentry.example",
                                        "https://abc123@sentry.example/",
                                        "https://abc123@sentry.example/abc123",
                                        "https://abc123@sentry.example/1/",
                                        "https://abc123@sentry.example/1?x",
                                        "https://abc123@sentry.example/1#x",
                                        "https://abc%0d123@sentry.example/1",
                                        "https://abc 123@sentry.example/1",
                                        "ftp://abc123@sentry.example/1",
                                        "http://abc123@sentry.example/1",
                                        "http://abc123@127.0.0.1.example/1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sentry_dsn dsn;
        struct error err = {.text = ""};
        assert_int_equal(sentry_dsn_parse(cases[i], &dsn, &err), -1);
        assert_ptr_equal(strstr(err.text, "must "), err.text);
        assert_null(strstr(err.text, "abc"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dsn_becomes_an_address_and_a_key),
        cmocka_unit_test(a_wrong_dsn_is_rejected_without_being_shown),
        CONFIG_TEST(without_a_file_the_credentials_are_enough),
        CONFIG_TEST(a_hash_of_a_plugin_is_64_hexadecimal_digits),
        CONFIG_TEST(every_key_of_a_file_is_taken),
        CONFIG_TEST(the_environment_wins_over_the_file),
        CONFIG_TEST(an_empty_variable_counts_as_unset),
        CONFIG_TEST(listen_takes_addresses_and_names),
        CONFIG_TEST(api_urls_that_are_safe_are_taken),
        CONFIG_TEST(public_urls_are_origins),
        CONFIG_TEST(what_a_file_may_not_say_is_rejected_with_a_sentence),
        CONFIG_TEST(the_url_of_a_database_is_kept_as_it_is),
        CONFIG_TEST(a_database_url_that_libpq_misreads_is_rejected_without_being_shown),
        CONFIG_TEST(a_proxy_that_could_be_misread_is_rejected_without_being_shown),
        CONFIG_TEST(an_app_id_is_a_number_or_a_client_id_without_the_space_around_it),
        CONFIG_TEST(a_wrong_variable_is_reported_by_its_name),
        CONFIG_TEST(all_problems_are_told_at_once_in_the_order_of_the_file),
        CONFIG_TEST(without_file_and_credentials_it_says_how_to_start),
        CONFIG_TEST(the_host_needs_everything_but_the_key),
        CONFIG_TEST(pull_mode_needs_no_webhook_secret),
        CONFIG_TEST(bad_toml_is_reported_with_line_and_column),
        CONFIG_TEST(a_toml_table_becomes_json),
    };
    return cmocka_run_group_tests(tests, config_enter_home, config_leave_home);
}
