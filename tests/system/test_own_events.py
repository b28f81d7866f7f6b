# SPDX-License-Identifier: MIT OR Apache-2.0
"""The bot knows its own events by the id of its user, also after the app was renamed."""

import snek


def comment(login, number, text="/ping"):
    payload = snek.payload("issue_comment.created")
    payload["comment"]["body"] = text
    payload["sender"] |= {"login": login, "id": number, "type": "Bot"}
    return payload


def ignored(bot, payload):
    line = bot.wait_log(msg=("done", "skipped", "retry"),
                        delivery=bot.deliver("issue_comment", payload))
    return line["msg"] == "skipped" and line["reason"] == "the bot itself caused this"


def questions(fake):
    """The paths at which the bot asked GitHub about itself and others. The host may ask for /app at any
    time, to compare its clock with GitHub's."""
    return [entry["path"] for entry in fake.requests() if entry["path"].startswith("/users/")]


def test_a_bot_whose_app_was_renamed_still_ignores_itself(fake, start_bot, either_store):
    bot = start_bot(plugins=["ping"], config=either_store)
    assert ignored(bot, comment("sneks-bot[bot]", snek.BOT_ID))
    assert questions(fake) == ["/users/sneks-bot%5Bbot%5D"]
    fake.rename_app("better-bot")
    assert ignored(bot, comment("better-bot[bot]", snek.BOT_ID))
    # Another app may take the old name.
    assert not ignored(bot, comment("sneks-bot[bot]", 4))
    bot.stop()
    bot.start()
    assert ignored(bot, comment("better-bot[bot]", snek.BOT_ID))
    assert questions(fake) == ["/users/sneks-bot%5Bbot%5D"]


def test_a_bot_asks_for_its_present_name(fake, start_bot):
    # GET /app tells the old name, and by the next request the app is renamed.
    bot = start_bot(plugins=["ping"])
    fake.fail(method="GET", path="/users/sneks-bot%5Bbot%5D", delay_ms=600000)
    delivery = bot.deliver("issue_comment", comment("sneks-bot[bot]", snek.BOT_ID))
    snek.wait_until(lambda: "/users/sneks-bot%5Bbot%5D" in questions(fake),
                    "the bot asks for its user")
    fake.rename_app("better-bot")
    fake.release()
    line = bot.wait_log(msg="retry", delivery=delivery)
    assert line["reason"].startswith("cannot find out whether this bot itself caused the event: ")
    assert bot.post("issue_comment", comment("sneks-bot[bot]", snek.BOT_ID),
                    delivery=delivery).status == 200
    bot.wait_log(msg="skipped", delivery=delivery)
    assert questions(fake)[-1] == "/users/better-bot%5Bbot%5D"


def test_people_are_never_asked_about(fake, start_bot):
    bot = start_bot(plugins=["ping"])
    payload = snek.payload("issue_comment.created")
    payload["comment"]["body"] = "/ping"
    bot.wait_log(msg="done", delivery=bot.deliver("issue_comment", payload))
    assert questions(fake) == []


def test_invite_counts_the_merges_of_the_bot_itself(fake, start_bot):
    bot = start_bot(plugins=["invite"])
    payload = snek.payload("pull_request.closed.merged")
    payload["sender"] |= {"login": "sneks-bot[bot]", "id": snek.BOT_ID, "type": "Bot"}
    bot.wait_log(msg="done", delivery=bot.deliver("pull_request", payload))
    assert ("PUT", f"/orgs/sneks-united/memberships/{payload['pull_request']['user']['login']}"
            ) in fake.effects()
