# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the text of a scenario with `snekomatic-test run`, for the tests of the runner itself."""

import re
import subprocess

import pytest

import snek


class Outcome:
    def __init__(self, done):
        self.status, self.text, self.errors = done.returncode, done.stdout, done.stderr
        self.ok = re.findall(r"^ok \d+ - (.*)$", self.text, re.M)
        self.not_ok = re.findall(r"^not ok \d+ - (.*)$", self.text, re.M)


@pytest.fixture
def play(tmp_path):
    """Runs a scenario's text."""

    def run(text, *options, plugin="invite", name="it.toml", **variables):
        file = tmp_path / name
        head = f'plugin = "{plugin}"\n' if plugin else ""
        file.write_text(head + text, encoding="utf-8")
        folders = [snek.build_directory() / "plugins", snek.program("trouble.so").parent]
        command = [snek.program("snekomatic-test"), "run", "--timeout", "20",
                   *(part for folder in folders for part in ("--plugins", folder)), *options, file]
        return Outcome(subprocess.run([str(part) for part in command], capture_output=True,
                                      text=True, env={**snek.clean_environment(), **variables},
                                      timeout=200))

    return run


def client_step(*steps, **keys):
    """A step in which the plugin `client` sends requests: texts, or tables in TOML."""
    shown = ", ".join(one if one.startswith("{") else f'{{ request = "{one}" }}' for one in steps)
    rest = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f"""
[[step]]
deliver = "ping"
event = "client"
change = {{ action = "ask", installation = {{ id = 60001 }}, steps = [{shown}] }}
{rest}"""
