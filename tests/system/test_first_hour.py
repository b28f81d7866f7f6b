# SPDX-License-Identifier: MIT OR Apache-2.0
"""From the demo to a bot that answers, by the commands of README, as a new user runs them."""

import pathlib
import re
import shlex
import subprocess
import time
import urllib.parse

import pytest

import snek
from test_setup import Setup

GUIDE = pathlib.Path(__file__).parents[2] / "docs/fake-github.md"
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
    for name in "snekomatic", "snekomatic-test":
        (programs / name).symlink_to(snek.program(name))
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
        end = setup.finish(made)
        setup.wait_ready()
        setup.install(end)
        output = shell(check, folder, GITHUB_API_URL=fake.url)
        assert "all is well" in output, output
        entry = fake.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "/ping"}))
        setup.process.wait_log(msg="done", delivery=entry["guid"], plugin="ping")
        assert fake.wait_requests(method="POST", path="/repos/sneks-united/terrarium/issues/12/comments", status=201)
        assert time.monotonic() - began < LIMIT_S
    finally:
        assert setup.process.end() == 0, setup.process.output()


# ---- docs/fake-github.md

FAKE, BOT = "127.0.0.1:8080", "127.0.0.1:8000"


class Guide:
    """The commands of a section of the guide, with other addresses than the guide's."""

    def __init__(self, heading):
        text = GUIDE.read_text(encoding="utf-8")
        self.section = re.search(rf"^## {heading}\n(.*?)^## ", text, re.S | re.M)[1]
        self.places = {"/usr/local/share/snekomatic/payloads": str(snek.PAYLOADS)}
        self.fake = None

    def adapt(self, text):
        for place, other in self.places.items():
            text = text.replace(place, other)
        return text

    def start_fake(self, command, folder, programs):
        """With a port of its own."""
        self.places[f"--listen {FAKE}"] = "--listen 127.0.0.1:0"
        words = shlex.split(self.adapt(command.replace("\\\n", " ")))
        self.fake = snek.Process([str(programs / words[0]), *words[1:]], snek.clean_environment(), cwd=folder)
        address = self.fake.wait_log(msg="listening")["address"]
        self.places[FAKE] = self.places[r"127\.0\.0\.1:8080"] = address
        return f"http://{address}"


def requests_of(fake_url):
    return snek.request("GET", f"{fake_url}/_fake/requests").json["requests"]


def has_ponged(fake_url):
    return any(r["method"] == "POST" and r["path"].endswith("/comments") and r["status"] == 201
               for r in requests_of(fake_url))


@pytest.mark.parametrize("pull", ["yes", "no"])
def test_the_setup_can_be_tried_as_the_guide_says(shell, tmp_path, pull):
    guide = Guide("Try the setup")
    start_fake, serve, payload, deliver, look, via = re.findall(r"^    (.*)$", guide.section, re.M)
    url = guide.start_fake(start_fake, tmp_path, shell.programs)
    variable, *words = shlex.split(guide.adapt(serve))
    assert words == ["snekomatic", "serve"]

    class Fake:  # as Setup needs it
        pass

    fake = Fake()
    fake.url = url
    name, value = variable.split("=")
    setup = Setup(fake, tmp_path / "bot", env={name: value})
    try:
        guide.places[BOT] = urllib.parse.urlsplit(setup.url).netloc
        if pull == "no":
            shell(guide.adapt(via), tmp_path)
        made = setup.make(pull=pull)
        end = setup.finish(made)
        setup.wait_ready()
        setup.install(end)
        shell(guide.adapt(f"{payload}\n{deliver}"), tmp_path)
        setup.process.wait_log(msg="done", plugin="ping")
        assert "pong!" in shell(guide.adapt(look), tmp_path)
    finally:
        assert setup.process.end() == 0, setup.process.output()
        guide.fake.end()


@pytest.mark.parametrize("address", ["", "https://bot.example.org"])
def test_the_setup_by_hand_can_be_tried_as_the_guide_says(shell, tmp_path, address):
    guide = Guide("Try the setup by hand")
    key, start_fake, setup, settings = re.findall(r"^    (.*)$", guide.section, re.M)
    shell(key, tmp_path)
    url = guide.start_fake(start_fake, tmp_path, shell.programs)
    answers = tmp_path / "answers"
    answers.write_text(f"sneks-united\n{address}\n1\napp.pem\n")
    shown = shell(guide.adapt(f"{setup} <{answers}"), tmp_path, PORT="0")
    bot = snek.Process([snek.program("snekomatic"), "serve"], snek.clean_environment(PORT="0"), cwd=tmp_path)
    try:
        port = bot.wait_log(msg="listening")["port"]
        if address:
            guide.places[BOT] = f"127.0.0.1:{port}"
            guide.places["SECRET"] = re.search(r"Secret\s+([0-9a-f]{64})\n", shown)[1]
            shell(guide.adapt(settings), tmp_path)
        assert "all is well" in shell("snekomatic check --online", tmp_path, PORT=port)
        shell(guide.adapt("\n".join(re.findall(r"^    (.*)$", Guide("Try the setup").section, re.M)[2:4])), tmp_path)
        bot.wait_log(msg="done", plugin="ping")
        assert has_ponged(url)
    finally:
        assert bot.end() == 0, bot.output()
        guide.fake.end()


def test_a_webhook_can_be_sent_as_the_guide_says(shell, tmp_path):
    guide = Guide("Start it")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", guide.section, re.S | re.M)
    start, secret, send = [text for kind, text in blocks if not kind]
    [configuration] = [text for kind, text in blocks if kind == "toml"]
    key, start_fake = start.split("\n", 1)
    shell(key, tmp_path)
    url = guide.start_fake(start_fake, tmp_path, shell.programs)
    shell(secret, tmp_path)
    (tmp_path / "snekomatic.toml").write_text(guide.adapt(configuration).replace(f'"{BOT}"', '"127.0.0.1:0"'))
    bot = snek.Process([snek.program("snekomatic"), "serve"], snek.clean_environment(), cwd=tmp_path)
    try:
        port = bot.wait_log(msg="listening")["port"]
        # The host chose its port, so the verb must be told.
        send = send.replace("snekomatic send", f"snekomatic send --url http://127.0.0.1:{port}/webhook/github")
        assert "202\n" in shell(guide.adapt(send), tmp_path)
        snek.wait_until(lambda: has_ponged(url), bot.output)
    finally:
        assert bot.end() == 0, bot.output()
        guide.fake.end()
