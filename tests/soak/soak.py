# SPDX-License-Identifier: MIT OR Apache-2.0
"""The soak test: sends N deliveries to a real host while it kills, at random, the host, its workers,
its supervisor, and with --postgres the store's backends; then an oracle looks: every delivery that was acknowledged is stored, is in
exactly one final state, and no effect happened twice.

    SNEK_BUILD=build python3 tests/soak/soak.py [N] [--postgres] [--seed S] [--rate R]
    (./dev soak does it)

Ends with 0 when the oracle finds nothing, with 1 and what it found otherwise. A delivery whose
response was lost counts as not acknowledged, and is not sent again: it may be there or not."""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "postgres")]
import server
import snek

SENDERS = 6
KILL_EVERY_S = 0.8  # in the mean
VICTIMS = ("host",) * 4 + ("worker",) * 4 + ("supervisor",) * 2
SETTLE_S = 180  # a run that was killed alone waits 5 s, then 30 s
PER_ISSUE = 20  # comments


def github_state(deliveries):
    state = json.loads((snek.PAYLOADS / "github.json").read_text(encoding="utf-8"))
    state["settings"] = {**state.get("settings", {}), "rate_limit": 1000 + deliveries * 20}
    state["repositories"][0]["issues"] = [
        {"number": 1 + i, "id": 30000 + i, "title": f"Soak {i}", "user": "hatchling-hana"}
        for i in range(deliveries // PER_ISSUE + 1)
    ]
    return state


class SqliteStore:
    def __init__(self, folder):
        self.path = folder / "bot" / "snekomatic.db"
        self.url = f"sqlite:{self.path}"
        self.victims = VICTIMS

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as store:
            return store.execute(sql).fetchall()

    def stop(self):
        pass


class PostgresStore:
    def __init__(self, _folder):
        self.server = server.Server()
        self.url = self.server.url()
        self.victims = (*VICTIMS, "backend", "backend")

    def query(self, sql):
        """Rows of texts, as psql prints them; again while the server recovers."""
        for _ in range(50):
            with contextlib.suppress(RuntimeError):
                return [tuple(line.split("|", 2)) for line in self.server.sql(sql)]
            time.sleep(0.2)
        raise RuntimeError("PostgreSQL does not come back")

    def backends(self):
        """Those of clients. The server takes the violent death of one as damage to all, and recovers."""
        own = []
        for pid in self.server.pids()[1:]:
            with contextlib.suppress(OSError):
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if title.startswith(b"postgres: snek "):
                    own.append(pid)
        return own

    def stop(self):
        self.server.stop()


class Soak:
    def __init__(self, bot, store, deliveries, rate, chance):
        self.bot, self.store, self.chance = bot, store, chance
        self.deliveries, self.rate = deliveries, rate
        self.lock = threading.Lock()
        self.next, self.acknowledged, self.responses = 0, [], collections.Counter()
        self.kills = collections.Counter()
        self.began = time.monotonic()

    # -- sending

    def _take(self):
        """The number of the next delivery, at its time; None when there are enough."""
        with self.lock:
            if len(self.acknowledged) >= self.deliveries:
                return None
            self.next += 1
            number = self.next
        wait_s = self.began + number / self.rate - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        return number

    def _send(self):
        while (number := self._take()) is not None:
            issue = 1 + number // PER_ISSUE % (self.deliveries // PER_ISSUE + 1)
            url = f"{self.bot.fake.url}/repos/sneks-united/terrarium/issues/{issue}/comments"
            payload = {
                "action": "soaked",
                "installation": {"id": snek.INSTALLATION},
                "repository": {"full_name": "sneks-united/terrarium"},
                "sender": {"login": "hatchling-hana"},
                "issue": {"number": issue, "comments_url": url},
                "text": "so that there is something to pack " * self.chance.randint(1, 300),
            }
            try:
                response = self.bot.post("soak", body=json.dumps(payload).encode(), timeout=15)
            except (OSError, http.client.HTTPException) as problem:
                with self.lock:
                    self.responses[type(problem).__name__] += 1
                time.sleep(0.05)
                continue
            with self.lock:
                self.responses[response.status] += 1
                if 200 <= response.status < 300:
                    self.acknowledged.append(response.delivery)

    def send_all(self):
        threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(self.chance.expovariate(1 / KILL_EVERY_S))
            self.kill()
        for thread in threads:
            thread.join()

    # -- killing

    def kill(self):
        victim = self.chance.choice(self.store.victims)
        pids = self.store.backends()[:1] if victim == "backend" else self.bot.pids(victim)
        if not pids:
            return  # it is just starting
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kills[victim] += 1
        if victim == "supervisor":
            self.start_again()

    def start_again(self):
        """What a service manager does; the old host may hold the store for a moment yet."""
        self.bot.process.popen.wait(10)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.bot.start()
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    # -- the oracle

    def settle(self):
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            ((left,),) = self.store.query(
                "SELECT count(*) FROM runs WHERE state IN ('queued', 'running')")
            if int(left) == 0:
                return
            time.sleep(0.5)

    def comments(self):
        """How often each delivery was commented on."""
        count = collections.Counter()
        for comment in self.bot.fake.state["repositories"][0]["comments"]:
            if found := re.search(r"soaked ([0-9a-f-]{36})", comment["body"]):
                count[found[1]] += 1
        return count

    def find_faults(self):
        states = collections.defaultdict(list)
        for guid, state, reason in self.store.query(
                "SELECT d.guid, r.state, r.reason FROM deliveries d"
                " LEFT JOIN runs r ON r.delivery = d.id"):
            states[guid].append((state, reason))
        comments, faults = self.comments(), []
        for guid in self.acknowledged:
            if guid not in states:
                faults.append(f"{guid}: acknowledged, and lost")
            elif len(states[guid]) != 1 or states[guid][0][0] not in ("done", "dead"):
                faults.append(f"{guid}: is not in one final state but {states[guid]}")
            elif states[guid][0][0] == "done" and not comments[guid]:
                faults.append(f"{guid}: done, without its effect")
        twice = [guid for guid, count in comments.items() if count > 1]
        faults += [f"{guid}: {comments[guid]} comments" for guid in twice]
        dead = [guid for guid, runs in states.items() if runs[0][0] == "dead"]
        print(f"{len(self.acknowledged)} acknowledged of {self.next} sent"
              f" ({dict(self.responses)}), {len(states)} stored, {len(dead)} dead,"
              f" {len(twice)} with their effect twice; killed {dict(self.kills)};"
              f" {time.monotonic() - self.began:.0f} s")
        return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("deliveries", nargs="?", type=int, default=2000, metavar="N")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--rate", type=float, default=100, help="deliveries a second, at most")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="snek-soak-") as folder:
        fake = snek.FakeGitHub(snek.make_key(pathlib.Path(folder) / "app.pem"),
                               state=github_state(options.deliveries))
        store = (PostgresStore if options.postgres else SqliteStore)(pathlib.Path(folder))
        bot = snek.Bot(fake, pathlib.Path(folder) / "bot", plugins=["soak"], config={
            "store": {"url": store.url},
            "github": {"write_interval_ms": 0, "notify_interval_ms": 0},
            "dispatch": {"delay_ms": 100},
            "log": {"level": "info"},
        })
        soak = Soak(bot, store, options.deliveries, options.rate, random.Random(options.seed))
        soak.send_all()
        soak.settle()
        faults = soak.find_faults()
        bot.wait_ready()  # the last to be killed may be just coming back
        bot.stop()
        fake.process.end()
        store.stop()
    for fault in faults[:20]:
        print(f"FAULT {fault}")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
