# SPDX-License-Identifier: MIT OR Apache-2.0
"""The way to GitHub through the real binaries: TLS, HTTP/2, proxies, GitHub Enterprise Server, and
what is said when there is no way."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

import pytest

import front
import snek

pytestmark = pytest.mark.skipif(not front.NGINX,
                                reason="nginx is not here; ./dev test fetches it")
OTHER = 60002  # an installation more, of the same account
MEMBERSHIPS = "/orgs/sneks-united/memberships"
REACTIONS = "/repos/sneks-united/terrarium/issues/12/reactions"
ISSUES = "/repos/sneks-united/terrarium/issues"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return front.make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def make_front(key, certificate, tmp_path):
    """make_front(...) starts nginx and a fake GitHub behind it."""
    made = []

    def make(**options):
        before = front.Front(tmp_path / f"front{len(made)}", certificate, **options)
        made.append(before)
        before.fake = snek.FakeGitHub(key, public_url=before.url)
        first = before.fake.state["installations"][0]
        before.fake.patch_state({"installations": [{**first, "id": OTHER}]})
        return before.start(before.fake.port)

    yield make
    for one in made:
        one.stop()
        one.fake.stop()


@pytest.fixture
def make_proxy():
    made = []

    def make(**options):
        made.append(front.Proxy(**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def start(certificate, tmp_path):
    """start(front, ...) starts a bot that asks the fake GitHub through it."""
    bots = []

    def run(before, plugins=("test-probe",), config=None, **options):
        github = {"ca_file": str(certificate[0]), **(config or {}).pop("github", {})}
        bots.append(snek.Bot(before.fake, tmp_path / f"bot{len(bots)}", plugins=plugins,
                             config={"github": github, **(config or {})}, start=False, **options))
        return bots[-1].start()

    yield run
    for bot in bots:
        if bot.process and bot.process.popen.poll() is None:
            bot.stop()


def probe(do="send", installation=snek.INSTALLATION, **what):
    return {"action": "x", "installation": {"id": installation}, "do": do, **what}


def get(url=f"{MEMBERSHIPS}/python-petra", installation=snek.INSTALLATION):
    return probe(method="GET", url=url, installation=installation)


def done(bot, event, payload, **options):
    """Delivers it, and waits until it is done."""
    delivery = bot.deliver(event, payload, **options)
    line = bot.wait_log(msg=("done", "retry", "rejected", "dead"), delivery=delivery)
    assert line["msg"] == "done", line
    return delivery


def failed(bot, event, payload):
    """Delivers it, waits until it failed an attempt, and returns the reason."""
    return bot.wait_log(msg="retry", delivery=bot.deliver(event, payload))["reason"]


def effect(action):
    return {"action": action, "installation": {"id": snek.INSTALLATION}}


def hurry(bot, delivery):
    """The same GUID again makes a run that waits for its retry due now."""
    bot.wait_log(msg="retry", delivery=delivery)
    assert bot.post("effects", effect("hurry"), delivery=delivery).status == 200


def said(bot, delivery):
    """The plugin's log lines of the delivery."""
    return [line["text"] for line in bot.log(msg="plugin", delivery=delivery)]


# -- TLS and HTTP/2 ------------------------------------------------------------------------------


def test_all_installations_share_one_connection_of_http_2(make_front, start):
    before = make_front()
    bot = start(before, plugins=("invite", "ping", "test-probe"))
    done(bot, "pull_request", snek.payload("pull_request.closed.merged"))
    done(bot, "issues", snek.payload("issues.opened", {"issue.body": "/ping"}))
    done(bot, "probe", get())
    done(bot, "probe", get(installation=OTHER))
    assert {entry["caller"]["installation"] for entry in before.fake.api_requests()} == {
        snek.INSTALLATION, OTHER}
    completed = before.requests()
    assert len(completed) >= 10 and {entry["protocol"] for entry in completed} == {"HTTP/2.0"}
    done(bot, "probe", probe(method="DELETE", url=f"{MEMBERSHIPS}/viper-vik"))
    before.fake.fail(method="POST", path="/empty", status=204)
    done(bot, "probe", probe(method="POST", url="/empty"))
    assert len(before.connections()) == 1
    # GitHub rejects the first token of a plugin whose optional permission was not granted.
    assert {(entry["path"].rpartition("/")[2], entry["status"])
            for entry in before.fake.unexpected()} <= {("access_tokens", 422)}


def test_many_requests_at_once_go_side_by_side_over_one_connection(make_front, start):
    before = make_front()
    before.fake.fail(method="GET", path=MEMBERSHIPS, delay_ms=200, times=-1)
    bot = start(before, plugins=[{"name": "test-probe", "concurrency": 80}],
                config={"log": {"level": "info"}})
    before.signal(signal.SIGSTOP)  # the first connection is not ready when the others are wanted
    deliveries = [bot.deliver("probe", get(installation=(snek.INSTALLATION, OTHER)[n % 2]))
                  for n in range(200)]
    for delivery in deliveries[:80]:
        bot.wait_log(msg="started", delivery=delivery)
    before.signal(signal.SIGCONT)
    began = time.monotonic()
    for delivery in deliveries:
        bot.wait_log(msg="done", delivery=delivery)
    took_s = time.monotonic() - began
    responses = [entry["status"] for entry in before.requests(uri=f"{MEMBERSHIPS}/.*")]
    assert len(responses) == 200 and set(responses) <= {"200", "304"}
    assert took_s < 20  # one after the other: 40
    assert len(before.connections()) == 1  # which has up to 100 requests at once, and waits first


def test_a_server_without_http_2_is_asked_over_http_1_1(make_front, start):
    before = make_front(http2=False)
    bot = start(before, plugins=("invite", "test-probe"))
    done(bot, "pull_request", snek.payload("pull_request.closed.merged"))
    deliveries = [bot.deliver("probe", get()) for _ in range(10)]
    for delivery in deliveries:
        bot.wait_log(msg="done", delivery=delivery)
    assert {entry["protocol"] for entry in before.requests()} == {"HTTP/1.1"}


def test_a_server_of_an_unknown_authority_gets_nothing_and_the_log_names_the_fix(
        make_front, start, tmp_path):
    another, _ = front.make_certificate(tmp_path, "another")
    before = make_front()
    bot = start(before, config={"github": {"ca_file": str(another)}})
    reason = failed(bot, "probe", get())
    assert "certificate" in reason and f"github.ca_file, {another}" in reason
    bot.stop()
    bot.file.write_text(bot.file.read_text().replace("ca_file", "#ca_file"))
    bot.start()
    reason = failed(bot, "probe", get())
    assert "the system's; github.ca_file names others" in reason
    assert not before.requests() and not before.fake.requests()


# -- proxies -------------------------------------------------------------------------------------

PASSWORD = "s3cret%21of-the-proxy"  # as it stands in a URL


def secret_places(bot):
    """Everything that people can look at."""
    texts = [bot.process.output(last=100000).encode()]
    for ring in ("supervisor", "host", "worker"):
        for pid in bot.pids(ring):
            try:
                texts.append(pathlib.Path(f"/proc/{pid}/environ").read_bytes())
            except PermissionError:
                assert os.geteuid() != 0
            except (FileNotFoundError, ProcessLookupError):
                # It ended since it was listed; its successor starts with the same environment.
                assert ring != "supervisor"
    texts.append(bot.request("GET", "/readyz").body)
    texts.append(bot.request("GET", "/metrics").body)
    return texts


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_requests_go_through_the_proxy_that_sees_no_token(make_front, make_proxy, start, variable):
    before, proxy = make_front(), make_proxy(user="snek:s3cret!of-the-proxy")
    url = proxy.url.replace("//", f"//snek:{PASSWORD}@")
    bot = start(before, plugins=("invite", "test-probe"), env={variable: url})
    done(bot, "pull_request", snek.payload("pull_request.closed.merged"))
    assert {line for line, _ in proxy.asked} == {f"CONNECT 127.0.0.1:{before.port} HTTP/1.1"}
    assert all("authorization" not in headers for _, headers in proxy.asked)
    assert {entry["protocol"] for entry in before.requests()} == {"HTTP/2.0"}
    assert len(proxy.asked) == len(before.connections()) == 1
    for token in before.fake.tokens():
        assert token.encode() not in proxy.carried
    for text in secret_places(bot):
        assert b"s3cret" not in text


@pytest.mark.parametrize("scheme, host", [("socks5h", "localhost"), ("socks5", "127.0.0.1")])
def test_a_socks_proxy_is_taken_too(make_front, make_proxy, start, scheme, host):
    before, proxy = make_front(), make_proxy()
    bot = start(before, env={"HTTPS_PROXY": proxy.url.replace("http", scheme)},
                config={"github": {"api_url": f"https://localhost:{before.port}"}})
    done(bot, "probe", get())
    assert {line for line, _ in proxy.asked} == {f"SOCKS {host}:{before.port}"}


def test_the_lower_case_variable_wins_as_with_curl(make_front, make_proxy, start):
    before, lower, upper = make_front(), make_proxy(), make_proxy()
    bot = start(before, env={"https_proxy": lower.url, "HTTPS_PROXY": upper.url,
                             "all_proxy": upper.url})
    done(bot, "probe", get())
    assert lower.asked and not upper.asked


@pytest.mark.parametrize("exception", [{"NO_PROXY": "example.org,127.0.0.1"},
                                       {"no_proxy": "127.0.0.0/8"}, {"NO_PROXY": "*"}])
def test_hosts_of_no_proxy_are_asked_directly(make_front, make_proxy, start, exception):
    before, proxy = make_front(), make_proxy()
    done(start(before, env={"HTTPS_PROXY": proxy.url, **exception}), "probe", get())
    assert not proxy.asked and len(before.connections()) == 1


def test_a_github_on_this_machine_without_tls_is_asked_directly(fake, make_proxy, start_bot):
    proxy = make_proxy()
    everything = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    bot = start_bot(plugins=["test-probe"], env={name: proxy.url for name in everything})
    done(bot, "probe", get())
    assert not proxy.asked and fake.api_requests()


def test_http_proxy_is_not_for_https(make_front, make_proxy, start):
    before, proxy = make_front(), make_proxy()
    done(start(before, env={"HTTP_PROXY": proxy.url, "http_proxy": proxy.url}), "probe", get())
    assert not proxy.asked


def test_reports_to_sentry_use_the_proxy_too(make_proxy, start_bot):
    proxy = make_proxy(reject=403)
    bot = start_bot(plugins=["test-probe"], env={"HTTPS_PROXY": proxy.url},
                    config={"sentry": {"dsn": "https://0123@sentry.invalid/1"}})
    failed(bot, "probe", probe("nothing"))
    bot.wait_log(msg="sentry_rejected")
    assert {line for line, _ in proxy.asked} == {"CONNECT sentry.invalid:443 HTTP/1.1"}


@pytest.mark.parametrize("how, words", [
    ({"user": "snek:another"}, "wants a user and a password, or others (407)"),
    ({"reject": 403}, "rejected the connection to GitHub (403)"),
    (None, "HTTPS_PROXY sends requests through the proxy"),
], ids=["407", "403", "dead"])
def test_a_proxy_that_lets_nothing_through_is_named_without_its_password(
        make_front, make_proxy, start, how, words):
    before, proxy = make_front(), make_proxy(**(how or {}))
    if how is None:
        proxy.stop()
    url = proxy.url.replace("//", f"//snek:{PASSWORD}@")
    bot = start(before, env={"HTTPS_PROXY": url})
    reason = failed(bot, "probe", get())
    assert words in reason and proxy.url in reason and "PROXY" in reason
    assert not before.requests()
    for text in secret_places(bot):
        assert b"s3cret" not in text


def test_a_variable_that_names_no_proxy_is_rejected_at_the_start_without_being_shown(tmp_path, fake):
    bot = snek.Bot(fake, tmp_path / "bot", plugins=[], start=False)
    for value in ("ftp://snek:s3cret@proxy.example", "http://", "http://s3cret@[::1", "http://a b"):
        for verb in ("serve", "check"):
            result = subprocess.run(
                [str(snek.program("snekomatic")), verb, "-c", str(bot.file)], text=True,
                env=snek.clean_environment(HTTPS_PROXY=value), capture_output=True)
            assert result.returncode == 78
            assert "HTTPS_PROXY: is no URL of a proxy" in result.stderr + result.stdout
            assert "s3cret" not in result.stderr + result.stdout


@pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
def test_an_effect_whose_tunnel_was_cut_is_in_doubt_and_not_repeated(
        make_front, make_proxy, start, http2):
    before, proxy = make_front(http2=http2), make_proxy()
    fake = before.fake
    bot = start(before, plugins=("effects", "test-probe"), env={"HTTPS_PROXY": proxy.url})
    done(bot, "effects", effect("react"))  # so that it goes over a kept connection
    fake.forget_requests()
    fake.fail(method="POST", path=REACTIONS, after=True, delay_ms=60000)
    delivery = bot.deliver("effects", effect("react"))
    proxy.cut(lambda: fake.requests(method="POST", path=REACTIONS))
    hurry(bot, delivery)
    bot.wait_log(msg="in_doubt_again", delivery=delivery)
    assert len(fake.requests(method="POST", path=REACTIONS)) == 1


def test_a_read_whose_tunnel_was_cut_is_asked_again(make_front, make_proxy, start):
    before, proxy = make_front(), make_proxy()
    fake = before.fake
    bot = start(before, env={"HTTPS_PROXY": proxy.url})
    done(bot, "probe", get())
    fake.forget_requests()
    fake.fail(method="GET", path=MEMBERSHIPS, delay_ms=60000)
    delivery = bot.deliver("probe", get())
    proxy.cut(lambda: fake.requests(method="GET"))
    assert bot.wait_log(msg=("done", "retry"), delivery=delivery)["msg"] == "done"
    assert len(fake.requests(method="GET")) == 2


def test_an_effect_that_the_proxy_did_not_let_out_is_in_no_doubt(make_front, make_proxy, start):
    before, proxy = make_front(), make_proxy()
    bot = start(before, plugins=("effects",), env={"HTTPS_PROXY": proxy.url})
    done(bot, "effects", effect("react"))
    proxy.cut()
    proxy.reject = 503
    delivery = bot.deliver("effects", effect("react"))
    reason = bot.wait_log(msg="retry", delivery=delivery)["reason"]
    assert "rejected the connection to GitHub (503)" in reason
    proxy.reject = None
    hurry(bot, delivery)
    bot.wait_log(msg="done", delivery=delivery)
    assert not bot.log(msg="in_doubt_again")
    assert len(before.fake.requests(method="POST", path=REACTIONS)) == 2


# -- GitHub Enterprise Server --------------------------------------------------------------------


@pytest.fixture
def enterprise(make_front):
    return make_front(prefix="/api/v3")


def test_a_bot_of_an_enterprise_server_asks_below_its_api(enterprise, start):
    bot = start(enterprise, plugins=("invite", "ping", "test-probe"))
    done(bot, "pull_request", snek.payload("pull_request.closed.merged"))
    # The payload names https://HOST:PORT/api/v3/repos/...
    done(bot, "issues", snek.payload("issues.opened", {"issue.body": "/ping"}))
    assert all(entry["uri"].startswith("/api/v3/") for entry in enterprise.requests())
    assert enterprise.fake.member("hatchling-hana")["state"] == "pending"
    assert snek.visible({"body": enterprise.fake.bot_comments(12)[0]}) == {"body": "pong!"}
    assert not enterprise.fake.unexpected()


def test_graphql_of_an_enterprise_server_is_beside_its_rest(enterprise, start):
    enterprise.fake.fail(method="POST", path="/graphql", status=200,
                         body={"data": {"login": "viper-vik"}})
    bot = start(enterprise)
    delivery = done(bot, "probe", probe("graphql", query="query { login }"))
    assert said(bot, delivery) == ["0|viper-vik"]
    assert [entry["uri"] for entry in enterprise.requests(method="POST", uri=".*graphql")] == [
        "/api/graphql"]


def test_pages_of_an_enterprise_server_are_followed(enterprise, start):
    enterprise.fake.patch_state({"repositories": [{
        "full_name": "sneks-united/terrarium",
        "issues": [{"number": n, "title": f"Issue {n}", "user": "viper-vik"}
                   for n in range(101, 131)]}]})
    bot = start(enterprise)
    delivery = done(bot, "probe", probe("list", url=f"{ISSUES}?per_page=20&state=open"))
    assert said(bot, delivery)[0].count(",") == 32  # with the two that were there
    uris = [entry["uri"] for entry in enterprise.requests(uri=f".*{ISSUES}.*")]
    assert len(uris) == 2 and all(uri.startswith(f"/api/v3{ISSUES}?") for uri in uris)


def test_only_urls_below_the_api_of_the_enterprise_server_are_asked(enterprise, start):
    bot = start(enterprise)
    path = f"{MEMBERSHIPS}/python-petra"
    done(bot, "probe", get(enterprise.url + path))
    mark = len(enterprise.requests())
    for url in (f"https://api.github.com{path}", enterprise.origin + path,
                f"https://127.0.0.1:{enterprise.port + 1}/api/v3{path}",
                enterprise.origin.replace("https", "http") + f"/api/v3{path}"):
        # The bytes as they are: deliver() would replace GitHub's address by the server's.
        delivery = bot.post("probe", body=json.dumps(get(url)).encode()).delivery
        line = bot.wait_log(msg=("done", "retry", "rejected", "dead"), delivery=delivery)
        assert line["msg"] != "done" and "cannot be asked for below" in line["reason"], line
    assert len(enterprise.requests()) == mark


# -- check --online ------------------------------------------------------------------------------


@pytest.fixture
def check(certificate, tmp_path):
    """check(front, ...): what `snekomatic check --online` says of a bot that does not run."""
    def run(before, env=None, github=None, **options):
        before.fake.settings(webhook_url="https://bot.example.org/webhook/github",
                             webhook_secret=snek.WEBHOOK_SECRET)
        bot = snek.Bot(before.fake, tmp_path / "bot", plugins=("ping",), start=False, config={
            "server": {"public_url": "https://bot.example.org"},
            "github": {"ca_file": str(certificate[0]), **(github or {})}}, **options)
        return subprocess.run(
            [str(snek.program("snekomatic")), "check", "--online", "-c", str(bot.file)],
            env=snek.clean_environment(**bot.env, **(env or {})), capture_output=True, text=True)
    return run


@pytest.mark.parametrize("credentials", ["files", "environment"])
def test_check_online_says_which_app_responds(make_front, check, credentials):
    before = make_front(prefix="/api/v3")
    result = check(before, credentials=credentials)
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert result.stdout.count("private key     ok") == 1
    assert "\nGitHub          ok: the app is sneks-bot\n" in result.stdout
    assert "msg=" not in result.stdout
    assert [entry["uri"] for entry in before.requests()] == [
        "/api/v3/app", "/api/v3/app/hook/config", "/api/v3/app/hook/deliveries?per_page=100",
        "/api/v3/app/installations?per_page=100"]


def test_check_online_takes_the_way_of_serve(make_front, make_proxy, check):
    before, proxy = make_front(), make_proxy()
    url = proxy.url.replace("//", f"//snek:{PASSWORD}@")
    result = check(before, env={"HTTPS_PROXY": url})
    assert result.returncode == 0 and len(proxy.asked) == 1
    assert f"the app is sneks-bot; HTTPS_PROXY is {proxy.url}\n" in result.stdout
    proxy.reject = 403
    result = check(before, env={"HTTPS_PROXY": url})
    assert result.returncode == 78
    assert f"GitHub: GET /app got no complete response: the proxy {proxy.url} rejected" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr


def test_check_online_warns_when_only_the_next_key_is_taken(make_front, check, tmp_path, key):
    before = make_front()
    old = snek.make_key(tmp_path / "old.pem")
    result = check(before, github={"private_key_file": str(old), "private_key_next_file": str(key)})
    assert result.returncode == 0 and "the app is sneks-bot\n" in result.stdout
    assert result.stderr == ("warning: GitHub rejects the private key and accepts the next one: make "
                             "it github.private_key_file\n")
    result = check(before, github={"private_key_next_file": str(old)})
    assert result.returncode == 0 and not result.stderr


def test_check_online_says_what_stands_in_the_way(make_front, check, tmp_path, key):
    before = make_front()
    another, _ = front.make_certificate(tmp_path, "another")
    result = check(before, github={"ca_file": str(another)})
    assert result.returncode == 78 and f"github.ca_file, {another}" in result.stderr
    result = check(before, github={"api_url": "https://no-such-host.invalid"})
    assert result.returncode == 78 and "resolve host: no-such-host.invalid" in result.stderr
    result = check(before, github={"app_id": 1})
    assert result.returncode == 78 and "GitHub rejects the app's JWT" in result.stderr
    assert "`snekomatic check --online` names the place" in result.stderr
    (tmp_path / "bad.pem").write_text("no key")
    result = check(before, github={"private_key_file": str(tmp_path / "bad.pem")})
    assert result.returncode == 78 and "private key: " in result.stderr


# -- no way --------------------------------------------------------------------------------------


def test_an_unknown_host_name_is_logged_and_retried(fake, start_bot):
    bot = start_bot(plugins=["test-probe"],
                    config={"github": {"api_url": "https://no-such-host.invalid"}})
    delivery = bot.deliver("probe", get())
    line = bot.wait_log(msg="retry", delivery=delivery)
    assert "resolve host: no-such-host.invalid" in line["reason"]
    assert int(line["again_ms"]) >= 5000
    asked = subprocess.run([str(snek.program("snekomatic")), "token", "-c", str(bot.file), "60001"],
                           env=snek.clean_environment(), capture_output=True, text=True)
    assert asked.returncode == 69 and "resolve host: no-such-host.invalid" in asked.stderr
