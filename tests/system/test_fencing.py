# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 2 where it is hard to reach: a lease that is lost between two steps of an effect, a search
for a comment in doubt that fails or has several pages, and a store that cannot record a response."""

import contextlib
import datetime
import re
import socket
import sqlite3
import threading
import urllib.parse

import pytest

import snek

ISSUE = "/repos/sneks-united/terrarium/issues/12"
COMMENTS = f"{ISSUE}/comments"


def event(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def deliver_comment(host, **more):
    """A run of `trouble` that writes a comment."""
    return host.deliver("trouble", event("comment", url=host.fake.url + COMMENTS, **more))


def lose_comment(fake):
    """GitHub writes the next comment, and its response is lost."""
    fake.fail("POST", COMMENTS, after=True, drop=True)


def retry_now(host, delivery, attempt):
    host.wait_log(msg="retry", delivery=delivery, attempt=attempt)
    assert host.post("trouble", event("hurry"), delivery=delivery).status == 200


def posts(fake):
    return len(fake.requests("POST", COMMENTS))


class Sqlite:
    """The store of a bot, changed from outside as another host would change it."""

    def __init__(self, bot):
        self.path = bot.folder / "snekomatic.db"

    def execute(self, statement):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as store, store:
            store.execute(statement)


class Postgres:
    def __init__(self, bot, database):
        self.database, self.schema = database, re.search(r"store_\d+", bot.file.read_text())[0]

    def execute(self, statement):
        self.database.sql(f"SET search_path = {self.schema}; {statement}")


@pytest.fixture
def lone(start_bot, either_store, request):
    """A bot with `trouble` whose leases are long, and its store."""
    # The host does not look after its leases, by which it too would notice that a run was taken.
    dispatch = {"delay_ms": 0, "lease_ms": 3_600_000}
    bot = start_bot(plugins=["trouble"], config={**either_store, "dispatch": dispatch})
    if either_store:
        return bot, Postgres(bot, request.getfixturevalue("database"))
    return bot, Sqlite(bot)


def take_run(store):
    """Another host takes the only run, and its lease lapses at once."""
    store.execute("UPDATE runs SET token = token + 1, lease_until_ms = 0 WHERE state = 'running'")


def test_an_intent_after_another_host_took_the_run_is_rejected_and_nothing_is_sent(fake, lone):
    host, store = lone
    fake.fail("GET", ISSUE, delay_ms=60000)
    delivery = deliver_comment(host, first=ISSUE)
    fake.wait_arrived(method="GET", path=ISSUE)
    take_run(store)
    fake.release()
    host.wait_log(msg="completion_stale", delivery=delivery, attempt=1)
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "2"
    assert len(fake.bot_comments(12)) == posts(fake) == 1


def test_a_comment_found_after_another_host_took_the_run_is_not_recorded(fake, lone):
    host, store = lone
    lose_comment(fake)
    delivery = deliver_comment(host)
    fake.fail("GET", COMMENTS, delay_ms=60000)
    retry_now(host, delivery, attempt=1)
    snek.wait_until(lambda: fake.requests("GET", COMMENTS), "the search")
    take_run(store)
    fake.release()
    host.wait_log(msg="comment_found", delivery=delivery, attempt=2)
    # The handler did not get the response.
    line = host.wait_log(msg="completion_stale", delivery=delivery, attempt=2)
    assert "another host has taken this run over" in line["reason"]
    # The search waits for the timeout of the request that attempt 2 could not record.
    assert host.wait_log(msg="done", delivery=delivery, timeout=90)["attempt"] == "3"
    assert len(fake.bot_comments(12)) == posts(fake) == 1


@pytest.mark.parametrize("failure,words", [
    ({"status": 403, "body": {"message": "Forbidden"}}, "searching for a comment"),
    ({"status": 404, "body": {"message": "Not Found"}}, "searching for a comment"),
    ({"status": 500, "times": 20}, "searching for a comment"),
    ({"drop": True, "times": 20}, "searching for a comment"),
    ({"like": "sign_in_page"}, "the search for it failed"),
    ({"status": 200, "body": {}}, "the search for it failed"),
    ({"status": 200, "body": [{"id": 1}]}, "the search for it failed"),
    ({"status": 200, "body": "[{\"body\":"}, "the search for it failed"),
], ids=["403", "404", "500", "dropped", "html", "object", "no-comments", "cut-off"])
def test_a_search_that_cannot_tell_leaves_the_comment_in_doubt(fake, start_bot, failure, words):
    host = start_bot(plugins=["trouble"])
    lose_comment(fake)
    delivery = deliver_comment(host)
    fake.fail("GET", COMMENTS, **failure)
    retry_now(host, delivery, attempt=1)
    line = host.wait_log(msg=("retry", "rejected", "dead", "done"), delivery=delivery, attempt=2,
                         timeout=60)
    assert line["msg"] == "retry" and words in line["reason"]
    assert posts(fake) == 1
    fake.fail_no_more()
    retry_now(host, delivery, attempt=2)
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(fake.bot_comments(12)) == posts(fake) == 1


def test_a_comment_that_github_writes_late_is_found_after_the_host_died(fake, start_bot):
    """GitHub may perform a request though its sender is gone, until the request's timeout."""
    host = start_bot(plugins=["trouble"])
    fake.fail("POST", COMMENTS, delay_ms=60000)
    delivery = deliver_comment(host)
    snek.wait_until(lambda: posts(fake), "the comment")
    host.kill("host")
    host.wait_log(msg="requeued", delivery=delivery)
    fake.release()
    host.wait_log(msg="comment_found", delivery=delivery, timeout=90)
    host.wait_log(msg="done", delivery=delivery)
    assert len(fake.bot_comments(12)) == posts(fake) == 1


class Relay:
    """Carries connections to the fake, and breaks them on demand."""

    def __init__(self, fake):
        self.target = urllib.parse.urlsplit(fake.url)
        self.clients = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.target.hostname, self.target.port))
            self.clients.append(client)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    @staticmethod
    def carry(source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)

    def cut(self):
        """The fake's side stays open, so the fake goes on."""
        for client in self.clients:
            client.shutdown(socket.SHUT_RDWR)
        self.clients.clear()

    def close(self):
        self.listener.close()
        self.cut()


@pytest.mark.parametrize("handler", ["comment", "comment_again"])
def test_a_comment_that_github_writes_after_the_connection_broke_is_found(fake, start_bot, handler):
    """Also when the handler asks again at once."""
    with contextlib.closing(Relay(fake)) as relay:
        host = start_bot(plugins=["effects"], config={"github": {"api_url": relay.url},
                                                         "dispatch": {"first_retry_ms": 1000}})
        fake.fail("POST", COMMENTS, delay_ms=6500)
        delivery = host.deliver("effects", event(handler, text="Welcome!", member="new-snek"))
        snek.wait_until(lambda: posts(fake), "the comment")
        relay.cut()
        host.wait_log(msg="comment_found", delivery=delivery, timeout=90)
        host.wait_log(msg="done", delivery=delivery)
        assert len(fake.bot_comments(12)) == posts(fake) == 1


def add_comments(fake, count):
    """Comments of other people at the same time as the bot's."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "comments": [
        {"id": 500000 + n, "issue": 12, "user": "viper-vik", "body": f"{n}", "created_at": now,
         "updated_at": now} for n in range(count)]}]})


@pytest.mark.parametrize("others,pages", [(99, 1), (100, 2), (250, 3), (999, 10)])
def test_a_comment_in_doubt_is_found_on_a_later_page(fake, start_bot, others, pages):
    host = start_bot(plugins=["trouble"])
    add_comments(fake, others)
    lose_comment(fake)
    delivery = deliver_comment(host)
    retry_now(host, delivery, attempt=1)
    host.wait_log(msg="comment_found", delivery=delivery)
    host.wait_log(msg="done", delivery=delivery)
    assert len(fake.requests("GET", COMMENTS)) == pages
    assert len(fake.bot_comments(12)) == posts(fake) == 1


def test_a_comment_behind_too_many_others_stays_in_doubt(fake, start_bot):
    host = start_bot(plugins=["trouble"])
    add_comments(fake, 1000)
    lose_comment(fake)
    delivery = deliver_comment(host)
    retry_now(host, delivery, attempt=1)
    line = host.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert "too many comments to search" in line["reason"]
    assert len(fake.requests("GET", COMMENTS)) == 10
    assert len(fake.bot_comments(12)) == posts(fake) == 1


def test_a_comment_that_never_arrived_is_written_after_a_search_of_two_pages(fake, start_bot):
    host = start_bot(plugins=["trouble"])
    add_comments(fake, 150)
    fake.fail("POST", COMMENTS, drop=True)
    delivery = deliver_comment(host)
    retry_now(host, delivery, attempt=1)
    # A search of two pages at once, and one after GitHub has ended the request.
    host.wait_log(msg="done", delivery=delivery, timeout=12 + snek.PATIENCE_S)
    assert len(fake.requests("GET", COMMENTS)) == 4
    assert len(fake.bot_comments(12)) == 1


def test_a_response_that_the_store_cannot_record_is_recorded_later(fake, start_bot):
    """The lock outlasts the host's own wait for it, so the first try to record fails."""
    host = start_bot(plugins=["trouble"])
    fake.fail("POST", COMMENTS, after=True, delay_ms=60000)
    delivery = deliver_comment(host)
    snek.wait_until(lambda: posts(fake), "the comment")
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db",
                                            isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        fake.release()
        host.wait_log(msg="response_not_recorded", delivery=delivery)
        store.execute("ROLLBACK")
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert host.log(msg="in_doubt") == []
    assert len(fake.bot_comments(12)) == posts(fake) == 1
