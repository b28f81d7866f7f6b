# SPDX-License-Identifier: MIT OR Apache-2.0
"""The steps of the tests of `hook --rotate`: GitHub gets a new webhook secret, and at every moment the
bot accepts what GitHub signs."""

import subprocess

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


def start(fake, start_bot):
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


def unchanged(bot, fake):
    assert files(bot) == [[OLD], None, None]
    assert github_has(fake) == OLD
    works(bot, fake)


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
