# SPDX-License-Identifier: MIT OR Apache-2.0
"""Supervisor and host under valgrind: whatever happens to them, they leak nothing and touch nothing
that is not theirs."""

import os
import shutil
import signal

import pytest

import processes
import snek

pytestmark = pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                                reason="the sanitizers are there already")


def test_the_host_leaks_nothing(fake, tmp_path, monkeypatch):
    assert shutil.which("valgrind"), "valgrind is not installed; `./dev test` does that"
    logs = tmp_path / "valgrind"
    logs.mkdir()
    kinds = "definite,indirect,possible"
    monkeypatch.setenv("SNEK_WRAPPER", f"valgrind --quiet --leak-check=full --show-leak-kinds={kinds} "
                       f"--trace-children=yes --trace-children-skip=*/snekomatic-worker "
                       f"--log-file={logs}/%p.log")
    monkeypatch.setattr(processes, "PATIENCE_S", 120)
    host = snek.Bot(fake, tmp_path / "bot", plugins=["invite", "ping", "trouble"],
                    env={"LD_PRELOAD": snek.program("libpidfd_open.so")})
    ends = ("done", "skipped", "rejected", "retry")
    for kind in ("pull_request.closed.merged", "issues.opened", "issue_comment.created",
                 "pull_request_review.submitted", "commit_comment.created"):
        delivery = host.deliver(kind.split(".")[0], snek.payload(kind))
        if kind != "commit_comment.created":
            host.wait_log(msg=ends, delivery=delivery)
    assert host.post("issues", body=b"{").status == 400
    assert host.post("issues", {}, secret="wrong").status == 401
    for action in ("segfault", "exit", "scribble", "fail", "reject", "foreign", "fine"):
        payload = {"action": action, "installation": {"id": snek.INSTALLATION}}
        host.wait_log(msg=ends, delivery=host.deliver("trouble", payload))
    host.kill("worker", signal.SIGKILL, plugin="ping")
    host.wait_log(msg="worker_died", plugin="ping")
    slow = host.deliver("trouble", {"action": "fine", "ms": 500,
                                    "installation": {"id": snek.INSTALLATION}})
    host.wait_log(msg="started", delivery=slow)
    host.stop()
    # Lines that start with dashes are about valgrind itself: it does not know seccomp(2).
    reports = {path.name: "".join(line for line in path.read_text().splitlines(keepends=True)
                                  if not line.startswith("--")) for path in logs.iterdir()}
    assert len(reports) >= 2, "supervisor and host"
    said = {name: text for name, text in reports.items() if text}
    assert not said, "\n".join(said.values())
