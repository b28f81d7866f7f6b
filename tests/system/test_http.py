# SPDX-License-Identifier: MIT OR Apache-2.0
"""The HTTP endpoints through the real binaries: every status of each path."""

import contextlib
import hashlib
import hmac
import json
import socket
import sqlite3
import urllib.parse
import uuid

import pytest

import snek

BODY = json.dumps({"action": "opened", "installation": {"id": 1}}).encode()


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["ping"])


def headers(host, body=BODY, **more):
    found = {"Content-Type": "application/json", "X-GitHub-Event": "trouble",
             "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": snek.signature(body)}
    for key, value in more.items():
        key = key.replace("_", "-")
        found.pop(key, None)
        if value is not None:
            found[key] = value
    return found


def test_the_greeting(host):
    response = host.request("GET", "/")
    assert response.status == 200
    assert "Hi! 🐍🐍🐍" in response.body.decode()


def test_liveness_and_readiness(host):
    assert host.request("GET", "/healthz").status == 200
    ready = host.request("GET", "/readyz")
    assert ready.status == 200
    assert ready.json["ready"] is True
    assert ready.json["plugins"] == [{"name": "ping", "state": "running", "sandbox": snek.best_level()}]


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/nothing", 404), ("POST", "/", 405), ("GET", "/webhook/github", 405),
    ("PUT", "/webhook/github", 405), ("DELETE", "/healthz", 405), ("GET", "/../etc/passwd", 404)])
def test_unknown_paths_and_methods(host, method, path, status):
    response = host.request(method, path, BODY if method == "POST" else None)
    assert response.status == status
    assert "fix" in response.json
    if status == 405:
        assert response.headers["allow"]


def test_a_rejected_path_is_logged_with_its_method(host):
    host.request("POST", "/webhook/gitub", BODY, headers(host))
    line = host.wait_log(msg="rejected", status=404)
    assert (line["method"], line["path"]) == ("POST", "/webhook/gitub")
    host.request("PUT", "/webhook/github", BODY)
    line = host.wait_log(msg="rejected", status=405)
    assert (line["method"], line["path"]) == ("PUT", "/webhook/github")
    host.request("GET", "/" + "x" * 5000)
    host.wait_log(msg="rejected", status=404, path="/" + "x" * 199)


def test_a_delivery_without_an_installation_says_so(host):
    guid = host.deliver("ping", {"zen": "Design for failure."})
    assert "no installation" in host.wait_log(msg="stored", delivery=guid)["reason"]


def test_a_delivery_is_queued(host):
    sent = headers(host)
    response = host.request("POST", "/webhook/github", BODY, sent)
    assert response.status == 202
    assert response.json == {"delivery": sent["X-GitHub-Delivery"], "status": "queued"}


def test_a_form_is_a_delivery_too(host):
    body = b"payload=" + urllib.parse.quote_plus(BODY.decode()).encode()
    sent = headers(host, body, Content_Type="application/x-www-form-urlencoded")
    assert host.request("POST", "/webhook/github", body, sent).status == 202


SIGNATURES = {
    "missing": None,
    "empty": "",
    "of other bytes": lambda host: snek.signature(BODY + b" "),
    "truncated": lambda host: snek.signature(BODY)[:-1],
    "too long": lambda host: snek.signature(BODY) + "0",
    "without its prefix": lambda host: snek.signature(BODY)[7:],
    "SHA-1 in the right header": lambda host: "sha1=" + snek.signature(BODY)[7:47],
    "not hex": lambda host: "sha256=" + "g" * 64,
    "of another secret": lambda host: "sha256=" + hmac.new(b"guess", BODY, hashlib.sha256).hexdigest(),
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_a_bad_signature_is_rejected(host, kind):
    signature = SIGNATURES[kind]
    signature = signature(host) if callable(signature) else signature
    response = host.request("POST", "/webhook/github", BODY, headers(host, X_Hub_Signature_256=signature))
    assert response.status == 401
    assert response.json["fix"]


def test_sha1_counts_only_when_it_is_allowed(start_bot, host):
    def sha1():
        return "sha1=" + hmac.new(snek.WEBHOOK_SECRET.encode(), BODY, hashlib.sha1).hexdigest()
    sent = headers(host, X_Hub_Signature_256=None, X_Hub_Signature=sha1())
    rejected = host.request("POST", "/webhook/github", BODY, sent)
    assert rejected.status == 401
    assert "allow_sha1" in rejected.json["fix"]
    other = start_bot(folder="other", plugins=["ping"], config={"github": {"allow_sha1": True}})
    sent = headers(other, X_Hub_Signature_256=None, X_Hub_Signature=sha1())
    assert other.request("POST", "/webhook/github", BODY, sent).status == 202


def test_both_secrets_count_during_a_rotation(start_bot):
    host = start_bot(plugins=["ping"], env={"GITHUB_WEBHOOK_SECRET_PREVIOUS": "the-old-one"})
    old = "sha256=" + hmac.new(b"the-old-one", BODY, hashlib.sha256).hexdigest()
    assert host.request("POST", "/webhook/github", BODY,
                     headers(host, X_Hub_Signature_256=old)).status == 202
    assert host.request("POST", "/webhook/github", BODY, headers(host)).status == 202


@pytest.mark.parametrize("missing", ["X_GitHub_Event", "X_GitHub_Delivery"])
def test_a_missing_header_is_named(host, missing):
    response = host.request("POST", "/webhook/github", BODY, headers(host, **{missing: None}))
    assert response.status == 400
    assert missing.replace("_", "-") in response.body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"action":"a"} x', b'"text"', b"{\xff}"])
def test_a_body_that_is_no_json_object_is_rejected(host, body):
    response = host.request("POST", "/webhook/github", body, headers(host, body))
    assert response.status == 400


def test_another_content_type_is_rejected(host):
    response = host.request("POST", "/webhook/github", BODY, headers(host, Content_Type="text/plain"))
    assert response.status == 415


def test_a_body_over_the_limit_is_rejected(start_bot):
    host = start_bot(plugins=["ping"], config={"server": {"max_body_bytes": 1000}})
    body = b'{"a":"' + b"x" * 1000 + b'"}'
    assert host.request("POST", "/webhook/github", body, headers(host, body)).status == 413
    assert host.request("POST", "/webhook/github", BODY, headers(host)).status == 202


def test_413_comes_before_415_before_400_before_401(start_bot):
    host = start_bot(plugins=["ping"], config={"server": {"max_body_bytes": 100}})
    large = b"x" * 101
    bad = {"Content-Type": "text/plain"}
    assert host.request("POST", "/webhook/github", large, bad).status == 413
    assert host.request("POST", "/webhook/github", b"x", bad).status == 415
    json_type = {"Content-Type": "application/json"}
    assert host.request("POST", "/webhook/github", b"x", json_type).status == 400
    named = dict(json_type, **{"X-GitHub-Event": "e", "X-GitHub-Delivery": str(uuid.uuid4())})
    assert host.request("POST", "/webhook/github", b"x", named).status == 401


def test_a_duplicate_of_an_unfinished_delivery_gets_200(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"delay_ms": 60000}})
    sent = headers(host)
    assert host.request("POST", "/webhook/github", BODY, sent).status == 202
    again = host.request("POST", "/webhook/github", BODY, sent)
    assert again.status == 200
    assert again.json == {"delivery": sent["X-GitHub-Delivery"], "status": "duplicate"}


def test_a_redelivery_of_a_finished_one_runs_again(start_bot):
    host = start_bot(plugins=["trouble"])
    sent = headers(host)
    for _ in range(2):
        before = host.mark()
        assert host.request("POST", "/webhook/github", BODY, sent).status == 202
        host.wait_log(msg="done", delivery=sent["X-GitHub-Delivery"], after=before)


def test_a_store_that_cannot_commit_is_503_with_retry_after_and_recovers(host):
    lock = sqlite3.connect(host.folder / "snekomatic.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    response = host.request("POST", "/webhook/github", BODY, headers(host), timeout=30)
    assert response.status == 503
    assert int(response.headers["retry-after"]) > 0
    assert response.json["fix"]
    lock.execute("ROLLBACK")
    lock.close()
    assert host.request("POST", "/webhook/github", BODY, headers(host)).status == 202


def raw(host, request):
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as link:
        link.sendall(request)
        link.shutdown(socket.SHUT_WR)
        response = b""
        while chunk := link.recv(65536):
            response += chunk
    return int(response.split(b" ", 2)[1]) if response else None


def request_with(host, *extra, body=BODY, length=True):
    lines = [b"POST /webhook/github HTTP/1.1", b"Host: x", b"Content-Type: application/json",
             b"X-GitHub-Event: trouble", b"X-GitHub-Delivery: " + str(uuid.uuid4()).encode(),
             b"X-Hub-Signature-256: " + snek.signature(BODY).encode(), b"Connection: close"]
    if length:
        lines.append(b"Content-Length: %d" % len(BODY))
    return b"\r\n".join([*lines, *extra]) + b"\r\n\r\n" + body


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def test_a_plain_and_a_chunked_request_are_accepted(host):
    assert raw(host, request_with(host)) == 202
    assert raw(host, request_with(host, b"Transfer-Encoding: chunked", body=CHUNKED,
                                  length=False)) == 202


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_bytes_after_a_chunked_body_are_no_request(host, end):
    chunks = b"%x%s%s\r\n0\r\n\r\n" % (len(BODY), end, BODY)
    request = request_with(host, b"Transfer-Encoding: chunked", body=chunks, length=False)
    request = request.replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as link:
        link.sendall(request + b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = b""
        with contextlib.suppress(ConnectionResetError):  # for what it left unread
            while chunk := link.recv(65536):
                response += chunk
    assert response.startswith(b"HTTP/1.1 202 ")
    assert response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("case", ["length and chunked", "two lengths", "two signatures",
                                  "two deliveries", "NUL in a header"])
def test_an_ambiguous_request_is_rejected(host, case):
    requests = {
        "length and chunked": request_with(host, b"Transfer-Encoding: chunked", body=CHUNKED),
        "two lengths": request_with(host, b"Content-Length: %d" % len(BODY)),
        "two signatures": request_with(host, b"X-Hub-Signature-256: " + snek.signature(BODY).encode()),
        "two deliveries": request_with(host, b"X-GitHub-Delivery: other"),
        "NUL in a header": request_with(host).replace(b"Event: trouble", b"Event: trou\0ble"),
    }
    assert raw(host, requests[case]) in (400, None)
    assert host.log(msg="stored") == []


def test_25_mib_of_hostile_json_cost_less_than_64_mib(start_bot):
    host = start_bot(plugins=["ping"])
    unit = b'[{"\\u0061":[' + b"[" * 200 + b"]" * 200 + b"]}],"
    start, end = b'{"installation":{"id":1},"x":[', b'0]}'
    body = start + unit * ((26214400 - len(start) - len(end)) // len(unit)) + end
    before = host.memory_kib("VmRSS")
    assert host.request("POST", "/webhook/github", body, headers(host, body)).status == 202
    assert host.memory_kib("VmHWM") - before < 64 << 10
