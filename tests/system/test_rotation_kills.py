# SPDX-License-Identifier: MIT OR Apache-2.0
"""`hook --rotate` that is killed in any step, or whose responses are lost: the bot accepts what GitHub
signs, and the next rotation ends the interrupted one."""

import fcntl
import os
import pathlib
import signal

import pytest

import snek
from rotation import OLD, files, finish, github_has, rotate, start, start_rotation, wait_for_patch, works

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


@pytest.fixture
def bot(fake, start_bot):
    return start(fake, start_bot)


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_github_gets_the_secret_is_finished_later(bot, fake, after):
    fake.fail("PATCH", "/app/hook/config", after=after, delay_ms=600000)
    killed = start_rotation(bot)
    wait_for_patch(fake)
    if after:
        snek.wait_until(lambda: github_has(fake) != OLD, "GitHub did not take it", snek.PATIENCE_S)
    killed.kill()
    killed.wait(60)
    fake.release()
    [new] = files(bot)[1]
    assert github_has(fake) == (new if after else OLD) or not after
    assert "not finished: the new secret is in" in bot.verb("hook").stdout
    finish(bot, fake)
    assert github_has(fake) == new


def test_a_kill_while_the_hosts_are_asked_is_finished_later(bot, fake):
    pid = bot.pids("host")[0]
    # A quick verb gets as far as this.
    fake.fail("PATCH", "/app/hook/config", delay_ms=600000)
    killed = start_rotation(bot)
    # During the reload both hosts exist.
    snek.wait_until(lambda: len(bot.pids("host")) == 1 and pid not in bot.pids("host"), "no reload",
                    snek.PATIENCE_S)
    [host] = bot.pids("host")
    os.kill(host, signal.SIGSTOP)
    killed.kill()
    killed.wait(60)
    os.kill(host, signal.SIGCONT)
    fake.release()
    fake.fail_no_more()
    bot.wait_ready()
    finish(bot, fake)


def test_lost_responses_leave_both_secrets_accepted(bot, fake):
    fake.fail("PATCH", "/app/hook/config", after=True, drop=True, times=-1)
    result = rotate(bot, status=75)
    assert "GitHub may have either secret, and the hosts accept both" in result.stderr
    [new] = files(bot)[1]
    assert github_has(fake) == new
    fake.fail_no_more()
    finish(bot, fake)
    assert github_has(fake) == new


def test_a_lost_response_is_asked_for_again(bot, fake):
    fake.fail("PATCH", "/app/hook/config", after=True, status=502, times=1)
    rotate(bot)
    assert files(bot)[0] == [github_has(fake)]
    works(bot, fake)


def test_a_new_secret_whose_file_is_removed_meanwhile_is_written_again(bot, fake):
    fake.fail("PATCH", "/app/hook/config", after=True, delay_ms=600000)
    rotation = start_rotation(bot)
    wait_for_patch(fake)
    snek.wait_until(lambda: github_has(fake) != OLD, "GitHub did not take it", snek.PATIENCE_S)
    (bot.folder / "webhook.secret.next").unlink()
    fake.release()
    output, _ = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, output
    current, following, (previous, _) = files(bot)
    assert (current, following, previous) == ([github_has(fake)], None, OLD)
    works(bot, fake)


def test_to_show_the_webhook_changes_no_file_of_a_rotation_that_runs(bot):
    secret, previous = bot.folder / "webhook.secret", bot.folder / "webhook.secret.previous"
    previous.write_text("older\nuntil 2020-01-01T00:00:00Z\n")
    with secret.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = bot.verb("hook").stdout
        assert "rotation          runs now\n" in text and previous.exists()
        assert f"its time is over; {previous} can be removed\n" in text
    assert f"its time is over, so {previous} is removed\n" in bot.verb("hook").stdout
    assert not previous.exists()


@pytest.mark.parametrize("state", ["the previous one is written", "the files are renamed",
                                   "a temporary file is half written"])
def test_a_kill_between_the_files_is_finished_later(bot, fake, state):
    new = "5eed" * 16
    secret = bot.folder / "webhook.secret"
    pathlib.Path(f"{secret}.next").write_text(new + "\n")
    bot.verb("reload")
    fake.settings(webhook_secret=new)
    if state == "the previous one is written":
        pathlib.Path(f"{secret}.previous").write_text(f"{OLD}\nuntil 2100-01-01T00:00:00Z\n")
    elif state == "the files are renamed":
        pathlib.Path(f"{secret}.previous").write_text(f"{OLD}\nuntil 2100-01-01T00:00:00Z\n")
        pathlib.Path(f"{secret}.next").rename(secret)
        secret.chmod(0o600)
        works(bot, fake)
        bot.stop()
        bot.start()
        works(bot, fake)
        return
    else:
        pathlib.Path(f"{secret}.previous.new").write_text(OLD[:3])
    finish(bot, fake)
    assert github_has(fake) == new and not pathlib.Path(f"{secret}.previous.new").exists()
