# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic deliveries show --why`: the first condition that a delivery fails, for each plugin."""

import json

import snek


def why(bot, guid, *words):
    """What it says of each plugin."""
    shown = json.loads(bot.verb("deliveries", "show", guid, "--why", "--json", *words).stdout)
    return {plugin["plugin"]: plugin for plugin in shown["plugins"]}


def handlers(plugin):
    return {handler["name"]: (handler["verdict"], handler["condition"], handler["saw"])
            for handler in plugin["handlers"]}


def finish(bot, event, payload):
    """Delivers it, and waits until nothing of it runs."""
    guid = bot.deliver(event, payload)
    snek.wait_until(lambda: all(run["state"] in ("done", "dead") for run in json.loads(bot.verb(
        "deliveries", "show", guid, "--json").stdout)["runs"]), "its runs end")
    return guid


def test_a_filter_that_fails_is_named_with_the_value_that_it_saw(start_bot):
    bot = start_bot(plugins=["welcome", "ping"])
    guid = finish(bot, "pull_request", snek.payload("pull_request.closed.merged", {
        "pull_request.merged": False, "pull_request.author_association": "NONE"}))
    welcome, ping = why(bot, guid)["welcome"], why(bot, guid)["ping"]
    found = handlers(welcome)
    assert (welcome["host"], welcome["label"]) == ("routed", "skipped")
    assert found["pull_request.closed"] == ("filter", "pull_request.merged = true", "false")
    assert found["pull_request.opened"] == ("action", "opened", "closed")
    assert found["issues.opened"] == ("event", "issues", "pull_request")
    assert (ping["host"], ping["state"]) == ("event", None)
    text = bot.verb("deliveries", "show", guid, "--why").stdout
    assert "by today's configuration" in text and "ping: it has no run" in text
    assert "its filter pull_request.merged = true does not match: the payload has false" in text
    # No handler was called.
    assert not [entry for entry in bot.fake.api_requests() if entry["method"] == "POST"]


def test_commands_are_explained_with_the_roles_that_they_need(start_bot):
    bot = start_bot(plugins=["roles"])
    payload = snek.payload("issue_comment.created", {
        "comment.body": "/anybody\n/admin now\n\n> /write", "comment.user.login": "python-petra"})
    guid = finish(bot, "issue_comment", payload)
    found = handlers(why(bot, guid)["roles"])
    assert found["/anybody"] == ("matches", "", "python-petra")
    assert found["/admin"] == ("role", "admin", "python-petra")
    assert found["/write"] == ("not given", "", "/anybody /admin now  > /write")


def test_own_events_and_what_the_configuration_leaves_out_are_named(start_bot):
    bot = start_bot(plugins=[{"name": "ping", "repositories": ["other/*"]},
                             {"name": "roles"},
                             {"name": "welcome", "enabled": False}])
    payload = snek.payload("issue_comment.created", {"comment.body": "/anybody"})
    payload["sender"] |= {"login": "sneks-bot[bot]", "id": snek.BOT_ID, "type": "Bot"}
    guid = finish(bot, "issue_comment", payload)
    found = why(bot, guid)
    repository = payload["repository"]["full_name"]
    assert found["ping"]["host"] == "repository"
    assert found["ping"]["why"] == f"plugin.repositories does not have {repository}"
    assert handlers(found["roles"])["/anybody"][0] == "own"
    [disabled] = [plugin for plugin in found.values() if plugin["host"] == "disabled"]
    assert disabled["handlers"] == []


def test_a_host_that_runs_is_not_needed_and_a_wrong_guid_is_reported(start_bot):
    bot = start_bot(plugins=["ping"])
    guid = finish(bot, "issue_comment", snek.payload("issue_comment.created",
                                                     {"comment.body": "ping", "issue.body": ""}))
    bot.stop()
    found = why(bot, guid)["ping"]
    assert (found["host"], found["state"]) == ("command", None)
    assert found["why"] == "the payload has none of the plugin's commands"
    assert handlers(found)["/ping"][0] == "not given"
    result = bot.verb("deliveries", "show", "nothing", "--why", status=65)
    assert "the store has no delivery 'nothing'" in result.stderr
    assert "exclude each other" in bot.verb("deliveries", "show", guid, "--why", "--body",
                                            status=64).stderr
