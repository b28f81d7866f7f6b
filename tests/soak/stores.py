# SPDX-License-Identifier: MIT OR Apache-2.0
"""The two stores under the soak test: how the oracle reads them, and how they go away for a while."""

import contextlib
import os
import pathlib
import signal
import sqlite3
import time

import server
import snek

# Runs that wait for their retry.
DUE = "UPDATE runs SET due_ms = 0 WHERE state = 'queued'"


class SqliteStore:
    """A file. The preloaded library of tests/faults stalls its disk."""

    def __init__(self, folder):
        self.folder = folder / "bot"
        self.path = self.folder / "snekomatic.db"
        self.url = f"sqlite:{self.path}"
        self.absences, self.environment = ("lock",), {}
        if not os.environ.get("SNEK_SANITIZED"):  # a sanitizer wants to be loaded first
            self.absences += ("disk_stall",)
            self.environment = {"LD_PRELOAD": str(snek.program("libfail.so")),
                                "SNEK_FAIL_DIRECTORY": str(self.folder)}

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as store:
            return store.execute(sql).fetchall()

    def change(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as store, store:
            store.execute(sql)

    def make_due(self):
        self.change(DUE)

    @contextlib.contextmanager
    def disk_stall(self):
        flag = self.folder / "stall-sync"
        flag.touch()
        yield
        flag.unlink()

    @contextlib.contextmanager
    def lock(self):
        """Another process holds the write lock."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None,
                                                timeout=30)) as store:
            store.execute("BEGIN IMMEDIATE")
            yield
            store.execute("ROLLBACK")

    def backends(self):
        return []

    def stop(self):
        pass


class PostgresStore:
    """A server of the test's own."""

    absences = ("pause", "outage")

    def __init__(self, _folder):
        self.server = server.Server(on_disk=True)
        self.url = self.server.url()
        self.environment = {}

    def query(self, sql):
        """Rows of texts, as psql prints them; again while the server recovers."""
        for _ in range(50):
            with contextlib.suppress(RuntimeError):
                return [tuple(line.split("|", 2)) for line in self.server.sql(sql)]
            time.sleep(0.2)
        raise RuntimeError("PostgreSQL does not come back")

    def change(self, sql):
        self.query(sql)

    def make_due(self):
        # The claims of a host begin where it knows of queued runs, and a notification extends that.
        self.change(f"{DUE}; SELECT pg_notify('snekomatic', '1')")

    @contextlib.contextmanager
    def pause(self):
        """The server and its connections stand still."""
        self.server.signal(signal.SIGSTOP)
        yield
        self.server.signal(signal.SIGCONT)

    @contextlib.contextmanager
    def outage(self):
        """The server is gone; connections are refused until it is back."""
        self.server.kill()
        yield
        self.server.start()

    def backends(self):
        """The processes of clients. The server takes the violent death of one as damage to all, and
        recovers."""
        own = []
        for pid in self.server.pids()[1:]:
            with contextlib.suppress(OSError):
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if title.startswith(b"postgres: snek "):
                    own.append(pid)
        return own

    def stop(self):
        self.server.stop()
