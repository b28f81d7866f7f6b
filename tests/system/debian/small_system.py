# SPDX-License-Identifier: MIT OR Apache-2.0
"""The small Debian of `./dev debian`, as a tree of files and as a machine with systemd. SNEK_DEBIAN names
its folder."""

import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
SYSTEM = pathlib.Path(os.environ["SNEK_DEBIAN"]).resolve()
LIMIT_S = 30 * 60

ENTER = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
/usr/sbin/chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root \\
    bash -euxc "$1" &
status=0; wait "$!" || status=$?
exit "$status"
"""


def enter(commands):
    """Runs the commands in the system, in a tree of processes of their own. Returns their output."""
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER,
                           "enter", SYSTEM, commands], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


class Machine:
    """The small Debian, booted with systemd. What it writes is lost at the end; it has no network but
    its loopback."""

    BOOT = ["systemd-nspawn", "--directory", SYSTEM, "--volatile=overlay", "--boot", "--register=no",
            "--keep-unit", "--private-network", "--console=pipe", "--machine=snekomatic",
            # Its own filter lacks them, and our unit allows them.
            "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"]

    def __init__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.BOOT, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.leader = None
        deadline = time.monotonic() + LIMIT_S
        while self.leader is None or self.run("systemctl is-system-running", check=False) != "running\n":
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.1)
            of = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            self.leader = (of.read_text(encoding="utf-8").split() or [None])[0]

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def run(self, commands, check=True):
        """Runs the commands as root in the machine. Returns their output."""
        done = subprocess.run(
            ["nsenter", "--target", self.leader, "--mount", "--uts", "--ipc", "--net", "--pid",
             "--root", "--wd", "env", "-i", "HOME=/root",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-euc",
             f"cd\n{commands}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
        assert done.returncode == 0 or not check, done.stdout[-4000:]
        return done.stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self.log.close()
