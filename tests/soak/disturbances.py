# SPDX-License-Identifier: MIT OR Apache-2.0
"""Everything that goes wrong during the soak: processes die or stand still, the store goes away, and
GitHub is slow, fails or loses its response."""

import collections
import contextlib
import os
import signal
import time

COMMENTS = "/repos/*/comments"
# The mean time between two disturbances.
EVERY_S = 1.0
# A pause lasts up to this many leases, so that some end before the lease does and some after it.
LONGEST_PAUSE_LEASES = 1.2


class Disturbances:
    """perform() does one at random. `count` says how often each came."""

    def __init__(self, bot, store, chance, lease_s, start_again):
        self.bot, self.store, self.chance, self.lease_s = bot, store, chance, lease_s
        self.start_again = start_again
        self.count = collections.Counter()
        self.next_pause = time.monotonic() + self._pause_interval_s() / 2
        self.next_absence = time.monotonic() + self._pause_interval_s()

    def _pause_interval_s(self):
        """Pauses take a third of the time at most, and come every few seconds with a short lease."""
        return 5 + 4 * self.lease_s

    def _duration_s(self):
        """A third of them outlast the lease for sure."""
        if self.chance.random() < 1 / 3:
            return self.lease_s * 1.1 + 0.2
        return self.chance.uniform(0, LONGEST_PAUSE_LEASES) * self.lease_s

    def wait(self):
        time.sleep(self.chance.expovariate(1 / EVERY_S))

    def perform(self):
        now = time.monotonic()
        if now >= self.next_pause:
            self.pause_host()
            self.next_pause = time.monotonic() + self._pause_interval_s()
        elif now >= self.next_absence:
            self.remove_store()
            self.next_absence = time.monotonic() + self._pause_interval_s()
        else:
            kinds = (self.kill_host, self.kill_host_and_workers, self.kill_worker, self.kill_worker, self.kill_supervisor,
                     self.kill_backend, self.slow_github, self.slow_github, self.lose_responses,
                     self.fail_github)
            self.chance.choice(kinds)()

    # -- processes

    def _kill(self, kind, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.count[kind] += bool(pids)
        return bool(pids)

    def kill_host(self):
        self._kill("host killed", self.bot.pids("host"))

    def kill_worker(self):
        self._kill("worker killed", self.bot.pids("worker"))

    def kill_host_and_workers(self):
        """The workers of the next host die while they start."""
        self.kill_host()
        deadline = time.monotonic() + self.chance.uniform(0, 0.5)
        while time.monotonic() < deadline:
            self._kill("starting worker killed", self.bot.pids("worker"))

    def kill_backend(self):
        self._kill("backend killed", self.store.backends()[:1])

    def kill_supervisor(self):
        if self._kill("supervisor killed", self.bot.pids("supervisor")):
            self.start_again()

    def pause_host(self):
        """A pause of the host, as by a debugger, a laptop's lid or a hypervisor."""
        pids, duration_s = self.bot.pids("host"), self._duration_s()
        if not pids:
            return
        # Comments that take a while are under way when the pause begins.
        self._fail(delay_ms=int(self.chance.uniform(0, 500)), times=20)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(duration_s)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.count["host paused past the lease" if duration_s > self.lease_s else
                   "host paused"] += 1

    # -- the store

    def remove_store(self):
        kind, duration_s = self.chance.choice(self.store.absences), self._duration_s()
        self._fail(delay_ms=int(self.chance.uniform(0, 1000 * self.lease_s)), times=5)
        with getattr(self.store, kind)():
            time.sleep(duration_s)
        self.count[f"store: {kind}" + (" past the lease" if duration_s > self.lease_s else "")] += 1

    # -- GitHub

    def _fail(self, **how):
        self.bot.fake.fail("POST", COMMENTS, **how)

    def slow_github(self):
        self._fail(delay_ms=int(self.chance.uniform(100, 3000)), times=self.chance.randint(1, 30),
                   after=self.chance.random() < 0.5)
        self.count["GitHub slow"] += 1

    def lose_responses(self):
        self._fail(drop=True, after=True, times=self.chance.randint(1, 3))
        self.count["responses lost"] += 1

    def fail_github(self):
        self._fail(status=self.chance.choice((500, 502, 503)), after=self.chance.random() < 0.5,
                   times=self.chance.randint(1, 3))
        self.count["GitHub failed"] += 1
