# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the plugins send, held against GitHub's own description of its API (@octokit/openapi) by a
server that refuses what that does not describe (@stoplight/prism-cli)."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse

import pytest

import snek

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
TRIM = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "trim.mjs"
REPO = "/repos/{owner}/{repo}"
PATHS = [
    "/app",
    "/app/installations/{installation_id}/access_tokens",
    "/orgs/{org}/memberships/{username}",
    "/orgs/{org}/members",
    "/search/issues",
    REPO + "/issues",
    REPO + "/issues/{issue_number}/comments",
    REPO + "/issues/{issue_number}/labels",
    REPO + "/issues/{issue_number}/reactions",
    REPO + "/issues/comments/{comment_id}/reactions",
    REPO + "/pulls/{pull_number}/comments/{comment_id}/replies",
    REPO + "/pulls/comments/{comment_id}/reactions",
]


@pytest.fixture(scope="module")
def github(tmp_path_factory):
    """Prism on the trimmed description: says what is wrong with a request; None when nothing is."""
    assert MODULES, "SNEK_CONFORMANCE_MODULES must name what `./dev test` installs"
    folder, node = tmp_path_factory.mktemp("prism"), os.environ.get("SNEK_NODE", "node")
    whole = pathlib.Path(MODULES) / "@octokit/openapi/generated/api.github.com.json"
    subprocess.run([node, TRIM, whole, folder / "api.json", *PATHS], check=True)
    with socket.socket() as free:  # it cannot pick one itself
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "log").open("wb")
    prism = subprocess.Popen([node, f"{MODULES}/@stoplight/prism-cli/dist/index.js", "mock", "-h",
                              "127.0.0.1", "-p", str(port), "--errors", folder / "api.json"],
                             stdout=log, stderr=log)
    deadline = time.monotonic() + 60 + snek.PATIENCE_S
    while b"Prism is listening" not in (folder / "log").read_bytes():
        assert prism.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)

    def judge(method, path, body=None, query=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        answer = snek.request(method, f"http://127.0.0.1:{port}{path}" + (f"?{query}" if query else ""),
                              json.dumps(body).encode() if body is not None else None, headers)
        wrong = answer.headers.get("sl-violations")
        return wrong or (f"{answer.status}: {answer.body}" if answer.status >= 400 else None)

    yield judge
    prism.terminate()
    prism.wait()
    log.close()


@pytest.mark.parametrize("method,path,body", [
    ("PUT", "/orgs/x/memberships/y", {"role": "king"}),
    ("PATCH", "/orgs/x/memberships/y", {"role": "member"}),
    ("PUT", "/orgs/x/membership/y", {"role": "member"}),
    ("POST", "/repos/o/r/issues/1/comments", {"text": "hello"}),
    ("POST", "/repos/o/r/issues/one/comments", {"body": "hello"}),
    ("POST", "/repos/o/r/issues/1/reactions", {"content": "snake"}),
])
def test_what_github_does_not_describe_is_refused(github, method, path, body):
    assert github(method, path, body)


def hold(github, fake):
    """Everything that the fake was asked, held against the description; the number."""
    asked = fake.requests()
    for entry in asked:
        wrong = github(entry["method"], entry["path"], entry["body"], entry["query"])
        assert wrong is None, (entry["method"], entry["path"], entry["query"], entry["body"], wrong)
    return len(asked)


def test_the_requests_of_the_bundled_plugins_conform(github, fake, start_bot):
    host = start_bot(plugins=["invite", "ping", "hello", "welcome"])
    for kind in ("issues.opened", "pull_request.opened", "issue_comment.created",
                 "pull_request_review.submitted", "pull_request_review_comment.created"):
        where = {"issues": "issue", "pull_request": "pull_request", "issue_comment": "comment",
                 "pull_request_review": "review", "pull_request_review_comment": "comment"}
        for command in ("/ping", "/hello"):
            event = kind.split(".")[0]
            delivery = host.deliver(event, snek.payload(kind, {f"{where[event]}.body": command}))
            host.wait_log(msg=("done", "skipped"), delivery=delivery, plugin=command[1:])
    delivery = host.deliver("pull_request", snek.payload("pull_request.closed.merged"))
    host.wait_log(msg="done", delivery=delivery, plugin="invite")
    assert hold(github, fake) > 15


def test_the_requests_of_a_plugin_that_uses_every_way_conform(github, fake, start_bot):
    host = start_bot(plugins=["test-probe"], config={"dispatch": {"max_attempts": 1}})
    for what in (
        {"do": "list", "url": "/orgs/sneks-united/members"},
        {"do": "send", "method": "GET", "url": "/search/issues{?q,per_page}",
         "p": [{"name": "q", "value": "is:open repo:a/b"}, {"name": "per_page", "value": "5"}]},
        {"do": "send", "method": "POST", "url": "/repos/{owner}/terrarium/issues/12/labels",
         "p": [{"name": "owner", "value": "sneks-united"}], "body": {"labels": ["a", "b c"]}},
        {"do": "send", "method": "PUT", "url": "/orgs/{org}/memberships/{username}",
         "p": [{"name": "org", "value": "sneks-united"}, {"name": "username", "value": "viper-vik"}],
         "f": [{"name": "role", "text": "member"}]},
        {"do": "send", "method": "DELETE", "url": "/orgs/sneks-united/memberships/viper-vik"},
    ):
        payload = {"action": "do", "installation": {"id": snek.INSTALLATION}, **what}
        host.wait_log(msg=("done", "dead", "parked"), delivery=host.deliver("probe", payload))
    fake_sees = {urllib.parse.unquote(entry["path"]) for entry in fake.api_requests()}
    assert "/search/issues" in fake_sees and "/repos/sneks-united/terrarium/issues/12/labels" in fake_sees
    assert hold(github, fake) >= 6
