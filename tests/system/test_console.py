# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console's gate: tokens, sessions, hosts, forms and rights. test_console_pages.py has the pages."""

import http.client
import json
import pathlib
import re
import socket
import time

import pytest

import snek
from console_client import ADMIN, READER, Console, start_console

TOKEN_LENGTH = r"console\.token_file has \d+ characters; it needs 32 to 512"


@pytest.fixture
def bot(start_bot):
    return start_console(start_bot, plugins=["ping"])


@pytest.fixture
def console(bot):
    return Console(bot.url)


def cookie_of(page):
    return page.headers["Set-Cookie"]


# ---- configuration ----

def test_without_a_token_there_is_no_console(start_bot):
    bot = start_bot(plugins=["ping"])
    for path in ("", "/login", "/deliveries", "/assets/x.css"):
        page = Console(bot.url).get(path)
        assert page.status == 404 and "console" not in page.text


@pytest.mark.parametrize("files,table,sentence", [
    ({"t": "short\n"}, {"token_file": "t"}, TOKEN_LENGTH),
    ({"t": "x" * 513}, {"token_file": "t"}, TOKEN_LENGTH),
    ({"t": "with blanks and more than 32 characters\n"}, {"token_file": "t"}, r"token_file has a blank"),
    ({}, {"token_file": "t"}, r'(?m)(^|reason=")console\.token_file: cannot open .*; make a'
                              r" token with `openssl rand -base64 32`"),
    ({"r": READER}, {"read_token_file": "r"}, r"read_token_file needs console\.token_file"),
    ({"t": ADMIN, "r": ADMIN}, {"token_file": "t", "read_token_file": "r"}, r"has the admin's token"),
])
def test_unusable_tokens_are_rejected_with_the_reason(fake, tmp_path, files, table, sentence):
    bot = snek.Bot(fake, tmp_path / "bot", plugins=["ping"], config={"console": table}, files=files, start=False)
    assert re.search(sentence, bot.verb("check", status=78).stderr)
    assert re.search(sentence, bot.verb("serve", status=78).stderr + bot.verb("serve", status=78).stdout)


def test_the_variable_has_the_token_and_wins_over_the_file(start_bot):
    bot = start_console(start_bot, plugins=["ping"], env={"SNEKOMATIC_ADMIN_TOKEN": ADMIN[::-1]})
    assert Console(bot.url).login(ADMIN).status == 401
    assert Console(bot.url).login(ADMIN[::-1]).status == 303


def test_no_log_line_and_no_page_has_a_token(bot, console):
    console.login(ADMIN + "wrong")
    assert console.login(person="Ada").status == 303
    bot.wait_log(msg="console_login", who="console admin Ada 127.0.0.1")
    texts = bot.process.output() + console.get().text + console.get("/login").text
    assert ADMIN not in texts and READER not in texts


def test_a_reload_takes_a_new_token_and_ends_the_sessions_of_the_old_one(bot, console):
    console.login()
    assert console.get().status == 200
    (bot.folder / "console.token").write_text(ADMIN[::-1])
    bot.verb("reload")
    assert console.get().status == 303
    assert console.login().status == 401
    assert console.login(ADMIN[::-1]).status == 303


def test_a_reload_with_a_bad_token_is_rejected_and_the_old_one_stays(bot, console):
    (bot.folder / "console.token").write_text("short")
    done = bot.verb("reload", status=78)
    assert "it needs 32 to 512" in done.stdout + done.stderr
    assert console.login().status == 303


@pytest.fixture
def apart(start_bot):
    """A bot whose console has an address of its own."""
    bot = start_console(start_bot, plugins=["ping"], console={"listen": "127.0.0.1:0"})
    bot.console_port = int(bot.wait_log(msg="console_listening")["port"])
    return bot


def test_the_console_may_have_an_address_of_its_own(apart):
    console = Console(f"http://127.0.0.1:{apart.console_port}")
    assert apart.console_port != apart.port and console.login().status == 303
    guid = apart.deliver("ping", snek.payload("ping"))
    apart.wait_log(msg="stored", delivery=guid)
    assert console.get(f"/deliveries/{guid}").status == 200
    # Neither serves what the other does.
    assert Console(apart.url).get("/login").status == 404
    page = snek.request("POST", f"http://127.0.0.1:{apart.console_port}/webhook/github", b"{}",
                        {"Content-Type": "application/json", "X-GitHub-Event": "ping", "X-GitHub-Delivery": "x"})
    assert page.status == 503 and "serves the console only" in page.json["error"] and "server.listen" in page.json["fix"]


def test_a_reload_and_a_restart_keep_the_consoles_address(apart):
    port = apart.console_port
    apart.file.write_text(apart.file.read_text().replace('listen = "127.0.0.1:0"\n', f'listen = "127.0.0.1:{port}"\n')
                          .replace(f'[server]\nlisten = "127.0.0.1:{port}"', '[server]\nlisten = "127.0.0.1:0"'))
    for change in (lambda: apart.verb("reload"), lambda: (apart.stop(), apart.start())):
        change()
        apart.wait_log(msg="console_listening", port=str(port))
        assert Console(f"http://127.0.0.1:{port}").login().status == 303


def test_an_address_that_another_program_uses_is_rejected_with_the_key(start_bot, fake, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bot = snek.Bot(fake, tmp_path / "bot", plugins=["ping"], files={"t": ADMIN}, start=False,
                       config={"console": {"token_file": "t", "listen": f"127.0.0.1:{port}"}})
        done = bot.verb("serve", status=78)
        assert re.search(rf"cannot listen on 127\.0\.0\.1:{port}: .* set another port in console\.listen",
                         done.stdout + done.stderr)


def test_check_names_the_consoles_own_address_and_tries_it(apart):
    before, _, after = apart.file.read_text().rpartition('listen = "127.0.0.1:0"')
    apart.file.write_text(f'{before}listen = "127.0.0.1:{apart.console_port}"{after}')
    shown = apart.verb("check").stdout
    assert f"\nconsole         http://127.0.0.1:{apart.console_port}/console (from another machine" in shown
    assert "a host runs there" in shown
    apart.stop()
    with socket.create_server(("127.0.0.1", apart.console_port)):
        assert "another program uses it" in apart.verb("check", status=78).stderr


@pytest.mark.parametrize("server", ["127.0.0.1:8000", "0.0.0.0:8000", "[::]:8000"])
def test_the_port_of_server_listen_is_rejected_for_the_console(fake, tmp_path, server):
    bot = snek.Bot(fake, tmp_path / "bot", plugins=["ping"], files={"t": ADMIN}, start=False,
                   config={"server": {"listen": server},
                           "console": {"token_file": "t", "listen": "127.0.0.1:8000"}})
    for verb in ("check", "serve"):
        done = bot.verb(verb, status=78)
        assert "console.listen has the port of server.listen" in done.stdout + done.stderr


# ---- login ----

def test_pages_need_a_login_and_lead_to_it(console):
    page = console.get("/plugins?q=a%26b")
    assert (page.status, page.location) == (303, "/console/login?next=/console/plugins%3Fq%3Da%2526b")
    login = console.get(page.location.removeprefix("/console")).form("/login")
    assert console.post("/login", {**login["fields"], "token": ADMIN}).location == "/console/plugins?q=a%26b"
    console.browser.cookies.clear()
    assert console.get().location == "/console/login"
    assert console.get("?q=" + "x" * 505).location == "/console/login"
    assert console.post("/deliveries/x/retry", {"form": "x", "plugin": "ping"}).location == "/console/login"
    page = console.get("/overview.json")
    assert page.status == 401 and page.headers["WWW-Authenticate"] == "Bearer" and "fix" in page.text


@pytest.mark.parametrize("token,role", [(ADMIN, "You are an admin"), (READER, "You may only read")])
def test_each_token_logs_in_with_its_role(console, token, role):
    page = console.login(token)
    assert (page.status, page.location) == (303, "/console")
    assert re.fullmatch(r"snekomatic_console=[-\w]{43}; Path=/console; HttpOnly; SameSite=Strict", cookie_of(page))
    assert role in console.get().text


@pytest.mark.parametrize("place,location", [
    ("/console/plugins?q=1", "/console/plugins?q=1"), ("https://evil.example", "/console"),
    ("//evil.example", "/console"), ("/console//evil.example", "/console"), ("/consolex", "/console"),
    ("/console/\\evil", "/console")])
def test_a_login_leads_back_to_pages_of_the_console_only(console, place, location):
    assert console.post("/login", {"token": ADMIN, "next": place}).location == location


def test_one_wrong_token_a_second_counts_and_nobody_is_locked_out(console):
    started = time.monotonic()
    statuses = [console.login("x" * 40).status for _ in range(20)]
    took = time.monotonic() - started
    assert statuses[0] == 401 and set(statuses) <= {401, 429}
    assert statuses.count(401) <= 1 + took
    page = console.login("x" * 40)
    if page.status == 429:
        assert page.headers["Retry-After"] == "1"
    assert console.login().status == 303


def test_other_addresses_do_not_wait_for_one_with_wrong_tokens(bot):
    """127.0.0.2 is another client."""
    statuses = set()
    for address in ("127.0.0.1", "127.0.0.2"):
        connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=snek.PATIENCE_S,
                                                source_address=(address, 0))
        connection.request("POST", "/console/login", "token=" + ("x" * 40),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        statuses.add(connection.getresponse().status)
    assert statuses == {401}


def test_a_session_ends_at_logout(console):
    console.login()
    old = dict(console.browser.cookies)
    page = console.browser.submit(console.url + "/console", console.get().form("/logout"))
    assert page.location == "/console/login" and "Max-Age=0" in cookie_of(page)
    console.browser.cookies = old
    assert console.get().status == 303


def test_the_oldest_of_many_sessions_ends(bot, console):
    console.login()
    others = [Console(bot.url) for _ in range(64)]
    for other in others:
        other.login()
    assert console.get().status == 303 and others[0].get().status == 200


def test_programs_read_with_a_token_and_change_nothing(console):
    header = {"Authorization": f"bearer {READER}"}
    assert console.json("/overview", header)["ready"] is True
    for path in "/overview.json", ".json":
        page = console.get(path, header)
        assert page.headers["Content-Type"] == "application/json" and json.loads(page.text)["ready"] is True
    assert console.get("x.json", header).status == 404
    assert console.post("/logout", {}, header).status == 303
    assert console.get("/overview.json", {"Authorization": "Bearer " + "x" * 40}).status == 401


def other_address():
    """An address of this machine that is not loopback; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


# ---- hosts, transports, other sites ----

@pytest.mark.parametrize("host,status", [
    ("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200), ("bot.example", 200), ("evil.example", 403),
    ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403)])
def test_a_name_of_a_stranger_gets_no_page(start_bot, host, status):
    """DNS rebinding: the page of a stranger has a name that resolves to this machine."""
    bot = start_console(start_bot, plugins=["ping"], config={"server": {
        "listen": "127.0.0.1:0", "public_url": "https://bot.example"}})
    console = Console(bot.url)
    for path in ("/login", "/help", "/assets/x.css"):
        assert (console.get(path, {"Host": host}).status == 403) == (status == 403)
    assert console.login(headers={"Host": host}).status == (303 if status == 200 else 403)


def test_plain_http_from_elsewhere_gets_the_reason_and_no_login(start_bot):
    bot = start_console(start_bot, plugins=["ping"], config={"server": {"listen": "0.0.0.0:0"}})
    address = other_address()
    for name, value in (("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http"),
                        ("X-Forwarded-Host", "127.0.0.1"), ("X-Real-IP", "203.0.113.9"),
                        ("Forwarded", "for=203.0.113.9"), ("Via", "1.1 proxy")):
        proxied = Console(f"http://127.0.0.1:{bot.port}").get("/login", {name: value})
        assert proxied.status == 403 and "needs https" in proxied.text, name
    if not address:
        pytest.skip("this machine has no other address")
    page = Console(f"http://{address}:{bot.port}").get("/login")
    assert page.status == 403 and "needs https" in page.text and "ssh -L" in page.text
    assert Console(f"http://{address}:{bot.port}").login().status == 403


def test_behind_an_https_proxy_the_cookie_is_secure(start_bot):
    bot = start_console(start_bot, plugins=["ping"], config={"server": {
        "listen": "127.0.0.1:0", "public_url": "https://bot.example"}})
    console = Console(bot.url)
    proxied = {"Host": "bot.example", "X-Forwarded-For": "9.9.9.9, 203.0.113.9", "X-Forwarded-Proto": "https"}
    assert "; Secure" in cookie_of(console.login(headers=proxied))
    bot.wait_log(msg="console_login", who="console admin 203.0.113.9")
    assert console.login(headers={**proxied, "X-Forwarded-Proto": "http"}).status == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                                     {"Origin": "https://evil.example"}])
def test_forms_of_other_sites_are_rejected(console, headers):
    assert console.login(headers=headers).status == 403
    console.login()
    form = console.token()
    assert console.post("/logout", {"form": form}, headers).status == 403
    assert console.get().status == 200
    assert console.post("/logout", {"form": form}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}).status == 303


@pytest.mark.parametrize("fields", [{}, {"form": ""}, {"form": "x" * 43}])
def test_a_form_without_its_token_is_rejected(console, fields):
    console.login()
    assert console.post("/logout", fields).status == 403
    assert console.get().status == 200


def test_a_form_of_another_session_is_rejected(bot, console):
    console.login()
    other = Console(bot.url)
    other.login()
    assert console.post("/logout", {"form": other.token()}).status == 403


def test_every_response_forbids_frames_foreign_content_and_caches(console):
    console.login()
    for page in (console.get(), console.get("/login"), console.get("/nothing"), console.get("/overview.json")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "*" not in policy and "data:" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Cache-Control"] == "no-store"
    page = console.get()
    assert "<script>" not in page.text and "style=" not in page.text and not re.search(r"\son\w+=", page.text)


def test_the_style_sheet_and_the_script_have_their_hash_in_the_url(console):
    page = console.get("/login")
    for path, kind in ((re.search(r'href="/console(/assets/\w+\.css)"', page.text)[1], "text/css"),
                       (re.search(r'src="/console(/assets/\w+\.js)"', page.text)[1], "text/javascript")):
        asset = console.get(path)
        assert asset.status == 200 and asset.headers["Content-Type"].startswith(kind)
        assert "immutable" in asset.headers["Cache-Control"] and len(asset.text) > 100


# ---- rights, connections ----

def test_a_reader_changes_nothing(bot):
    console = Console(bot.url)
    console.login(READER)
    form = console.token()
    for path in ("/plugins/ping/pause", "/deliveries/x/retry", "/failures/apply", "/nothing", ""):
        page = console.post(path, {"form": form})
        assert page.status == 403 and "You may only read" in page.text
    assert console.post("/logout", {"form": form}).status == 303


def test_malformed_requests_are_rejected(console):
    console.login()
    form = console.token()
    assert console.post("/logout", {"form": form, "unknown": "1"}).status == 400
    assert console.get("?q=" + "x" * 513).status == 400
    assert console.get("?q=%ff").status == 400
    assert console.get("/" + "x" * 500).status == 404
    assert console.post("/login", {"token": "x" * 20000}).status == 413


def test_pages_take_no_connection_of_webhooks(bot):
    """40 browsers keep connections open: at most 32 stay, and webhooks go on."""
    opened = []
    for _ in range(40):
        connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=snek.PATIENCE_S)
        connection.request("GET", "/console/login")
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        opened.append(connection)
    shut = sum(connection.sock.recv(1) == b"" for connection in opened[:8])
    assert shut == 8
    bot.wait_log(msg="stored", delivery=bot.deliver("ping", snek.payload("ping")))
    for connection in opened[8:]:
        connection.request("GET", "/console/login")
        assert connection.getresponse().status == 200


def test_the_consoles_threads_yield_to_those_of_webhooks(bot, console):
    """The kernel prefers threads with a lower nice value. The console has two: its own, and its reader's."""
    console.login()
    assert console.get().status == 200  # the reader starts with the first page
    [host] = bot.pids("host")
    tasks = pathlib.Path(f"/proc/{host}/task").iterdir()
    found = [int((task / "stat").read_text().rpartition(")")[2].split()[16]) for task in tasks]
    usual = min(found)
    assert found.count(usual) >= 3 and found.count(min(usual + 10, 19)) == 2 and len(set(found)) == 2, found
