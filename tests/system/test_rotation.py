# SPDX-License-Identifier: MIT OR Apache-2.0
"""`hook --rotate`: GitHub gets a new webhook secret, and nothing changes when a step before that fails."""

import datetime
import sqlite3

import pytest

import snek
from rotation import OLD, files, github_has, rotate, start, start_rotation, unchanged, wait_for_patch, works


@pytest.fixture
def bot(fake, start_bot):
    return start(fake, start_bot)


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

    def counts_after_reload(left_s):
        soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=left_s)
        previous.write_text(f"{OLD}\nuntil {soon:%Y-%m-%dT%H:%M:%SZ}\n")
        bot.verb("reload")
        return bot.post("ping", {"zen": "x"}, secret=OLD).status in (200, 202)

    # A reload on a busy machine may take longer than the first of these.
    assert any(map(counts_after_reload, (3, 6, 12, 24, 48)))
    snek.wait_until(lambda: bot.post("ping", {"zen": "x"}, secret=OLD).status == 401,
                    "the old secret counts for ever", 48 + snek.PATIENCE_S, pause_s=0.2)
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


def test_the_store_has_no_fingerprint_after_the_rotation(bot, fake):
    rotate(bot)

    def rows():
        with sqlite3.connect(f"file:{bot.folder}/snekomatic.db?mode=ro", uri=True) as db:
            return db.execute("SELECT salt, fingerprints FROM hosts").fetchall()
    snek.wait_until(lambda: rows() == [("", "")], rows, snek.PATIENCE_S, pause_s=0.2)


# -- failures before the PATCH -----------------------------------------------------------------


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
