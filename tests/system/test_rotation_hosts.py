# SPDX-License-Identifier: MIT OR Apache-2.0
"""`hook --rotate` with several hosts of a store: GitHub gets the secret only when all accept it."""

import os
import signal
import time

import pytest

import snek
from rotation import OLD, files, github_has, rotate, unchanged, works


@pytest.fixture
def hosts(fake, start_bot, database):
    """Two hosts of a store, which both are in its list."""
    schema = f"rotation_{time.monotonic_ns()}"
    database.sql(f"CREATE SCHEMA {schema}")
    config = {"store": {"url": database.url(schema=schema)}}
    both = [start_bot(f"host{i}", plugins=["ping"], config=config) for i in range(2)]

    def listed():
        return database.sql(f"SELECT count(*) FROM {schema}.hosts")
    snek.wait_until(lambda: listed() == ["2"], lambda: str(listed()), snek.PATIENCE_S,
                    pause_s=0.2)
    fake.settings(webhook_url=f"{both[0].url}/webhook/github", webhook_secret=OLD)
    return both


def test_a_host_that_lacks_the_new_secret_keeps_github_as_it_is(hosts, fake):
    result = hosts[0].verb("hook", "--rotate", "--wait", "20", status=75)
    assert "does not accept both secrets" in result.stderr
    assert "nothing has changed" in result.stderr
    for host in hosts:
        unchanged(host, fake)


def test_hosts_on_several_machines_rotate_one_after_the_other(hosts, fake):
    new = "5eed" * 16
    for host in hosts:
        (host.folder / "webhook.secret.next").write_text(new + "\n")
        host.verb("reload")
    for host in hosts:
        rotate(host)
        assert github_has(fake) == new
        for each in hosts:
            works(each, fake)
    for host in hosts:
        assert files(host)[:2] == [[new], None]


def test_a_host_that_does_not_respond_keeps_github_as_it_is(hosts, fake):
    here, there = hosts
    [pid] = there.pids("host")
    os.kill(pid, signal.SIGSTOP)
    try:
        result = here.verb("hook", "--rotate", "--wait", "10", status=75)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "does not respond: if it has stopped" in result.stderr
    assert github_has(fake) == OLD
