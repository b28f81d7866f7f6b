# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares the plugins' requests and the fake GitHub's responses with GitHub's own description of
its API (@octokit/openapi) by a server that rejects what that does not describe
(@stoplight/prism-cli)."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

import pytest

import snek
from conftest import postgres
from endpoints import APP_REQUESTS, DESCRIBED, REQUESTS, REQUIRED, STATE
from fake_client import Client, mint

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
NODE = os.environ.get("SNEK_NODE", "node")
TRIM = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "trim.mjs"
@pytest.fixture(scope="module")
def description(tmp_path_factory):
    """GitHub's, trimmed to DESCRIBED; a file."""
    assert MODULES, "SNEK_CONFORMANCE_MODULES must name what `./dev test` installs"
    file = tmp_path_factory.mktemp("description") / "api.json"
    whole = pathlib.Path(MODULES) / "@octokit/openapi/generated/api.github.com.json"
    subprocess.run([NODE, TRIM, whole, file, *DESCRIBED], check=True)
    return file


@contextlib.contextmanager
def prism(mode, *arguments):
    """The server, running; its URL."""
    port = postgres.free_port()
    server = snek.Process([NODE, f"{MODULES}/@stoplight/prism-cli/dist/index.js", mode, "-h",
                           "127.0.0.1", "-p", str(port), *arguments], snek.clean_environment())
    try:
        deadline = time.monotonic() + 60 + snek.PATIENCE_S
        while "Prism is listening" not in server.output():
            assert server.popen.poll() is None and time.monotonic() < deadline, server.output()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.popen.terminate()
        server.popen.wait()


@pytest.fixture(scope="module")
def github(description):
    """Says what is wrong with a request; None when nothing is."""

    def judge(method, path, body=None, query=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        response = snek.request(method, f"{url}{path}" + (f"?{query}" if query else ""),
                              json.dumps(body).encode() if body is not None else None, headers)
        wrong = response.headers.get("sl-violations")
        return wrong or (f"{response.status}: {response.body}" if response.status >= 400 else None)

    with prism("mock", "--errors", description) as url:
        yield judge


@pytest.mark.parametrize("method,path,body", [
    ("PUT", "/orgs/x/memberships/y", {"role": "king"}),
    ("PATCH", "/orgs/x/memberships/y", {"role": "member"}),
    ("PUT", "/orgs/x/membership/y", {"role": "member"}),
    ("POST", "/repos/o/r/issues/1/comments", {"text": "hello"}),
    ("POST", "/repos/o/r/issues/one/comments", {"body": "hello"}),
    ("POST", "/repos/o/r/issues/1/reactions", {"content": "snake"}),
])
def test_requests_outside_githubs_description_are_rejected(github, method, path, body):
    assert github(method, path, body)


def hold(github, fake, below="/"):
    """Everything that the fake was asked below the path, held against the description; the number.
    The description is of REST; test_fake_graphql.py has GraphQL's."""
    asked = [entry for entry in fake.requests()
             if entry["path"].startswith(below) and entry["path"] != "/graphql"]
    for entry in asked:
        # The path of a file is one segment for Prism.
        way, contents, file = entry["path"].partition("/contents/")
        path = way + contents + urllib.parse.quote(file, safe="")
        wrong = github(entry["method"], path, entry["body"], entry["query"])
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


def test_the_requests_of_dco_and_stale_conform(github, fake, start_bot, tmp_path):
    author = {"name": "Hana", "email": "hana@example.org"}
    head = snek.payload("pull_request.opened")["pull_request"]["head"]["sha"]
    fake.patch_state({
        "installations": [{"id": snek.INSTALLATION,
                           "permissions": {"checks": "write", "contents": "read"}}],
        "repositories": [{
            "full_name": "sneks-united/terrarium",
            "contents": [{"path": ".github/stale.yml",
                          "text": "dryRun: false\ncloseComment: Bye\nexemptLabels: []"}],
            "issues": [{"number": 12, "updated_at": "-70 d"},
                       {"number": 22, "updated_at": "-8 d", "labels": ["stale"],
                        "commits": [{"sha": head, "message": "Oops", "author": author}]}]}]})
    time_file = tmp_path / "advance"
    host = start_bot(plugins=["dco", "stale"], env={"SNEKOMATIC_ADVANCE_FILE": str(time_file)})
    delivery = host.deliver("pull_request", snek.payload("pull_request.opened"))
    host.wait_log(msg="done", delivery=delivery, plugin="dco")
    for ms in (1, 25 * 3600 * 1000):
        time_file.write_text(f"{ms}\n")
        host.wait_log(msg="time_advanced", ms=str(ms))
    host.wait_log(msg="done", plugin="stale")
    comment = snek.payload("issue_comment.created", {"issue.labels": [{"name": "stale"}]})
    delivery = host.deliver("issue_comment", comment)
    host.wait_log(msg="done", delivery=delivery, plugin="stale")
    asked = {(entry["method"], entry["path"].rpartition("/")[2]) for entry in fake.requests()}
    assert {("POST", "check-runs"), ("GET", "commits"), ("POST", "labels"), ("PATCH", "22"),
            ("DELETE", "stale"), ("GET", "stale.yml")} <= asked
    assert hold(github, fake, "/repos/") > 15


def test_the_requests_for_roles_conform(github, fake, start_bot):
    host = start_bot(plugins=["roles"])
    payload = snek.payload("issue_comment.created", {"comment.body": "/admin\n/member"})
    host.wait_log(msg="done", delivery=host.deliver("issue_comment", payload))
    assert hold(github, fake) >= 4


def test_the_requests_of_a_plugin_that_uses_every_way_conform(github, fake, start_bot):
    host = start_bot(plugins=["test-probe"], config={"dispatch": {"max_attempts": 1}})
    for what in (
        {"do": "list", "url": "/orgs/sneks-united/members"},
        {"do": "send", "method": "GET", "url": "/search/issues{?q,per_page}",
         "p": [{"name": "q", "value": "is:open repo:a/b"}, {"name": "per_page", "value": "5"}]},
        {"do": "send", "method": "POST", "url": "/repos/{owner}/terrarium/issues/12/labels",
         "p": [{"name": "owner", "value": "sneks-united"}], "json": {"labels": ["a", "b c"]}},
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


def test_the_fakes_responses_are_as_github_describes_them(description, fake, app):
    """Through a proxy that holds request and response against the description."""
    fake.patch_state(STATE)
    fake.settings(webhook_url="https://bot.example.org/webhook/github")
    delivery = fake.deliver("ping", {"zen": "x"}, unsent=True)["id"]
    token = mint(app, {"permissions": REQUIRED}).json["token"]
    with prism("proxy", description, fake.url) as url:
        as_app = Client(fake, app.authorization, url)
        as_installation = Client(fake, f"Bearer {token}", url)
        problems = []
        for asks, requests in ((as_app, APP_REQUESTS), (as_installation, REQUESTS)):
            for method, path, *body in requests:
                response = asks(method, path.format(delivery=delivery), *body)
                wrong = response.headers.get("sl-violations")
                if wrong or response.status >= 500:
                    problems.append((method, path, response.status, wrong))
    assert problems == []
    assert {entry["status"] for entry in fake.requests()} == {200, 201, 202, 204, 404}
