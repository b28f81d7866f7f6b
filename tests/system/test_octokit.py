# SPDX-License-Identifier: MIT OR Apache-2.0
"""GitHub's own payloads, from @octokit/webhooks-examples, signed by @octokit/webhooks-methods:
neither knows anything of our code."""

import json
import os
import pathlib
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


def test_a_signature_of_theirs_for_another_body_is_rejected(examples, start_bot):
    host = start_bot(plugins=["ping"])
    (event, body, _), (_, _, other) = examples[:2]
    response = host.post(event, body=body.encode(), headers={"X-Hub-Signature-256": other})
    assert response.status == 401
