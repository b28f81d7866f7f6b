# SPDX-License-Identifier: MIT OR Apache-2.0
"""A fake Sentry: takes envelopes as the real one does, keeps what each said, and responds as the test says."""

import http.server
import json
import re
import threading
import time

import snek

KEY = "0123456789abcdef0123456789abcdef"
PROJECT = 4711


class FakeSentry:
    """`responses` are (status, headers) of the next requests, in order; then 200. A status of None
    keeps the client waiting. `faults` has everything that breaks the protocol."""

    def __init__(self):
        self.envelopes, self.faults, self.responses = [], [], []  # envelopes: (headers, text, event)
        self.go_on = threading.Event()
        self._news = threading.Condition()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802, its base class' name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = fake.take(self.path, self.headers, body)
                if status is None:
                    fake.go_on.wait(snek.PATIENCE_S)
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.dsn = f"http://{KEY}@127.0.0.1:{self.server.server_port}/{PROJECT}"

    def stop(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()

    def take(self, path, headers, body):
        with self._news:
            try:
                self.envelopes.append((headers, body.decode(), self._read(path, headers, body)))
            except (AssertionError, ValueError, KeyError) as fault:
                self.faults.append(f"{path}: {fault!r}: {body!r}")
            self._news.notify_all()
            return self.responses.pop(0) if self.responses else (200, {})

    @staticmethod
    def _read(path, headers, body):
        assert path == f"/api/{PROJECT}/envelope/", path
        assert headers["Content-Type"] == "application/x-sentry-envelope"
        auth = dict(part.strip().split("=") for part in
                    headers["X-Sentry-Auth"].removeprefix("Sentry ").split(","))
        assert auth["sentry_version"] == "7" and auth["sentry_key"] == KEY
        assert "Authorization" not in headers
        head, item, rest = body.split(b"\n", 2)
        item = json.loads(item)
        event = json.loads(rest[: item["length"]])
        assert item["type"] == "event" and rest[item["length"]:] == b"\n"
        assert re.fullmatch("[0-9a-f]{32}", event["event_id"])
        assert json.loads(head)["event_id"] == event["event_id"]
        assert abs(event["timestamp"] - time.time()) < 3600
        return event

    def wait(self, start, timeout=None):
        """Waits for the first event whose message starts so."""
        deadline = time.monotonic() + (snek.PATIENCE_S if timeout is None else timeout)
        with self._news:
            while True:
                for _, _, event in self.envelopes:
                    if event["message"]["formatted"].startswith(start):
                        return event
                left = deadline - time.monotonic()
                assert left > 0, f"no event {start!r}; {self.faults}; {self.envelopes}"
                self._news.wait(left)

    @property
    def events(self):
        return [event for _, _, event in self.envelopes]
