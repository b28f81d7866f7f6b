# SPDX-License-Identifier: MIT OR Apache-2.0
"""The soak test: sends N deliveries to a real host while everything around it goes wrong at random.
The host, its workers, its supervisor and PostgreSQL's backends are killed; the host stands still past
its lease; the disk stalls, the store is locked or away; GitHub is slow, fails and loses responses;
plugins crash, hang and fail after their effect. Then an oracle looks: every acknowledged delivery is
stored and in exactly one final state, no effect happened twice, and no host took 64 MiB.

    SNEK_BUILD=build python3 tests/soak/soak.py [N] [--postgres] [--lease MS] [--seed S] [--rate R]
    (./dev soak does it)

Ends with 0 when the oracle finds nothing, otherwise with 1 and the faults. A delivery whose response
was lost counts as not acknowledged and is not sent again: it may be there or not."""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "postgres")]
import snek
from disturbances import Disturbances
from stores import PostgresStore, SqliteStore

SENDERS = 6
# The wait for the last runs; those that wait for a retry are made due.
SETTLE_S = 300
# Below the loop breaker's 20, and room for effects that are repeated.
COMMENTS_PER_ISSUE = 5
HOST_KIB_MAX = 64 * 1024
# The part of the deliveries whose first attempt goes wrong in the plugin.
TROUBLE = {"crash_before": 0.001, "crash_after": 0.002, "hang_after": 0.0005, "error_after": 0.01}


def github_state(deliveries):
    state = json.loads((snek.PAYLOADS / "github.json").read_text(encoding="utf-8"))
    state["settings"] = {**state.get("settings", {}), "rate_limit": 1000 + deliveries * 20}
    state["repositories"][0]["issues"] = [
        {"number": 1 + i, "id": 30000 + i, "title": f"Soak {i}", "user": "hatchling-hana"}
        for i in range(deliveries // COMMENTS_PER_ISSUE + 1)
    ]
    return state


class Memory:
    """The most memory that any host of the soak had, sampled."""

    def __init__(self, bot):
        self.bot, self.most_kib, self.going = bot, 0, True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.going:
            for pid in self.bot.pids("host"):
                with contextlib.suppress(OSError):
                    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                    if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.M):
                        self.most_kib = max(self.most_kib, int(found[1]))
            time.sleep(0.2)

    def stop(self):
        self.going = False
        self.thread.join()
        return self.most_kib


class Soak:
    def __init__(self, bot, store, deliveries, rate, lease_s, chance):
        self.bot, self.store, self.chance = bot, store, chance
        self.deliveries, self.rate = deliveries, rate
        self.disturbances = Disturbances(bot, store, chance, lease_s, self.start_again)
        self.memory = Memory(bot)
        # The log of the bots that were killed.
        self.lines = []
        self.lock = threading.Lock()
        self.next, self.acknowledged, self.responses = 0, [], collections.Counter()
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

    def _payload(self, number):
        issue = 1 + number // COMMENTS_PER_ISSUE % (self.deliveries // COMMENTS_PER_ISSUE + 1)
        url = f"{self.bot.fake.url}/repos/sneks-united/terrarium/issues/{issue}/comments"
        [trouble] = self.chance.choices([*TROUBLE, None],
                                        [*TROUBLE.values(), 1 - sum(TROUBLE.values())])
        return {
            "action": "soaked",
            "installation": {"id": snek.INSTALLATION},
            "repository": {"full_name": "sneks-united/terrarium"},
            "sender": {"login": "hatchling-hana"},
            "issue": {"number": issue, "comments_url": url},
            "text": "so that there is something to pack " * self.chance.randint(1, 300),
            "trouble": trouble,
        }

    def _send(self):
        while (number := self._take()) is not None:
            body = json.dumps(self._payload(number)).encode()
            try:
                response = self.bot.post("soak", body=body, timeout=15)
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
            self.disturbances.wait()
            self.disturbances.perform()
        for thread in threads:
            thread.join()

    def start_again(self):
        """A service manager starts the bot again. The old host may hold the store for a moment yet."""
        self.bot.process.popen.wait(10)
        self.lines += self.bot.process.lines
        deadline = time.monotonic() + 20
        while True:
            try:
                self.bot.start()
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    # -- the end of all runs

    def _make_due(self):
        """Runs that wait for their retry are due now. One more delivery makes the host look."""
        self.store.make_due()
        number = self.next + 1
        self.next = number
        payload = {**self._payload(number), "trouble": None}
        response = self.bot.post("soak", body=json.dumps(payload).encode())
        if 200 <= response.status < 300:
            self.acknowledged.append(response.delivery)

    def settle(self):
        self.bot.fake.fail_no_more()
        # The last process that was killed may still be starting.
        self.bot.wait_ready()
        deadline = time.monotonic() + SETTLE_S
        before = None
        while time.monotonic() < deadline:
            ((left,),) = self.store.query(
                "SELECT count(*) FROM runs WHERE state IN ('queued', 'running')")
            if int(left) == 0:
                return
            # Runs that died with a host are tried one by one, and many wait for their next attempt.
            if int(left) < 200 or left == before:
                self._make_due()
            before = left
            time.sleep(2)

    # -- the oracle

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
        dead = collections.Counter(str(runs[0][1])[:100] for runs in states.values()
                                   if runs[0][0] == "dead")
        most_kib = self.memory.stop()
        if most_kib > HOST_KIB_MAX and not os.environ.get("SNEK_SANITIZED"):
            faults.append(f"a host had {most_kib} KiB")
        print(f"{len(self.acknowledged)} acknowledged of {self.next} sent"
              f" ({dict(self.responses)}), {len(states)} stored, {dead.total()} dead,"
              f" {len(twice)} with their effect twice; the host had {most_kib} KiB at most;"
              f" {time.monotonic() - self.began:.0f} s")
        print(f"disturbed: {dict(sorted(self.disturbances.count.items()))}")
        for reason, count in dead.most_common():
            print(f"dead: {count} times: {reason}")
        return faults


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("deliveries", nargs="?", type=int, default=2000, metavar="N")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("--lease", type=int, default=2000, metavar="MS", help="dispatch.lease_ms")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--rate", type=float, default=100, help="deliveries a second, at most")
    parser.add_argument("--log", type=pathlib.Path, help="keep the bot's log here")
    return parser.parse_args()


def main():
    options = parse()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="snek-soak-") as folder:
        fake = snek.FakeGitHub(snek.make_key(pathlib.Path(folder) / "app.pem"),
                               state=github_state(options.deliveries))
        store = (PostgresStore if options.postgres else SqliteStore)(pathlib.Path(folder))
        bot = snek.Bot(fake, pathlib.Path(folder) / "bot",
                       plugins=[{"name": "soak", "deadline_ms": 10000,
                                 "effects_per_hour": 100000}], env=store.environment,
                       config={"store": {"url": store.url},
                               "github": {"write_interval_ms": 0, "notify_interval_ms": 0},
                               "dispatch": {"delay_ms": 100, "lease_ms": options.lease, "first_retry_ms": 5000},
                               "log": {"level": "info"}})
        soak = Soak(bot, store, options.deliveries, options.rate, options.lease / 1000,
                    random.Random(options.seed))
        soak.send_all()
        soak.settle()
        faults = soak.find_faults()
        bot.stop()
        if options.log:
            options.log.write_text("\n".join(text for text, _ in soak.lines + bot.process.lines))
        fake.process.end()
        store.stop()
    for fault in faults[:20]:
        print(f"FAULT {fault}")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
