# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/backup.md, tried: the store is backed up while webhooks come in, restored elsewhere, and has
all that was acknowledged before the backup began."""

import json
import subprocess
import threading
import time

import pytest

import snek


def trouble(action="fine", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, "padding": "x" * 8000, **more}


class Load:
    """Webhooks, one after the other from each of a few threads, until it is stopped."""

    def __init__(self, bot, threads, pause_s):
        self.bot, self.acknowledged, self.going, self.pause_s = bot, [], True, pause_s
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while self.going:
            action = "later" if len(self.acknowledged) % 10 == 3 else "fine"
            response = self.bot.post("trouble", trouble(action))
            assert response.status == 202, response
            self.acknowledged.append(response.delivery)
            time.sleep(self.pause_s)

    def wait(self, count):
        snek.wait_until(lambda: len(self.acknowledged) >= count, lambda: len(self.acknowledged))
        return list(self.acknowledged)

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(snek.PATIENCE_S)


def listed(bot):
    result = bot.verb("deliveries", "list", "--limit", "0", "--json")
    return {entry["delivery"]: entry for entry in json.loads(result.stdout)}


def sqlite(file, *commands):
    done = subprocess.run(["sqlite3", str(file), *commands], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.strip()


def has_all_and_goes_on(bot, before):
    """Every delivery that was acknowledged before the backup is there and is handled."""
    there = listed(bot)
    assert not [guid for guid in before if guid not in there]
    for guid in before:
        if there[guid]["state"] != "done":
            bot.wait_log(msg="done", delivery=guid)
    after = listed(bot)
    assert {after[guid]["state"] for guid in before} == {"done"}
    new = bot.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=new)


@pytest.mark.parametrize("how,threads,pause_s", [
    ("VACUUM INTO '{}'", 4, 0),
    (".backup {}", 1, 0.02),  # it starts over when the host writes: under more load it may not end
])
def test_an_sqlite_store_is_backed_up_under_load_and_restored(start_bot, fake, tmp_path, how, threads,
                                                              pause_s):
    bot = start_bot(plugins=["trouble"])
    load = Load(bot, threads, pause_s)
    before = load.wait(60)
    copy = tmp_path / "copy.db"
    sqlite(bot.folder / "snekomatic.db", ".timeout 10000", how.format(copy))
    during = load.wait(len(load.acknowledged) + 20)
    load.stop()
    assert len(during) > len(before)
    assert sqlite(copy, "PRAGMA integrity_check") == "ok"

    restored = snek.Bot(fake, tmp_path / "restored", plugins=["trouble"], start=False)
    copy.rename(restored.folder / "snekomatic.db")
    restored.start()
    has_all_and_goes_on(restored, before)
    restored.stop()
    bot.stop()
    assert len(listed(bot)) == len(load.acknowledged)  # the backup has disturbed nothing
