# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fixtures of the system tests. Their report as TAP, for Meson, is tap.py's."""

import pytest

import snek


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    """The app's RSA key; made once, for it takes a while."""
    return snek.make_key(tmp_path_factory.mktemp("key") / "app.pem")


@pytest.fixture
def fake(key):
    """A fake GitHub that knows tests/payloads/github.json."""
    github = snek.FakeGitHub(key)
    yield github
    github.stop()


@pytest.fixture
def start_bot(fake, tmp_path):
    """Starts bots that are ended with the test: start_bot(plugins=["ping"], ...)."""
    bots = []

    def start(folder="bot", **options):
        bots.append(snek.Bot(fake, tmp_path / folder, start=False, **options))
        return bots[-1].start()

    yield start
    for bot in bots:
        if bot.process and bot.process.popen.poll() is None:
            bot.stop()


@pytest.fixture
def bot(start_bot):
    """A bot with the plugins that the original had."""
    return start_bot(plugins=("invite", "ping"))
