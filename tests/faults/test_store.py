# SPDX-License-Identifier: MIT OR Apache-2.0
"""A store that fails under a running host: never a 2xx without a commit, an error that says what is
wrong, and recovery by itself once the cause is gone."""

import contextlib
import sqlite3

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def payload():
    return {"action": "fine", "installation": {"id": snek.INSTALLATION}}


@pytest.fixture
def failing(start_bot, tmp_path):
    """A host on a disk that fails while a file says so; see fail.c."""
    host = start_bot(plugins=["trouble"], env={
        "LD_PRELOAD": snek.program("libfail.so"), "SNEK_FAIL_DIRECTORY": tmp_path / "bot"})
    deliver_until_taken(host)
    return host


@contextlib.contextmanager
def fault(host, name):
    flag = host.folder / f"fail-{name}"
    flag.touch()
    yield
    flag.unlink()


def stored(host):
    """The GUIDs in the file, by a scan that needs no index."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        return {guid for (guid,) in store.execute("SELECT guid FROM deliveries NOT INDEXED")}


def rejected(host, words, **more):
    """Posts one that must be rejected; its GUID."""
    response = host.post("trouble", payload(), timeout=10, **more)
    assert response.status == 503, response
    assert int(response.headers["retry-after"]) > 0
    assert "fix" in response.json
    line = host.wait_log(msg="not_stored", delivery=response.delivery)
    assert words in line["reason"]
    return response.delivery


def deliver_until_taken(host):
    def taken():
        response = host.post("trouble", payload())
        return response.delivery if response.status == 202 else None

    delivery = snek.wait_until(taken, host.process.output)
    host.wait_log(msg="done", delivery=delivery)
    return delivery


@pytest.mark.parametrize("kind,words", [("write", "full"), ("sync", "I/O error")])
def test_a_disk_that_fails_costs_no_delivery_that_was_acknowledged(failing, kind, words):
    before = deliver_until_taken(failing)
    with fault(failing, kind):
        lost = [rejected(failing, words) for _ in range(3)]
        assert failing.request("GET", "/readyz").status == 503
        assert failing.request("GET", "/healthz").status == 200
    after = deliver_until_taken(failing)
    failing.wait_ready()
    failing.stop()
    guids = stored(failing)
    assert before in guids and after in guids
    if kind == "write":
        assert not guids.intersection(lost)
    failing.start()
    deliver_until_taken(failing)


def wait_for_attempt(host, delivery):
    """Until the handler has written down that it began, and is held."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        snek.wait_until(lambda: store.execute("SELECT 1 FROM plugin_sets WHERE entry = ?",
                                              [f"{delivery}/1"]).fetchone(), host.process.output)


def test_a_disk_that_fails_while_runs_end_lets_them_end_once(failing):
    delivery = failing.deliver("trouble", {**payload(), "held": 1})
    wait_for_attempt(failing, delivery)
    with fault(failing, "write"):
        failing.release()
        failing.wait_log(msg="completion_failed", delivery=delivery)
    failing.wait_log(msg="done", delivery=delivery)
    assert len(failing.log(msg="started", delivery=delivery)) == 1


def cannot_start(host, *words, status=78):
    """The host must not start, for a reason with these words."""
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", host.file],
                           snek.clean_environment(**host.env), cwd=host.folder)
    assert process.wait(20) == status, process.output()
    reason = process.wait_log(msg="cannot_start")["reason"]
    for word in words:
        assert word in reason


def test_a_store_that_may_only_be_read_is_rejected_at_the_start(failing):
    failing.stop()
    with fault(failing, "open"):
        cannot_start(failing, "snekomatic.db", "Read-only file system")
    failing.start()
    deliver_until_taken(failing)


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_store_that_another_process_has_locked_is_waited_for_then_503(start_bot, how):
    host = start_bot(plugins=["trouble"])
    deliver_until_taken(host)
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        lost = rejected(host, "locked")
        other.execute("ROLLBACK")
    deliver_until_taken(host)
    assert lost not in stored(host)


def test_a_second_host_on_the_same_store_is_rejected(start_bot):
    host = start_bot(plugins=["trouble"])
    cannot_start(host, "another snekomatic is using it", status=75)
    deliver_until_taken(host)


def damage(host, page, bytes_=4096):
    with open(host.folder / "snekomatic.db", "r+b") as file:
        file.seek(page * 4096)
        file.write(b"\xa5" * bytes_)


def test_a_file_with_a_broken_header_is_rejected_and_left_as_it_is(start_bot):
    host = start_bot(plugins=["trouble"])
    deliver_until_taken(host)
    host.stop()
    damage(host, 0, 100)
    before = (host.folder / "snekomatic.db").read_bytes()
    cannot_start(host, "snekomatic.db", "not a database")
    assert (host.folder / "snekomatic.db").read_bytes() == before


def test_a_broken_page_in_the_middle_is_an_error_and_never_a_2xx_without_a_commit(start_bot):
    host = start_bot(plugins=["trouble"])
    for _ in range(20):
        deliver_until_taken(host)
    host.stop()
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        (page,) = store.execute("SELECT rootpage FROM sqlite_schema"
                                " WHERE name = 'sqlite_autoindex_deliveries_1'").fetchone()
    damage(host, page - 1)
    host.start()
    for _ in range(3):
        assert rejected(host, "malformed") not in stored(host)


def test_a_damaged_body_makes_its_run_dead_with_the_reason(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"delay_ms": 60000}})
    delivery = host.deliver("trouble", {**payload(), "text": "again and again " * 100})
    host.stop()
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store, store:
        store.execute("UPDATE deliveries SET body = x'00ff00ff'")
        store.execute("UPDATE runs SET due_ms = 0")
    host.start()
    assert "damaged" in host.wait_log(msg="dead", delivery=delivery)["reason"]
