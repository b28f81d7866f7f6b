# SPDX-License-Identifier: MIT OR Apache-2.0
"""GitHub's own payloads, from @octokit/webhooks-examples, signed by @octokit/webhooks-methods:
neither knows anything of our code."""

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess

import pytest

import snek

MODULES = os.environ.get("SNEK_NODE_MODULES")
SIGN = """
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";
const { sign } = await import(pathToFileURL(process.argv[1] + "/@octokit/webhooks-methods/dist-node/index.js"));
const { secret, bodies } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(bodies.map((body) => sign(secret, body)))));
"""


@pytest.fixture(scope="module")
def examples():
    """(event, body as text, signature) of every example."""
    assert MODULES, "SNEK_NODE_MODULES must name the node_modules that `./dev test` installs"
    index = pathlib.Path(MODULES) / "@octokit/webhooks-examples/api.github.com/index.json"
    found = [(entry["name"], json.dumps(example, indent=2, ensure_ascii=False))
             for entry in json.loads(index.read_text(encoding="utf-8"))
             for example in entry["examples"]]
    signed = subprocess.run(
        [os.environ.get("SNEK_NODE", "node"), "--input-type=module", "-e", SIGN, "--", MODULES],
        input=json.dumps({"secret": snek.WEBHOOK_SECRET, "bodies": [body for _, body in found]}),
        capture_output=True, text=True, check=False)
    assert signed.returncode == 0, signed.stderr
    return [(*one, signature) for one, signature in zip(found, json.loads(signed.stdout))]


def test_all_329_examples_are_accepted_and_what_was_routed_ends_well(examples, start_bot):
    assert len(examples) == 329
    host = start_bot(plugins=["invite", "ping"])
    for event, body, signature in examples:
        response = host.post(event, body=body.encode(), headers={"X-Hub-Signature-256": signature})
        assert response.status == 202, (event, response)
        stored = host.wait_log(msg="stored", delivery=response.delivery)
        assert stored["event"] == event
        assert stored.get("action", "") == str(json.loads(body).get("action", ""))
        if int(stored["runs"]) > 0:
            host.wait_log(msg=("done", "skipped"), delivery=response.delivery)


ABOUT = {"issues": "issue", "issue_comment": "issue", "discussion": "discussion",
         "discussion_comment": "discussion", "pull_request": "pull_request",
         "pull_request_review": "pull_request", "pull_request_review_comment": "pull_request",
         "pull_request_review_thread": "pull_request"}


def test_every_example_about_an_issue_pull_request_or_discussion_has_its_key(examples, start_bot):
    host = start_bot(plugins=["ping"])
    wanted = {}
    for event, body, signature in examples:
        payload = json.loads(body)
        item = ""
        if event in ABOUT:
            item = f"{payload['repository']['id']}#{payload[ABOUT[event]]['number']}"
        response = host.post(event, body=body.encode(), headers={"X-Hub-Signature-256": signature})
        wanted[response.delivery] = (event, item)
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        rows = store.execute("SELECT guid, event, item FROM deliveries").fetchall()
    assert {guid: (event, item) for guid, event, item in rows} == wanted
    assert sum(item != "" for _, item in wanted.values()) == 98


def test_a_signature_of_theirs_for_another_body_is_rejected(examples, start_bot):
    host = start_bot(plugins=["ping"])
    (event, body, _), (_, _, other) = examples[:2]
    response = host.post(event, body=body.encode(), headers={"X-Hub-Signature-256": other})
    assert response.status == 401
