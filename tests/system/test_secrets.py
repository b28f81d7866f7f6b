# SPDX-License-Identifier: MIT OR Apache-2.0
"""No secret is in a log line, in the worker's memory, in its environment or descriptors."""

import os
import pathlib
import re
import signal
import threading

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def key_text(fake):
    return pathlib.Path(fake.key).read_text(encoding="ascii")


def environment_of(pid):
    """The initial environment of a process. Only root may read it, because the rings are not dumpable, and that is tested
    when we are not root."""
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        assert os.geteuid() != 0
        return b""


@pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                    reason="a sanitizer forbids to read all memory, and terabytes of it are its own")
def test_a_worker_sees_no_secret(fake, start_bot):
    # The sandbox would hide the list of mappings that the search needs.
    host = start_bot(plugins=[{"name": "trouble", "sandbox": "off"}, "invite"],
                     env={"SNEK_MARKER": "x" * 40})
    merged = snek.payload("pull_request.closed.merged")
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    token = fake.tokens()[0]
    key_line = key_text(fake).splitlines()[5]
    for secret in (snek.WEBHOOK_SECRET, token, key_line, "x" * 40):
        half = len(secret) // 2
        payload = {"action": "memory", "installation": {"id": 1},
                   "needle_first": secret[:half], "needle_second": secret[half:]}
        line = host.wait_log(msg="skipped", delivery=host.deliver("trouble", payload))
        found = dict(re.findall(r"(\w+)=(\d+)", line["reason"]))
        assert int(found["searched"]) > 100000
        assert found["found"] == "0" and found["environment"] == "0"
    # The search can find: what is in the payload in one piece is in the worker's memory.
    payload = {"action": "memory", "installation": {"id": 1}, "needle_first": "here it ",
               "needle_second": "is, whole", "whole": "here it is, whole"}
    line = host.wait_log(msg="skipped", delivery=host.deliver("trouble", payload))
    assert " found=0" not in line["reason"]


def test_a_worker_has_its_socket_and_pipes_and_no_environment(start_bot):
    host = start_bot(plugins=["trouble"])
    payload = {"action": "descriptors", "installation": {"id": 1}}
    line = host.wait_log(msg="skipped", delivery=host.deliver("trouble", payload))
    # Input from /dev/null, two pipes for output, the socket, and the pipe for a crash report.
    assert line["reason"] == "open: 0 1 2 3 4"
    for pid in host.pids("worker"):
        assert environment_of(pid) == b""


def test_the_rings_environments_do_not_show_their_secrets(start_bot):
    host = start_bot(plugins=["ping"], credentials="environment")
    marker = key_text(host.fake).splitlines()[5].encode()
    for who in ("supervisor", "host"):
        for pid in host.pids(who):
            environ = environment_of(pid)
            assert marker not in environ
            assert snek.WEBHOOK_SECRET.encode() not in environ


class EnvironmentWatcher:
    """Reads the environments of a process' children again and again, from the moment of exec on."""

    def __init__(self, supervisor):
        self.supervisor, self.seen, self.reads = supervisor, set(), 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        children = pathlib.Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children")
        while not self._ends.is_set():
            for pid in children.read_text().split():
                try:
                    text = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                except OSError:
                    continue  # it has ended, or is not dumpable
                self.reads += 1
                self.seen.add(text)

    def end(self):
        self._ends.set()
        self._thread.join()


def test_no_child_of_the_supervisor_ever_has_a_secret_in_its_environment(start_bot):
    secrets = {"SNEKOMATIC_ADMIN_TOKEN": "admintoken-0123456789-0123456789-0123", "SENTRY_DSN": "http://dsnsecret@127.0.0.1:1/1",
               "HTTPS_PROXY": "http://user:proxysecret@127.0.0.1:1", "PGPASSWORD": "pgsecret"}
    host = start_bot(plugins=["ping"], credentials="environment", env=secrets)
    marker = key_text(host.fake).splitlines()[5].encode()
    watcher = EnvironmentWatcher(host.process.pid)
    try:
        for _ in range(4):
            mark = host.mark()
            old = host.kill("host", signal.SIGKILL)
            host.wait_log(msg="host_restarted", after=mark)
            snek.wait_until(lambda: host.pids("host") not in ([], old), "the next host")
            host.wait_ready()
    finally:
        watcher.end()
    assert watcher.reads > 10
    for text in watcher.seen:
        for secret in (marker, snek.WEBHOOK_SECRET.encode(), b"dsnsecret", b"proxysecret", b"pgsecret", b"admintoken"):
            assert secret not in text


def test_the_host_uses_what_it_gets_by_message(start_bot):
    """Its time zone is a variable; the file's bytes are the ones that the supervisor read."""
    host = start_bot(plugins=["trouble"], env={"TZ": "Asia/Kathmandu"})
    host.file.write_text("this is no TOML")
    mark = host.mark()
    host.kill("host", signal.SIGKILL)
    host.wait_log(msg="host_restarted", after=mark)
    payload = {"action": "fine", "installation": {"id": 1}}
    host.wait_log(msg="done", delivery=host.deliver("trouble", payload))


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


@pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")), reason="sanitizers fork and trace")
def test_the_host_gives_up_exec_and_core_files(start_bot):
    host = start_bot(plugins=["trouble"], config={"server": {"drain_ms": 0}})
    for pid in host.pids("host"):
        status = status_of(pid)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
        # The filter was there before the threads were.
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                text = (task / "status").read_text(encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                assert task.name != str(pid)
                continue  # the thread ended since it was listed
            assert "Seccomp:\t2" in text
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        assert re.search(r"Max core file size +0 +0 ", limits)
    # The host still kills a worker.
    delivery = host.deliver("trouble", {"action": "loop", "installation": {"id": 1}})
    host.wait_log(msg="started", delivery=delivery)
    host.stop()


def test_no_log_line_holds_a_secret(fake, start_bot):
    host = start_bot(plugins=["invite", "ping"])
    merged = snek.payload("pull_request.closed.merged")
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    host.post("ping", {}, secret="another")
    secrets = [snek.WEBHOOK_SECRET, key_text(fake).splitlines()[5], *fake.tokens(), "Bearer", "eyJ"]
    assert len(secrets) > 4
    host.stop()
    text = host.process.output(last=100000)
    for secret in secrets:
        assert secret not in text


def test_a_token_is_asked_for_with_the_declared_permissions_only(fake, start_bot):
    host = start_bot(plugins=["invite"])
    merged = snek.payload("pull_request.closed.merged")
    host.wait_log(msg="done", delivery=host.deliver("pull_request", merged))
    mints = fake.requests(path="/app/.*/access_tokens")
    assert len(mints) == 1
    assert mints[0]["body"] == {"permissions": {"members": "write", "pull_requests": "write"}}
