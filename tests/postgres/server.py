# SPDX-License-Identifier: MIT OR Apache-2.0
"""A PostgreSQL server of a test's own: in a temporary directory, on a free loopback port, as the user
postgres when the test is root (initdb rejects root). Run as a program, it is a server for tests in
other languages:
    python3 tests/postgres/server.py [SETTING=VALUE]...
says "PORT PID DIRECTORY" once it serves, and ends, with all it made, when its input ends."""

import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

USER, PASSWORD = "snek", "pg-s3cret-word"


def binaries():
    """The newest version's programs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda path: int(path.parent.parent.name))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    if not path:
        raise RuntimeError("PostgreSQL's server is not installed (Debian: postgresql)")
    return pathlib.Path(path).resolve().parent


def free_port():
    """A port for a program that cannot pick one itself, or must find its own free after a restart.
    The kernel gives none of these to sockets that ask for any port, nor to connections, so nothing
    takes it meanwhile."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


MEMORY = pathlib.Path("/dev/shm")


def has_room_in_memory():
    """Does a server fit there, with several more beside it? A container's /dev/shm may have 64 MiB only."""
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
        return min(available, shutil.disk_usage(MEMORY).free) >= 4 << 30
    return False


class Server:
    """Runs until stop(). `settings` are postgresql.conf's. Its files are in memory if they fit there:
    tests share a disk, and each commit would wait for it. With `on_disk` they never are."""

    def __init__(self, on_disk=False, **settings):
        in_memory = not on_disk and has_room_in_memory()
        if in_memory:
            settings.setdefault("max_wal_size", "128MB")
        place = MEMORY if in_memory else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="snek-pg-", dir=place))
        self.as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                            "--clear-groups", "--"]
        self.data = self.directory / "data"
        self.settings = settings
        self.port, self.process = None, None
        try:
            password = self.directory / "password"
            password.write_text(PASSWORD)
            password.chmod(0o644)
            self._run("initdb", "-D", self.data, "-U", USER, "-A", "scram-sha-256", "-E", "UTF8",
                      "--locale=C", "--no-sync", f"--pwfile={password}")
            self.start()
        except BaseException:
            self.stop()
            raise

    def _run(self, program, *arguments):
        done = subprocess.run([*self.as_user, binaries() / program, *map(str, arguments)],
                              cwd=self.directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self, **settings):
        """Starts it, again on the port that it had, and waits until it takes connections."""
        given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                 "shared_buffers": "32MB", "max_connections": "50", "wal_sync_method": "fdatasync",
                 **self.settings, **settings}
        again = self.port is not None
        for _ in range(20):
            self.port = self.port or free_port()
            command = [*self.as_user, str(binaries() / "postgres"), "-D", str(self.data),
                       "-p", str(self.port)]
            for name, value in given.items():
                command += ["-c", f"{name}={value}"]
            with open(self.directory / "log", "ab") as log:
                self.process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log,
                                                stdin=subprocess.DEVNULL)
            if self._wait_ready():
                return self
            if not again:
                self.port = None  # somebody else was quicker
        raise RuntimeError(self.log())

    def _wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
                if int(lines[0]) == self.process.pid and lines[7].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def url(self, database="postgres", schema=None, user=USER, password=PASSWORD, more=""):
        """`schema` is one of the database, made by who asks; its tables are found there."""
        query = f"?options=-csearch_path%3D{schema}" if schema else ""
        query += (("&" if query else "?") + more) if more else ""
        return f"postgres://{user}:{password}@127.0.0.1:{self.port}/{database}{query}"

    def sql(self, text, **where):
        """Runs statements; the rows, their columns divided by |."""
        done = subprocess.run([binaries() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text,
                               self.url(**where)], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{text}: {done.stderr}")
        return done.stdout.splitlines()

    def pids(self):
        """The server's own and its backends'."""
        own = self.process.pid
        children = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                stat = (entry / "stat").read_text(errors="replace")
                if entry.name.isdigit() and int(stat[stat.rindex(")") + 2:].split()[1]) == own:
                    children.append(int(entry.name))
        return [own, *children]

    def signal(self, number):
        """To all of its processes; those that end meanwhile need none."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        """Like a power cut, but for the page cache: start() recovers."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            (self.data / "postmaster.pid").unlink()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)  # nothing of it is kept
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def main():
    server = Server(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
    try:
        # In one write, even when Python does not buffer: who has read two numbers may hang up.
        os.write(1, f"{server.port} {server.process.pid} {server.directory}\n".encode())
        while os.read(0, 4096):
            pass
    finally:
        server.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
