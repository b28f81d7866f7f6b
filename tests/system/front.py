# SPDX-License-Identifier: MIT OR Apache-2.0
"""The programs between a bot and the fake GitHub: nginx with TLS and HTTP/2, and a proxy that knows
CONNECT. Both say afterwards what came through them."""

import base64
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import snek

NGINX = os.environ.get("SNEK_NGINX") or shutil.which("nginx", path="/usr/sbin:/usr/bin")

CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 2048; }}
http {{
    log_format line escape=json '{{"method":"$request_method","uri":"$request_uri",'
        '"status":"$status","protocol":"$server_protocol","connection":"$connection",'
        '"authorization":"$http_authorization"}}';
    access_log access.log line;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} ssl{http2};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location {prefix}/ {{ proxy_pass http://127.0.0.1:{behind}{slash}; }}
        {graphql}
    }}
}}
"""
GRAPHQL = "location = /api/graphql {{ proxy_pass http://127.0.0.1:{behind}/graphql; }}"


def make_certificate(folder, name="server"):
    """A certificate for 127.0.0.1, localhost and `name` that vouches for itself: (certificate, key)."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{name}", "-keyout", str(key),
                    "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class Front:
    """nginx before a fake GitHub, which is made before `start`, since it must know our address.
    With prefix="/api/v3" it is laid out as an Enterprise server."""

    def __init__(self, folder, certificate, http2=True, prefix=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.http2, self.prefix = http2, prefix
        self.certificate, self.key = certificate
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        self.origin = f"https://127.0.0.1:{self.port}"
        self.url = self.origin + prefix
        self.process = None

    def start(self, behind):
        (self.folder / "nginx.conf").write_text(CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            port=self.port, certificate=self.certificate, key=self.key, prefix=self.prefix,
            behind=behind, http2=" http2" if self.http2 else "",
            slash="/" if self.prefix else "",
            graphql=GRAPHQL.format(behind=behind) if self.prefix else ""))
        fd = self.socket.fileno()
        # It takes over the socket, as from the nginx that it replaces: the port is never free.
        self.process = subprocess.Popen(
            [NGINX, "-p", str(self.folder), "-e", "error.log", "-c", "nginx.conf"],
            env={"NGINX": f"{fd};"}, pass_fds=[fd], stdin=subprocess.DEVNULL)
        self.socket.close()
        return self

    def stop(self):
        self.socket.close()
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def signal(self, number):
        """SIGSTOP: connections are made by the kernel, and nobody speaks on them until SIGCONT."""
        for pid in (self.process.pid, *snek.children(self.process.pid)):
            os.kill(pid, number)

    def requests(self, **wanted):
        """Its responses, in order: method, uri, status, protocol,
        connection, authorization."""
        path = self.folder / "access.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, lines)
                if all(re.fullmatch(what, entry[name]) for name, what in wanted.items())]

    def connections(self, **wanted):
        return {entry["connection"] for entry in self.requests(**wanted)}


class Proxy:
    """A proxy that tunnels, by CONNECT or as SOCKS 5. reject=STATUS responds so to every CONNECT; `user` is "name:password",
    which it wants to hear."""

    def __init__(self, reject=None, user=None):
        self.reject, self.user = reject, user
        self.asked = []  # (request line, {header: value}), in order
        self.carried = b""  # all bytes that went through, both ways
        self.tunnels = 0
        self._cut_when = None
        self._lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def cut(self, when=lambda: True):
        """Cuts all tunnels, without a word, once when() is true; waits until that is done."""
        self._cut_when = when
        deadline = time.monotonic() + snek.PATIENCE_S
        while self.tunnels > 0:
            assert time.monotonic() < deadline, "nothing to cut came"
            time.sleep(0.01)
        self._cut_when = None

    def _accept(self):
        while True:
            try:
                bot, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(bot,), daemon=True).start()

    def _serve_socks(self, bot):
        """RFC 1928, as far as libcurl goes: no password, a host by its name or IPv4 address."""
        bot.recv(bot.recv(2)[1])
        bot.sendall(b"\5\0")
        kind = bot.recv(4)[3]
        host = bot.recv(bot.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(bot.recv(4))
        port = int.from_bytes(bot.recv(2), "big")
        with self._lock:
            self.asked.append((f"SOCKS {host}:{port}", {}))
        with socket.create_connection((host, port)) as far:
            bot.sendall(b"\5\0\0\1" + bytes(6))
            self._carry(bot, far)

    def _serve(self, bot):
        with bot:
            if bot.recv(1, socket.MSG_PEEK) == b"\5":
                self._serve_socks(bot)
                return
            head = b""
            while b"\r\n\r\n" not in head:
                more = bot.recv(4096)
                if not more:
                    return
                head += more
            line, *rest = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip()
                       for name, _, value in (one.partition(":") for one in rest if one)}
            with self._lock:
                self.asked.append((line, headers))
            wanted = self.user and "Basic " + base64.b64encode(self.user.encode()).decode()
            status = self.reject
            if wanted and headers.get("proxy-authorization") != wanted:
                status = 407
            if status or not line.startswith("CONNECT "):
                more = "Proxy-Authenticate: Basic realm=\"p\"\r\n" if status == 407 else ""
                bot.sendall(f"HTTP/1.1 {status or 405} No\r\n{more}Content-Length: 0\r\n\r\n".encode())
                return
            host, _, port = line.split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as far:
                self._count(1)
                try:
                    bot.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._carry(bot, far)
                except OSError:
                    pass  # one of both is gone
            bot.close()
            self._count(-1)

    def _count(self, change):
        with self._lock:
            self.tunnels += change

    def _carry(self, bot, far):
        while not (self._cut_when and self._cut_when()):
            for ready in select.select([bot, far], [], [], 0.02)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                with self._lock:
                    self.carried += data
                (far if ready is bot else bot).sendall(data)
