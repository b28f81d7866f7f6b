# SPDX-License-Identifier: MIT OR Apache-2.0
"""HTTP requests, GitHub's payloads and signatures, and the app's keys and JWTs."""

import base64
import copy
import hashlib
import hmac
import http.client
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

import processes
import slowness

API = "https://api.github.com"
PAYLOADS = pathlib.Path(__file__).resolve().parent.parent / "payloads"
APP_ID = 31415
APP_SLUG = "sneks-bot"
# The id of the app's bot user at the fake GitHub.
BOT_ID = APP_ID + 5000000
# The installation in payloads/github.json and in every payload.
INSTALLATION = 60001
WEBHOOK_SECRET = "not a secret: the tests' own"

def make_key(path, bits=2048):
    """Makes an RSA key with whichever tool is there; PEM. Returns its path."""
    path = pathlib.Path(path)
    tools = (
        ["openssl", "genrsa", "-out", str(path), str(bits)],
        ["certtool", "--generate-privkey", "--key-type=rsa", f"--bits={bits}", f"--outfile={path}"],
    )
    for tool in tools:
        try:
            subprocess.run(tool, check=True, capture_output=True)
        except FileNotFoundError:
            continue
        path.chmod(0o600)
        return path
    raise RuntimeError("neither openssl nor certtool is installed")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_jwt(key_path, issuer=APP_ID, issued_s=-60, expires_s=60, algorithm="RS256", **claims):
    """An app's JWT; the times count from now. A claim that is given as None is left out."""
    now = int(time.time())
    body = {"iat": now + issued_s, "exp": now + expires_s, "iss": issuer, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    head = {"alg": algorithm, "typ": "JWT"}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (head, body))
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key_path)],
        input=text.encode(),
        check=True,
        capture_output=True,
    )
    return f"{text}.{base64url(signed.stdout)}"


class Response:
    """An HTTP response: status, headers (names in lower case), body, and the body as JSON."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"Response({self.status}, {self.body[:300]!r})"


def request(method, url, body=None, headers=None, timeout=None):
    """One request on a connection of its own; `body` is bytes, or an object that becomes JSON.
    Only the headers given are sent, besides Host and Content-Length."""
    slowness.pause()
    parts = urllib.parse.urlsplit(url)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=processes.PATIENCE_S if timeout is None else timeout
    )
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        got = connection.getresponse()
        response_headers = {name.lower(): value for name, value in got.getheaders()}
        return Response(got.status, response_headers, got.read())
    finally:
        connection.close()


def payload(name, changes=None):
    """A payload of tests/payloads by its name ("pull_request.closed.merged"), changed()."""
    return changed(json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8")), changes)


def changed(value, changes):
    """A copy with some values changed: {"pull_request.user.login": "nobody"}; ... removes a key."""
    result = copy.deepcopy(value)
    for path, new in (changes or {}).items():
        *way, last = path.split(".")
        place = result
        for key in way:
            place = place[key]
        if new is ...:
            del place[last]
        else:
            place[last] = copy.deepcopy(new)
    return result


_MARKER = re.compile(r"\n\n<!-- snekomatic:effect=[0-9a-f]{32} -->$")


def visible(body):
    """The part of a comment's body that people see. The body must end in one marker."""
    text, markers = _MARKER.subn("", body["body"])
    assert markers == 1, body
    return {**body, "body": text}


def rewrite(value, origin):
    """A copy in which every URL at https://api.github.com is one at `origin`."""
    if isinstance(value, dict):
        return {key: rewrite(item, origin) for key, item in value.items()}
    if isinstance(value, list):
        return [rewrite(item, origin) for item in value]
    if isinstance(value, str) and (value == API or value.startswith(API + "/")):
        return origin + value[len(API) :]
    return value


def signature(body, secret=WEBHOOK_SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
