# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fixtures of the system tests. Their report as TAP, for Meson, is tap.py's."""

import pathlib
import sys
import time

import pytest

import slowness
import snek
from fake_client import ALL, Client, mint

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
import server as postgres  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "own_pace(reason): the switches of slowness.py do not apply")


@pytest.fixture(autouse=True)
def pace(request):
    """A test that measures time by itself is not slowed; the mark says why."""
    slowness.own_pace(request.node.get_closest_marker("own_pace") is not None)
    yield
    slowness.own_pace(False)


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
def anyone(fake):
    """Asks the fake without a token."""
    return Client(fake)


@pytest.fixture
def app(fake, key):
    """As the app."""
    return Client(fake, f"Bearer {snek.make_jwt(key)}")


@pytest.fixture
def client(fake, app):
    """With a token that may do all that the endpoints need."""
    return Client(fake, f"Bearer {mint(app, {'permissions': ALL}).json['token']}")


@pytest.fixture
def start_bot(request, fake, tmp_path):
    """Starts bots that are ended with the test: start_bot(plugins=["ping"], ...). In a file that has
    FIRST_RETRY_MS, a failed run comes again by itself after so long."""
    bots = []
    first_retry_ms = getattr(request.module, "FIRST_RETRY_MS", None)

    def start(folder="bot", **options):
        if first_retry_ms:
            config = options.get("config") or {}
            dispatch = {"first_retry_ms": first_retry_ms, **config.get("dispatch", {})}
            options["config"] = {**config, "dispatch": dispatch}
        bot = snek.Bot(fake, tmp_path / folder, start=False, **options)
        try:
            bot.start()
        except AssertionError:
            # It may still be ending by itself, with another status than stop() expects.
            bot.process.popen.kill()
            bot.process.popen.wait()
            raise
        bots.append(bot)
        return bot

    yield start
    for bot in bots:
        if bot.process and bot.process.popen.poll() is None:
            bot.stop()


@pytest.fixture
def bot(start_bot):
    """A bot with the plugins that the original had."""
    return start_bot(plugins=("invite", "ping"))


@pytest.fixture(scope="session")
def database():
    """A PostgreSQL server for all tests of a file; each has a schema of its own."""
    server = postgres.Server()
    yield server
    server.stop()


@pytest.fixture
def store(database):
    """The URL of an empty store in it."""
    name = f"store_{time.monotonic_ns()}"
    database.sql(f"CREATE SCHEMA {name}")
    return database.url(schema=name)


@pytest.fixture(params=["sqlite", "postgres"])
def either_store(request):
    """The test runs once on each: what a bot's configuration has to say of its store."""
    if request.param == "sqlite":
        return {}
    # A host that was killed is waited for no longer than its lease.
    return {"store": {"url": request.getfixturevalue("store")}, "dispatch": {"lease_ms": 2000}}
