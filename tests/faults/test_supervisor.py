# SPDX-License-Identifier: MIT OR Apache-2.0
"""The supervisor while it cannot start a host: it tries again, more and more slowly, and ends when it
should."""

import contextlib
import signal

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


STATUS_MAY_PASS = 75


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


@pytest.fixture
def bot(start_bot, tmp_path):
    return start_bot(plugins=["trouble"], env={"LD_PRELOAD": snek.program("libfail.so"),
                                               "SNEK_FAIL_DIRECTORY": tmp_path / "bot"})


@contextlib.contextmanager
def no_host_can_be_started(bot):
    """See fail.c."""
    flag = bot.folder / "fail-socketpair"
    flag.touch()
    yield
    flag.unlink()


def test_a_host_that_cannot_be_started_is_started_when_the_cause_has_passed(bot):
    with no_host_can_be_started(bot):
        bot.kill("host")
        line = bot.wait_log(msg="host_not_restarted")
        assert "Too many open files" in line["reason"]
    bot.wait_log(msg="host_restarted")
    bot.wait_log(msg="done", delivery=bot.deliver("trouble", trouble("fine")))


def test_sigterm_while_no_host_can_be_started_ends_it_with_0(bot):
    with no_host_can_be_started(bot):
        bot.kill("host")
        bot.wait_log(msg="host_not_restarted")
        bot.process.popen.send_signal(signal.SIGTERM)
        assert bot.process.wait(snek.PATIENCE_S) == 0


def test_hosts_that_die_soon_after_each_other_are_started_more_and_more_slowly(bot):
    with no_host_can_be_started(bot):
        bot.kill("host")
        snek.wait_until(lambda: len(bot.log(msg="host_not_restarted")) >= 4, bot.process.output)
    times = [snek.seconds(line["time"]) for line in bot.log(msg="host_not_restarted")]
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    # Load makes a pause longer, never shorter.
    assert all(pause > least for pause, least in zip(pauses, (0.09, 0.19, 0.39))), pauses
    bot.wait_log(msg="host_restarted")


def test_a_worker_that_cannot_be_started_at_the_first_start_ends_the_bot_with_75(fake, tmp_path):
    """Not with 78: a service manager tries again after 75 only."""
    bot = snek.Bot(fake, tmp_path / "bot", plugins=["trouble"], start=False)
    (bot.folder / "fail-spawn").touch()
    environment = snek.clean_environment(LD_PRELOAD=snek.program("libfail.so"),
                                         SNEK_FAIL_DIRECTORY=bot.folder)
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", bot.file], environment,
                           cwd=bot.folder)
    assert "Resource temporarily" in process.wait_log(msg="plugin_rejected")["reason"]
    assert process.wait(snek.PATIENCE_S) == STATUS_MAY_PASS


def test_a_worker_that_cannot_be_started_while_serving_is_started_later(bot):
    (bot.folder / "fail-spawn").touch()
    bot.kill("worker")
    line = bot.wait_log(msg="worker_not_started", plugin="trouble")
    assert "Resource temporarily" in line["reason"]
    (bot.folder / "fail-spawn").unlink()
    bot.wait_log(msg="done", delivery=bot.deliver("trouble", trouble("fine")))
    assert not bot.log(msg="host_died")
