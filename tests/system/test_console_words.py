# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console explains what it shows, to a person who sees it for the first time."""

import re

import pytest

import snek
from console_client import Console, start_console, text_of, words_of

COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
LONG = "The cable " * 25 + "is loose"


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION},
            "repository": {"id": 7, "full_name": "sneks-united/terrarium"}, "issue": {"number": 12}, **more}


@pytest.fixture
def start(start_bot):
    """A bot with these plugins, whose failed runs are dead, and an admin."""
    def begin(*plugins, attempts=1, **dispatch):
        bot = start_console(start_bot, plugins=list(plugins), config={"dispatch": {"max_attempts": attempts, **dispatch}})
        console = Console(bot.url)
        console.login(person="Ada")
        return bot, console
    return begin


def failed(bot, fake, **what):
    """A delivery whose comment failed so."""
    fake.fail(method="POST", path=COMMENTS, times=100, **what)
    guid = bot.deliver("trouble", trouble("comment", url=f"{bot.fake.api_url}{COMMENTS}"))
    bot.wait_log(msg="dead", delivery=guid)
    fake.fail_no_more()
    return guid


def test_a_list_cuts_a_long_reason_and_the_page_of_the_delivery_has_all_of_it(start, fake):
    bot, console = start("trouble")
    guid = failed(bot, fake, status=422, body={"message": LONG})
    assert LONG in console.json("/deliveries")["runs"][0]["reason"]
    for path in ("/deliveries", "", "/items/sneks-united/terrarium/12"):
        page = words_of(console.get(path))
        assert re.search(r"(The cable )+…", page) and "is loose" not in page, path
    assert "is loose" in words_of(console.get(f"/deliveries/{guid}"))


def test_an_effect_in_doubt_says_what_is_known_and_what_a_retry_does(start, fake):
    bot, console = start("trouble")
    page = words_of(console.get(f"/deliveries/{failed(bot, fake, drop=True)}"))
    assert "1 effect is in doubt: the host sent the request, and no response came." in page
    assert "1 effect in doubt" in words_of(console.get())
    # A later request may settle the effect, so the line of this one does not call it in doubt.
    timeline = words_of(console.get("/items/sneks-united/terrarium/12"))
    assert "trouble sent a request" in timeline and "no response because of" in timeline
    assert "wrote a comment" not in timeline
    other = words_of(console.get(f"/deliveries/{failed(bot, fake, status=422)}"))
    assert "is in doubt" not in other and "does not retry it by itself any more" in other


def test_a_step_has_the_path_of_its_request_without_the_origin(start, fake):
    bot, console = start("trouble")
    page = console.get(f"/deliveries/{failed(bot, fake, status=422)}").text
    assert f"<code>POST {COMMENTS}</code>" in page and f"POST {fake.api_url}" not in page


def test_a_run_that_comes_again_by_itself_says_when(start):
    bot, console = start("trouble", "timed", attempts=9)
    again = bot.deliver("trouble", trouble("fail"))
    bot.wait_log(msg="retry", delivery=again)
    waits = bot.deliver("timed", trouble("wait", ms=3_600_000))
    bot.wait_log(msg="waiting", delivery=waits)
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC in \S+ (min|h)"
    for guid, sentence in ((again, "The host retries it by itself at"), (waits, "The host calls it again at")):
        page = console.get(f"/deliveries/{guid}")
        assert re.search(f"{sentence} {time}\\. “Retry now” does not wait", words_of(page)), words_of(page)
        assert re.search(f"due {time}", words_of(page)) and '<button class="quiet">Retry now' in page.text


def test_the_page_of_a_held_run_says_that_a_retry_does_not_end_the_hold(start):
    bot, console = start("trouble")
    console.submit("/plugins", console.get("/plugins").form("/trouble/pause"))
    guid = bot.deliver("trouble", trouble("fine"))
    assert "“Retry now” does not end the hold." in words_of(console.get(f"/deliveries/{guid}"))


def test_why_begins_with_the_plugins_that_have_to_do_with_the_delivery(start):
    bot, console = start("trouble", "welcome", "ping")
    guid = bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "Hi"}))
    bot.wait_log(msg="skipped", delivery=guid)
    page = console.get(f"/deliveries/{guid}/why")
    assert re.findall(r"<h2>(\w+)", page.text) == ["ping", "trouble", "welcome"]
    assert [one["plugin"] for one in console.json(f"/deliveries/{guid}/why")["plugins"]] == ["trouble", "welcome", "ping"]
    assert "<summary>Its subscriptions and commands (1)</summary>" in page.text
    assert "<details" not in page.text[page.text.index("<h2>ping"):page.text.index("<h2>trouble")]


def test_warnings_stand_out_among_the_log_lines(start, fake):
    bot, console = start("trouble")
    page = console.get(f"/deliveries/{failed(bot, fake, status=422)}").text
    lines = re.findall(r"<span( class=\"\w+\")?>time=\S+ level=(\w+) ", page)
    assert {level: style for style, level in lines} == {"debug": "", "info": "", "warning": ' class="held"'}


def test_a_timeline_names_effects_of_deliveries_about_something_else(start):
    bot, console = start("trouble")
    guid = bot.deliver("trouble", trouble("comment", url=f"{bot.fake.api_url}{COMMENTS}", issue={"number": 13}))
    bot.wait_log(msg="done", delivery=guid)
    page = console.get("/items/sneks-united/terrarium/12")
    assert "wrote a comment" in page.text and ">a delivery about something else</a>" in page.text
    assert guid not in text_of(page) and f"/deliveries/{guid}" in page.text


def test_the_overview_has_the_due_time_of_a_run_that_is_due_later(start):
    bot, console = start("trouble", attempts=9)
    bot.wait_log(msg="retry", delivery=bot.deliver("trouble", trouble("fail")))
    snek.wait_until(lambda: console.json("/overview")["oldest_due"], "the count")
    assert re.search(r"queued or waiting run, by its due time \S+ \S+ UTC in ", words_of(console.get()))


def test_a_plugin_leads_to_its_runs_though_none_of_them_failed(start):
    bot, console = start("ping")
    guid = bot.deliver("issue_comment", snek.payload("issue_comment.created", {"comment.body": "Hi"}))
    bot.wait_log(msg="skipped", delivery=guid)
    page = console.get("/plugins")
    assert "No run waits or failed. All its runs" in words_of(page)
    assert '<a href="/console/deliveries?plugin=ping">All its runs</a>' in page.text
    assert "nothing matched: why?" in words_of(console.get("/deliveries?plugin=ping"))


def test_an_overview_without_deliveries_has_no_bar_to_measure(start):
    _, console = start("ping")
    page = words_of(console.get())
    assert "No delivery came in the last 24 hours." in page and "in a bar" not in page
    assert page.index("The oldest") < page.index("Over time") < page.index("The last deliveries")


def test_the_tree_of_a_payload_writes_empty_values_out_and_counts_a_list(start):
    bot, console = start("trouble")
    guid = bot.deliver("trouble", trouble("fine", none=[], nothing={}, some=[1, {"a": []}, "]"], long=["x" * 999] * 99))
    page = console.get(f"/deliveries/{guid}").text
    for shown in ("<li><b>none</b> <code>[]</code></li>", "<li><b>nothing</b> <code>{}</code></li>",
                  "<details><summary><b>some</b> […] <span class=\"soft\">3</span></summary>",
                  "<details><summary><b>long</b> […]</summary>", "<li><b>a</b> <code>[]</code></li>"):
        assert shown in page, shown
    assert page.count("<details") == page.count("</details>") and page.count("<ul") == page.count("</ul>")


def test_the_run_that_is_in_doubt_hears_of_its_effect_first_and_no_button_urges(start, fake):
    bot, console = start("trouble")
    page = console.get(f"/deliveries/{failed(bot, fake, drop=True)}")
    words = words_of(page)
    assert words.index("1 effect is in doubt") < words.index("does not retry it by itself any more")
    assert "does not repeat an effect" not in words and '<button class="quiet">Retry now' in page.text
    page = console.get(f"/deliveries/{failed(bot, fake, status=422)}")
    assert "does not repeat an effect" in words_of(page) and '<button class="">Retry now' in page.text


def test_a_dead_run_is_not_called_a_suspect_that_the_host_tries(start):
    bot, console = start("trouble", attempts=3, first_retry_ms=50)
    guid = bot.deliver("trouble", trouble("exit"))
    bot.wait_log(msg="dead", delivery=guid)
    assert console.json(f"/deliveries/{guid}")["runs"][0]["suspect"]
    words = words_of(console.get(f"/deliveries/{guid}"))
    assert "a worker died while this run was in it. A retry runs it alone" in words
    assert "The host tries it alone" not in words and "dead suspect" not in words
    assert "dead suspect" not in words_of(console.get("/deliveries"))


def test_a_group_of_one_failure_is_in_the_singular(start):
    bot, console = start("trouble")
    for count in (1, 2):
        guid = bot.deliver("trouble", trouble("fail"))
        bot.wait_log(msg="dead", delivery=guid)
        page = console.get("/failures")
        words, link = words_of(page), f'href="/console/deliveries/{guid}">'
        if count == 1:
            assert "Its delivery" in words and "Retry it…" in words and "all of them" not in words
            assert "First" not in words and link in page.text
        else:
            assert "The last one, all of them" in words and "Retry all…" in words


def test_a_pause_from_the_command_line_is_named_once(start):
    bot, console = start("trouble")
    bot.verb("plugins", "pause", "trouble")
    words = words_of(console.get("/plugins"))
    assert re.search(r"paused the whole plugin, by an operator, since \S+ \S+ UTC", words) and "paused by" not in words


def test_a_search_says_what_it_found_before_what_it_did_not_find(start):
    bot, console = start("trouble")
    bot.wait_log(msg="dead", delivery=bot.deliver("trouble", trouble("fail")))
    words = words_of(console.get("/deliveries?q=asked"))
    assert words.index("These have asked in their reason") < words.index("No person and no event has this name.")
