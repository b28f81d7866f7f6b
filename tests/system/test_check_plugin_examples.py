# SPDX-License-Identifier: MIT OR Apache-2.0
"""The plugins of this tree survive `snekomatic check --plugin` with GitHub's own payloads."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import snek

MODULES = os.environ.get("SNEK_NODE_MODULES")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder with each payload of @octokit/webhooks-examples; with each third one for a sanitized
    build, which needs five times as long."""
    assert MODULES, "SNEK_NODE_MODULES must name the node_modules that `./dev test` installs"
    index = pathlib.Path(MODULES) / "@octokit/webhooks-examples/api.github.com/index.json"
    folder = tmp_path_factory.mktemp("examples")
    for entry in json.loads(index.read_text(encoding="utf-8")):
        for number, example in enumerate(entry["examples"]):
            (folder / f"{entry['name']}.{number}.json").write_text(json.dumps(example))
    files = sorted(folder.iterdir())
    assert len(files) == 329
    for number, file in enumerate(files):
        if os.environ.get("SNEK_SANITIZED") and number % 3:
            file.unlink()
    return folder


@pytest.mark.parametrize("name", ["dco.so", "hello.so", "invite.so", "ping.so", "stale.so", "welcome.so",
                                  "bot-chatops.so"])
def test_a_good_plugin_survives_every_example_of_github_with_each_value_missing(examples, name):
    done = subprocess.run([snek.program("snekomatic"), "check", "--plugin", snek.program(name),
                           "--payloads", examples], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "ok   create() and destroy(), 100 times"
    tried = int(re.fullmatch(r"ok   (\d+) deliveries, whole, and with each value missing or null",
                             lines[2])[1])
    assert tried > (500 if os.environ.get("SNEK_SANITIZED") else 1500)
    assert re.fullmatch(r"ok   \d+ deliveries, cancelled at once", lines[3])
    assert re.fullmatch(r"ok   \d+ runs in which one allocation fails(; stopped after 30 s)?", lines[4])
