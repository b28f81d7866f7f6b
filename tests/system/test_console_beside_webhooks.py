# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console while webhooks keep the store busy: its pages wait for their share of the time. The test
keeps the writer of the SQLite store waiting for a lock, so a delivery takes as long as the test wants."""

import concurrent.futures
import contextlib
import socket
import sqlite3
import threading
import urllib.parse

import pytest

import snek
from console_client import Console, start_console


@contextlib.contextmanager
def busy_webhooks(bot):
    """Deliveries come without a pause, and the store takes none. Those that fail come again."""
    ended = threading.Event()

    def deliver():
        while not ended.is_set():
            with contextlib.suppress(OSError):
                bot.post("trouble", {"action": "fine", "installation": {"id": snek.INSTALLATION}})

    with contextlib.closing(sqlite3.connect(bot.folder / "snekomatic.db", isolation_level=None,
                                            timeout=snek.PATIENCE_S)) as store:
        store.execute("BEGIN IMMEDIATE")
        sender = threading.Thread(target=deliver)
        sender.start()
        try:
            yield
        finally:
            ended.set()
            store.execute("ROLLBACK")
            sender.join()


@pytest.fixture
def bot(start_bot):
    return start_console(start_bot, plugins=["trouble"])


@pytest.fixture
def console(bot):
    console = Console(bot.url)
    console.login()
    return console


def has_waited(page):
    assert page.status == 200, page
    return "webhooks" in (page.headers.get("Server-Timing") or "")


def wait_for_limit(console):
    """Loads pages without a pause until they have spent the burst."""
    snek.wait_until(lambda: has_waited(console.get()), "a page that waits", pause_s=0)


def test_pages_wait_only_while_webhooks_keep_the_store_busy(bot, console):
    for _ in range(20):
        assert not has_waited(console.get("/actions"))
    with busy_webhooks(bot):
        wait_for_limit(console)
        other = Console(bot.url)
        other.login()
        assert other.get().status == 200
    snek.wait_until(lambda: not has_waited(console.get("/actions")), "the end of the limit")


def test_pages_that_wait_end_with_the_host(bot, console):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        with busy_webhooks(bot):
            wait_for_limit(console)
            pages = [pool.submit(console.get, "/actions") for _ in range(8)]
            pages[0].result()
        bot.stop()
        for page in pages:
            # The host may have closed its listener before the last of them connected.
            with contextlib.suppress(OSError):
                assert page.result().status in (200, 503)


def leave_many(bot, console):
    """Asks for many pages, and closes all connections once the first page has come."""
    parts = urllib.parse.urlsplit(bot.url)
    with contextlib.ExitStack() as clients:
        asked = []
        for _ in range(16):
            client = socket.create_connection((parts.hostname, parts.port), timeout=snek.PATIENCE_S)
            asked.append(clients.enter_context(client))
            client.sendall(f"GET /console HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                           f"Cookie: {console.browser.cookies[parts.netloc]}\r\n\r\n".encode())
        asked[0].recv(1)


def test_no_page_is_made_for_a_client_that_left_while_it_waited(bot, console):
    with busy_webhooks(bot):
        wait_for_limit(console)

        def is_dropped():
            leave_many(bot, console)
            return any("while the page waited" in line.get("reason", "") for line in bot.log(msg="rejected"))

        snek.wait_until(is_dropped, "a page that is not made")
        assert console.get("/actions").status == 200
