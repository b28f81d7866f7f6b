# SPDX-License-Identifier: MIT OR Apache-2.0
"""The soak test of pull mode: two hosts on one PostgreSQL read the fake's list of N deliveries, while
hosts and whole bots are killed, GitHub fails, payloads are missing for a while or for ever, entries
appear late and with random ids, and people press Redeliver. Then an oracle looks: each delivery made
its effect once, and once more for each Redeliver after that; none is lost but those whose payload
GitHub never had. At the end single deliveries and bursts are timed from the event to the store, and
takeovers from the kill of the elected host to the next delivery in the store.

    SNEK_BUILD=build python3 tests/soak/pull.py [N] [--seed S]    (./dev soak-pull does it)

Ends with 0 when the oracle finds nothing, otherwise with 1 and the faults."""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "postgres")]
import snek
from stores import PostgresStore

BATCH = 250
SINGLES = 60
BURSTS = 8
TAKEOVERS = 10
INTERVAL_S = 1
WAIT_S = 240
# The parts of the deliveries that are something else than a new entry with a payload.
LATE, UNWANTED, MISSING, LOST = 0.05, 0.1, 0.02, 0.002


class Soak:
    def __init__(self, fake, store, bots, chance):
        self.fake, self.store, self.bots, self.chance = fake, store, bots, chance
        self.lines = []
        self.entries = {}  # by number: the first entry
        self.expected, self.missing, self.lost = collections.Counter(), [], set()
        self.latencies_ms, self.bursts_ms, self.takeovers_ms = [], [], []
        self.kills, self.clicks = 0, 0

    # -- GitHub's side

    def deliver(self, number):
        draw = self.chance.random()
        how = {"id": self.chance.randint(10**9, 2**62)}
        if draw < UNWANTED:
            self.fake.deliver("ping", {"zen": "Avoid administrative distraction."}, **how)
            return
        if draw < UNWANTED + LATE:
            how["age_s"] = self.chance.randint(1, 700)
        elif draw < UNWANTED + LATE + MISSING + LOST:
            how["no_payload"] = True
        url = f"/repos/sneks-united/terrarium/issues/{1000 + number}/comments"
        payload = {"action": "comment", "installation": {"id": snek.INSTALLATION}, "url": url}
        entry = self.fake.deliver("trouble", payload, **how)
        entry["sent_ms"] = time.time() * 1000
        self.entries[number] = entry
        if draw >= UNWANTED + LATE and draw < UNWANTED + LATE + LOST:
            self.lost.add(number)
        elif how.get("no_payload"):
            self.missing.append(number)
        if number not in self.lost:
            self.expected[number] += 1

    def deliver_whole(self, number):
        """An entry with a payload that some plugin wants."""
        while number not in self.entries or number in self.lost or number in self.missing:
            self.entries.pop(number, None)
            self.expected.pop(number, None)
            self.lost.discard(number)
            self.missing = [one for one in self.missing if one != number]
            self.deliver(number)

    def click(self, number, runs_again):
        self.fake.redeliver(self.entries[number]["id"])
        self.expected[number] += runs_again
        self.clicks += 1

    # -- disturbances

    def restart(self, bot):
        self.lines += bot.log()
        bot.start()

    def kill(self):
        """One host, one whole bot, or both bots."""
        draw, bot = self.chance.random(), self.chance.choice(self.bots)
        if draw < 0.5:
            for pid in bot.pids("host"):  # none while it starts
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1
        else:
            for one in self.bots if draw > 0.8 else [bot]:
                self.kills += one.process.popen.poll() is None
                one.process.popen.kill()
                one.process.popen.wait()

    def heal(self):
        for bot in self.bots:
            if bot.process.popen.poll() is not None:
                self.restart(bot)

    # -- a batch

    def stored(self):
        return {guid: int(ms) for guid, ms in
                self.store.query("SELECT guid, received_ms FROM deliveries")}

    def wait_stored(self, numbers):
        guids = {self.entries[n]["guid"] for n in numbers if n in self.entries} - {
            self.entries[n]["guid"] for n in [*self.lost, *self.missing]}
        snek.wait_until(lambda: guids <= set(self.stored()),
                        lambda: f"{len(guids - set(self.stored()))} are not stored", WAIT_S, 0.5)
        # Entries without a payload must be noted too, before they are old.
        nulls = {self.entries[n]["id"] for n in [*self.lost, *self.missing]}
        snek.wait_until(lambda: nulls <= {int(row[0]) for row in
                                          self.store.query("SELECT id FROM pulled")},
                        "entries without a payload are not noted", WAIT_S, 0.5)

    def batch(self, numbers, disturbed):
        timers = []
        if disturbed:
            timers = [threading.Timer(self.chance.random() * 3, self.kill)
                      for _ in range(self.chance.randint(1, 3))]
            self.fake.fail("GET", "/app/hook/deliveries", status=self.chance.choice([500, 502]),
                           times=self.chance.randint(1, 12))
        for timer in timers:
            timer.start()
        for number in numbers:
            self.deliver(number)
        for timer in timers:
            timer.join()
        self.heal()
        self.wait_stored(numbers)
        self.give_payloads()

    def give_payloads(self):
        """GitHub has the missing payloads now."""
        for number in self.missing:
            self.fake.lose_payload(self.entries[number]["id"], False)
        self.missing = []

    def measure(self, numbers):
        """The way of single deliveries, which come at a rate that GitHub's limits allow."""
        for number in numbers:
            self.deliver(number)
            time.sleep(0.7)
        self.wait_stored(numbers)
        self.give_payloads()
        self.latencies_ms = self.ways_ms(numbers)

    def ways_ms(self, numbers):
        stored = self.stored()
        return sorted(stored[entry["guid"]] - entry["sent_ms"] for entry in
                      map(self.entries.get, numbers) if entry and entry["guid"] in stored)

    def burst(self, numbers):
        """The longest way of many at once."""
        for number in numbers:
            self.deliver(number)
        self.wait_stored(numbers)
        # A payload that is missing at first comes later.
        missing = set(self.missing) | self.lost
        self.bursts_ms.append(self.ways_ms([n for n in numbers if n not in missing])[-1])
        self.give_payloads()
        self.settle_clicks()
        self.fake.age_deliveries(1000)

    def take_over(self, number):
        """kill -9 of the elected host with its supervisor."""
        def elected():
            return [bot for bot in self.bots
                    if bot.request("GET", "/readyz").json["pull"]["state"] == "ok"]
        snek.wait_until(lambda: len(elected()) == 1, "no host is elected", WAIT_S, 0.2)
        [bot] = elected()
        killed_ms = time.time() * 1000
        bot.process.popen.kill()
        bot.process.popen.wait()
        self.deliver_whole(number)
        self.wait_stored([number])
        self.takeovers_ms.append(self.stored()[self.entries[number]["guid"]] - killed_ms)
        self.restart(bot)

    def click_during_downtime(self, number):
        """Both bots are away: the first entry and the click are one delivery."""
        for bot in self.bots:
            bot.stop()
        self.deliver_whole(number)
        self.click(number, 0)
        for bot in self.bots:
            self.restart(bot)

    def run(self, count):
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            self.batch(numbers, disturbed=first // BATCH % 2 == 1)
            done = [n for n in range(first) if self.expected[n] == 1 and n not in self.lost]
            for number in self.chance.sample(done, min(5, len(done))):
                if self.is_done(number):
                    self.click(number, 1)
            if first // BATCH % 4 == 3:
                self.click_during_downtime(count + first)
            print(f"{first + len(numbers)} deliveries, {self.kills} kills, {self.clicks} clicks",
                  flush=True)
            self.settle_clicks()
            self.fake.age_deliveries(1000)

    def is_done(self, number):
        guid = self.entries[number]["guid"]
        return self.store.query("SELECT 1 FROM runs r JOIN deliveries d ON d.id = r.delivery WHERE"
                                f" d.guid = '{guid}' AND r.state = 'done'") != []

    def settle_clicks(self):
        """All entries that are listed now are noted, so that they may get old."""
        ids = {entry["id"] for entry in self.fake.deliveries() if entry["event"] == "trouble"}
        snek.wait_until(lambda: ids <= {int(row[0]) for row in
                                        self.store.query("SELECT id FROM pulled")},
                        "entries are not noted", WAIT_S, 0.5)

    # -- the oracle

    def comments(self):
        issues = [one.get("issue", 0) - 1000 for one in self.fake.repository()["comments"]]
        return collections.Counter(number for number in issues if number >= 0)

    def faults(self):
        self.store.change("UPDATE pulled SET due_ms = 0 WHERE due_ms > 0")
        found = []
        try:
            snek.wait_until(lambda: self.comments() == self.expected, "", WAIT_S, 2)
        except AssertionError:
            is_now = self.comments()
            for number in sorted(set(is_now) | set(self.expected)):
                if is_now[number] != self.expected[number]:
                    found.append(f"delivery {number} {self.entries[number]['guid']}: "
                                 f"{is_now[number]} effects, expected {self.expected[number]}")
        for bot in self.bots:
            self.lines += bot.log()
        reported = {line["delivery"] for line in self.lines if line["msg"] == "not_fetched"}
        for number in self.lost:
            if self.entries[number]["guid"] not in reported:
                found.append(f"delivery {number} has no payload, and no host has reported it")
        if self.fake.requests("POST", r"/app/hook/deliveries/\d+/attempts"):
            found.append("a host asked GitHub for a redelivery")
        return found


def configuration(store):
    return {"store": {"url": store.url}, "dispatch": {"delay_ms": 0},
            "log": {"level": "info"},
            "github": {"receive": "pull", "pull_interval_seconds": INTERVAL_S}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("n", nargs="?", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="snek-soak-pull-"))
    store = PostgresStore(folder)
    fake = snek.FakeGitHub(snek.make_key(folder / "app.pem"))
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github", auto_create=["issues"],
                  rate_limit=10**9)
    plugin = {"name": "trouble", "effects_per_hour": 100000}
    bots = [snek.Bot(fake, folder / name, plugins=[plugin], config=configuration(store))
            for name in ("one", "two")]
    soak = Soak(fake, store, bots, random.Random(options.seed))
    # Late entries are from before the first start.
    bots[0].wait_log(msg="pulling")
    for bot in bots:
        bot.stop()
    store.change("UPDATE pull_place SET oldest_ms = 0, started_ms = 0")
    for bot in bots:
        bot.start()
    began = time.monotonic()
    soak.run(options.n)
    soak.measure(range(10**6, 10**6 + SINGLES))
    for first in range(2 * 10**6, 2 * 10**6 + BURSTS * BATCH, BATCH):
        soak.burst(range(first, first + BATCH))
    for number in range(3 * 10**6, 3 * 10**6 + TAKEOVERS):
        soak.take_over(number)
    faults = soak.faults()
    slow = soak.latencies_ms
    print(f"{len(soak.expected)} wanted deliveries, {len(soak.lost)} without a payload,"
          f" {soak.kills} kills, {soak.clicks} clicks, {time.monotonic() - began:.0f} s")
    print(f"event to store, {len(slow)} single ones: median {slow[len(slow) // 2]:.0f} ms,"
          f" p99 {slow[len(slow) * 99 // 100]:.0f} ms, most {slow[-1]:.0f} ms")
    print(f"event to store, the last one of {BATCH} at once, {BURSTS} times: "
          f"{' '.join(f'{ms:.0f}' for ms in soak.bursts_ms)} ms")
    print(f"kill -9 of the elected host to the next delivery in the store: "
          f"{' '.join(f'{ms:.0f}' for ms in soak.takeovers_ms)} ms")
    for bot in bots:
        bot.stop()
    fake.stop()
    store.stop()
    for fault in faults[:50]:
        print(fault)
    print(f"{len(faults)} faults; the logs are below {folder}" if faults else "no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
