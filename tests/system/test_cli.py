# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line as a user meets it: it shows the setup, and reports each error with its fix and an
exit status of sysexits."""

import json
import os
import pathlib
import re
import socket
import signal
import subprocess
import time

import pytest

import snek

VERBS = ["serve", "check", "plugins", "hook", "send", "deliveries", "recover", "reload", "version"]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*words, cwd=None, env=None, stdin=""):
    return subprocess.run([str(snek.program("snekomatic")), *map(str, words)], cwd=cwd, input=stdin,
                          env=snek.clean_environment(**(env or {})), capture_output=True, text=True,
                          timeout=60, check=False)


@pytest.fixture
def idle(fake, tmp_path):
    """A bot that is configured and not started."""
    def make(folder="bot", **options):
        return snek.Bot(fake, tmp_path / folder, start=False, **options)
    return make


def edited(bot, old, new):
    text = bot.file.read_text()
    assert old in text
    bot.file.write_text(text.replace(old, new))
    return bot


def test_every_verb_has_help():
    listed = run("--help")
    assert listed.returncode == 0
    for verb in VERBS:
        assert f"  {verb} " in listed.stdout
        shown = run(verb, "--help")
        assert shown.returncode == 0
        assert shown.stdout.startswith(f"Usage: snekomatic {verb}")
        assert "Exit status" in shown.stdout or verb == "version"


@pytest.mark.parametrize("words", [[], ["serv"], ["--nothing"], ["serve", "--nothing"],
                                   ["check", "one-too-many"], ["send"],
                                   ["plugins", "start"], ["plugins", "pause"],
                                   ["plugins", "--installation", "5"],
                                   ["plugins", "pause", "ping", "--item", "a/b#0"]])
def test_wrong_usage_is_64(words):
    result = run(*words)
    assert result.returncode == 64
    assert result.stderr


def test_a_configuration_may_have_the_name_of_an_action(idle):
    file = idle(plugins=["ping"]).file
    file.rename(file.with_name("pause"))
    result = run("plugins", "-c", "pause", cwd=file.parent)
    assert result.returncode == 0, result
    assert "plugin ping" in result.stdout


def test_version_names_program_and_abi():
    result = run("version")
    assert result.returncode == 0
    assert re.search(r"snekomatic +\d+\.\d+\.\d+", result.stdout)
    assert re.search(r"ABI +1\.0", result.stdout)


def test_check_shows_the_description_of_each_plugin(idle):
    result = run("check", "-c", idle(plugins=["invite", "ping"]).file)
    assert result.returncode == 0, result.stderr
    for text in ["plugin invite", "members: write", "pull_request.closed", "plugin ping", "/ping",
                 "all is well"]:
        assert text in result.stdout


def test_plugins_needs_no_credentials(idle):
    bot = idle(plugins=["ping"])
    text = bot.file.read_text()
    bot.file.write_text(re.sub(r"(?m)^(app_id|private_key_file|webhook_secret_file) *=.*$", "", text))
    result = run("plugins", "-c", bot.file)
    assert result.returncode == 0, result.stderr
    assert "/ping (anybody)" in result.stdout


def test_plugins_closes_with_what_the_app_needs(idle):
    result = run("plugins", "-c", idle(plugins=["invite", "ping"]).file)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("""\
your App needs (Settings > Permissions & events):
  Repository permissions
    Issues: Read and write
    Pull requests: Read and write
  Organization permissions
    Members: Read and write
  Subscribe to events
    Issue comment, Issues, Pull request, Pull request review,
    Pull request review comment
""")


@pytest.mark.parametrize("kind,warning", [
    ("permission", "declares the permission isues, which this version does not know; "
                   "did you mean issues?"),
    ("event", "subscribes to the event issue_coment, which this version does not know; "
              "did you mean issue_comment?"),
    ("action", "subscribes to issues.openned, an action that this version does not know; "
               "did you mean opened?")])
def test_a_misspelt_name_is_a_warning_with_the_nearest_right_one(idle, kind, warning):
    bot = idle(plugins=[f"misspelt-{kind}"])
    for verb in "plugins", "check":
        result = run(verb, "-c", bot.file)
        assert result.returncode == 0, result.stderr
        assert f"warning: plugin bad {warning}\n" in result.stderr
    assert "1 warning, no problem" in result.stdout


def test_plugins_shows_who_may_use_a_command_and_what_others_get(idle):
    result = run("plugins", "-c", idle(plugins=["roles"]).file)
    assert result.returncode == 0, result.stderr
    for text in ["/anybody (anybody): ", "/author (author; others get a reaction): ",
                 "/triage (triage): ", "/member (organization member; others get a reply): ",
                 "/mixed (author, triage, organization member; others get a reply): ",
                 "metadata: read"]:
        assert text in result.stdout


@pytest.mark.parametrize("permitted,ok", [
    (["issues:write", "pull_requests:write", "members:read"], True),
    (["issues:write", "pull_requests:write"], False)])
def test_a_list_of_permissions_needs_members_but_not_metadata_for_roles(idle, permitted, ok):
    result = run("plugins", "-c", idle(plugins=[{"name": "roles", "permissions": permitted}]).file)
    assert (result.returncode == 0) == ok, result.stderr
    assert ok or "members: read" in result.stderr


def test_a_plugin_with_commands_for_members_must_declare_the_permission(idle):
    result = run("check", "-c", idle(plugins=["bad-member"]).file)
    assert result.returncode == 78 and 'add {"members", "read"} to its permissions' in result.stderr


WRONG = {
    "an unknown key": ("listen = ", "lisen = ", r"snekomatic\.toml:2: .*lisen.*listen"),
    "a wrong type": ('delay_ms = 0', 'delay_ms = "0"', r"snekomatic\.toml:\d+: .*delay_ms"),
    "an impossible value": ("delay_ms = 0", "delay_ms = -1", r"snekomatic\.toml:\d+: .*delay_ms"),
    "a key of a later version": ("listen = ", "tls_key_file = 'x'\nlisten = ", r"server\.tls_key_file.*not supported"),
    "a DSN that is none": ("delay_ms = 0", "delay_ms = 0\n[sentry]\ndsn = 'x'", r"sentry\.dsn.*DSN"),
    "a secret where its file is meant": ("[store]", "webhook_secret = 'x'\n[store]",
                                         r"github\.webhook_secret; did you mean github\.webhook_secret_file"),
    "App ID 0": ("app_id = 31415", "app_id = 0", r"app_id"),
    "no TOML": ("[server]", "[server", r"snekomatic\.toml:1"),
    "a plain http API elsewhere": ("http://127.0.0.1", "http://api.example.com", r"api_url.*https"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("verb", ["check", "serve"])
def test_a_wrong_configuration_is_rejected_with_its_position(idle, case, verb):
    old, new, sentence = WRONG[case]
    result = run(verb, "-c", edited(idle(), old, new).file)
    assert result.returncode == 78
    assert re.search(sentence, result.stderr), result.stderr


def test_a_bad_private_key_is_rejected_at_start_without_a_byte_of_it(idle):
    bot = idle(credentials="environment")
    key = bot.env["GITHUB_PRIVATE_KEY"]
    for bad, word in [(key[:300], "END"), ("nonsense", "key"), ("", "GITHUB_PRIVATE_KEY")]:
        for verb in ("serve", "check"):
            result = run(verb, "-c", bot.file, env={**bot.env, "GITHUB_PRIVATE_KEY": bad})
            assert result.returncode == 78
            said = result.stdout + result.stderr
            assert word in said, said
            assert key.splitlines()[3] not in said


@pytest.mark.parametrize("form", ["PEM", "literal newlines", "base64"])
def test_a_key_in_the_environment_is_taken_in_each_form(fake, tmp_path, form):
    import base64
    pem = pathlib.Path(fake.key).read_text(encoding="ascii")
    text = {"PEM": pem, "literal newlines": pem.replace("\n", "\\n"),
            "base64": base64.b64encode(pem.encode()).decode()}[form]
    bot = snek.Bot(fake, tmp_path / "bot", credentials="environment",
                   env={"GITHUB_PRIVATE_KEY": text})
    merged = snek.payload("pull_request.closed.merged")
    bot.wait_log(msg="done", delivery=bot.deliver("pull_request", merged))
    bot.stop()


def test_serve_needs_no_file_when_the_environment_has_the_credentials(fake, tmp_path):
    result = run("serve", cwd=tmp_path, env={"GITHUB_APP_ID": "7"})
    assert result.returncode == 78
    assert "not configured: GITHUB_PRIVATE_KEY GITHUB_WEBHOOK_SECRET not set" in result.stderr


def test_a_missing_plugin_and_an_unsafe_one_are_rejected(idle, tmp_path):
    bot = idle(plugins=[{"path": str(tmp_path / "absent.so")}])
    for verb in ("check", "serve"):
        result = run(verb, "-c", bot.file)
        assert result.returncode == 78
        assert "absent.so" in result.stdout + result.stderr
    unsafe = tmp_path / "ping.so"
    unsafe.write_bytes(snek.program("ping.so").read_bytes())
    unsafe.chmod(0o777)
    result = run("check", "-c", idle("unsafe", plugins=[{"path": str(unsafe)}]).file)
    assert result.returncode == 78
    assert "writ" in result.stderr


@pytest.mark.parametrize("bad,sentence", [
    ("magic", "is no plugin of snekomatic|magic"), ("major", "ABI 2.*ABI 1"),
    ("minor", r"1\.1"), ("symbol", "snek_plugin_entry"), ("small", "bytes")])
def test_an_incompatible_plugin_is_rejected_with_the_reason(idle, bad, sentence):
    bot = idle(plugins=[f"bad-{bad}"])
    for verb in ("check", "serve"):
        result = run(verb, "-c", bot.file)
        assert result.returncode == 78
        said = result.stdout + result.stderr
        assert re.search(sentence, said), said


def test_check_reports_a_plugin_that_does_not_end(idle):
    result = run("check", "-c", idle(plugins=["bad-destroy"]).file)
    assert result.returncode == 78
    assert "does not end: its destroy() does not return" in result.stderr


def test_check_survives_a_plugin_that_sets_a_timer_without_a_run(idle):
    plugin = {"name": "misbehave", "config": {"crash_in": "timer in destroy"}}
    result = run("check", "-c", idle(plugins=[plugin]).file)
    assert result.returncode == 0 and "plugin misbehave 1" in result.stdout


def test_two_plugins_with_one_command_are_rejected(idle, tmp_path):
    copy = tmp_path / "again.so"
    copy.write_bytes(snek.program("ping.so").read_bytes())
    copy.chmod(0o755)
    bot = idle(plugins=["ping", {"path": str(copy)}])
    result = run("check", "-c", bot.file)
    assert result.returncode == 78
    assert "ping" in result.stderr
    assert run("serve", "-c", bot.file).returncode == 78


def test_a_wrong_plugin_configuration_is_rejected_with_its_key(idle):
    bot = idle(plugins=[{"name": "invite", "config": {"mesage": "hi"}}])
    result = run("check", "-c", bot.file)
    assert result.returncode == 78
    assert "mesage" in result.stderr and "message" in result.stderr


def test_a_configuration_for_a_plugin_without_one_is_rejected(idle):
    result = run("check", "-c", idle(plugins=[{"name": "ping", "config": {"x": 1}}]).file)
    assert result.returncode == 78
    assert "takes no configuration" in result.stderr


WITHOUT_USE = {
    "a store in no folder": ({"store": {"url": "sqlite:/nowhere/x.db"}}, "store: .*/nowhere"),
    "a store where no files can be": ({"store": {"url": "sqlite:/proc/x.db"}}, "store: .*/proc"),
    "a store that is a folder": ({"store": {"url": "sqlite:/etc"}}, "store: .*not a regular file"),
    "a store that is a text": ({"store": {"url": f"sqlite:{__file__}"}},
                               "store: .*not a database"),
    "a database that does not answer": (
        {"store": {"url": "postgres://snek:s3cret@127.0.0.1:1/bot"}},
        "store: .*127.0.0.1.*refused"),
    "an address without a host": ({"server": {"listen": "nohost.invalid:0"}},
                                  r"server\.listen: .*nohost\.invalid:0"),
    "an address of another machine": ({"server": {"listen": "192.0.2.1:8000"}},
                                      r"server\.listen: .*192\.0\.2\.1:8000"),
    "authorities in no file": ({"github": {"ca_file": "/nowhere/ca"}}, r"github\.ca_file: .*/nowhere"),
    "authorities that are a text": ({"github": {"ca_file": snek.__file__}},
                                    r"github\.ca_file: .*no usable certificates"),
}


@pytest.mark.parametrize("case", WITHOUT_USE)
def test_check_reports_what_serve_cannot_use(idle, case):
    config, sentence = WITHOUT_USE[case]
    result = run("check", "-c", idle(config=config).file)
    assert result.returncode == 78, result.stdout + result.stderr
    assert re.search(sentence, result.stderr), result.stderr
    assert "all is well" not in result.stdout and "s3cret" not in result.stderr


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_check_warns_of_a_key_that_everybody_can_read(idle, tmp_path, fake):
    bot = idle()
    key = tmp_path / "open.pem"
    key.write_bytes(fake.key.read_bytes())
    edited(bot, str(fake.key), str(key))
    for mode, status, sentence in [(0o600, 0, ""), (0o440, 0, ""), (0o644, 0, "can read"),
                                   (0o666, 78, "can change")]:
        key.chmod(mode)
        result = run("check", "-c", bot.file)
        assert result.returncode == status, result.stderr
        assert sentence in result.stderr
        assert ("all is well" in result.stdout) == (sentence == "")


def test_check_warns_of_a_short_webhook_secret(idle):
    bot = idle()
    (bot.folder / "webhook.secret").write_text("~q~\n")
    result = run("check", "-c", bot.file)
    assert result.returncode == 0
    assert "it has 3 characters" in result.stderr and "openssl rand" in result.stderr
    assert "all is well" not in result.stdout and "~q~" not in result.stdout + result.stderr


def test_check_reports_a_port_that_another_program_uses(start_bot):
    bot = start_bot()
    bot.file.write_text(bot.file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{bot.port}"))
    result = run("check", "-c", bot.file)
    assert result.returncode == 0 and "a host runs there" in result.stdout, result.stderr
    bot.stop()
    with socket.create_server(("127.0.0.1", bot.port)):
        result = run("check", "-c", bot.file)
    assert result.returncode == 78
    assert "another program uses it" in result.stderr


def test_check_says_that_only_github_knows_whose_key_it_is(idle):
    result = run("check", "-c", idle().file)
    assert "only `check --online` can tell" in result.stdout


@pytest.mark.parametrize("days,word", [(2, "behind"), (-2, "ahead of")])
def test_check_online_names_a_clock_that_is_wrong(idle, fake, days, word):
    fake.settings(clock_skew_s=days * 86400)
    result = run("check", "--online", "-c", idle().file)
    assert result.returncode == 78
    assert re.search(rf"^clock: this machine's clock is 17\d{{4}} s {word} GitHub's; set it",
                     result.stderr, re.M), result.stderr


def test_check_changes_nothing(idle, start_bot):
    bot = idle(plugins=["ping"])
    before = contents(bot.folder)
    result = run("check", "-c", bot.file)
    assert result.returncode == 0, result.stderr
    assert contents(bot.folder) == before, "a store that is not there yet"
    (bot.folder / "snekomatic.db").touch()
    before = contents(bot.folder)
    assert run("check", "-c", bot.file).returncode == 0
    assert contents(bot.folder) == before, "one that is empty"

    running = start_bot(plugins=["ping"])
    assert run("check", "-c", running.file).returncode == 0, "one that a host has"
    running.stop()
    before = contents(running.folder)
    assert run("check", "-c", running.file).returncode == 0
    assert contents(running.folder) == before, "one that a host had"


def test_check_accepts_an_empty_database(idle, database, store):
    bot = idle(plugins=["ping"], config={"store": {"url": store}})
    result = run("check", "-c", bot.file)
    assert result.returncode == 0, result.stderr
    schema = re.search(r"store_\d+", store).group()
    assert database.sql(f"SELECT 1 FROM pg_tables WHERE schemaname = '{schema}'") == []
    database.sql(f"DROP SCHEMA {schema}")
    result = run("check", "-c", bot.file)
    assert result.returncode == 78
    assert "may not create tables" in result.stderr


# Nobody has the key of this certificate.
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUQtcBfnd/xodQ974f3/B6Aduza1gwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjUwMTU0MTNaGA8yMTI2MTEwMTAxNTQx
M1owDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHgV
LR2IlTyYSH/Pw/MuF5U2fCgCZ7utJosJ6Lxo/pRgoxKruQIeRybh7ciAvelCENo5
Lbn4Qfmf9++aROMS3T6jUzBRMB0GA1UdDgQWBBTzuFY5crtHqGXP3XtgXXa4EOt8
nDAfBgNVHSMEGDAWgBTzuFY5crtHqGXP3XtgXXa4EOt8nDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDcVWjCsGB6vXMQ/t8203pTesGACukDA/Hx
Q/KH+SDIfAIhAM7WOa2lJJSdQ7bAIGlv4HkhU1FqpCxczEdfMHEze386
-----END CERTIFICATE-----
"""


def test_check_accepts_certificates(idle, tmp_path):
    (tmp_path / "ca.pem").write_text(AUTHORITY, encoding="ascii")
    result = run("check", "-c", idle(config={"github": {"ca_file": str(tmp_path / "ca.pem")}}).file)
    assert result.returncode == 0, result.stderr


def test_check_shows_a_database_without_its_password(idle):
    url = "postgres://snek:s3cret-of-nobody@db.example:5433/bot"
    result = run("check", "-c", idle(config={"store": {"url": url}}).file)
    assert "postgres://db.example:5433/bot" in result.stdout
    assert "s3cret" not in result.stdout + result.stderr
    result = run("check", "-c", idle("wrong", config={"store": {"url": url + "?colour=red"}}).file)
    assert result.returncode == 78
    assert "store: its URL is not one" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr


def test_check_reports_that_no_plugin_is_configured(idle):
    result = run("check", "-c", idle(plugins=[]).file)
    assert result.returncode == 0
    assert "no plugins" in result.stdout


def test_an_installation_that_was_moved_finds_its_worker_and_plugins(fake, tmp_path):
    """A buildpack installs below one folder and runs below another."""
    build = snek.build_directory()
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir",
                    str(tmp_path / "first")], check=True, capture_output=True,
                   env={**os.environ, "PATH": "/usr/bin:/bin"})
    (tmp_path / "first").rename(tmp_path / "second")
    binary = next((tmp_path / "second").rglob("bin/snekomatic"))
    env = {"GITHUB_APP_ID": snek.APP_ID, "GITHUB_WEBHOOK_SECRET": "x",
           "GITHUB_PRIVATE_KEY": pathlib.Path(fake.key).read_text(encoding="ascii")}
    result = subprocess.run([str(binary), "check"], cwd=tmp_path, capture_output=True, text=True,
                            env=snek.clean_environment(**env), check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "plugin invite" in result.stdout and "plugin ping" in result.stdout
    assert next((tmp_path / "second").rglob("snekomatic.pc")).read_text().count("plugindir") == 1


def test_an_address_in_use_is_reported(start_bot, idle):
    first = start_bot(plugins=["ping"])
    bot = idle("second", config={"server": {"listen": f"127.0.0.1:{first.port}"}})
    result = run("serve", "-c", bot.file)
    assert result.returncode in (69, 71)
    assert "in use" in result.stdout + result.stderr


def test_port_wins_over_the_file(fake, tmp_path):
    bot = snek.Bot(fake, tmp_path / "bot", config={"server": {"listen": "127.0.0.1:1"}},
                   env={"PORT": "0"})
    assert bot.port > 1
    bot.stop()


def test_send_signs_and_posts_the_bytes_as_they_are(start_bot, tmp_path):
    host = start_bot(plugins=["ping"])
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(snek.payload("issues.opened")))
    url = f"{host.url}/webhook/github"
    result = run("send", "-c", host.file, "--url", url, "--delivery", "a-guid", "issues", file)
    assert result.returncode == 0, result.stderr
    assert host.wait_log(msg="stored", delivery="a-guid")["event"] == "issues"
    assert "warning" not in result.stderr
    result = run("send", "-c", host.file, "--url", url, "issue_coment", file)
    assert result.returncode == 0
    assert "no event 'issue_coment'; did you mean issue_comment?" in result.stderr
    wrong = tmp_path / "wrong"
    wrong.write_text("another secret")
    result = run("send", "--url", url, "--secret-file", wrong, "issues", file)
    assert result.returncode not in (0, 69)
    assert "401" in result.stdout + result.stderr
    host.stop()
    assert run("send", "-c", host.file, "--url", url, "issues", file).returncode == 69


def test_the_readme_shows_hello_whole():
    hello = (ROOT / "plugins/hello/hello.c").read_text(encoding="utf-8")
    assert f"```c\n{hello}```" in (ROOT / "README.md").read_text(encoding="utf-8")


def demo(**env):
    return subprocess.run([str(ROOT / "tests/harness/demo.sh"), str(snek.build_directory()), "--once"],
                          env={**os.environ, "PORT": "0", **env}, capture_output=True, text=True,
                          timeout=120, check=False)


@pytest.mark.parametrize("env", [{}, {"GITHUB_WEBHOOK_SECRET": "another", "SENTRY_DSN": "https://x",
                                      "DATABASE_URL": "mysql://x", "GITHUB_APP_ID": "0"}],
                         ids=["clean", "with-a-bot-of-ones-own"])
def test_the_demo_runs_and_ends_cleanly(env):
    result = demo(**env)
    assert result.returncode == 0, result.stdout + result.stderr
    words = re.findall(r"^  (\w+) +", result.stdout, flags=re.MULTILINE)
    told = [word for word in words if word in ("stored", "routed", "invited", "commented", "done")]
    assert told == ["stored", "routed", "invited", "commented", "done"], result.stdout
    # The comment and the state of the fake, without the host's marker.
    assert "| Hi @hatchling-hana!" in result.stdout
    assert "hatchling-hana (invited)" in result.stdout
    assert re.search(r"^ +sneks-bot\[bot\] writes:\n +Hi @hatchling-hana!", result.stdout, re.M)
    assert "<!--" not in result.stdout


def test_the_commands_that_the_demo_suggests_work(tmp_path):
    shown = tmp_path / "shown"
    with shown.open("w") as output:
        process = subprocess.Popen([ROOT / "tests/harness/demo.sh", snek.build_directory()],
                                   env={**os.environ, "PORT": "0"}, stdout=output,
                                   stderr=subprocess.STDOUT)

    def appears(text):
        deadline = time.monotonic() + snek.PATIENCE_S
        while text not in shown.read_text():
            assert time.monotonic() < deadline and process.poll() is None, shown.read_text()
            time.sleep(0.05)

    def follow(command):
        return subprocess.run(command, shell=True, check=True, timeout=60, capture_output=True,
                              text=True).stdout

    try:
        appears("Ctrl-C ends")
        send, show = re.findall(r"^  (env -i .*|python3 .*)$", shown.read_text(), re.M)
        follow(send)
        appears("| pong!")
        appears("done       plugin ping")
        assert re.search(r"sneks-bot\[bot\] writes:\n +pong!", follow(show))
        # A payload with GitHub's own URLs: nothing is sent, and the demonstration says so.
        follow(re.sub(r"\S+/payloads/(\S+)$", rf"{ROOT}/tests/payloads/\1", send))
        appears("failed     POST https://api.github.com/")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_a_demo_that_cannot_run_fails_with_the_reason():
    result = demo(PORT="70000")
    assert result.returncode != 0
    assert "server.listen must have a port from 0 to 65535" in result.stdout + result.stderr


def test_send_rejects_unusable_arguments(idle, tmp_path):
    file = tmp_path / "payload.json"
    file.write_text("{}")
    url = ["--url", "http://127.0.0.1:9/webhook/github"]
    long_id = run("send", "-c", idle().file, *url, "--delivery", "a" * 129, "issues", file)
    assert long_id.returncode == 64 and "at most 128" in long_id.stderr
    long_event = run("send", "-c", idle().file, *url, "e" * 101, file)
    assert long_event.returncode == 64 and "at most 100" in long_event.stderr


@pytest.mark.parametrize("verb", ["plugins", "check"])
def test_a_plugin_under_inspection_finds_no_secret_in_its_parents_environment(idle, verb):
    marker = "marker-of-a-secret"
    # With the sandbox it could not even look.
    bot = idle(plugins=[{"name": "snoop", "sandbox": "off"}])
    result = run(verb, "-c", bot.file, env={
        "GITHUB_WEBHOOK_SECRET": marker * 3, "GITHUB_WEBHOOK_SECRET_PREVIOUS": marker * 3,
        "DATABASE_URL": f"sqlite:{bot.folder}/{marker}.db", "GITHUB_PRIVATE_KEY_NEXT": marker,
        "SENTRY_DSN": "https://abc@sentry.example/1", "PGPASSWORD": marker,
        "https_proxy": f"http://user:{marker}@127.0.0.1:1", "ANYTHING_ELSE": marker})
    assert "plugin snoop" in result.stdout, result.stderr
    assert re.search(r"snoop 1 .*: (found 0 secrets|cannot read the parent's environment)",
                     result.stdout), result.stdout
