# SPDX-License-Identifier: MIT OR Apache-2.0
"""The built programs as processes: their environment, their log lines as dictionaries, and whether they
still run."""

import contextlib
import datetime
import json
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import slowness

# How long a test waits for what must happen. Valgrind and slow machines need more.
PATIENCE_S = float(os.environ.get("SNEK_PATIENCE_S", "20"))
# How long a test waits for lines of a process that has ended.
LAST_LINES_S = 5

def build_directory():
    """Where Meson built; SNEK_BUILD says it."""
    path = os.environ.get("SNEK_BUILD")
    if not path:
        raise RuntimeError("SNEK_BUILD must name the build directory")
    return pathlib.Path(path).resolve()


def best_level():
    """The level of the sandbox that this build reaches on this kernel."""
    if os.environ.get("SNEK_SANITIZED"):
        return "off"
    create_ruleset, its_version = 444, 1
    libc = ctypes.CDLL(None, use_errno=True)
    return "full" if libc.syscall(create_ruleset, None, 0, its_version) > 0 else "partial"


def program(name):
    """The path of a program or plugin that was built. Not below build/debian and build/heroku, which
    are whole systems."""
    for folder in ("host", "host/worker", "tests/harness", "plugins", "tests/plugins"):
        path = build_directory() / folder / name
        if path.is_file():
            return path
    found = [path for path in (build_directory() / "tests").rglob(name) if path.is_file()]
    if not found:
        raise RuntimeError(f"{name} is not built below {build_directory()}")
    return found[0]


def clean_environment(**more):
    """Nothing of the caller's but what finds programs and steers the sanitizers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.endswith("SAN_OPTIONS") or name in ("TMPDIR", "LD_LIBRARY_PATH")
    }
    return {"PATH": "/usr/bin:/bin", **kept, **{name: str(value) for name, value in more.items()}}


def wait_until(condition, what, timeout=None, pause_s=0.02):
    """Waits until the condition is true, and returns its value. `what` describes it for the failure:
    a text, or a function that is called then."""
    deadline = time.monotonic() + (PATIENCE_S if timeout is None else timeout)
    with slowness.polling():
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"in vain: {what() if callable(what) else what}")
            time.sleep(pause_s)
    slowness.pause()
    return value


_FIELD = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')


def parse_logfmt(line):
    """A line as a dictionary of texts; JSON lines are taken too."""
    if line.startswith("{"):
        return {name: str(value) for name, value in json.loads(line).items()}
    fields = {}
    for name, value in _FIELD.findall(line):
        fields[name] = json.loads(value) if value.startswith('"') else value
    return fields


def seconds(text):
    """A log line's time as a number."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Process:
    """A program whose output is read by threads, so that it never waits for the test."""

    def __init__(self, command, environment, cwd=None):
        self.lines = []  # (text, fields), in order
        self.errors = []  # standard error's lines
        self._news = threading.Condition()
        self._open = 2
        self._stalled, self._stands = False, False
        self.popen = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        for stream, keep in (
            (self.popen.stdout, lambda text: self.lines.append((text, parse_logfmt(text)))),
            (self.popen.stderr, self.errors.append),
        ):
            threading.Thread(target=self._read, args=(stream, keep), daemon=True).start()

    def _read(self, stream, keep):
        with stream:
            for text in slowness.late(stream):
                with self._news:
                    try:
                        keep(text.rstrip("\n"))
                    except ValueError:
                        self.lines.append((text, {}))  # a line that starts like JSON, and is not
                    self._news.notify_all()
                    while self._stalled and stream is self.popen.stdout:
                        self._stands = True
                        self._news.notify_all()
                        self._news.wait()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    def stall(self):
        """Reads standard output no more, and fills its pipe with lines of dashes: what writes there
        stands still from now on."""
        pipe = os.open(f"/proc/self/fd/{self.popen.stdout.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        with self._news:
            self._stalled, self._stands = True, False
            os.write(pipe, b"-\n")
            while not self._stands:
                self._news.wait()
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while os.write(pipe, b"-" * (size - 1) + b"\n"):
                    pass
        os.close(pipe)

    def read_on(self):
        with self._news:
            self._stalled = False
            self._news.notify_all()

    @property
    def pid(self):
        return self.popen.pid

    def output(self, last=60):
        """The last lines of both streams, for a failure's text; None: all lines."""
        with self._news:
            first = -last if last else 0
            out = [text for text, _ in self.lines[first:]]
            return "\n".join(out + [f"(stderr) {text}" for text in self.errors[first:]])

    def mark(self):
        """A place in the log; wait_log(after=mark) looks at later lines only."""
        slowness.pause()
        with self._news:
            return len(self.lines)

    def log(self, after=0, **wanted):
        """All lines so far whose fields are as wanted; None means that the field is absent."""
        slowness.pause()
        with self._news:
            return [fields for _, fields in self.lines[after:] if _fits(fields, wanted)]

    def wait_log(self, timeout=None, after=0, **wanted):
        """The first line whose fields are as wanted, waited for; a tuple means one of several.
        Fails when the program ends."""
        fields = self._wait_log(PATIENCE_S if timeout is None else timeout, after, wanted)
        slowness.pause()
        return fields

    def _wait_log(self, timeout, after, wanted):
        deadline = time.monotonic() + timeout
        at = after
        with self._news:
            while True:
                for _, fields in self.lines[at:]:
                    if _fits(fields, wanted):
                        return fields
                at = max(at, len(self.lines))
                left = deadline - time.monotonic()
                if left <= 0 or self._open == 0:
                    break
                self._news.wait(left)
        why = "in time" if self._open else f"before the program ended ({self.popen.poll()})"
        raise AssertionError(f"no log line {wanted} came {why}; the last lines:\n{self.output()}")

    def wait(self, timeout=None):
        """Waits for its end and for its last lines, which may still be in the pipe then. Returns the exit status."""
        status = self.popen.wait(PATIENCE_S if timeout is None else timeout)
        with self._news:
            # A process that outlives it may keep the pipe open.
            self._news.wait_for(lambda: self._open == 0 or self._stalled, LAST_LINES_S)
        slowness.pause()
        return status

    def end(self, sig=signal.SIGTERM, timeout=None):
        """Sends the signal and waits. Returns the exit status."""
        slowness.pause()
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"it did not end; the last lines:\n{self.output()}") from None


def _fits(fields, wanted):
    return all(
        fields.get(name) in ([str(one) for one in value] if isinstance(value, tuple)
                             else [None if value is None else str(value)])
        for name, value in wanted.items()
    )


def is_running(pid):
    """Does a thread of the process still run? Its files stay open until the last one has ended,
    though the first may be a zombie already."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    for thread in threads:
        try:
            text = pathlib.Path(f"/proc/{pid}/task/{thread}/stat").read_text(encoding="utf-8",
                                                                            errors="replace")
        except OSError:
            continue  # it ended while we looked
        if text[text.rindex(")") + 2] not in "ZX":
            return True
    return False


def wait_until_gone(pids, timeout=None):
    """Waits until none of the processes runs. A killed process still accepts connections for a
    moment, so a test that expects its successor's response waits here first."""
    wait_until(lambda: not any(map(is_running, pids)), f"the end of {pids}", timeout)


def children(parent):
    """The ids of a process' children that still run."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended while we looked
        state, ppid = stat[stat.rindex(")") + 2 :].split()[:2]
        if int(ppid) == parent and state not in "ZX":
            found.append(int(entry.name))
    return sorted(found)
