# SPDX-License-Identifier: MIT OR Apache-2.0
"""TLS in front of the bot: Caddy and nginx with the text of the guide pass signed webhooks on."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

import front
import snek
from console_client import ADMIN, start_console

CADDY = os.environ.get("SNEK_CADDY") or shutil.which("caddy")
GUIDE = pathlib.Path(__file__).parents[2] / "docs/operations.md"
NAME = "bot.example.com"

# Around the text of the guide: no other port is opened, and certificates come from a new authority of
# Caddy itself.
CADDY_OPTIONS = """
{{
    admin off
    local_certs
    skip_install_trust
    auto_https disable_redirects
    default_bind unix/{folder}/socket
    storage file_system {folder}
}}
"""
NGINX_OPTIONS = """
{user}
daemon off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {text}
}}
"""


def text_of_the_guide(language, changes):
    """The block of the guide with some texts replaced."""
    [text] = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


class Caddy:
    def __init__(self, bot, folder, _certificate):
        self.folder = folder
        (folder / "Caddyfile").write_text(
            CADDY_OPTIONS.format(folder=folder)
            + text_of_the_guide("caddy", {"127.0.0.1:8000": f"127.0.0.1:{bot.port}"}))
        self.process = subprocess.Popen(
            [CADDY, "run", "--config", "Caddyfile"], env={"HOME": str(folder)}, cwd=folder,
            stdin=subprocess.DEVNULL, stderr=(folder / "log").open("wb"))
        self.authority = folder / "pki/authorities/local/root.crt"
        snek.wait_until(self.is_up, "Caddy has a certificate")

    def is_up(self):
        try:
            with secure(self):
                return True
        except OSError:
            return False

    def connect(self):
        plain = socket.socket(socket.AF_UNIX)
        plain.connect(str(self.folder / "socket"))
        return plain


class Nginx:
    def __init__(self, bot, folder, certificate):
        self.authority = certificate[0]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = listener.getsockname()
            text = text_of_the_guide("nginx", {
                "127.0.0.1:8000": f"127.0.0.1:{bot.port}",
                "listen 443 ssl": f"listen 127.0.0.1:{self.address[1]} ssl",
                "/etc/ssl/bot.pem": str(certificate[0]),
                "/etc/ssl/private/bot.key": str(certificate[1])})
            (folder / "nginx.conf").write_text(NGINX_OPTIONS.format(
                user="user root;" if os.geteuid() == 0 else "", text=text))
            # It takes over the socket, as from the nginx that it replaces: the port is never free.
            self.process = subprocess.Popen(
                [front.NGINX, "-p", folder, "-e", "error.log", "-c", "nginx.conf"],
                env={"NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL)

    def connect(self):
        return socket.create_connection(self.address)


@pytest.fixture(params=[
    pytest.param(Caddy, id="caddy", marks=pytest.mark.skipif(
        not CADDY, reason="caddy is not here; ./dev test fetches it")),
    pytest.param(Nginx, id="nginx", marks=pytest.mark.skipif(
        not front.NGINX, reason="nginx is not here; ./dev test fetches it"))])
def proxy(request, start_bot):
    """The proxy, with its `bot`. The folder has a short name, because a socket is in it."""
    bot = start_console(start_bot, plugins=["ping"], config={"server": {
        "listen": "127.0.0.1:0", "public_url": f"https://{NAME}"}})
    with tempfile.TemporaryDirectory(prefix="snek-proxy-") as name:
        folder = pathlib.Path(name)
        started = request.param(bot, folder, front.make_certificate(folder, NAME))
        started.bot = bot
        yield started
        started.process.terminate()
        started.process.wait(snek.PATIENCE_S)


def secure(proxy):
    """A connection whose certificate is NAME's."""
    trust = ssl.create_default_context(cafile=str(proxy.authority))
    return trust.wrap_socket(proxy.connect(), server_hostname=NAME)


def ask(proxy, method, path, body=None, headers=None):
    """The status of one request on a connection of its own."""
    connection = http.client.HTTPSConnection(NAME, timeout=snek.PATIENCE_S)
    with secure(proxy) as connection.sock:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        response.read()
        return response.status


def test_a_large_signed_webhook_passes(proxy):
    payload = snek.payload("issue_comment.created", {"comment.body": "/ping"})
    payload["padding"] = "x" * (3 << 20)  # more than nginx accepts by default
    body = json.dumps(snek.rewrite(payload, proxy.bot.fake.api_url)).encode()
    assert ask(proxy, "POST", "/webhook/github", body, {
        "Content-Type": "application/json", "X-GitHub-Event": "issue_comment",
        "X-GitHub-Delivery": "through-proxy", "X-Hub-Signature-256": snek.signature(body)}) == 202
    proxy.bot.wait_log(msg="done", delivery="through-proxy")


def test_strangers_see_the_greeting_and_no_metrics(proxy):
    assert ask(proxy, "GET", "/") == 200
    assert proxy.bot.request("GET", "/metrics").status == 200
    assert ask(proxy, "GET", "/metrics") == 403


def test_a_person_logs_in_to_the_console_with_the_address_that_the_proxy_saw(proxy):
    assert ask(proxy, "POST", "/console/login", f"token={ADMIN}", {
        "Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http", "Origin": f"https://{NAME}"}) == 303
    proxy.bot.wait_log(msg="console_login", who="console admin 127.0.0.1")


def test_the_proxy_closes_an_idle_connection_before_the_host_does():
    """Otherwise it would send some webhooks into a connection that closes."""
    host_closes_after_s = int(re.search(r"closes a connection that was idle for (\d+) s",
                                        GUIDE.read_text(encoding="utf-8"))[1])
    for language, word in (("nginx", "keepalive_timeout"), ("caddy", "keepalive")):
        seconds = int(re.search(rf"\b{word} (\d+)s", text_of_the_guide(language, {}))[1])
        assert seconds < host_closes_after_s
