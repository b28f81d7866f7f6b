# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 1, when the power fails: what was acknowledged is in the store, and the store is sound.
A thousand cuts of a record of all writes and syncs; SNEK_CUTS and SNEK_SEED choose others."""

import concurrent.futures
import os
import re
import subprocess
import tempfile

import pytest

import snek

CUTS = int(os.environ.get("SNEK_CUTS", "1000"))
SEED = int(os.environ.get("SNEK_SEED", "1"))
# Processes that share the cuts. Each cut opens a store, which takes 30 ms of a processor.
PARTS = 4


@pytest.fixture
def place():
    """In memory if that can be: what a disk would keep is decided by the replay, not by it."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="snek-power-", dir=memory) as path:
        os.mkdir(f"{path}/recorded")
        yield path


def record(place, synchronous, deliveries=600):
    environment = snek.clean_environment(
        LD_PRELOAD=snek.program("librecord.so"),
        SNEK_RECORD_DIRECTORY=f"{place}/recorded",
        SNEK_RECORD_JOURNAL=f"{place}/journal",
    )
    command = [snek.program("fault-workload"), f"{place}/recorded", str(deliveries), synchronous]
    subprocess.run(command, env=environment, check=True, timeout=120)


def replay_part(place, cuts, seed):
    """(lost, corrupt, the whole report)"""
    directory = f"{place}/replayed-{seed}"
    os.mkdir(directory)
    command = [snek.program("fault-power"), f"{place}/journal", directory, str(cuts), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    found = re.search(r": (\d+) lost deliveries, (\d+) left a corrupt file$", done.stdout.strip())
    assert found, f"{done.returncode}: {done.stdout}{done.stderr}"
    return int(found[1]), int(found[2]), done.stdout


def replay(place, cuts):
    with concurrent.futures.ThreadPoolExecutor(PARTS) as pool:
        parts = list(pool.map(lambda part: replay_part(place, cuts // PARTS, SEED * PARTS + part),
                              range(PARTS)))
    return (sum(part[0] for part in parts), sum(part[1] for part in parts),
            "".join(part[2] for part in parts))


def test_no_power_cut_loses_what_was_acknowledged_or_leaves_a_corrupt_file(place):
    record(place, "full")
    lost, corrupt, report = replay(place, CUTS)
    print(report.splitlines()[-1])
    assert (lost, corrupt) == (0, 0), report


def test_the_same_cuts_find_the_loss_when_commits_are_not_synced(place):
    record(place, "normal")
    lost, _, _ = replay(place, 100)
    assert lost > 10
