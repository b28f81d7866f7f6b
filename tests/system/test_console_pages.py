# SPDX-License-Identifier: MIT OR Apache-2.0
"""The console's pages over HTTP; test_console_browser.py looks at them in a browser."""

import html
import json
import re

import pytest

import snek
from console_client import READER, Console, start_console


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def about(number, action="fail", **more):
    """A payload about an issue."""
    return trouble(action, repository={"id": 7, "full_name": "Sneks/Pit"}, issue={"number": number},
                   sender={"login": "Ada", "id": 5}, **more)


@pytest.fixture
def bot(start_bot):
    return start_console(start_bot, plugins=["trouble", "ping"], config={"dispatch": {"max_attempts": 1}})


@pytest.fixture
def console(bot):
    console = Console(bot.url)
    console.login(person="Ada")
    return console


def dead(bot, payload):
    guid = bot.deliver("trouble", payload)
    bot.wait_log(msg="dead", delivery=guid)
    return guid


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", " ", page.text))


# ---- search ----

def test_one_box_finds_by_guid_item_person_plugin_and_reason(bot, console):
    guid = dead(bot, about(12))
    other = dead(bot, trouble("fail"))
    assert console.get(f"/deliveries?q={guid}").location == f"/console/deliveries/{guid}"
    for query in ("sneks/pit%2312", "Sneks/Pit", "https://github.com/sneks/pit/issues/12", "ada", "@Ada"):
        found = console.json(f"/deliveries?q={query}")["runs"]
        assert [run["delivery"] for run in found] == [guid], query
    for query in ("trouble", "plugin:trouble", "asked%20to", "asked", "state:dead", "event:trouble"):
        found = console.json(f"/deliveries?q={query}")["runs"]
        assert {run["delivery"] for run in found} == {guid, other}, query
    assert console.json("/deliveries?q=sneks/pit%2313")["runs"] == []
    assert "reason has it" in console.get("/deliveries?q=asked").text


def test_filters_in_the_url_narrow_the_list(bot, console):
    guid = dead(bot, about(12))
    fine = bot.deliver("trouble", trouble("fine"))
    bot.wait_log(msg="done", delivery=fine)
    for query, expected in (("state=dead", [guid]), ("state=done", [fine]), ("repository=sneks/pit%2312", [guid]),
                            ("sender=ADA&event=trouble", [guid]), ("since=1h", [fine, guid]),
                            ("since=2099-01-01", []), ("reason=to+fail", [guid])):
        assert [run["delivery"] for run in console.json(f"/deliveries?{query}")["runs"]] == expected, query
    for query in ("since=tomorrow", "repository=x", "before=x"):
        assert console.get(f"/deliveries?{query}").status == 400


def test_a_long_list_goes_on_with_older_deliveries(bot, console):
    guids = [bot.deliver("ping", {"zen": str(number)}) for number in range(130)]
    first = console.json("/deliveries")
    second = console.json(f"/deliveries?before={first['before']}")
    seen = [run["delivery"] for run in first["runs"] + second["runs"]]
    assert seen == guids[::-1] and 100 <= len(first["runs"]) < 130
    assert 'rel="next"' in console.get("/deliveries").text


# ---- one delivery ----

def test_a_delivery_shows_its_runs_steps_and_exact_payload(bot, console):
    payload = about(12, big=12345678901234567890, small=1.10, deep={"list": [None, True, "x"]})
    guid = dead(bot, payload)
    page = console.get(f"/deliveries/{guid}")
    text = text_of(page)
    for part in (guid, "Sneks/Pit#12", "Ada", "asked to fail", "received, and committed", "12345678901234567890", "1.1",
                 f"snekomatic send trouble payload.json", f"delivery={guid}"):
        assert part in text, part
    assert "<details><summary><b>deep</b>" in page.text
    raw = console.get(f"/deliveries/{guid}/payload.json")
    assert json.loads(raw.text) == payload and "attachment" in raw.headers["Content-Disposition"]
    shown = console.json(f"/deliveries/{guid}")
    assert shown["runs"][0]["state"] == "dead" and shown["runs"][0]["reason"] == "asked to fail"
    assert console.get("/deliveries/nonsense").status == 404


HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</pre></details><b>", "\u202eevil\u2066",
           "&lt;script&gt;", "\u0000\u001b[31m", "javascript:alert(1)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_a_payload_is_shown_as_text(bot, console, text):
    guid = dead(bot, trouble("fail", text=text, **{f"key{text}": 1}))
    page = console.get(f"/deliveries/{guid}").text
    tags = set(re.findall(r"<([a-z0-9]+)", page)) - {"rect"}
    assert "img" not in tags and page.count("<script") == 1 and "\u202e" not in page and "\x1b" not in page
    if text.startswith("<script"):
        assert "&lt;script&gt;alert(1)" in page


def test_a_payload_of_25_mb_is_bounded(bot, console):
    payload = trouble("fail", long="x" * 1_000_000, many=[{"n": number} for number in range(1_500_000)])
    guid = dead(bot, payload)
    page = console.get(f"/deliveries/{guid}")
    assert page.status == 200 and 1_000_000 < len(page.text) < 6_000_000
    assert "x" * 1_000_000 in page.text and "larger than what is shown here" in page.text
    assert len(console.get(f"/deliveries/{guid}/payload.json").text) > 15_000_000


def test_a_deep_payload_is_bounded(bot, console):
    guid = dead(bot, trouble("fail", deep=json.loads("[" * 400 + "]" * 400)))
    page = console.get(f"/deliveries/{guid}").text
    assert "deeper…" in page and page.count("<details") == page.count("</details>") < 60


# ---- changes ----

def test_a_dead_run_is_retried_and_a_person_is_named(bot, console):
    guid = dead(bot, trouble("fail"))
    mark = bot.mark()
    page = console.submit(f"/deliveries/{guid}", console.get(f"/deliveries/{guid}").form("/retry"))
    assert "One run is due now." in page.text
    bot.wait_log(msg="dead", delivery=guid, after=mark)
    [action, *_] = console.json("/actions")["actions"]
    assert action["who"] == "console admin Ada 127.0.0.1"
    assert (action["what"], action["target"], action["result"]) == ("retry", guid, "1 changed")
    assert guid in console.get("/actions").text


def test_a_reader_sees_everything_and_changes_nothing(bot, console):
    guid = dead(bot, trouble("fail"))
    reader = Console(bot.url)
    reader.login(READER)
    for path in ("", "/deliveries", f"/deliveries/{guid}", "/failures", "/actions", "/items/a/b/1"):
        page = reader.get(path)
        assert page.status == 200 and [form["action"] for form in page.forms if form["method"] == "post"] == [
            "/console/logout"]
    form = reader.token()
    for path in (f"/deliveries/{guid}/retry", f"/deliveries/{guid}/discard", "/failures/preview", "/failures/apply"):
        assert reader.post(path, {"form": form, "state": "dead", "what": "retry", "preview": "1"}).status == 403
    assert console.json(f"/deliveries/{guid}")["runs"][0]["state"] == "dead"


def test_failures_are_grouped_and_all_of_a_group_is_retried(bot, console):
    guids = [dead(bot, trouble("fail")) for _ in range(3)]
    [group] = console.json("/failures")["groups"]
    assert (group["plugin"], group["reason"], group["runs"], group["last_delivery"]) == (
        "trouble", "asked to fail", 3, guids[-1])
    preview = console.submit("/failures", console.get("/failures").form("/preview"))
    assert "3 runs would be retried" in preview.text
    mark = bot.mark()
    done = console.submit("/failures", preview.form("/apply"))
    assert "3 runs are due now" in done.text
    for guid in guids:
        bot.wait_log(msg="dead", delivery=guid, after=mark)
    again = console.submit("/failures", preview.form("/apply"))
    assert again.status == 404 and "carried out already" in again.text
    assert [action["what"] for action in console.json("/actions")["actions"]] == ["retry many"] * 2


def test_the_timeline_of_an_item_has_its_deliveries_and_effects(bot, console):
    first, second = dead(bot, about(12)), dead(bot, about(12))
    dead(bot, about(13))
    page = console.get("/items/sneks/pit/12")
    assert page.text.index(second) < page.text.index(first)
    assert [run["delivery"] for run in console.json("/items/sneks/pit/12")["runs"]] == [second, first]
    assert console.get("/items/nonsense").status == 404


def test_a_path_without_a_page_is_reported(console):
    assert console.get("/nothing").status == 404
    assert console.post("/deliveries", {"form": console.token()}).status == 405
