# SPDX-License-Identifier: MIT OR Apache-2.0
"""`hook --rotate`: GitHub gets a new webhook secret, and at every moment, also after a kill in any
step, the bot accepts what GitHub signs."""

import datetime
import fcntl
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

import snek

OLD = snek.WEBHOOK_SECRET
PING = {"comment.body": "/ping"}


def files(bot):
    """The contents of the secret's file, of the next one's and of the previous one's; None: no file."""
    found = []
    for suffix in "", ".next", ".previous":
        file = bot.folder / f"webhook.secret{suffix}"
        found.append(file.read_text().splitlines() if file.exists() else None)
    return found


def github_has(fake):
    return fake.settings()["webhook_secret"]


@pytest.fixture
def bot(fake, start_bot):
    """A running bot whose webhooks the fake GitHub signs and sends."""
    bot = start_bot(plugins=["ping"])
    fake.settings(webhook_url=f"{bot.url}/webhook/github", webhook_secret=OLD)
    return bot


def works(bot, fake):
    """GitHub's next webhook is accepted."""
    fake.settings(webhook_url=f"{bot.url}/webhook/github")
    payload = snek.rewrite(snek.payload("issue_comment.created", PING), fake.api_url)
    entry = fake.deliver("issue_comment", payload)
    assert entry["status_code"] == 202, (entry, bot.process.output())


def rotate(bot, *words, status=0):
    return bot.verb("hook", "--rotate", "--wait", "50", *words, status=status)


def test_a_rotation_changes_the_secret_here_and_at_github(bot, fake):
    works(bot, fake)
    result = rotate(bot)
    new = github_has(fake)
    assert len(new) == 64 and new != OLD
    current, following, (previous, until) = files(bot)
    assert (current, following, previous) == ([new], None, OLD)
    ends = datetime.datetime.strptime(until, "until %Y-%m-%dT%H:%M:%SZ")
    days = (ends - datetime.datetime.utcnow()).total_seconds() / 86400
    assert 2.99 < days <= 3
    assert "all hosts of the store accept both secrets" in result.stdout
    assert new not in result.stdout + result.stderr + bot.process.output()
    works(bot, fake)
    for secret in OLD, new:
        assert bot.post("ping", {"zen": "x"}, secret=secret).status in (200, 202)
    assert bot.post("ping", {"zen": "x"}, secret="x" * 40).status == 401
    assert f"previous secret   accepted until {until[6:]}" in bot.verb("hook").stdout
    mode = (bot.folder / "webhook.secret").stat().st_mode & 0o777
    assert mode == 0o600 == (bot.folder / "webhook.secret.previous").stat().st_mode & 0o777


def test_the_old_secret_ends_at_its_time_without_a_reload(bot, fake):
    rotate(bot)
    previous = bot.folder / "webhook.secret.previous"
    soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=15)
    previous.write_text(f"{OLD}\nuntil {soon:%Y-%m-%dT%H:%M:%SZ}\n")
    bot.verb("reload")
    assert bot.post("ping", {"zen": "x"}, secret=OLD).status in (200, 202)
    snek.wait_until(lambda: bot.post("ping", {"zen": "x"}, secret=OLD).status == 401,
                    "the old secret counts for ever", snek.PATIENCE_S, pause_s=0.2)
    works(bot, fake)
    assert "its time is over" in bot.verb("hook").stdout
    assert not previous.exists()


def test_a_second_rotation_waits_for_the_end_of_the_first_secret(bot, fake):
    rotate(bot)
    first = github_has(fake)
    # The hosts promised to accept the old secret for 3 days.
    result = rotate(bot, status=75)
    assert "the last rotation has ended" in result.stderr
    assert files(bot)[2][0] == OLD and github_has(fake) == first
    assert bot.post("ping", {"zen": "x"}, secret=OLD).status in (200, 202)
    (bot.folder / "webhook.secret.previous").unlink()
    rotate(bot)
    current, following, (previous, _) = files(bot)
    assert previous == first and current == [github_has(fake)] and following is None
    works(bot, fake)


def test_a_bot_that_does_not_run_is_rotated_by_its_files(bot, fake):
    bot.stop()
    result = rotate(bot)
    assert "no host runs here" in result.stdout
    assert files(bot)[0] == [github_has(fake)]
    bot.start()
    works(bot, fake)


# -- failures before the PATCH -----------------------------------------------------------------


def unchanged(bot, fake):
    assert files(bot) == [[OLD], None, None]
    assert github_has(fake) == OLD
    works(bot, fake)


@pytest.mark.parametrize("failure", [{"status": 401, "body": {"message": "Bad"}}, {"drop": True}])
def test_nothing_changes_when_github_does_not_respond_first(bot, fake, failure):
    fake.fail("GET", "/app/hook/config", times=-1, **failure)
    mark = bot.mark()
    result = rotate(bot, status=69 if "status" in failure else 75)
    assert not bot.log(msg="reloading", after=mark), result
    fake.fail_no_more()
    unchanged(bot, fake)


def test_nothing_changes_when_the_reload_is_rejected(bot, fake):
    (bot.folder / "webhook.secret.previous").write_text("older\nuntil tomorrow\n")
    result = bot.verb("hook", "--rotate", status=75)
    assert "rejected" in result.stderr and "nothing has changed" in result.stderr
    (bot.folder / "webhook.secret.previous").unlink()
    unchanged(bot, fake)


@pytest.mark.parametrize("status", [403, 404, 422])
def test_nothing_changes_when_github_rejects_the_secret(bot, fake, status):
    fake.fail("PATCH", "/app/hook/config", status=status, body={"message": "No"}, times=-1)
    result = rotate(bot, status=69)
    assert "nothing has changed" in result.stderr
    unchanged(bot, fake)
    new = [entry["body"]["secret"] for entry in fake.requests("PATCH", "/app/hook/config")][0]
    assert bot.post("ping", {"zen": "x"}, secret=new).status == 401


def test_a_second_rotation_at_the_same_time_is_rejected(bot, fake):
    fake.fail("PATCH", "/app/hook/config", delay_ms=600000)
    first = start_rotation(bot)
    wait_for_patch(fake)
    assert "another rotation of this secret runs" in rotate(bot, status=75).stderr
    fake.release()
    assert first.wait(60) == 0
    works(bot, fake)


def test_a_secret_in_another_place_gets_the_steps(bot, fake):
    target = bot.folder / "real.secret"
    (bot.folder / "webhook.secret").rename(target)
    (bot.folder / "webhook.secret").symlink_to(target)
    result = rotate(bot)
    assert "webhook.secret is no regular file, so this program does not change it" in result.stdout
    assert "Settings > General > Webhook > Secret" in result.stdout
    assert github_has(fake) == OLD


def test_secrets_from_the_environment_get_the_steps(fake, start_bot):
    bot = start_bot(plugins=["ping"], credentials="environment")
    fake.settings(webhook_url=f"{bot.url}/webhook/github", webhook_secret=OLD)
    result = rotate(bot)
    for text in ["comes from the variable GITHUB_WEBHOOK_SECRET", "GITHUB_WEBHOOK_SECRET_PREVIOUS",
                 "Settings > General > Webhook > Secret", "Three days later"]:
        assert text in result.stdout
    assert OLD not in result.stdout
    assert github_has(fake) == OLD and not fake.requests("PATCH")


# -- kills and lost responses ------------------------------------------------------------------


def start_rotation(bot):
    command = [snek.program("snekomatic"), "hook", "--rotate", "-c", bot.file]
    return subprocess.Popen([str(word) for word in command], cwd=bot.folder, text=True,
                            env=snek.clean_environment(**bot.env), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def wait_for_patch(fake):
    """GitHub has got the request, and holds its response back."""
    snek.wait_until(lambda: fake.requests("PATCH", "/app/hook/config"), "no PATCH", snek.PATIENCE_S)


def finish(bot, fake):
    """The bot works, also after a restart; and the next rotation ends the interrupted one."""
    works(bot, fake)
    bot.stop()
    bot.start()
    works(bot, fake)
    result = rotate(bot)
    current, following, (previous, _) = files(bot)
    assert current == [github_has(fake)] and following is None and previous == OLD, result
    works(bot, fake)


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
    killed = start_rotation(bot)
    # During the reload both hosts exist.
    snek.wait_until(lambda: len(bot.pids("host")) == 1 and pid not in bot.pids("host"), "no reload",
                    snek.PATIENCE_S)
    [host] = bot.pids("host")
    os.kill(host, signal.SIGSTOP)
    killed.kill()
    killed.wait(60)
    os.kill(host, signal.SIGCONT)
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


# -- several hosts -----------------------------------------------------------------------------


@pytest.fixture
def hosts(fake, start_bot, database):
    """Two hosts of a store, which both are in its list."""
    schema = f"rotation_{time.monotonic_ns()}"
    database.sql(f"CREATE SCHEMA {schema}")
    config = {"store": {"url": database.url(schema=schema)}}
    both = [start_bot(f"host{i}", plugins=["ping"], config=config) for i in range(2)]

    def listed():
        return database.sql(f"SELECT count(*) FROM {schema}.hosts")
    snek.wait_until(lambda: listed() == ["2"], lambda: str(listed()), snek.PATIENCE_S,
                    pause_s=0.2)
    fake.settings(webhook_url=f"{both[0].url}/webhook/github", webhook_secret=OLD)
    return both


def test_a_host_that_lacks_the_new_secret_keeps_github_as_it_is(hosts, fake):
    result = hosts[0].verb("hook", "--rotate", "--wait", "20", status=75)
    assert "does not accept both secrets" in result.stderr
    assert "nothing has changed" in result.stderr
    for host in hosts:
        unchanged(host, fake)


def test_hosts_on_several_machines_rotate_one_after_the_other(hosts, fake):
    new = "5eed" * 16
    for host in hosts:
        (host.folder / "webhook.secret.next").write_text(new + "\n")
        host.verb("reload")
    for host in hosts:
        rotate(host)
        assert github_has(fake) == new
        for each in hosts:
            works(each, fake)
    for host in hosts:
        assert files(host)[:2] == [[new], None]


def test_a_host_that_does_not_respond_keeps_github_as_it_is(hosts, fake):
    here, there = hosts
    [pid] = there.pids("host")
    os.kill(pid, signal.SIGSTOP)
    try:
        result = here.verb("hook", "--rotate", "--wait", "10", status=75)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "does not respond: if it has stopped" in result.stderr
    assert github_has(fake) == OLD


def test_the_store_has_no_fingerprint_after_the_rotation(bot, fake):
    rotate(bot)

    def rows():
        with sqlite3.connect(f"file:{bot.folder}/snekomatic.db?mode=ro", uri=True) as db:
            return db.execute("SELECT salt, fingerprints FROM hosts").fetchall()
    snek.wait_until(lambda: rows() == [("", "")], rows, snek.PATIENCE_S, pause_s=0.2)
