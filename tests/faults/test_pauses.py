# SPDX-License-Identifier: MIT OR Apache-2.0
"""A host or its store that stands still for longer than the lease, while comments are on their way to
a slow GitHub: the host goes on with its live runs, so no comment is written twice."""

import contextlib
import os
import pathlib
import signal
import sqlite3
import sys
import time

import pytest

import snek

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
import server

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000

COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
LEASE_S = 1.5
RUNS = 8


@contextlib.contextmanager
def disk_stall(bot):
    """See fail.c."""
    flag = bot.folder / "stall-sync"
    flag.touch()
    yield
    flag.unlink()


@contextlib.contextmanager
def lock(bot):
    with contextlib.closing(sqlite3.connect(bot.folder / "snekomatic.db", timeout=30,
                                            isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield
        store.execute("ROLLBACK")


@contextlib.contextmanager
def paused(bot):
    pids = bot.kill("host", signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def make_bot(start_bot, folder, **config):
    return start_bot(plugins=["trouble"], env={"LD_PRELOAD": snek.program("libfail.so"),
                                               "SNEK_FAIL_DIRECTORY": folder / "bot"},
                     config={"dispatch": {"delay_ms": 0, "lease_ms": int(LEASE_S * 1000)}, **config})


def comments_on_their_way(fake, bot):
    """Runs whose comment GitHub has not written yet."""
    fake.fail("POST", COMMENTS, delay_ms=60000, times=RUNS)
    payload = {"action": "comment", "installation": {"id": snek.INSTALLATION},
               "url": fake.url + COMMENTS}
    guids = [bot.deliver("trouble", payload) for _ in range(RUNS)]
    snek.wait_until(lambda: len(fake.requests("POST", COMMENTS)) == RUNS, "the comments")
    return guids


def each_is_written_once(fake, bot, guids):
    for guid in guids:
        assert bot.wait_log(msg=("done", "retry"), delivery=guid, timeout=60)["attempt"] == "1"
    assert len(fake.bot_comments(12)) == len(fake.requests("POST", COMMENTS)) == RUNS
    assert bot.log(msg="completion_stale") == []


@pytest.mark.parametrize("released", ["during", "after"])
@pytest.mark.parametrize("still", [disk_stall, lock, paused])
def test_live_runs_go_on_after_a_standstill_past_the_lease(fake, start_bot, tmp_path, still,
                                                           released):
    bot = make_bot(start_bot, tmp_path)
    guids = comments_on_their_way(fake, bot)
    with still(bot):
        time.sleep(LEASE_S / 2)
        if released == "during":
            fake.release()
        time.sleep(LEASE_S)
    fake.release()
    each_is_written_once(fake, bot, guids)


@pytest.fixture
def database():
    database = server.Server()
    yield database
    database.stop()


@pytest.mark.parametrize("kind", ["paused", "restarted"])
def test_live_runs_go_on_after_postgresql_was_away_past_the_lease(fake, start_bot, tmp_path,
                                                                  database, kind):
    bot = make_bot(start_bot, tmp_path, store={"url": database.url()})
    guids = comments_on_their_way(fake, bot)
    if kind == "paused":
        database.signal(signal.SIGSTOP)
    else:
        database.kill()
    time.sleep(LEASE_S / 2)
    fake.release()
    time.sleep(LEASE_S)
    if kind == "paused":
        database.signal(signal.SIGCONT)
    else:
        database.start()
    each_is_written_once(fake, bot, guids)
