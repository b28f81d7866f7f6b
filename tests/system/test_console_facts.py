# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console's pages agree with each other and with the store."""

import re

import pytest

import snek
from console_client import Console, start_console, words_of

HOUR_MS = 3_600_000


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION},
            "repository": {"id": 7, "full_name": "sneks-united/terrarium"}, "issue": {"number": 12}, **more}


@pytest.fixture
def start(start_bot):
    """A bot with these plugins, and an admin."""
    def begin(*plugins, **config):
        bot = start_console(start_bot, plugins=list(plugins), config=config)
        console = Console(bot.url)
        console.login(person="Ada")
        return bot, console
    return begin


def test_the_state_done_is_that_of_runs_that_were_not_skipped(start):
    bot, console = start("ping", "trouble")
    skipped = bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "Hi"}))
    bot.wait_log(msg="skipped", delivery=skipped)
    done = bot.deliver("trouble", trouble("fine"))
    bot.wait_log(msg="done", delivery=done)
    for query, guids in (("state=done", [done]), ("state=skipped", [skipped]), ("state=done&plugin=ping", [])):
        assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == guids, query


@pytest.fixture
def later(start):
    """A bot with a run that waits for an hour and one that is retried after that."""
    bot, console = start("timed", "trouble", dispatch={"max_attempts": 9, "first_retry_ms": 2 * HOUR_MS})
    bot.wait_log(msg="waiting", delivery=bot.deliver("timed", trouble("wait", ms=HOUR_MS)))
    bot.wait_log(msg="retry", delivery=bot.deliver("trouble", trouble("fail")))
    return bot, console


def test_the_overview_names_both_states_of_the_run_that_is_due_first(later):
    _, console = later
    snek.wait_until(lambda: console.json("/overview")["runs"]["waiting"], "the count")
    assert re.search(r"queued or waiting run, by its due time \S+ \S+ UTC in (1 h|\S+ min|\S+ h)", words_of(console.get()))


def test_a_plugin_counts_a_run_that_waits_as_waiting_only(later):
    _, console = later
    counts = {one["name"]: (one["queued"], one["waiting"]) for one in console.json("/plugins")["plugins"]}
    assert counts == {"timed": (0, 1), "trouble": (1, 0)}
    page = console.get("/plugins")
    assert '/deliveries?plugin=timed&amp;state=waiting">1 waiting</a>' in page.text
    assert "/deliveries?plugin=timed&amp;state=queued" not in page.text


@pytest.fixture
def parked(start_bot, fake):
    """A bot with a run that is parked for a permission."""
    state = fake.state
    state["installations"][0]["permissions"] = {"metadata": "read", "pull_requests": "write"}
    fake.put_state(state)
    bot = start_console(start_bot, plugins=["ping", "trouble"])
    guid = bot.deliver("issue_comment", snek.payload("issue_comment.created"))
    bot.wait_log(msg="parked", delivery=guid)
    console = Console(bot.url)
    console.login(person="Ada")
    return bot, console, guid


@pytest.mark.parametrize("scope", [[], ["--item", "sneks-united/terrarium#12"]])
def test_a_parked_run_of_a_paused_plugin_goes_on_after_the_pause(parked, scope):
    bot, console, guid = parked
    assert "and the run goes on by itself." in words_of(console.get(f"/deliveries/{guid}"))
    bot.verb("plugins", "pause", "ping", "--item", "sneks-united/terrarium#99")
    assert "and the run goes on by itself." in words_of(console.get(f"/deliveries/{guid}"))
    bot.verb("plugins", "pause", "ping", *scope)
    page = words_of(console.get(f"/deliveries/{guid}"))
    assert "and the run goes on when the hold of ping ends." in page and "by itself" not in page


def test_the_badge_of_a_plugin_is_that_of_its_hold(parked):
    bot, console, _ = parked
    badges = r'<h2><a href="/console/plugins/(\w+)">.*<span class="badge \w+">(\w+)</span>'
    snek.wait_until(lambda: dict(re.findall(badges, console.get("/plugins").text)) == {
        "ping": "running", "trouble": "running"}, "both workers")
    bot.verb("plugins", "pause", "ping", "--item", "sneks-united/terrarium#12")
    bot.verb("plugins", "pause", "trouble")
    assert dict(re.findall(badges, console.get("/plugins").text)) == {"ping": "running", "trouble": "paused"}


def test_a_path_of_buttons_is_no_page_and_says_so(start):
    _, console = start("ping")
    page = console.get("/installations/60001")
    assert page.status == 405 and "no such page" not in words_of(page)
    assert "This path does not accept this method" in words_of(page) and "is no page" in words_of(page)
    page = console.get("/nothing")
    assert page.status == 404 and "There is no such page" in words_of(page)


@pytest.mark.parametrize("field", ["since", "until"])
def test_a_time_that_is_unreadable_is_named(start, field):
    _, console = start("ping")
    page = console.get(f"/deliveries?{field}=yesterday")
    assert page.status == 400 and f"The field “{field}” is unreadable." in words_of(page)
