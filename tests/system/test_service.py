# SPDX-License-Identifier: MIT OR Apache-2.0
"""Under a service manager: the messages through NOTIFY_SOCKET, and the example of a unit."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

import snek

WATCHDOG_US = 1_000_000


class Manager:
    """The socket that systemd would listen at."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))

    def heard(self, timeout=snek.PATIENCE_S):
        """The next message; None when there is none in time."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(1000).decode()
        except TimeoutError:
            return None

    def forget(self):
        while self.heard(0.25):
            pass


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    where = {"path": tmp_path / "notify", "abstract": f"@snekomatic-test-{os.getpid()}"}
    manager = Manager(str(where[request.param]))
    yield manager
    manager.socket.close()


def test_ready_comes_once_it_listens_and_stopping_when_it_is_asked_to_end(start_bot, manager):
    bot = start_bot(env={"NOTIFY_SOCKET": manager.address})
    assert manager.heard() == "READY=1"
    assert bot.request("GET", "/").status == 200
    bot.stop()
    assert manager.heard() == "STOPPING=1"
    assert manager.heard(0.01) is None


def test_a_bot_that_cannot_start_is_not_ready(fake, tmp_path, manager):
    bot = snek.Bot(fake, tmp_path / "bot", plugins=[{"path": "./none.so"}], start=False)
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", bot.file],
                           snek.clean_environment(NOTIFY_SOCKET=manager.address))
    assert process.wait(snek.PATIENCE_S) == 78
    assert manager.heard(0.01) is None


def test_a_host_that_died_is_no_second_start(start_bot, manager):
    bot = start_bot(env={"NOTIFY_SOCKET": manager.address})
    assert manager.heard() == "READY=1"
    bot.kill("host")
    bot.wait_log(msg="host_restarted")
    bot.stop()
    assert manager.heard() == "STOPPING=1"


def test_the_watchdog_hears_of_a_host_that_lives_and_not_of_one_that_hangs(start_bot, manager):
    bot = start_bot(env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": WATCHDOG_US})
    assert [manager.heard() for _ in range(4)] == ["READY=1", *3 * ["WATCHDOG=1"]]
    bot.kill("host", signal.SIGSTOP)
    manager.forget()
    assert manager.heard(2 * WATCHDOG_US / 1e6) is None
    bot.kill("host", signal.SIGCONT)
    assert manager.heard() == "WATCHDOG=1"


def test_a_watchdog_that_is_another_process_business_hears_nothing(start_bot, manager):
    start_bot(env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": WATCHDOG_US,
                   "WATCHDOG_PID": 1})
    assert manager.heard() == "READY=1"
    assert manager.heard(1.5 * WATCHDOG_US / 1e6) is None


def test_host_and_plugins_cannot_speak_for_the_service(start_bot, manager):
    bot = start_bot(env={"NOTIFY_SOCKET": manager.address})
    for ring in ("host", "worker"):
        for pid in bot.pids(ring):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    assert b"NOTIFY_SOCKET" not in file.read()
            except PermissionError:
                assert os.geteuid() != 0


@pytest.mark.parametrize("address", ["relative", "/nowhere/notify", "/" + 200 * "x"])
def test_a_manager_that_cannot_be_reached_is_said(fake, tmp_path, address):
    bot = snek.Bot(fake, tmp_path / "bot", start=False)
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", bot.file],
                           snek.clean_environment(NOTIFY_SOCKET=address))
    assert "NOTIFY_SOCKET" in process.wait_log(msg="cannot_start")["reason"]
    assert process.wait(snek.PATIENCE_S) == 71


def unit():
    return snek.build_directory() / "snekomatic.service"


needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


@needs_systemd
def test_the_unit_leaves_little_exposed():
    result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20",
                             unit()], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Overall exposure level for snekomatic.service: " in result.stdout


@needs_systemd
def test_systemd_understands_every_line_of_the_unit(tmp_path):
    text = unit().read_text()
    program = next(line.split()[0].removeprefix("ExecStart=") for line in text.splitlines()
                   if line.startswith("ExecStart="))
    copy = tmp_path / "snekomatic.service"
    copy.write_text(text.replace(program, str(snek.program("snekomatic"))))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True,
                            text=True, check=False)
    complaints = [line for line in result.stderr.splitlines() if "snekomatic.service" in line]
    assert (result.returncode, complaints) == (0, [])


def test_the_unit_starts_what_is_installed_and_takes_no_longer_to_stop_than_it_drains():
    lines = unit().read_text().splitlines()
    start = next(line for line in lines if line.startswith("ExecStart="))
    assert start.startswith("ExecStart=/") and "/bin/snekomatic serve -c /etc/snekomatic/" in start
    assert {"Type=notify", "KillMode=mixed", "TimeoutStopSec=30"} <= set(lines)


def test_the_unit_retries_what_may_pass_and_bounds_memory_and_tasks():
    lines = unit().read_text().splitlines()
    # systemd's default stops the whole service when the kernel kills one worker for memory.
    assert "OOMPolicy=continue" in lines
    assert {line.split("=")[0] for line in lines} >= {"MemoryMax", "TasksMax"}
    # 78 is a configuration that no restart fixes; 75 may pass, and is retried without end.
    assert {"Restart=on-failure", "RestartPreventExitStatus=64 78",
            "StartLimitIntervalSec=0"} <= set(lines)
