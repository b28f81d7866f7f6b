# SPDX-License-Identifier: MIT OR Apache-2.0
"""From the demo to a bot that answers, by the commands of README, as a new user runs them."""

import pathlib
import re
import shlex
import subprocess
import time

import pytest

import snek
from test_setup import Setup

README = pathlib.Path(__file__).parents[2] / "README.md"
HEADING = "From the demo to your bot"
# "In five minutes"; the machine may be busy with other tests.
LIMIT_S = 300


def commands():
    section = re.search(rf"^## {HEADING}\n(.*?)^## ", README.read_text(encoding="utf-8"), re.S | re.M)[1]
    return re.findall(r"^    (.*)$", section, re.M)


@pytest.fixture
def shell(tmp_path):
    """shell(command, folder): runs it. The program is the built one, and `sudo` runs nothing but notes
    its arguments, because a test must not install."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "snekomatic").symlink_to(snek.program("snekomatic"))
    (programs / "sudo").write_text(f'#!/bin/sh\necho "$@" >> {programs}/installed\n')
    (programs / "sudo").chmod(0o755)

    def run(command, folder, **env):
        done = subprocess.run(["bash", "-euc", command], cwd=folder, capture_output=True, text=True,
                              env=snek.clean_environment(PATH=f"{programs}:/usr/bin:/bin", **env),
                              timeout=LIMIT_S, check=False)
        assert done.returncode == 0, done
        return done.stdout

    run.programs = programs
    return run


def test_the_commands_of_the_readme_lead_to_a_bot_that_answers(fake, shell, tmp_path):
    began = time.monotonic()
    install, enter, serve, check = commands()
    shell(install, tmp_path)
    assert (shell.programs / "installed").read_text() == "meson install -C build\n"
    folder = pathlib.Path(shell(f"{enter} && pwd", tmp_path).strip())
    program, *words = shlex.split(serve)
    assert (program, words) == ("snekomatic", ["serve"])

    setup = Setup(fake, folder)
    try:
        made = setup.make(address="", pull="yes")
        setup.finish(made)
        setup.wait_ready()
        output = shell(check, folder, GITHUB_API_URL=fake.url)
        assert "all is well" in output, output
        entry = fake.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "/ping"}))
        setup.process.wait_log(msg="done", delivery=entry["guid"], plugin="ping")
        assert fake.wait_requests(method="POST", path="/repos/sneks-united/terrarium/issues/12/comments", status=201)
        assert time.monotonic() - began < LIMIT_S
    finally:
        assert setup.process.end() == 0, setup.process.output()
