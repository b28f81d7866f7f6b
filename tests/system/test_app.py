# SPDX-License-Identifier: MIT OR Apache-2.0
"""`check --online`: what is wrong with an App is named, with its place in GitHub's form."""

import contextlib
import http.server
import re
import threading

import pytest

import snek

URL = "https://bot.example.org/webhook/github"
FORM = "Settings > Permissions & events > "
HOOK = "Settings > General > Webhook > "


@pytest.fixture
def check(fake, tmp_path):
    """check(...): `check --online` of a bot that does not run, with the plugins invite and ping, whose
    public URL is the webhook's unless `config` has a server."""
    fake.settings(webhook_url=URL, webhook_secret=snek.WEBHOOK_SECRET)

    def run(status=0, plugins=("invite", "ping"), config=None, **options):
        config = {"server": {"public_url": "https://bot.example.org"}, **(config or {})}
        bot = snek.Bot(fake, tmp_path / "bot", plugins=plugins, start=False, config=config, **options)
        return bot.verb("check", "--online", status=status)
    return run


def test_an_app_that_has_everything_is_well(check, fake):
    fake.patch_state({"app": {"owner": "sneks-united"}})
    result = check()
    assert not result.stderr
    for line in ["GitHub          ok: the app is sneks-bot",
                 "                its settings: "
                 f"{fake.url}/organizations/sneks-united/settings/apps/sneks-bot",
                 "console         off: console.token_file or SNEKOMATIC_ADMIN_TOKEN turns it on",
                 "deliveries      GitHub lists none yet", f"webhook         {URL}", "installation    60001 on sneks-united", "all is well"]:
        assert f"\n{line}\n" in result.stdout
    assert not fake.unexpected()


def test_an_app_of_a_person_has_its_settings_elsewhere(check, fake):
    assert f"settings: {fake.url}/settings/apps/sneks-bot\n" in check().stdout


def test_the_console_is_named_with_its_address(check, tmp_path):
    token = tmp_path / "console.token"
    token.write_text("t" * 40)
    token.chmod(0o600)
    on = {"console": {"token_file": str(token)}}
    shown = check(config=on).stdout
    assert re.search(r"^console         https://bot\.example\.org/console, on this machine "
                     r"http://127\.0\.0\.1:\d+/console$", shown, re.M), shown
    shown = check(config={**on, "server": {}}).stdout
    assert re.search(r"^console         http://127\.0\.0\.1:\d+/console \(from another machine through a tunnel\)$",
                     shown, re.M), shown


def test_a_missing_permission_is_named_with_its_place(check, fake):
    fake.patch_state({"app": {"permissions": {"members": "read", "pull_requests": "write"}}})
    result = check(status=78)
    assert ('permission issues: the App has "No access", which is too little for plugin ping: set '
            f"{FORM}Repository permissions > Issues: Read and write\n") in result.stderr
    assert ('permission members: the App has "Read-only", which is too little for plugin invite: set '
            f"{FORM}Organization permissions > Members: Read and write\n") in result.stderr
    assert "pull_requests" not in result.stderr and "2 problems to fix" in result.stderr


def test_a_missing_event_is_a_warning_with_its_place(check, fake):
    fake.patch_state({"app": {"events": ["issues", "pull_request", "pull_request_review",
                                         "pull_request_review_comment"]}})
    result = check()
    assert result.stderr == (
        "warning: event issue_comment: plugin ping needs it, and the App does not seem to subscribe "
        f"to it: check {FORM}Subscribe to events > Issue comment (GitHub does not list every event; "
        "ignore this if it is checked)\n")
    assert "1 warning, no problem; with 1 of them, a plugin may do nothing\n" in result.stdout


def test_two_plugins_that_lack_something_are_named_together(check, fake):
    fake.patch_state({"app": {"events": ["push"]}})
    [line] = [line for line in check().stderr.splitlines() if " pull_request: " in line]
    assert "plugins invite and ping need it, " in line


def test_an_app_without_any_event_is_named_with_its_place(check, fake):
    fake.patch_state({"app": {"events": []}})
    assert check(status=78).stderr.splitlines() == [
        "events: the App subscribes to none, so GitHub sends it nothing that a plugin needs: check "
        f"{FORM}Subscribe to events > Issue comment, Issues, Pull request, Pull request review, "
        "Pull request review comment", "1 problem to fix"]


@pytest.mark.parametrize("url,server,message", [
    ("https://old.example.org/webhook/github", {"public_url": "https://bot.example.org"},
     "it is https://old.example.org/webhook/github, not that of server.public_url: set "
     f"{HOOK}Webhook URL: {URL}, or run `snekomatic hook --set-url -c {{file}}`"),
    ("https://bot.example.org/other", {"public_url": "https://bot.example.org"},
     "it is https://bot.example.org/other, not that of server.public_url: set "
     f"{HOOK}Webhook URL: {URL}, or run `snekomatic hook --set-url -c {{file}}`"),
    ("https://bot.example.org/", {}, "it is https://bot.example.org/, but the host receives webhooks "
     f"at /webhook/github only: set {HOOK}Webhook URL: https://YOUR-HOST/webhook/github")])
def test_a_wrong_url_is_named_with_its_place(check, fake, tmp_path, url, server, message):
    fake.settings(webhook_url=url)
    message = message.replace("{file}", str(tmp_path / "bot" / "snekomatic.toml"))
    assert f"webhook URL: {message}\n" in check(status=78, config={"server": server}).stderr


@pytest.mark.parametrize("url,why", [
    ("http://127.0.0.1:8000/webhook/github", "127.0.0.1 is this machine itself"),
    ("https://[::1]/webhook/github", "[::1] is this machine itself"),
    ("https://localhost/webhook/github", "localhost is this machine itself")])
def test_a_url_that_github_cannot_reach_is_named_with_its_place(check, fake, url, why):
    fake.settings(webhook_url=url)
    assert (f"webhook URL: it is {url}, and GitHub cannot reach it, because {why}: set {HOOK}Webhook URL: "
            "https://YOUR-HOST/webhook/github, or run `snekomatic hook --set-url https://YOUR-HOST -c "
            ) in check(status=78, config={"server": {}}).stderr


def test_a_url_that_leads_nowhere_is_named_in_webhook_mode(check, fake):
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github")
    error = check(status=78).stderr
    assert "it is https://snekomatic.invalid/webhook/github, which leads nowhere, and the host waits for " in error
    assert f'set receive = "pull" in the table [github] and restart it; to get webhooks, set {HOOK}Webhook URL: {URL}' \
        in error


def test_a_url_that_cannot_be_compared_is_a_warning_that_names_it(check, tmp_path):
    result = check(config={"server": {}})
    assert result.stderr == (
        f"warning: webhook URL: GitHub sends webhooks to {URL}, and server.public_url is not set, so nothing "
        "shows whether this is the bot's address. If it is, set public_url = \"https://bot.example.org\" in the "
        f"table [server] of {tmp_path}/bot/snekomatic.toml, or the variable SNEKOMATIC_PUBLIC_URL; if not, run "
        f"`snekomatic hook --set-url https://YOUR-HOST -c {tmp_path}/bot/snekomatic.toml`\n")
    assert "1 warning, no problem\n" in result.stdout


@contextlib.contextmanager
def answering(status):
    """The origin of a server that responds so to each POST."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def deliver(fake, status):
    """GitHub sends an event to a server that responds so; None: to nobody."""
    if status is None:
        return fake.deliver("issues", snek.payload("issue_comment.created"), unsent=True)
    with answering(status) as url:
        fake.settings(webhook_via=url)
        return fake.deliver("issues", snek.payload("issue_comment.created"))


@pytest.mark.parametrize("status,got,fix", [
    (None, "502 (", "GitHub or a proxy does not reach the host: start it"),
    (502, "502 (Invalid HTTP Response: 502)", "GitHub or a proxy does not reach the host: start it"),
    (401, "401 (Invalid HTTP Response: 401)", f"at {HOOK}Secret, or run `snekomatic hook --rotate -c "),
    (404, "404 (Invalid HTTP Response: 404)", "a proxy does not pass on the path /webhook/github"),
    (301, "301 (Invalid HTTP Response: 301)", "GitHub follows no redirect"),
    (503, "503 (Invalid HTTP Response: 503)", "see the host's log")])
def test_deliveries_that_all_failed_are_named_with_the_fix(check, fake, status, got, fix):
    fake.patch_state({"app": {"owner": "sneks-united"}})
    for _ in range(2):
        entry = deliver(fake, status)
    error = check(status=78).stderr
    assert "deliveries: GitHub could not deliver the last 2, and no other is listed. The newest got " + got in error
    assert f") for issues at {entry['delivered_at']}: " in error and fix in error
    assert f"{fake.url}/organizations/sneks-united/settings/apps/sneks-bot/advanced (Settings > Advanced > " in error


def test_the_last_deliveries_that_failed_are_a_warning_if_earlier_ones_arrived(check, fake):
    deliver(fake, 202)
    deliver(fake, 401)
    result = check()
    assert result.stderr.startswith("warning: deliveries: GitHub could not deliver the last 1. The newest got 401 ")
    entry = deliver(fake, 202)
    result = check()
    assert not result.stderr
    assert f"\ndeliveries      ok: the newest got 202 (OK) for issues at {entry['delivered_at']}\n" in result.stdout


def test_failed_deliveries_are_right_in_pull_mode(check, fake):
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github")
    entry = deliver(fake, None)
    result = check(config={"github": {"receive": "pull"}})
    assert not result.stderr
    assert ("\ndeliveries      ok: GitHub lists them for the host; the newest is issues at "
            f"{entry['delivered_at']}\n") in result.stdout


@pytest.mark.parametrize("server,url", [
    ({}, "https://YOUR-HOST/webhook/github"),
    ({"public_url": "https://bot.example.org"}, URL)])
def test_a_webhook_that_is_not_active_is_named_with_its_place(check, fake, server, url):
    fake.settings(webhook_active=False)
    assert (f"webhook: the App has none, or it is not active: check {HOOK}Active, and set Webhook URL: "
            f"{url}\n") in check(status=78, config={"server": server}).stderr


def test_a_missing_secret_is_named_with_its_place(check, fake):
    fake.settings(webhook_secret="")
    assert f"set {HOOK}Secret: " in check(status=78).stderr


@pytest.mark.parametrize("setting,value,message", [
    ("webhook_content_type", "form", f"set {HOOK}Content type: application/json"),
    ("webhook_insecure_ssl", "1", f"set {HOOK}SSL verification: Enable SSL verification")])
def test_a_weak_webhook_is_a_warning(check, fake, setting, value, message):
    fake.settings(**{setting: value})
    result = check()
    assert result.stderr.startswith("warning: webhook ") and message in result.stderr
    assert "1 warning, no problem" in result.stdout


def test_no_installation_is_named_with_its_place(check, fake):
    fake.patch_state({"app": {"permissions": {"members": "write", "issues": "write",
                                              "pull_requests": "write"}}, "installations": []})
    assert ("installations: there is none, so the bot gets no event: Settings > Install App, or open "
            f"{fake.url}/apps/sneks-bot/installations/new\n") in check(status=78).stderr


def test_a_suspended_installation_is_named(check, fake):
    fake.patch_state({"installations": [{"id": 60001, "suspended": True}]})
    line, nowhere, _ = check(status=78).stderr.splitlines()
    assert line.startswith("warning: installation 60001 (sneks-united) is suspended since 20")
    assert line.endswith(f"{fake.url}/organizations/sneks-united/settings/installations/60001 "
                         "> Unsuspend")
    assert nowhere == ("installations: plugins invite and ping can act in none of them: the warnings "
                       "above have the reason; otherwise plugin.installations names none of these "
                       "installations")


def test_an_installation_that_has_not_accepted_a_permission_is_named(check, fake):
    fake.patch_state({
        "app": {"permissions": {"issues": "write", "pull_requests": "write", "members": "write"}},
        "installations": [{"id": 60001, "permissions": {"issues": "read"}}]})
    line, nowhere, _ = check(status=78).stderr.splitlines()
    assert line == (
        "warning: installation 60001 (sneks-united) has not accepted a permission yet, so plugin ping "
        f"can do nothing there: an owner accepts it at {fake.url}/organizations/sneks-united/"
        "settings/installations/60001 > Review request: Permissions & events > Repository permissions "
        "> Issues: Read and write")
    assert nowhere.startswith("installations: plugin ping can act in none of them: ")


def test_a_bot_that_works_in_one_installation_has_only_a_warning_about_another(check, fake):
    accepted = {"issues": "write", "pull_requests": "write", "members": "write"}
    fake.patch_state({
        "organizations": [{"login": "other", "members": []}], "app": {"permissions": accepted},
        "installations": [{"id": 60001, "permissions": {"issues": "read"}},
                          {"id": 60002, "account": "other", "permissions": accepted}]})
    result = check()
    assert result.stderr.count("\n") == 1 and "installation 60001" in result.stderr
    assert "1 warning, no problem; with 1 of them, a plugin may do nothing\n" in result.stdout


def test_an_installation_needs_the_plugins_that_act_there_only(check, fake):
    fake.patch_state({
        "app": {"permissions": {"issues": "write", "pull_requests": "write", "members": "write"}},
        "installations": [{"id": 60001, "permissions": {"issues": "read", "members": "read"}}]})
    result = check(plugins=["invite", {"name": "ping", "installations": ["1"]}], status=78)
    line, nowhere, _ = result.stderr.splitlines()
    assert "plugin invite" in line and "Members: Read and write" in line
    assert "plugins invite and ping can act in none of them" in nowhere


def test_all_pages_of_installations_are_checked(check, fake):
    fake.patch_state({
        "organizations": [{"login": f"org-{number}", "members": []} for number in range(250)],
        "installations": [{"id": 70000 + number, "account": f"org-{number}", "suspended": number == 249,
                           "permissions": {"issues": "write", "pull_requests": "write",
                                           "members": "write"}} for number in range(250)]})
    result = check()
    assert result.stdout.count("\ninstallation    ") == 251
    assert "installation 70249 (org-249) is suspended" in result.stderr


def test_another_key_is_named_with_its_place(check, fake, tmp_path):
    another = snek.make_key(tmp_path / "another.pem")
    result = check(status=78, config={"github": {"private_key_file": str(another)}})
    assert "\nprivate key: GitHub rejects the app's JWT" in "\n" + result.stderr
    assert "Settings > General > Private keys > Generate a private key" in result.stderr
    assert f"Replace the key in {another} with the downloaded one\n" in result.stderr
    assert f"github.app_id ({snek.APP_ID}) is the number at Settings > General > About > App ID" in result.stderr
    assert f"list at {fake.url}/settings/apps, or, for an organization's,\n" in result.stderr
    assert f"  at {fake.url}/organizations/ORGANIZATION/settings/apps\n" in result.stderr


def test_a_key_of_another_app_is_named(check, fake):
    fake.fail("GET", "/app", status=200, body={"id": 7, "slug": "other-bot", "client_id": "Iv1.7"})
    result = check(status=78)
    assert "GitHub: the private key belongs to another App, other-bot, than github.app_id" \
        in result.stderr
    assert f"The other App's settings: {fake.url}/settings/apps/other-bot\n" in result.stderr
    assert "Settings > General > About > App ID" in result.stderr


def test_without_github_each_check_names_the_fix(check, fake):
    result = check(status=78, config={"github": {"api_url": "http://127.0.0.1:9"}})
    assert "GitHub: " in result.stderr and "check this machine's network, github.api_url" in result.stderr


def test_a_webhook_configuration_that_cannot_be_read_is_a_problem(check, fake):
    fake.fail("GET", "/app/hook/config", status=403, body={"message": "Nope"}, times=-1)
    assert "webhook: GET /app/hook/config" in check(status=78).stderr


def test_in_pull_mode_the_webhook_must_be_active_only(check, fake):
    fake.settings(webhook_url="https://pulled.invalid/", webhook_secret="", webhook_insecure_ssl="1")
    pull = {"github": {"receive": "pull"}, "server": {"public_url": "https://bot.example.org"}}
    result = check(config=pull)
    assert not result.stderr
    fake.settings(webhook_active=False)
    assert f"check {HOOK}Active" in check(status=78, config=pull).stderr


# -- hook ----------------------------------------------------------------------------------------


@pytest.fixture
def hook(fake, tmp_path):
    """hook(word...): the verb, for a bot that does not run."""
    fake.settings(webhook_url=URL, webhook_secret=snek.WEBHOOK_SECRET)
    bot = snek.Bot(fake, tmp_path / "bot", plugins=("ping",), start=False,
                   config={"server": {"public_url": "https://new.example.org"}})
    return lambda *words, status=0: bot.verb("hook", *words, status=status)


def test_hook_shows_the_webhook_without_its_secret(hook, fake):
    result = hook()
    assert result.stdout == f"""\
URL               {URL}
secret            set
content type      json
SSL verification  on
"""
    assert not fake.unexpected()
    fake.settings(webhook_secret="", webhook_insecure_ssl="1", webhook_content_type="form")
    assert "secret            none: the host rejects" in hook().stdout
    assert "SSL verification  off" in hook().stdout


def test_hook_warns_if_the_url_is_not_that_of_the_configuration(hook):
    assert not hook("--set-url").stderr and not hook("--set-url", "https://new.example.org").stderr
    error = hook("--set-url", "https://other.example.org").stderr
    assert error.startswith("warning: server.public_url belongs to another URL, https://new.example.org/webhook/github: "
                            "change server.public_url too, or run `snekomatic hook --set-url -c ")


@pytest.mark.parametrize("words,url", [
    ([], "https://new.example.org/webhook/github"),
    (["https://other.example.org"], "https://other.example.org/webhook/github"),
    (["https://other.example.org:8443/"], "https://other.example.org:8443/webhook/github"),
    (["https://other.example.org/bots/webhook/github"],
     "https://other.example.org/bots/webhook/github")])
def test_hook_sets_the_url_and_keeps_the_secret(hook, fake, words, url):
    fake.settings(webhook_content_type="form")
    assert f"URL               {url}\n" in hook("--set-url", *words).stdout
    settings = fake.settings()
    assert (settings["webhook_url"], settings["webhook_content_type"]) == (url, "json")
    assert settings["webhook_secret"] == snek.WEBHOOK_SECRET


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost", "https://[::1]/", "https://[::ffff:127.0.0.1]",
                                 "https://snekomatic.invalid", "https://bot.localhost"])
def test_hook_rejects_an_address_that_github_cannot_reach(hook, fake, url):
    assert "GitHub cannot reach " in hook("--set-url", url, status=64).stderr
    assert fake.settings()["webhook_url"] == URL


def test_hook_warns_of_http(hook, fake):
    assert "warning: GitHub sends the payloads without encryption" \
        in hook("--set-url", "http://bot.example.org").stderr
    assert fake.settings()["webhook_url"] == "http://bot.example.org/webhook/github"


def test_in_pull_mode_hook_sets_a_url_that_leads_nowhere(fake, tmp_path):
    fake.settings(webhook_url=URL)
    bot = snek.Bot(fake, tmp_path / "bot", plugins=("ping",), start=False,
                   config={"github": {"receive": "pull"}})
    assert not bot.verb("hook", "--set-url").stderr
    assert fake.settings()["webhook_url"] == "https://snekomatic.invalid/webhook/github"
    assert 'warning: github.receive is "pull"' in bot.verb("hook", "--set-url", URL).stderr
    assert fake.settings()["webhook_url"] == URL


@pytest.mark.parametrize("url", ["ftp://bot.example.org", "http://", "https://a b"])
def test_hook_rejects_what_is_no_url(hook, fake, url):
    assert "is no URL" in hook("--set-url", url, status=64).stderr
    assert fake.settings()["webhook_url"] == URL


def test_hook_names_a_webhook_that_is_not_active(hook, fake):
    fake.settings(webhook_active=False)
    for words in [], ["--set-url"]:
        assert f"check {HOOK}Active" in hook(*words, status=69).stderr
