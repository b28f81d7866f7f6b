# SPDX-License-Identifier: MIT OR Apache-2.0
"""Slows the tests or the programs down at random, which finds the tests that race. Nothing is slowed
unless the environment asks for it; CONTRIBUTING.md explains the three switches."""

import contextlib
import os
import pathlib
import queue
import random
import signal
import threading
import time

# The test pauses so long at most before each step, and after each wait.
PAUSE_MS = float(os.environ.get("SNEK_TEST_PAUSE_MS", "0"))
# A host or worker stands still so long at most, then runs so long at most.
STALL_MS = float(os.environ.get("SNEK_TEST_STALL_MS", "0"))
# The test gets a line of a log so much later at most.
LOG_DELAY_MS = float(os.environ.get("SNEK_TEST_LOG_DELAY_MS", "0"))

_state = threading.local()
# A test that measures time by itself runs at its own pace (conftest.py).
_paced = threading.Event()
_paced.set()


def own_pace(wanted):
    """Switches everything off for one test, or on again."""
    if wanted:
        _paced.clear()
    else:
        _paced.set()


def pause():
    """The test is slow here, but not while it polls, and its other threads are not."""
    if (PAUSE_MS and _paced.is_set() and not getattr(_state, "polls", 0)
            and threading.current_thread() is threading.main_thread()):
        time.sleep(random.uniform(0, PAUSE_MS) / 1000)


@contextlib.contextmanager
def polling():
    """No pause() in here: the condition of a wait is asked again and again."""
    _state.polls = getattr(_state, "polls", 0) + 1
    try:
        yield
    finally:
        _state.polls -= 1


def late(lines):
    """The lines of a stream in their order, each somewhat later than it came."""
    if not LOG_DELAY_MS or not _paced.is_set():
        yield from lines
        return
    waiting = queue.Queue()

    def read():
        for line in lines:
            waiting.put((time.monotonic() + random.uniform(0, LOG_DELAY_MS) / 1000, line))
        waiting.put((0, None))

    threading.Thread(target=read, daemon=True).start()
    while True:
        due, line = waiting.get()
        if line is None:
            return
        time.sleep(max(0, due - time.monotonic()))
        yield line


def stall_children(popen):
    """Stops one child of the supervisor at a time, for moments, until the supervisor has ended."""
    if STALL_MS and _paced.is_set():
        threading.Thread(target=_stall_children, args=(popen,), daemon=True).start()


def stall_no_more(popen):
    """The test stops or continues processes itself from now on."""
    popen.snek_stalls = False


def _stall_children(popen):
    children = pathlib.Path(f"/proc/{popen.pid}/task/{popen.pid}/children")
    while popen.returncode is None and getattr(popen, "snek_stalls", True):
        time.sleep(random.uniform(0, STALL_MS) / 1000)
        try:
            pid = int(random.choice(children.read_text(encoding="ascii").split()))
        except OSError:
            return  # the supervisor has ended
        except IndexError:
            continue  # it has no child yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                time.sleep(random.uniform(0, STALL_MS) / 1000)
            finally:
                os.kill(pid, signal.SIGCONT)
