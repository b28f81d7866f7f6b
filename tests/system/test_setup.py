# SPDX-License-Identifier: MIT OR Apache-2.0
"""The setup by GitHub's manifest flow, through the real binaries, as a browser without scripts."""

import base64
import html
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import urllib.parse

import pytest

import snek
from setup_flow import FORM, Browser

PUBLIC = "https://bot.example.org"


class Setup:
    """A running `serve` that has no App, and a browser."""

    def __init__(self, fake, folder, *words, env=None, config=None, start=True):
        self.fake, self.folder = fake, pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.env = snek.clean_environment(**{"PORT": "0", "GITHUB_API_URL": fake.url, "SNEKOMATIC_LOG": "debug",
                                             **(env or {})})
        if config is not None:
            (self.folder / "snekomatic.toml").write_text(config)
        self.browser = Browser()
        self.process = snek.Process([snek.program("snekomatic"), "serve", *words], self.env, cwd=self.folder)
        if start:
            self.link = self.process.wait_log(msg="setup_link")["link"]
            self.port = int(self.process.wait_log(msg="listening")["port"])
            self.url = f"http://127.0.0.1:{self.port}"
            self.path = self.link[self.link.index("/setup"):]

    def open(self):
        """The first page, after the link."""
        claimed = self.browser.get(self.url + self.path)
        assert (claimed.status, claimed.location) == (303, "/setup"), claimed
        return self.page()

    def page(self):
        return self.browser.get(self.url + "/setup")

    def choose(self, page=None, **entries):
        """Sends the first form; with an address, or in pull mode."""
        pull = entries.get("pull") == "yes"
        chosen = {"organization": "sneks-united", "name": "Sneks Bot", "pull": "no",
                  "address": "" if pull else PUBLIC, **entries}
        return self.browser.submit(self.url, (page or self.page()).form("/manifest"), **chosen)

    def callback(self, **entries):
        """The URL to which GitHub leads back."""
        sent = self.choose(**entries)
        assert sent.status == 200, sent
        asked = self.browser.submit(self.url, sent.forms[0])
        assert asked.status == 200, asked
        created = self.browser.submit(self.fake.url, asked.forms[0])
        assert created.status == 302, created
        return created.location

    def make(self, **entries):
        """Up to the page that shows the App."""
        self.open()
        exchanged = self.browser.get(self.callback(**entries))
        assert (exchanged.status, exchanged.location) == (303, "/setup"), exchanged
        return self.page()

    def finish(self, page=None):
        return self.browser.submit(self.url, (page or self.page()).form("/finish"))

    def install(self, end):
        """With the link of the last page."""
        link = next(link for link in end.links if "/installations/" in link)
        done = self.browser.submit(link, self.browser.get(link).forms[0], account="sneks-united")
        assert done.status == 200, done

    def wait_ready(self):
        def ready():
            try:
                return snek.request("GET", f"{self.url}/readyz").status == 200
            except OSError:
                return False

        snek.wait_until(ready, self.process.output)

    def file(self, pattern):
        return next(self.folder.glob(pattern))

    def secrets(self):
        """The credentials that the setup has stored."""
        return [self.file("app-*.private-key.pem").read_text().strip(),
                self.file("app-*.webhook-secret").read_text().strip()]


@pytest.fixture
def start(fake, tmp_path):
    running = []

    def begin(*words, folder="bot", **options):
        running.append(Setup(fake, tmp_path / folder, *words, **options))
        return running[-1]

    yield begin
    for setup in running:
        if setup.process.popen.poll() is None:
            assert setup.process.end() == 0, setup.process.output()


@pytest.fixture
def setup(start):
    return start()


def text_of(page):
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.S))


# ---- the whole way

def test_a_bot_without_anything_gets_an_app_and_starts(setup, fake):
    made = setup.make()
    assert "sneks-bot" in text_of(made) and "app-" in text_of(made)
    end = setup.finish(made)
    assert end.status == 200 and f"{fake.url}/apps/sneks-bot/installations/new" in end.links
    setup.wait_ready()
    # The host uses the App: GitHub accepts its JWTs.
    assert fake.wait_requests(path="/app/hook/deliveries", status=200)
    app = fake.state["app"]
    assert app["owner"] == "sneks-united"
    assert app["permissions"] == {"issues": "write", "pull_requests": "write", "members": "write"}
    assert app["events"] == ["issue_comment", "issues", "pull_request", "pull_request_review",
                             "pull_request_review_comment"]
    assert fake.settings()["webhook_url"] == f"{PUBLIC}/webhook/github"
    signed = setup.secrets()[1]
    body = json.dumps(snek.payload("issues.opened")).encode()
    answer = snek.request("POST", f"{setup.url}/webhook/github", body,
                          {"Content-Type": "application/json", "X-GitHub-Event": "issues",
                           "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": snek.signature(body, signed)})
    assert answer.status == 202, answer


def test_the_files_belong_to_the_bot_only_and_a_second_start_needs_no_setup(setup, start):
    setup.make()
    for pattern in ("app-*.private-key.pem", "app-*.webhook-secret", "snekomatic.toml"):
        assert stat.S_IMODE(setup.file(pattern).stat().st_mode) == 0o600
    assert not list(setup.folder.glob("*.new"))
    setup.finish()
    setup.wait_ready()
    assert setup.process.end() == 0
    again = start(start=False)
    again.port = int(again.process.wait_log(msg="listening")["port"])
    again.url = f"http://127.0.0.1:{again.port}"
    again.wait_ready()
    assert not again.process.log(msg="setup_link")


def test_the_page_lists_plugins_permissions_and_events(setup):
    page = text_of(setup.open())
    for words in ("invite", "ping", "Members", "Read and write", "Pull request review comment"):
        assert words in page
    assert 'lang="en"' in setup.page().text


def test_a_connection_during_the_change_to_the_host_is_not_refused(setup):
    setup.make()
    setup.finish()
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", setup.port), timeout=snek.PATIENCE_S):
            pass
    setup.wait_ready()


def test_the_app_may_belong_to_an_account(setup, fake):
    setup.open()
    sent = setup.choose(owner="account", organization="")
    assert sent.forms[0]["action"].startswith(f"{fake.url}/settings/apps/new?state=")
    assert json.loads(sent.forms[0]["fields"]["manifest"])["public"] is False


# ---- the link, the cookie, the form's token

def test_the_link_works_once_and_in_one_browser(setup):
    setup.open()
    other = Browser()
    again = other.get(setup.url + setup.path)
    assert again.status == 403 and "used already" in text_of(again)
    assert not other.cookies
    # The browser that has used it may go on.
    assert setup.browser.get(setup.url + setup.path).location == "/setup"


def test_a_wrong_link_opens_nothing(setup):
    for link in ("", "x", setup.path.split("=")[1][:-1], setup.path.split("=")[1] + "A"):
        page = setup.browser.get(f"{setup.url}/setup?link={link}")
        assert page.status == 403 and "is wrong" in text_of(page)
    assert not setup.browser.cookies
    setup.open()


def test_without_the_cookie_every_page_is_closed(setup):
    page = setup.open()
    form = page.form("/manifest")
    stranger = Browser()
    for path in ("/setup", "/setup/callback?code=abc&state=def"):
        assert stranger.get(setup.url + path).status == 403
    for path in ("/setup/manifest", "/setup/lines", "/setup/finish"):
        answer = stranger.submit(setup.url + path, {**form, "action": setup.url + path})
        assert answer.status == 403, (path, answer)
    stranger.cookies[f"127.0.0.1:{setup.port}"] = "snekomatic_setup=" + "A" * 43
    assert stranger.get(setup.url + "/setup").status == 403


def test_the_cookie_is_for_the_setup_only_and_not_for_scripts(setup):
    cookie = Browser().get(setup.url + setup.path).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/setup"} <= set(cookie.split("; "))


def test_a_form_of_another_page_is_rejected(setup):
    form = setup.open().form("/manifest")
    entries = {"organization": "sneks-united", "name": "Sneks Bot", "pull": "no", "address": PUBLIC}
    for token in (None, "", "A" * 43):
        assert setup.browser.submit(setup.url, form, form=token, **entries).status == 403
    assert setup.browser.submit(setup.url, form, headers={"Sec-Fetch-Site": "cross-site"}, **entries).status == 403
    assert setup.browser.submit(setup.url, form, headers={"Content-Type": "text/plain"}, **entries).status == 415
    assert setup.browser.submit(setup.url, form, more="x", **entries).status == 400
    twice = setup.browser.request("POST", f"{setup.url}/setup/manifest", "name=a&name=b", {"Content-Type": FORM})
    assert twice.status == 400
    large = setup.browser.request("POST", f"{setup.url}/setup/manifest", "name=" + "a" * 9000, {"Content-Type": FORM})
    assert large.status == 413
    assert setup.browser.submit(setup.url, form, headers={"Sec-Fetch-Site": "same-origin"}, **entries).status == 200


# ---- the host

def test_only_our_own_hosts_are_accepted(start):
    setup = start(env={"SNEKOMATIC_PUBLIC_URL": PUBLIC})
    assert setup.link.startswith(f"{PUBLIC}/setup?link=")
    for host in ("evil.example", f"evil.example:{setup.port}", "bot.example.org.evil.example", "10.1.2.3",
                 "bot.example.org:8443", "localhost.evil.example", "127.0.0.1.evil.example"):
        answer = setup.browser.get(setup.url + setup.path, headers={"Host": host})
        assert answer.status == 403 and "not accepted" in text_of(answer), host
    for host in ("localhost", f"localhost:{setup.port}", "127.0.0.1:9", "[::1]:80", "bot.example.org",
                 "BOT.example.org:443"):
        assert "needs its link" in text_of(setup.browser.get(setup.url + "/setup", headers={"Host": host})), host


def test_behind_tls_the_cookie_is_secure_and_github_leads_back_to_the_public_url(start, fake):
    setup = start(env={"SNEKOMATIC_PUBLIC_URL": PUBLIC})
    setup.browser.hosts["bot.example.org"] = ("127.0.0.1", setup.port)
    claimed = setup.browser.get(setup.link)
    assert "Secure" in claimed.headers["Set-Cookie"].split("; ")
    page = setup.browser.get(f"{PUBLIC}/setup")
    assert page.form("/manifest")["fields"]["address"] == PUBLIC
    sent = setup.browser.submit(PUBLIC, page.form("/manifest"), organization="sneks-united", name="Bot")
    manifest = json.loads(sent.forms[0]["fields"]["manifest"])
    assert manifest["redirect_url"] == f"{PUBLIC}/setup/callback"
    assert sent.headers["Content-Security-Policy"].count(fake.url) == 1


# ---- what a person enters

@pytest.mark.parametrize("entries, words", [
    ({"organization": ""}, "Enter the organization"),
    ({"organization": "a/../b"}, "not the name of an organization"),
    ({"organization": "a" * 40}, "not the name of an organization"),
    ({"name": ""}, "Enter a name"),
    ({"name": "x" * 35}, "too long"),
    ({"address": ""}, "public address is missing"),
    ({"address": "http://bot.example.org"}, "must start with https://"),
    ({"address": "https://bot.example.org/path"}, "without a path"),
    ({"address": "https://127.0.0.1:8000"}, "one that GitHub can reach"),
    ({"address": PUBLIC, "pull": "yes"}, 'An address is entered, but "I have no public address" is chosen'),
    ({"organization": "sneks-united", "owner": "account"}, 'but "My own account" is chosen'),
])
def test_a_wrong_entry_is_named_beside_its_field(setup, entries, words):
    setup.open()
    answer = setup.choose(**entries)
    assert answer.status == 422 and words in text_of(answer), answer
    field = next(iter(entries))
    assert f'id="{field}-problem"' in answer.text and 'aria-invalid="true"' in answer.text
    # The form keeps the right values.
    kept = answer.form("/manifest")["fields"]
    assert all(kept[name] == value for name, value in
               {"organization": "sneks-united", "name": "Sneks Bot", "address": PUBLIC, **entries}.items()
               if name in entries and len(entries) > 1 or name not in entries)


@pytest.mark.parametrize("public, pull", [(None, "yes"), (PUBLIC, "no")])
def test_without_a_public_address_the_form_proposes_pull_mode(start, public, pull):
    setup = start(env={"SNEKOMATIC_PUBLIC_URL": public} if public else None)
    fields = setup.open().form("/manifest")["fields"]
    assert (fields["pull"], fields["address"]) == (pull, public or "")


def test_after_the_variables_the_page_does_not_offer_them_again(setup):
    made = setup.make()
    assert "The next page shows them" in text_of(made)
    setup.browser.submit(setup.url, made.form("/lines"))
    back = setup.page()
    assert "has shown them already" in text_of(back) and "next page" not in text_of(back)
    assert not [form for form in back.forms if form["action"].endswith("/lines")]


def test_a_person_who_comes_back_finds_what_they_entered(setup):
    setup.open()
    entered = {"organization": "", "owner": "account", "name": "My Bot", "pull": "no", "address": PUBLIC}
    assert setup.choose(**entered).status == 200
    fields = setup.page().form("/manifest")["fields"]
    assert {name: fields[name] for name in entered} == entered


def listens(address, port):
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


def test_in_pull_mode_the_bot_listens_on_this_machine_only(start):
    setup = start()
    assert listens("127.0.0.2", setup.port)
    setup.make(pull="yes")
    end = setup.finish()
    assert "listens on this machine only" in text_of(end)
    setup.wait_ready()
    assert not listens("127.0.0.2", setup.port)
    assert '[server]\nlisten = "127.0.0.1:8000"\n' in setup.file("snekomatic.toml").read_text()
    # The App has a webhook secret, so a webhook could be signed.
    sent = subprocess.run([snek.program("snekomatic"), "send", "ping", "-"], cwd=setup.folder, input="{}",
                          env=setup.env, text=True, capture_output=True, timeout=60, check=False)
    assert sent.returncode == 78 and 'github.receive is "pull"' in sent.stderr and not sent.stdout


def test_in_pull_mode_a_configuration_that_names_an_address_keeps_it(start):
    setup = start("--setup", config='[server]\nlisten = "127.0.0.3:0"\n\n[[plugin]]\npath = "ping"\n')
    setup.url = setup.url.replace("127.0.0.1", "127.0.0.3")
    setup.make(pull="yes")
    setup.finish()
    setup.wait_ready()
    text = setup.file("snekomatic.toml").read_text()
    assert text.count("listen") == 1 and 'receive = "pull"' in text


@pytest.mark.parametrize("pull, address", [("yes", "127.0.0.1"), ("no", "0.0.0.0")])
def test_the_port_of_the_variable_is_stored(start, pull, address):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    setup = start(env={"PORT": str(port)})
    setup.make(pull=pull)
    assert f'[server]\nlisten = "{address}:{port}"\n' in setup.file("snekomatic.toml").read_text()


def test_a_key_that_cannot_be_used_is_not_stored(setup, fake):
    setup.open()
    back = setup.callback()
    fake.fail("POST", "/app-manifests/", status=201, body={
        "id": 7, "slug": "sneks-bot", "pem": "-----BEGIN RSA PRIVATE KEY-----\nbm8=\n"
        "-----END RSA PRIVATE KEY-----\n", "webhook_secret": "0123456789abcdef"})
    assert setup.browser.get(back).status == 303
    assert "generate another one in the App" in text_of(setup.page())
    assert not list(setup.folder.iterdir())


def test_a_key_that_an_earlier_setup_left_is_named(start, tmp_path):
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/app-7.private-key.pem").write_text("a key")
    setup = start()
    left = setup.process.wait_log(msg="setup_key_left")
    assert left["file"] == "app-7.private-key.pem" and left["directory"] == str(tmp_path / "bot")


def test_a_store_that_does_not_respond_may_have_deliveries(tmp_path):
    done = rejected(tmp_path, env={"DATABASE_URL": "postgres://bot@127.0.0.1:9/bot"})
    assert done.returncode == 75 and "the store may have deliveries" in done.stdout, done


def test_entries_are_escaped(setup):
    setup.open()
    answer = setup.choose(name="<b>\"&' x", organization="\"><script>")
    assert answer.status == 422
    assert "<b>" not in answer.text and "<script" not in answer.text
    assert answer.form("/manifest")["fields"]["name"] == "<b>\"&' x"
    sent = setup.choose(name="<b>\"&'")
    assert "<b>" not in sent.text
    assert json.loads(sent.forms[0]["fields"]["manifest"])["name"] == "<b>\"&'"


def test_every_page_forbids_scripts_frames_and_caches(setup, fake):
    page = setup.open()
    pages = [page, setup.choose(page), setup.choose(page, name="")]
    setup.browser.get(setup.callback(name="Another"))
    made = setup.page()
    pages += [made, setup.browser.submit(setup.url, made.form("/lines")), Browser().get(setup.url + "/setup")]
    for one in pages:
        policy = one.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert one.headers["Cache-Control"] == "no-store" and one.headers["X-Content-Type-Options"] == "nosniff"
        assert one.headers["Referrer-Policy"] == "no-referrer" and "<script" not in one.text
        assert not re.search(r"\b(src|href|action)=\"(?!/|#|" + re.escape(fake.url) + ")", one.text)


# ---- GitHub's response

def test_a_callback_with_another_state_is_rejected(setup, fake):
    setup.open()
    back = setup.callback()
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    for query in (f"code={code}", f"code={code}&state=", f"code={code}&state={'A' * 43}"):
        answer = setup.browser.get(f"{setup.url}/setup/callback?{query}")
        assert answer.status == 403 and "not a response to this setup" in text_of(answer)
    assert not fake.requests(path="/app-manifests/.*")
    assert setup.browser.get(back).location == "/setup"


def test_a_malformed_code_is_not_sent(setup, fake):
    setup.open()
    state = urllib.parse.urlsplit(setup.callback()).query.split("state=")[1]
    for code in ("", "a%2Fb", "..", "a%20b", "a" * 101):
        answer = setup.browser.get(f"{setup.url}/setup/callback?code={code}&state={state}")
        assert answer.status == 400 and "missing or malformed" in text_of(answer)
    assert not fake.requests(path="/app-manifests.*")


def test_a_code_that_is_too_old_is_explained_and_a_new_one_works(setup, fake):
    setup.open()
    back = setup.callback()
    fake.settings(clock_skew_s=3601)
    answer = setup.browser.get(back)
    assert answer.status == 409 and "one hour" in text_of(answer) and "delete it" in text_of(answer)
    fake.settings(clock_skew_s=0)
    assert setup.browser.get(setup.callback(name="Second Bot")).location == "/setup"
    assert "second-bot" in text_of(setup.page())


def test_a_code_that_was_used_elsewhere_is_explained(setup, fake):
    setup.open()
    back = setup.callback()
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    snek.request("POST", f"{fake.url}/app-manifests/{code}/conversions", None, {"User-Agent": "thief"})
    answer = setup.browser.get(back)
    assert answer.status == 409 and "used up or too old" in text_of(answer)


def test_the_same_callback_again_shows_the_app(setup, fake):
    setup.open()
    back = setup.callback()
    for _ in range(2):
        assert setup.browser.get(back).location == "/setup"
    assert len(fake.requests(path="/app-manifests/.*")) == 1


def test_after_a_failure_of_github_the_page_is_loaded_again(setup, fake):
    setup.open()
    back = setup.callback()
    fake.fail("POST", "/app-manifests/*", status=502, body="bad gateway")
    answer = setup.browser.get(back)
    assert answer.status == 502 and "reload this page" in text_of(answer)
    fake.fail("POST", "/app-manifests/*", drop=True)
    assert setup.browser.get(back).status == 502
    assert setup.browser.get(back).location == "/setup"
    assert "Your App exists" in text_of(setup.page())


def test_an_app_without_a_webhook_secret_gets_one_of_the_host(setup, fake):
    fake.settings(manifest_secret=False)
    made = setup.make()
    assert "GitHub made no webhook secret" in text_of(made)
    secret = setup.secrets()[1]
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert f"GITHUB_WEBHOOK_SECRET={secret}" in setup.browser.submit(setup.url, made.form("/lines")).text


# ---- the variables

def test_the_variables_are_shown_once_after_a_form(setup):
    made = setup.make()
    assert setup.browser.get(f"{setup.url}/setup/lines").status == 405
    shown = setup.browser.submit(setup.url, made.form("/lines"))
    lines = dict(line.split("=", 1) for line in text_of(shown).split() if line.startswith(("GITHUB", "SNEK")))
    key, secret = setup.secrets()
    assert base64.b64decode(lines["GITHUB_PRIVATE_KEY"]).decode().strip() == key
    assert lines["GITHUB_WEBHOOK_SECRET"] == secret and lines["SNEKOMATIC_PUBLIC_URL"] == PUBLIC
    assert shown.headers["Cache-Control"] == "no-store"
    again = setup.browser.submit(setup.url, made.form("/lines"))
    assert again.status == 409 and "GITHUB_PRIVATE_KEY" not in again.text


def test_the_variables_start_a_bot(setup, start, fake):
    shown = setup.browser.submit(setup.url, setup.make().form("/lines"))
    lines = dict(line.split("=", 1) for line in text_of(shown).split() if line.startswith(("GITHUB", "SNEK")))
    other = start(folder="other", env=lines, start=False)
    other.port = int(other.process.wait_log(msg="listening")["port"])
    other.url = f"http://127.0.0.1:{other.port}"
    other.wait_ready()


def test_no_secret_is_in_the_log_the_arguments_or_an_environment(setup):
    made = setup.make()
    setup.browser.submit(setup.url, made.form("/lines"))
    pids = [setup.process.pid, *snek.children(setup.process.pid)]
    around = [pathlib.Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("cmdline",)]
    setup.finish()
    setup.wait_ready()
    key, secret = setup.secrets()
    body = "".join(key.splitlines()[1:-1])
    seen = setup.process.output() + repr(around)
    for text in (secret, body[:40], base64.b64encode(key.encode()).decode()[:40]):
        assert text not in seen


def test_the_process_has_no_variable_and_cannot_start_programs(start):
    setup = start(env={"DATABASE_URL": "sqlite:elsewhere.db"})
    page, = [pid for pid in snek.children(setup.process.pid)
             if b"setup-page" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    if os.geteuid() == 0:
        assert b"elsewhere" not in pathlib.Path(f"/proc/{page}/environ").read_bytes()
    if not os.environ.get("SNEK_SANITIZED"):
        assert "Seccomp:\t2" in pathlib.Path(f"/proc/{page}/status").read_text()


def test_a_service_manager_waits_for_the_host(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(snek.PATIENCE_S)
        setup = start(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100).startswith(b"EXTEND_TIMEOUT_USEC=")
        setup.make()
        setup.finish()
        assert manager.recv(100) == b"READY=1"


# ---- when the setup runs

def test_meanwhile_webhooks_are_rejected_and_the_process_is_alive(setup):
    assert snek.request("GET", f"{setup.url}/healthz").status == 200
    ready = snek.request("GET", f"{setup.url}/readyz")
    assert ready.status == 503 and "open the link" in ready.json["setup"]
    answer = snek.request("POST", f"{setup.url}/webhook/github", b"{}", {"Content-Type": "application/json"})
    assert answer.status == 503 and answer.headers["retry-after"]


def rejected(folder, *words, env=None):
    done = subprocess.run([snek.program("snekomatic"), "serve", *words], cwd=folder, text=True, check=False,
                          env=snek.clean_environment(PORT="0", **(env or {})), capture_output=True, timeout=60)
    assert "setup_link" not in done.stdout, done
    return done


@pytest.mark.parametrize("words", [(), ("--setup",)])
def test_a_part_of_the_credentials_is_an_error(tmp_path, words):
    done = rejected(tmp_path, *words, env={"GITHUB_APP_ID": "7"})
    assert done.returncode == 78
    assert "not configured: GITHUB_PRIVATE_KEY GITHUB_WEBHOOK_SECRET not set" in done.stderr


def test_a_configuration_without_credentials_needs_the_option(start, tmp_path):
    (tmp_path / "snekomatic.toml").write_text('[[plugin]]\npath = "ping"\n')
    done = rejected(tmp_path)
    assert done.returncode == 78 and "github.app_id is missing" in done.stderr and "--setup" in done.stderr


def test_a_store_with_deliveries_needs_the_option(start, tmp_path, fake, start_bot):
    bot = start_bot(plugins=["ping"])
    bot.deliver("issues", snek.payload("issues.opened"))
    bot.stop()
    store = {"DATABASE_URL": f"sqlite:{bot.folder}/snekomatic.db"}
    (tmp_path / "empty").mkdir()
    done = rejected(tmp_path / "empty", env=store)
    assert done.returncode == 78 and "the store has deliveries" in done.stdout
    setup = start("--setup", folder="new", env=store)
    assert setup.open().status == 200


def test_the_lines_are_added_to_a_configuration_that_exists(start, fake):
    config = ('# mine\n[server]\ndrain_ms = 5000  # quick\n\n[github] # here\nrecover_interval_minutes = 0\n\n'
              '[[plugin]]\npath = "ping"\n')
    setup = start("--setup", config=config)
    setup.make()
    text = setup.file("snekomatic.toml").read_text()
    app = re.search("app-([0-9]+)", setup.file("app-*.pem").name).group(1)
    assert text == config.replace("[server]\n", f'[server]\npublic_url = "{PUBLIC}"\n').replace(
        "[github] # here\n", f'[github] # here\napp_id = {app}\nprivate_key_file = "app-{app}.private-key.pem"\n'
                             f'webhook_secret_file = "app-{app}.webhook-secret"\n')
    setup.finish()
    setup.wait_ready()
    assert fake.state["app"]["permissions"] == {"issues": "write", "pull_requests": "write"}


def test_a_configuration_that_cannot_be_changed_stays_and_the_lines_are_shown(start):
    config = 'github.recover_interval_minutes = 0\n[[plugin]]\npath = "ping"\n'
    setup = start("--setup", config=config)
    made = setup.make()
    assert "not stored" in text_of(made) and setup.file("snekomatic.toml").read_text() == config
    shown = setup.browser.submit(setup.url, made.form("/lines"))
    assert "private_key_file" in text_of(shown) and "GITHUB_PRIVATE_KEY=" in text_of(shown)
    setup.finish(made)
    assert setup.process.wait(snek.PATIENCE_S) == 78


def test_setup_writes_to_the_file_that_the_option_names(start):
    setup = start("--setup", "-c", "conf.toml")
    setup.make()
    assert setup.file("conf.toml").exists() and not (setup.folder / "snekomatic.toml").exists()
    setup.finish()
    setup.wait_ready()


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    done = rejected(tmp_path, "--setup", "-c", "nowhere/snekomatic.toml")
    assert done.returncode == 78 and f"cannot find the directory of {tmp_path}/nowhere" in done.stdout


def test_a_plugin_that_does_not_load_ends_the_setup(tmp_path):
    (tmp_path / "snekomatic.toml").write_text('[[plugin]]\npath = "./nothing.so"\n')
    done = rejected(tmp_path, "--setup")
    assert done.returncode == 78 and "nothing.so" in done.stderr


def test_sigterm_ends_the_setup(setup):
    assert setup.process.end() == 0
    assert not list(setup.folder.iterdir())


def test_the_host_starts_by_itself_only_after_the_app_is_stored(setup):
    setup.open()
    setup.process.popen.send_signal(1)
    assert setup.page().status == 200
    assert not setup.process.log(msg="worker_started")


# ---- snekomatic setup

def test_setup_from_a_terminal_prints_the_link_and_ends(fake, tmp_path, key):
    env = snek.clean_environment(PORT="0", GITHUB_API_URL=fake.url)
    verb = snek.Process([snek.program("snekomatic"), "setup"], env, cwd=tmp_path)
    link = snek.wait_until(lambda: re.search(r"http://\S+/setup\?link=\S+", verb.output()), verb.output).group()
    browser, url = Browser(), link.split("/setup")[0]
    assert browser.get(link).status == 303
    sent = browser.submit(url, browser.get(f"{url}/setup").form("/manifest"), organization="sneks-united",
                          name="Sneks Bot", pull="no", address=PUBLIC)
    asked = browser.submit(url, sent.forms[0])
    browser.get(browser.submit(fake.url, asked.forms[0]).location)
    end = browser.submit(url, browser.get(f"{url}/setup").form("/finish"))
    for words in "serve", "check --online":
        assert f"snekomatic {words} -c {tmp_path}/snekomatic.toml" in text_of(end)
    assert verb.wait(snek.PATIENCE_S) == 0, verb.output()
    assert "snekomatic serve -c" in verb.output() and (tmp_path / "snekomatic.toml").exists()
    again = by_hand(tmp_path, fake, "")
    assert again.returncode == 78 and "credentials already" in again.stderr


def by_hand(folder, fake, entries, *words):
    return subprocess.run([snek.program("snekomatic"), "setup", "--by-hand", *words], cwd=folder, text=True,
                          input=entries, env=snek.clean_environment(PORT="0", GITHUB_API_URL=fake.url), timeout=60,
                          capture_output=True, check=False)


def test_by_hand_it_prints_githubs_form_and_stores_the_answers(fake, tmp_path, key):
    entries = ["-wrong", "sneks-united", "http://bot.example.org", PUBLIC, "seven", str(snek.APP_ID), "nothing.pem",
               str(key)]
    done = by_hand(tmp_path, fake, "\n".join(entries) + "\n")
    assert done.returncode == 0, done
    shown = done.stdout
    assert f"{fake.url}/organizations/sneks-united/settings/apps/new" in shown
    assert f"{PUBLIC}/webhook/github" in shown and "Members: Read and write" in shown and "Issue comment" in shown
    stored = (tmp_path / f"app-{snek.APP_ID}.webhook-secret").read_text()
    assert re.search(rf"Secret\s+{stored}\n", shown) and len(stored) == 64
    kept = tmp_path / f"app-{snek.APP_ID}.private-key.pem"
    assert kept.read_text().strip() == pathlib.Path(key).read_text().strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    checked = subprocess.run([snek.program("snekomatic"), "check"], cwd=tmp_path, text=True, capture_output=True,
                             env=snek.clean_environment(PORT="0"), timeout=60, check=False)
    assert checked.returncode == 0, checked


def test_by_hand_an_interrupted_setup_shows_the_same_secret_again(fake, tmp_path, key):
    shown = []
    for end in "7\n", "7\n", f"{snek.APP_ID}\n{key}\n":
        done = by_hand(tmp_path, fake, f"sneks-united\n{PUBLIC}\n{end}")
        shown.append(re.search(r"Secret\s+([0-9a-f]{64})\n", done.stdout).group(1))
        if end == "7\n":
            assert done.returncode == 66 and "the bot has no App yet" in done.stderr
            [kept] = tmp_path.iterdir()
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert done.returncode == 0 and len(set(shown)) == 1
    assert (tmp_path / f"app-{snek.APP_ID}.webhook-secret").read_text() == shown[0]
    assert not kept.exists()


def test_by_hand_an_id_and_a_key_that_github_rejects_are_asked_for_again(fake, tmp_path, key):
    another = snek.make_key(tmp_path / "another.pem")
    done = by_hand(tmp_path, fake, f"sneks-united\n{PUBLIC}\n7\n{key}\n{snek.APP_ID}\n{another}\n"
                   f"{snek.APP_ID}\n{key}\n")
    assert done.returncode == 0 and done.stdout.count("GitHub does not accept this key for the App ID") == 2
    assert "msg=" not in done.stdout
    assert not list(tmp_path.glob("app-7.*"))
    assert (tmp_path / f"app-{snek.APP_ID}.private-key.pem").read_text().strip() \
        == pathlib.Path(key).read_text().strip()
    assert (tmp_path / "snekomatic.toml").exists()


def test_by_hand_without_github_the_credentials_are_stored_unchecked(fake, tmp_path, key):
    fake.fail("GET", "/app", status=503, body={"message": "down"}, times=-1)
    done = by_hand(tmp_path, fake, f"sneks-united\n{PUBLIC}\n{snek.APP_ID}\n{key}\n")
    assert done.returncode == 0 and "GitHub could not be asked about the App" in done.stdout
    assert (tmp_path / "snekomatic.toml").exists()


def test_by_hand_a_name_without_a_letter_is_asked_for_again(fake, tmp_path, key):
    done = by_hand(tmp_path, fake, f"1\nsneks-united\n{PUBLIC}\n{snek.APP_ID}\n{key}\n")
    assert done.returncode == 0 and "Is this the organization's name" in done.stdout
    assert f"{fake.url}/organizations/sneks-united/settings/apps/new" in done.stdout
    (tmp_path / "snekomatic.toml").unlink()
    done = by_hand(tmp_path, fake, f"1\n1\n{PUBLIC}\n{snek.APP_ID}\n{key}\n")
    assert f"{fake.url}/organizations/1/settings/apps/new" in done.stdout


def test_a_configuration_that_comes_meanwhile_is_not_replaced(start):
    setup = start()
    file = setup.folder / "snekomatic.toml"
    file.write_text("# by hand\n")
    made = setup.make()
    assert file.read_text() == "# by hand\n"
    assert "is not replaced" in text_of(made)
    setup.browser.submit(setup.url, made.form("/finish"))
    setup.process.wait(snek.PATIENCE_S)
